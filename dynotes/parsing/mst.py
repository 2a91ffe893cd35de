"""Chu-Liu-Edmonds: the best tree of all, projective or not.

    y = argmax over trees of sum_d s[y_d, d]

Every word takes its best head.  Where that makes a cycle, the cycle becomes one node: an arc from
h to its word d is worth s[h, d] - s[y_d, d], what it gains over the cycle's own arc into d.  Each
contraction joins k nodes in O(k n), so the whole takes O(n^2).

Note: Topic: Dependency Parsing / Methods (T70)
Paper: Chu & Liu 1965; Edmonds 1967; Tarjan 1977 (dense graphs in O(n^2)); McDonald et al. 2005;
    Zmigrod, Vieira & Cotterell 2020 and Stanojevic & Cohen 2021 (one root).
Differs: for one root, a root's arc is not made worse by a large constant, which would cost the
    digits of the scores: arcs are compared by (number of root arcs, score), in this order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.trees import on_cycles
from dynotes.parsing.scores import arc_scores


def mst(scores: Any, *, single_root: bool = True) -> np.ndarray:
    """Heads of the tree with the highest score.

    Greedy heads that are a tree are returned as they are.  Of equally good heads the first is
    taken, so that equal scores give equal trees.

    Args:
        scores: (n + 1, n + 1), see `arc_scores`: [h, d] scores the arc from h to d.
        single_root: exactly one word hangs below the root; False allows several.

    Returns:
        (n,) int64, heads of the words, 0 for a root.

    Raises:
        ValueError: bad scores, or no tree without forbidden arcs.
    """
    weights = arc_scores(scores)
    greedy = weights[:, 1:].argmax(axis=0)
    heads = greedy
    if on_cycles(greedy).size:
        heads = _Contraction(weights, np.zeros(len(weights))).heads()
    if single_root and np.count_nonzero(heads == 0) > 1:
        root_arcs = np.zeros(len(weights))
        root_arcs[0] = -1.0
        heads = _Contraction(weights, root_arcs).heads()
        if np.count_nonzero(heads == 0) > 1:
            raise ValueError("scores: the arcs that are not forbidden give no tree with one root")
    return heads


class _Arc(NamedTuple):
    """The head and the word of an arc, as they are in the sentence."""

    head: int
    word: int


class _Contraction:
    """A graph whose nodes are words and contracted cycles; row and column i belong to one node.

    Args:
        scores: (n + 1, n + 1).
        first: (n + 1,) what the arcs of each head are compared by before their score.
    """

    def __init__(self, scores: np.ndarray, first: np.ndarray) -> None:
        size = len(scores)
        self.scores = scores.copy()
        self.first = np.where(scores > -np.inf, first[:, None], -np.inf)
        # the arc of the sentence that [u, v] stands for
        index = np.arange(size)
        self.head = np.repeat(index[:, None], size, axis=1)
        self.word = np.repeat(index[None], size, axis=0)
        # what the arc chosen for each row is worth
        self.gain = np.zeros((2, size))
        # the forest of contractions: nodes 0 .. n are the root and the words, later ones cycles
        self.node = list(range(size))  # which node a row is now
        self.parent = [-1] * size
        self.members: list[list[int]] = [[] for _ in range(size)]
        self.arc = [_Arc(-1, -1)] * size

    def heads(self) -> np.ndarray:
        """Contract until the best heads of every node lead to the root; then expand."""
        new, on_path, done = range(3)
        state = [done] + [new] * (len(self.node) - 1)
        for here in range(1, len(self.node)):
            path: list[int] = []
            while state[here] != done:
                if state[here] == on_path:
                    first = path.index(here)
                    path, cycle = path[:first], path[first:]
                    for row in cycle:
                        state[row] = done
                    here = self.contract(sorted(cycle))
                path.append(here)
                state[here] = on_path
                here = self.choose(here)
            for row in path:
                state[row] = done
        return self.expand()

    def choose(self, row: int) -> int:
        """The row of a node's best head; the arc from there becomes the node's arc."""
        best = int(_best(self.first[:, row], self.scores[:, row], axis=0))
        self.gain[:, row] = self.first[best, row], self.scores[best, row]
        if self.scores[best, row] == -np.inf:
            raise ValueError("scores: the arcs that are not forbidden give no tree")
        self.arc[self.node[row]] = _Arc(int(self.head[best, row]), int(self.word[best, row]))
        return best

    def contract(self, cycle: list[int]) -> int:
        """Make one node of the rows of a cycle; its row, which is the first of theirs."""
        row, every = cycle[0], np.arange(len(self.scores))
        into_first = self.first[:, cycle] - self.gain[0, cycle]
        into_score = self.scores[:, cycle] - self.gain[1, cycle]
        members = np.array(cycle)
        into = every, members[_best(into_first, into_score, axis=1)]
        out = members[_best(self.first[cycle], self.scores[cycle], axis=0)], every
        entering = [
            (self.first, self.first[into] - self.gain[0, into[1]]),
            (self.scores, self.scores[into] - self.gain[1, into[1]]),
            (self.head, self.head[into]),
            (self.word, self.word[into]),
        ]
        leaving = [(table, table[out]) for table, _ in entering]
        for (table, column), (_, line) in zip(entering, leaving):
            table[:, row] = column
            table[row] = line
        for table in (self.first, self.scores):
            table[cycle[1:]] = table[:, cycle[1:]] = table[row, row] = -np.inf
        for member in cycle:
            self.parent[self.node[member]] = len(self.parent)
        self.members.append([self.node[member] for member in cycle])
        self.node[row] = len(self.parent)
        self.parent.append(-1)
        self.arc.append(_Arc(-1, -1))
        return row

    def expand(self) -> np.ndarray:
        """Heads of the words: the arc into a cycle takes the place of one of the cycle's arcs."""
        heads = np.zeros(len(self.node), dtype=np.int64)
        todo = [node for node, up in enumerate(self.parent) if up < 0 and node > 0]
        while todo:
            top = todo.pop()
            head, here = self.arc[top]
            heads[here] = head
            while here != top:
                below, here = here, self.parent[here]
                todo.extend(member for member in self.members[here] if member != below)
        return heads[1:]


def _best(first: np.ndarray, scores: np.ndarray, axis: int) -> Any:
    """Where the score is highest among the highest of ``first``; the first one of equals."""
    ahead = first == first.max(axis=axis, keepdims=True)
    return np.where(ahead, scores, -np.inf).argmax(axis=axis)
