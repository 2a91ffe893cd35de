"""Transition systems: states of many sentences at a time, the moves, and which are legal.

    stack (.., s2, s1, s0)   buffer (b0, b1, ..)             node 0 is the root

                 arc-standard, swap          arc-hybrid
    SHIFT        b0 goes on the stack        the same
    LEFT         s0 -> s1, drop s1           b0 -> s0, drop s0
    RIGHT        s1 -> s0, drop s0           s1 -> s0, drop s0
    SWAP         s1 goes back to b0, if it stands before s0: 0 < s1 < s0 (swap alone)

The root lies at the bottom of the stack, in arc-hybrid at the end of the buffer.  A state is final
when every word has a head.  With one root, the root takes a word only when no other is left, so
that every legal path ends in a tree; arc-standard and arc-hybrid reach all projective trees in 2n
moves, swap all trees.

Note: Topic: Dependency Parsing / Methods (T69)
Paper: Yamada & Matsumoto 2003; Nivre 2004 (arc-standard); Kuhlmann, Gomez-Rodriguez & Satta 2011
    (arc-hybrid); Nivre 2009 (swap).
Renamed: the papers' sigma and beta are the stack and the buffer; the notes' REDUCE is LEFT and
    RIGHT.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.graph.shapes import check_ids

ALGORITHMS = ("arc-standard", "arc-hybrid", "swap")
SHIFT, LEFT, RIGHT, SWAP = range(4)
NONE = -1  # no node, no head, no move


class States(NamedTuple):
    """B sentences of at most N words; `TransitionSystem.apply` changes the arrays.

    stack, queue (B, N + 1) nodes; the stack's first depth[b] count, and the queue's from front[b]
    to end[b], which are the buffer.  heads, labels (B, N + 1) of the nodes, NONE if not known yet.
    """

    stack: np.ndarray
    depth: np.ndarray
    queue: np.ndarray
    front: np.ndarray
    end: np.ndarray
    heads: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray

    def stacked(self, k: int) -> np.ndarray:
        """Node s_k of every sentence, NONE if the stack is not that deep."""
        place = self.depth - 1 - k
        nodes = self.stack[np.arange(len(place)), np.maximum(place, 0)]
        return np.where(place >= 0, nodes, NONE)

    def first(self) -> np.ndarray:
        """Node b0 of every sentence, NONE if the buffer is empty."""
        nodes = self.queue[np.arange(len(self.front)), np.minimum(self.front, self.end - 1)]
        return np.where(self.front < self.end, nodes, NONE)


class Arcs(NamedTuple):
    """The arcs that the moves LEFT and RIGHT would make, each (B,); NONE where there is none."""

    left_head: np.ndarray
    left_word: np.ndarray
    right_head: np.ndarray
    right_word: np.ndarray


class TransitionSystem:
    """One of ALGORITHMS, for trees with one root or, with ``multi_root``, any number."""

    def __init__(self, algorithm: str, *, multi_root: bool = False) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(
                f"algorithm: expected one of {', '.join(ALGORITHMS)}, found {algorithm!r}"
            )
        self.algorithm, self.multi_root = algorithm, multi_root
        self.hybrid = algorithm == "arc-hybrid"
        self.n_moves = 4 if algorithm == "swap" else 3

    def start(self, lengths: Any) -> States:
        """The first states of sentences of these lengths, (B,) numbers of words >= 1."""
        sizes = check_ids("lengths", lengths, 2**31, (None,)).astype(np.int64)
        if sizes.min() < 1:
            raise ValueError(f"lengths: expected 1 or more, found {sizes.min()}")
        batch, width = len(sizes), int(sizes.max()) + 1
        queue = np.tile(np.arange(1, width + 1), (batch, 1))
        depth, end = np.ones_like(sizes), sizes.copy()
        if self.hybrid:
            queue[np.arange(batch), sizes] = 0
            depth, end = np.zeros_like(sizes), sizes + 1
        heads = np.full((batch, width), NONE)
        front, stack = np.zeros_like(sizes), np.zeros((batch, width), np.int64)
        return States(stack, depth, queue, front, end, heads, heads.copy(), sizes)

    def arcs(self, states: States) -> Arcs:
        """What LEFT and RIGHT would attach to what."""
        s0, s1 = states.stacked(0), states.stacked(1)
        if self.hybrid:
            return Arcs(states.first(), s0, s1, s0)
        return Arcs(s0, s1, s1, s0)

    def is_final(self, states: States) -> np.ndarray:
        """Which sentences have all of their heads, (B,) bool."""
        if self.hybrid:
            return (states.depth == 0) & (states.front == states.end - 1)
        return (states.depth == 1) & (states.front == states.end)

    def legal(self, states: States) -> np.ndarray:
        """Which moves are allowed, (B, n_moves) bool; none in a final state, one or more before."""
        first, arcs = states.first(), self.arcs(states)
        shift = first > 0
        left = (arcs.left_head >= 0) & (arcs.left_word > 0)
        right = (arcs.right_head >= 0) & (arcs.right_word > 0)
        if not self.multi_root:
            left &= (arcs.left_head > 0) | (states.depth == 1)
            right &= (arcs.right_head > 0) | (first == NONE)
        moves = [shift, left, right]
        if self.algorithm == "swap":
            moves.append((arcs.left_word > 0) & (arcs.left_word < arcs.left_head))
        return np.stack(moves, axis=1)

    def apply(self, states: States, moves: Any, labels: Any) -> None:
        """Make a move in every sentence.

        Args:
            states: are changed.
            moves: (B,), NONE where nothing is to change.
            labels: (B,), of the new arcs; not read for other moves.

        Raises:
            ValueError: an illegal move; nothing has changed then.
        """
        batch = len(states.depth)
        chosen, names = np.asarray(moves), np.asarray(labels)
        if chosen.shape != (batch,) or names.shape != (batch,):
            raise ValueError(
                f"expected ({batch},) moves and labels, found {chosen.shape}, {names.shape}"
            )
        self._refuse_illegal(states, chosen)
        rows, arcs = np.arange(batch), self.arcs(states)
        for move, head, word in (
            (LEFT, arcs.left_head, arcs.left_word),
            (RIGHT, arcs.right_head, arcs.right_word),
        ):
            here = rows[chosen == move]
            states.heads[here, word[here]] = head[here]
            states.labels[here, word[here]] = names[here]
        shifted = rows[chosen == SHIFT]
        states.stack[shifted, states.depth[shifted]] = states.first()[shifted]
        swapped = rows[chosen == SWAP]
        states.front[swapped] -= 1
        states.queue[swapped, states.front[swapped]] = arcs.left_word[swapped]
        if not self.hybrid:  # s1 goes, s0 takes its place
            under = rows[(chosen == LEFT) | (chosen == SWAP)]
            states.stack[under, states.depth[under] - 2] = arcs.left_head[under]
        states.front[shifted] += 1
        states.depth[shifted] += 1
        states.depth[chosen >= LEFT] -= 1

    def _refuse_illegal(self, states: States, moves: np.ndarray) -> None:
        known = (moves >= NONE) & (moves < self.n_moves)
        fine = self.legal(states)[np.arange(len(moves)), np.where(known, moves, 0)]
        wrong = np.flatnonzero(~known | (~fine & (moves != NONE)))
        if wrong.size:
            raise ValueError(f"move {moves[wrong[0]]} is not legal in sentence {wrong[0]}")
