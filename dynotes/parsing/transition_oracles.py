"""Oracles: which moves lead to the gold tree, and what a move costs after mistakes.

    static    LEFT or RIGHT if the arc is gold and its word has all of its dependents;
              SWAP if s0 comes before s1 in the projective order, and, to be lazy, b0 is not of the
              component of s0;  SHIFT otherwise
    dynamic   cost(move) = the gold arcs that could be reached before the move and not after it

The projective order reads the tree from left to right: dependents before the head, the head,
dependents behind it.  Components are the subtrees that the static oracle builds without swaps: a
swap waits until s0 has been put together.

Costs are those of arc-hybrid, where a set of arcs that can each be reached can be reached together:

    LEFT     s0 loses its dependents in the buffer, and its head if that is s1 or in the buffer
             behind b0
    RIGHT    s0 loses its dependents in the buffer, and its head if that is in the buffer
    SHIFT    b0 loses its dependents on the stack, and its head if that is below s0; with one root,
             the root too, if the stack is not empty

For a projective gold tree a move of cost 0 always exists; otherwise costs are a lower bound.

Note: Topic: Dependency Parsing / Methods (T69)
Paper: Nivre 2009; Nivre, Kuhlmann & Hall 2009 (the lazy oracle); Goldberg & Nivre 2013 (dynamic).
Differs: the papers let several words hang below the root; here that is an option, and the costs
    count what the constraint of one root makes unreachable.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.trees import check_tree
from dynotes.parsing.transition_systems import (
    LEFT,
    NONE,
    RIGHT,
    SHIFT,
    SWAP,
    States,
    TransitionSystem,
)


class Gold(NamedTuple):
    """Gold trees of B sentences of at most N words; entry 0 and padding are NONE.

    heads, labels (B, N + 1); order, component (B, N + 1): see above, zeros if there is no SWAP.
    """

    heads: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    component: np.ndarray
    lengths: np.ndarray


def gold_trees(
    system: TransitionSystem, heads: Any, labels: Any, lengths: Any, *, lazy: bool = True
) -> Gold:
    """The gold trees of a batch, checked.

    Args:
        system: what will be asked for its moves.
        heads, labels: (n_1 + .. + n_B,) integers, one sentence after another.
        lengths: (B,) n_1, .., n_B.
        lazy: swap as late as the components allow.

    Raises:
        ValueError: sizes that do not fit, or heads that are no tree.
    """
    sizes = system.start(lengths).lengths
    flat = [np.asarray(x) for x in (heads, labels)]
    total = int(sizes.sum())
    if any(x.shape != (total,) or x.dtype.kind not in "iu" for x in flat):
        found = ", ".join(f"{x.dtype} {x.shape}" for x in flat)
        raise ValueError(f"heads, labels: expected ({total},) integers, found {found}")
    padded = np.full((2, len(sizes), int(sizes.max()) + 1), NONE)
    keep = np.arange(padded.shape[2]) <= sizes[:, None]
    keep[:, 0] = False
    for k in range(2):
        padded[k][keep] = flat[k]
    for row, n in zip(padded[0], sizes):
        check_tree(row[1 : n + 1], multi_root=system.multi_root)
    nothing = np.zeros_like(padded[0])
    gold = Gold(padded[0], padded[1], nothing, nothing, sizes)
    if system.algorithm != "swap":
        return gold
    order = np.stack(
        [projective_order(row[: n + 1], row.size) for row, n in zip(gold.heads, sizes)]
    )
    component = (
        _components(gold, system.multi_root)
        if lazy
        else np.tile(np.arange(keep.shape[1]), (len(sizes), 1))
    )
    return gold._replace(order=order, component=component)


def projective_order(heads: np.ndarray, size: int) -> np.ndarray:
    """Places of the nodes 0 .. n in the projective order of a tree, (size,), padded by zeros."""
    dependents: list[list[int]] = [[] for _ in heads]
    for word in range(1, len(heads)):
        dependents[heads[word]].append(word)
    places, order = np.zeros(size, np.int64), 0
    todo = [(0, False)]
    while todo:
        node, opened = todo.pop()
        if opened:
            places[node] = order
            order += 1
            continue
        behind = [(word, False) for word in reversed(dependents[node]) if word > node]
        before = [(word, False) for word in reversed(dependents[node]) if word < node]
        todo += [*behind, (node, True), *before]
    return places


def _components(gold: Gold, multi_root: bool) -> np.ndarray:
    """The topmost node that the static oracle without swaps has put each node below."""
    system = TransitionSystem("arc-standard", multi_root=multi_root)
    states = system.start(gold.lengths)
    while True:
        moves = static_moves(system, states, gold)
        if (moves == NONE).all():
            break
        system.apply(states, moves, np.zeros_like(moves))
    nodes = np.arange(gold.heads.shape[1])
    top = np.where(states.heads == NONE, nodes, states.heads)
    for _ in range(top.shape[1].bit_length()):
        top = np.take_along_axis(top, top, axis=1)
    return top


def static_moves(system: TransitionSystem, states: States, gold: Gold) -> np.ndarray:
    """The next move towards every gold tree, (B,); NONE in final states and where there is none.

    Args:
        system, gold: of the same kind.
        states: reached by these moves alone.
    """
    rows, arcs, legal = np.arange(len(states.depth)), system.arcs(states), system.legal(states)

    def right(head: np.ndarray, word: np.ndarray) -> np.ndarray:
        """The arc is gold, and the word waits for no dependent."""
        waits = (gold.heads == word[:, None]) & (states.heads == NONE)
        return (gold.heads[rows, word] == head) & ~waits.any(axis=1)

    moves = np.where(legal[:, SHIFT], SHIFT, NONE)
    if system.algorithm == "swap":
        s0, s1, b0 = states.stacked(0), states.stacked(1), states.first()
        ready = (b0 == NONE) | (gold.component[rows, s0] != gold.component[rows, b0])
        wrong = gold.order[rows, s0] < gold.order[rows, s1]
        moves[legal[:, SWAP] & wrong & ready] = SWAP
    moves[legal[:, RIGHT] & right(arcs.right_head, arcs.right_word)] = RIGHT
    moves[legal[:, LEFT] & right(arcs.left_head, arcs.left_word)] = LEFT
    return moves


def covered(system: TransitionSystem, gold: Gold) -> np.ndarray:
    """Which gold trees the static oracle reaches, (B,) bool: all of them with swaps."""
    states = system.start(gold.lengths)
    while True:
        moves = static_moves(system, states, gold)
        if (moves == NONE).all():
            return system.is_final(states)
        system.apply(states, moves, np.zeros_like(moves))


def dynamic_costs(system: TransitionSystem, states: States, gold: Gold) -> np.ndarray:
    """The gold arcs that each move loses, (B, 3) integers; anything where it is not legal.

    Raises:
        ValueError: not arc-hybrid.
    """
    if not system.hybrid:
        raise ValueError(f"expected arc-hybrid, found {system.algorithm}")
    rows, nodes = np.arange(len(states.depth)), np.arange(gold.heads.shape[1])
    s0, s1, b0 = states.stacked(0), states.stacked(1), states.first()
    b0 = np.where(b0 == NONE, 0, b0)
    next_word = np.where(b0 == 0, states.lengths + 1, b0)
    behind = (nodes >= next_word[:, None]) & (nodes <= states.lengths[:, None])
    waiting = (nodes > 0) & (nodes < next_word[:, None]) & (states.heads == NONE)
    to_s0 = ((gold.heads == s0[:, None]) & behind).sum(axis=1)
    to_b0 = ((gold.heads == b0[:, None]) & waiting).sum(axis=1)

    head = gold.heads[rows, s0]
    # with one root, it is out of reach for all but the bottom of the stack
    root = (head == 0) & (system.multi_root | (states.depth == 1))
    in_buffer = (head >= next_word) | root
    left = to_s0 + ((head != b0) & (in_buffer | ((head == s1) & (s1 != NONE))))
    right = to_s0 + in_buffer

    above = gold.heads[rows, b0]
    shift = to_b0 + (
        (above > 0) & (above != s0) & np.take_along_axis(waiting, above[:, None], 1)[:, 0]
    )
    if not system.multi_root:
        shift += (above == 0) & (states.depth > 0)
    return np.stack([shift, left, right], axis=1)
