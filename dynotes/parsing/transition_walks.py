"""Walks through the states of a batch of sentences in lock step: along gold trees, or greedily.

An action is a move with the label of its arc: SHIFT, LEFT with each label, RIGHT with each, SWAP.

    target   the action with the best score among those of least cost
    rival    the action with the best score among all other legal ones
    cost     gold arcs lost (dynamic), or 0 for the oracle's move and 1 for others (static);
             one more for the wrong label on a gold arc

With exploration the walk takes the rival where it scores higher, and with probability p where the
target's lead is less than 1: states that the parser gets itself into, and the best way on from
there.

Note: Topic: Dependency Parsing / Methods (T69)
Paper: Goldberg & Nivre 2013; Kiperwasser & Goldberg 2016, arXiv:1603.04351, section 4.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from dynotes.parsing.transition_oracles import Gold, dynamic_costs, static_moves
from dynotes.parsing.transition_systems import (
    LEFT,
    NONE,
    RIGHT,
    SHIFT,
    SWAP,
    States,
    TransitionSystem,
)

SLOTS = 4  # s2, s1, s0, b0
MARGIN = 1.0

# from the columns (R, SLOTS) of R states to the scores (R, A) of all actions
Scorer = Callable[[np.ndarray], np.ndarray]


class Actions(NamedTuple):
    """The move of every action and its label, (A,) each; NONE for moves that make no arc."""

    moves: np.ndarray
    labels: np.ndarray


class Walk(NamedTuple):
    """S states on the way of a batch, one sentence's states among those of the others.

    columns (S, SLOTS), see `columns`; legal (S, n_moves) bool; target, rival (S,) actions, the
    rival NONE where no other is legal or no scores were asked for.
    """

    columns: np.ndarray
    legal: np.ndarray
    target: np.ndarray
    rival: np.ndarray


class LabelLimits(NamedTuple):
    """Which labels arcs from the root and other arcs may have, (n_labels,) bool each."""

    roots: np.ndarray
    inner: np.ndarray


def actions(system: TransitionSystem, n_labels: int) -> Actions:
    """The table of all actions of a system: A = 1 + 2 n_labels, one more with SWAP."""
    moves = [SHIFT] + [LEFT] * n_labels + [RIGHT] * n_labels
    labels = [NONE, *range(n_labels), *range(n_labels)]
    if system.n_moves > SWAP:
        moves.append(SWAP)
        labels.append(NONE)
    return Actions(np.array(moves), np.array(labels))


def columns(states: States, rows: np.ndarray) -> np.ndarray:
    """Where the vectors of s2, s1, s0 and b0 stand, (R, SLOTS), for the states of some sentences.

    Node i of sentence b is column i B + b of time-major vectors with the root first; an empty
    place is the column behind all of them.
    """
    batch, width = states.heads.shape
    nodes = np.stack([*(states.stacked(k) for k in (2, 1, 0)), states.first()], axis=1)[rows]
    return np.where(nodes == NONE, batch * width, nodes * batch + rows[:, None])


def gold_walk(
    system: TransitionSystem,
    gold: Gold,
    n_labels: int,
    scorer: Optional[Scorer] = None,
    *,
    explore: float = 0.0,
    rng: Optional[np.random.Generator] = None,
) -> Walk:
    """The states on the way to gold trees, and what should be done and should not be in each.

    Args:
        system: without a scorer, its static oracle leads the way.  With one, arc-hybrid asks the
            dynamic oracle and explores; the other systems stay on the way of the static oracle.
        gold: the trees.
        n_labels: of the actions.
        scorer: scores of the model as it is.
        explore, rng: the probability p, and what draws.

    Raises:
        ValueError: a tree that the system does not reach, a bad label, or p without rng.
    """
    if gold.labels.max() >= n_labels or (gold.labels[:, 1:][gold.heads[:, 1:] >= 0] < 0).any():
        raise ValueError(f"labels: expected 0 to {n_labels - 1}, found {gold.labels.max()}")
    if not 0 <= explore <= 1 or (explore > 0 and rng is None):
        raise ValueError(f"explore: expected 0 to 1, with an rng above 0, found {explore}")
    table, states = actions(system, n_labels), system.start(gold.lengths)
    dynamic = system.hybrid and scorer is not None
    steps: list[Walk] = []
    while True:
        rows = np.flatnonzero(~system.is_final(states))
        if not rows.size:
            break
        legal, places = system.legal(states)[rows], columns(states, rows)
        costs = _costs(system, states, gold, table, dynamic)[rows]
        costs = np.where(legal[:, table.moves], costs, np.iinfo(np.int64).max)
        right = costs == costs.min(axis=1, keepdims=True)
        scores = np.zeros(costs.shape) if scorer is None else scorer(places)
        target = best_allowed(scores, right)
        rival = best_allowed(scores, legal[:, table.moves] & ~right)
        rival = np.full_like(rival, NONE) if scorer is None else rival
        steps.append(Walk(places, legal, target, rival))
        taken = _explored(scores, target, rival, explore, rng) if dynamic else target
        _take(system, states, table, rows, taken)
    return Walk(*(np.concatenate(parts) for parts in zip(*steps)))


def _costs(
    system: TransitionSystem, states: States, gold: Gold, table: Actions, dynamic: bool
) -> np.ndarray:
    """The cost of every action, (B, A) integers."""
    arcs, every = system.arcs(states), np.arange(len(states.depth))
    if dynamic:
        moves = dynamic_costs(system, states, gold)
    else:
        oracle = static_moves(system, states, gold)
        stuck = np.flatnonzero((oracle == NONE) & ~system.is_final(states))
        if stuck.size:
            raise ValueError(f"sentence {stuck[0]}: {system.algorithm} cannot build this tree")
        moves = (oracle[:, None] != np.arange(system.n_moves)).astype(np.int64)
    costs = moves[:, table.moves]
    for move, head, word in (
        (LEFT, arcs.left_head, arcs.left_word),
        (RIGHT, arcs.right_head, arcs.right_word),
    ):
        is_gold = gold.heads[every, word] == head
        wrong = (table.labels != gold.labels[every, word][:, None]) & (table.moves == move)
        costs = costs + (is_gold[:, None] & wrong)
    return costs


def best_allowed(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The allowed action with the highest score, (R,); NONE where none is allowed."""
    best = np.where(allowed, scores, -np.inf).argmax(axis=1)
    return np.where(allowed.any(axis=1), best, NONE)


