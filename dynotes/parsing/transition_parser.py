"""A transition parser over encoded words: features of four nodes, a layer, scores of all actions.

    h = tanh(W_2 v(s2) + W_1 v(s1) + W_0 v(s0) + W_b v(b0) + b)       v: vectors of the BiLSTM
    score = P h + p                                                 one for every move and label
    nll      -log softmax(score over legal actions)_target
    hinge    max(0, 1 - score_target + score_rival)

Each W_k v of a word is computed once, and a state adds four of them: half the products, and no
copy of the vectors for each state.  An empty place has a sum of its own, which is learned.  The
states of all sentences of a batch are scored together: all of them at once on the static oracle's
way, a step at a time where the scores decide how to go on.

Note: Topic: Dependency Parsing / Methods (T69)
Paper: Kiperwasser & Goldberg 2016, arXiv:1603.04351, section 4
Renamed: the paper's s_2, s_1, s_0, b_0 are the places 0 .. 3; its agenda is the batch.
Differs: one layer scores moves with labels (the authors' program adds scores of bare moves).  The
    four places do not show which words are attached: after swaps, a state may look like an earlier
    one that asked for another move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed, read
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import NEG_INF
from dynotes.graph.shapes import ShapeError, check_dims, check_ids, check_size, expect
from dynotes.graph.working_rules import linear, nll
from dynotes.parsing.transition_oracles import gold_trees
from dynotes.parsing.transition_systems import NONE, TransitionSystem
from dynotes.parsing.transition_walks import (
    MARGIN,
    SLOTS,
    LabelLimits,
    Scorer,
    Walk,
    actions,
    best_allowed,
    gold_walk,
    greedy_walk,
)

LOSSES = ("nll", "hinge")


class Parsed(NamedTuple):
    """Heads within the sentences and labels, (N,) each, one sentence after another."""

    heads: np.ndarray
    labels: np.ndarray


class TransitionParser(Builder):
    """Scores actions from the vectors of words.

    Args:
        pc: collection that will own the parameters, as sub-collection "transition-parser".
        n_in: sizes of the parts of a word's vector, as the two directions of an LSTM.
        n_labels: K.
        n_hidden: H, size of h.
        algorithm: "arc-standard", "arc-hybrid" or "swap".
        multi_root: trees may have several roots.
    """

    NAME = "transition-parser"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_in: Sequence[int],
        n_labels: int,
        n_hidden: int = 100,
        algorithm: str = "arc-hybrid",
        multi_root: bool = False,
    ) -> None:
        sizes = list(check_dims("n_in", n_in))
        check_size("n_labels", n_labels)
        check_dims("W", (SLOTS * check_size("n_hidden", n_hidden), max(sizes)))
        self.system = TransitionSystem(algorithm, multi_root=multi_root)
        super().__init__(
            pc,
            n_in=sizes,
            n_labels=n_labels,
            n_hidden=n_hidden,
            algorithm=algorithm,
            multi_root=multi_root,
        )
        self.n_in, self.n_labels, self.n_hidden = sizes, int(n_labels), int(n_hidden)
        self.actions = actions(self.system, self.n_labels)
        add = self._pc.add_parameters
        # each W_k begins as the (H, 4D) matrix of the four vectors side by side would
        glorot = dy.UniformInitializer(float(np.sqrt(6.0 / (n_hidden + SLOTS * sum(sizes)))))
        self.W = [
            add((SLOTS * n_hidden, n), init=glorot, name=f"W{i}") for i, n in enumerate(sizes)
        ]
        self.empty = add((SLOTS * n_hidden,), init=0.0, name="empty")
        self.b = add((n_hidden,), init=0.0, name="b")
        self.P = add((len(self.actions.moves), n_hidden), name="P")
        self.p = add((len(self.actions.moves),), init=0.0, name="p")

    def products(self, parts: Sequence[dy.Expression]) -> dy.Expression:
        """W_k v of all words and of an empty place: (n,)xN each -> (H,)x(4 (N + 1)).

        Batch entry 4 c + k is place k of column c.
        """
        if len(parts) != len(self.n_in):
            raise ShapeError(f"parts: expected {len(self.n_in)}, found {len(parts)}")
        _, batch = expect("parts[0]", parts[0], (self.n_in[0],))
        for i, (part, size) in enumerate(zip(parts, self.n_in)):
            expect(f"parts[{i}]", part, (size,), batch)
        all_places = dy.esum([W * part for W, part in zip(self.W, parts)])
        everything = dy.concatenate_to_batch([all_places, self.empty])
        return dy.reshape(everything, (self.n_hidden,), SLOTS * (batch + 1))

    def scores(self, products: dy.Expression, columns: Any) -> dy.Expression:
        """Scores of all actions in S states.

        Args:
            products: see `products`.
            columns: (S, 4) ints 0 .. N, of s2, s1, s0, b0; N is an empty place.

        Returns:
            (A,)xS, before anything is masked.
        """
        _, entries = expect("products", products, (self.n_hidden,))
        found = check_ids("columns", columns, entries // SLOTS, (None, SLOTS))
        entry = SLOTS * found + np.arange(SLOTS)
        four = dy.pick_batch_elems(products, entry.ravel().tolist())
        side_by_side = dy.reshape(four, (self.n_hidden, SLOTS), len(found))
        sums = dy.affine_transform([self.b, side_by_side, dy.ones(SLOTS)])
        return linear(self.p, self.P, dy.tanh(sums))

    def loss(
        self,
        parts: Sequence[dy.Expression],
        lengths: Any,
        heads: Any,
        labels: Any,
        *,
        kind: str = "hinge",
        explore: Optional[float] = 0.1,
        rng: Optional[np.random.Generator] = None,
    ) -> dy.Expression:
        """The loss of every state on the way, (1,)xS; ``dim()`` says how many there are.

        Args:
            parts: the words' vectors, (n,)x(T*B) each, time-major, the root first.
            lengths: (B,) numbers of words, the longest being T - 1.
            heads, labels: (N,) gold, one sentence after another.
            kind: "nll", in nats, or "hinge".
            explore: of arc-hybrid: the probability p of `gold_walk`; None stays on the gold way
                with the static oracle, which is what the other systems do in any case.
            rng: draws; needed by arc-hybrid to explore.

        Raises:
            ValueError: an unknown kind, sizes that do not fit, heads that are no tree or one that
                the system does not reach, or no rng.
        """
        if kind not in LOSSES:
            raise ValueError(f"kind: expected one of {', '.join(LOSSES)}, found {kind!r}")
        gold = gold_trees(self.system, heads, labels, lengths)
        products = self._products_of(parts, gold.lengths)
        if self.system.hybrid and explore is not None:
            if rng is None:
                raise ValueError("explore: needs an rng")
            steps: list[dy.Expression] = []
            scorer = self._scorer(products, steps)
            walk = gold_walk(self.system, gold, self.n_labels, scorer, explore=explore, rng=rng)
            scores = dy.concatenate_to_batch(steps)
        else:
            walk = gold_walk(self.system, gold, self.n_labels)
            scores = self.scores(products, walk.columns)
            if kind == "hinge":
                walk = walk._replace(rival=self._rivals(read(scores).T, walk))
        return self._nll(scores, walk) if kind == "nll" else _hinge(scores, walk)

    def parse(
        self,
        parts: Sequence[dy.Expression],
        lengths: Any,
        *,
        limits: Optional[LabelLimits] = None,
    ) -> Parsed:
        """The tree of every sentence by the best legal action each time.

        Args:
            parts, lengths: see `loss`.
            limits: which labels arcs from the root and other arcs may have; None for all.

        Raises:
            ValueError: sizes that do not fit, or limits that leave no label.
        """
        if limits is not None:
            for name, allowed in zip(limits._fields, limits):
                if np.shape(allowed) != (self.n_labels,) or not np.any(allowed):
                    raise ValueError(
                        f"limits: expected {self.n_labels} bools, some True, of {name}"
                    )
        sizes = self.system.start(lengths).lengths
        scorer = self._scorer(self._products_of(parts, sizes), [])
        states = greedy_walk(self.system, sizes, self.n_labels, scorer, limits=limits)
        word = np.arange(states.heads.shape[1]) <= sizes[:, None]
        word[:, 0] = False
        return Parsed(states.heads[word], states.labels[word])

    def _products_of(self, parts: Sequence[dy.Expression], lengths: np.ndarray) -> dy.Expression:
        expected = len(lengths) * (int(lengths.max()) + 1)
        for i, part in enumerate(parts):
            expect(f"parts[{i}]", part, (None,), expected)
        return self.products(parts)

    def _scorer(self, products: dy.Expression, steps: list[dy.Expression]) -> Scorer:
        """Scores as arrays; the Expressions are appended to ``steps``."""

        def scorer(columns: np.ndarray) -> np.ndarray:
            steps.append(self.scores(products, columns))
            return read(steps[-1]).T

        return scorer

    def _nll(self, scores: dy.Expression, walk: Walk) -> dy.Expression:
        """-log softmax over the legal actions of the target, (1,)xS."""
        return nll(scores + self._hidden(~walk.legal), walk.target)

    def _hidden(self, illegal: np.ndarray) -> dy.Expression:
        """NEG_INF for the actions of illegal moves, 0 for others: (S, n_moves) -> (A,)xS."""
        is_move = self.actions.moves[:, None] == np.arange(self.system.n_moves)
        return feed(is_move) * feed(NEG_INF * illegal.T, batched=True)

    def _rivals(self, scores: np.ndarray, walk: Walk) -> np.ndarray:
        """The best legal actions but the targets, (S,); NONE where there is no other."""
        others = walk.legal[:, self.actions.moves]
        others[np.arange(len(others)), walk.target] = False
        return best_allowed(scores, others)


def _hinge(scores: dy.Expression, walk: Walk) -> dy.Expression:
    """max(0, 1 - target + rival), (1,)xS; 0 where there is no rival."""
    alone = walk.rival == NONE
    rival = np.where(alone, walk.target, walk.rival)
    lead = dy.pick_batch(scores, walk.target.tolist()) - dy.pick_batch(scores, rival.tolist())
    return dy.rectify(feed(np.where(alone, 0.0, MARGIN)[None], batched=True) - lead)