def _explored(
    scores: np.ndarray,
    target: np.ndarray,
    rival: np.ndarray,
    p: float,
    rng: Optional[np.random.Generator],
) -> np.ndarray:
    """Target or rival of every state."""
    if rng is None:
        return target
    every = np.arange(len(target))
    lead = scores[every, target] - scores[every, rival]
    astray = (lead < 0) | ((lead < MARGIN) & (rng.random(len(lead)) < p))
    return np.where(astray & (rival != NONE), rival, target)


def _take(
    system: TransitionSystem, states: States, table: Actions, rows: np.ndarray, taken: np.ndarray
) -> None:
    moves, labels = np.full((2, len(states.depth)), NONE)
    moves[rows], labels[rows] = table.moves[taken], table.labels[taken]
    system.apply(states, moves, labels)


def greedy_walk(
    system: TransitionSystem,
    lengths: Any,
    n_labels: int,
    scorer: Scorer,
    *,
    limits: Optional[LabelLimits] = None,
) -> States:
    """The final states when the legal action with the best score is taken each time.

    Args:
        lengths: (B,) numbers of words.
        n_labels, scorer: see `gold_walk`.
        limits: labels that are allowed; None for all.
    """
    table, states = actions(system, n_labels), system.start(lengths)
    while True:
        rows = np.flatnonzero(~system.is_final(states))
        if not rows.size:
            return states
        allowed = system.legal(states)[:, table.moves]
        if limits is not None:
            allowed &= _within(limits, system, states, table)
        taken = best_allowed(scorer(columns(states, rows)), allowed[rows])
        _take(system, states, table, rows, taken)


def _within(
    limits: LabelLimits, system: TransitionSystem, states: States, table: Actions
) -> np.ndarray:
    """Which actions have a label that is allowed for their arc, (B, A) bool."""
    arcs = system.arcs(states)
    roots, inner = (np.append(x, True)[table.labels] for x in limits)  # NONE: no label
    root = np.where(table.moves == LEFT, arcs.left_head[:, None], arcs.right_head[:, None]) == 0
    return np.where(root, roots, inner)
