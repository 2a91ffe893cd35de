"""Class-factored softmax: first the class of the word, then the word inside its class.

    P(w | h) = P(c | h) P(w | c, h) = softmax(A h + a)_c softmax(W_c h + b_c)_w        w in class c

With C = ceil(sqrt V) classes of about sqrt V words, a word costs two softmaxes over sqrt V entries,
and only the matrices W_c of the classes at hand are read and updated.

Note: Topic: Language Models / Character-Aware Neural LM by Kim et al (T52)
Paper: Kim et al. 2016, arXiv:1508.06615 (ceil(sqrt V) random clusters of about equal size);
    Goodman 2001; Morin & Bengio 2005.
Renamed: the paper's s, t and p, q are ``A``, ``a`` and ``W``, ``b``.
Differs: classes may also be filled by frequency, so that a batch visits fewer of them.  Not DyNet's
    ``ClassFactoredSoftmaxBuilder``, whose full distribution contradicts its loss.
"""

from __future__ import annotations

import math
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed, read
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import NEG_INF
from dynotes.graph.shapes import check_dims, check_ids, check_size, expect
from dynotes.graph.working_rules import flat_ids, linear, nll
from dynotes.structures.adaptive_softmax import columns_of
from dynotes.tips.softmax_approximations.full_softmax import sample_log_probs

ASSIGNMENTS = ("frequency", "random")


class ClassFactoredSoftmax(Builder):
    """A softmax over C classes and, in every class, one over its at most S words.

    Class sizes differ by at most one; where a class is short its last row is masked.

    Args:
        pc: collection that will own A, a, W and b, as sub-collection "class-factored-softmax".
            W is a lookup table of C rows, row c the matrix W_c (S, H) column by column; a row of
            numbers, not a matrix, so that a table looks the same everywhere else.
        n_words: V.
        n_hidden: H, size of h.
        classes: C in 1..V; 0 is ceil(sqrt V), 1 the full softmax.
        assignment: "frequency" puts words of neighbouring ids into a class, "random" any.
        seed: of the random assignment.
        bias: add a to the classes' scores and b_c to the words'; they start at 0.

    Raises:
        ValueError: a size or seed out of range, or another assignment.
    """

    NAME = "class-factored-softmax"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_hidden: int,
        classes: int = 0,
        assignment: str = "frequency",
        seed: int = 1,
        bias: bool = True,
    ) -> None:
        check_dims("words", (n_words, n_hidden))
        check_size("classes", classes, 0, n_words)
        check_size("seed", seed, 0)
        if assignment not in ASSIGNMENTS:
            found = f"expected one of {', '.join(ASSIGNMENTS)}, found {assignment!r}"
            raise ValueError(f"assignment: {found}")
        super().__init__(
            pc,
            n_words=n_words,
            n_hidden=n_hidden,
            classes=classes,
            assignment=assignment,
            seed=seed,
            bias=bias,
        )
        self.n_words, self.n_hidden = int(n_words), int(n_hidden)
        self.n_classes = int(classes) or math.ceil(math.sqrt(n_words))
        self.size = -(-self.n_words // self.n_classes)
        order = np.arange(n_words)
        if assignment == "random":
            order = np.random.default_rng(seed).permutation(n_words)
        self.words = np.array_split(order, self.n_classes)  # the words of every class
        self.class_of, self.place_of = np.empty((2, n_words), int)
        for c, words in enumerate(self.words):
            self.class_of[words], self.place_of[words] = c, np.arange(len(words))
        C, S, H = check_dims("W", (self.n_classes, self.size, self.n_hidden))
        self.A = self._pc.add_parameters((C, H), name="A")
        glorot = math.sqrt(6.0 / (S + H))
        self.W = self._pc.add_lookup_parameters((C, S * H), init="uniform", scale=glorot, name="W")
        self.a = self._pc.add_parameters((C,), init=0.0, name="a") if bias else None
        self.b = self._pc.add_lookup_parameters((C, S), init=0.0, name="b") if bias else None

    @property
    def started(self) -> list[dy.LookupParameters]:
        """Tables whose start belongs to the layer: an initialiser should leave them alone."""
        return [table for table in (self.W, self.b) if table is not None]

    def nll(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """-log P(ids | h): (H,)xN and N ints (time-major) -> (1,)xN, in nats.

        Each class at hand is looked up once and multiplied once, with all of its columns.
        """
        _, batch = expect("h", h, (self.n_hidden,))
        words = np.array(flat_ids(ids, self.n_words, batch))
        cluster = self.class_of[words]
        losses = nll(linear(self.a, self.A, h), cluster)
        by_class = np.argsort(cluster, kind="stable")
        found, first = np.unique(cluster[by_class], return_index=True)
        parts = []
        for c, columns in zip(found.tolist(), np.split(by_class, first[1:])):
            scores = self._word_scores(c, columns_of(h, columns))
            parts.append(nll(scores, self.place_of[words[columns]]))
        place = np.empty(batch, int)
        place[by_class] = np.arange(batch)
        return losses + columns_of(dy.concatenate_to_batch(parts), place)

    def _word_scores(self, c: int, h: dy.Expression) -> dy.Expression:
        """W_c h + b_c with ``NEG_INF`` at places without a word: (H,)xn -> (S,)xn."""
        matrix = dy.reshape(dy.lookup(self.W, c), (self.size, self.n_hidden))
        b = None if self.b is None else dy.lookup(self.b, c)
        missing = self.size - len(self.words[c])
        if missing:
            hidden = feed([0.0] * (self.size - missing) + [NEG_INF] * missing)
            b = hidden if b is None else b + hidden
        return linear(b, matrix, h)

    def log_probs(self, h: dy.Expression) -> dy.Expression:
        """log P(. | h): (H,)xN -> (V,)xN, in nats, in the order of the ids."""
        expect("h", h, (self.n_hidden,))
        classes = dy.log_softmax(linear(self.a, self.A, h))
        parts = []
        for c, words in enumerate(self.words):
            inside = dy.log_softmax(self._word_scores(c, h)) + dy.pick(classes, c)
            parts.append(dy.pick_range(inside, 0, len(words)))
        by_class = dy.concatenate(parts)
        order = np.concatenate(self.words)
        if np.array_equal(order, np.arange(self.n_words)):
            return by_class
        return dy.select_rows(by_class, np.argsort(order).tolist())

    def sample(
        self,
        h: dy.Expression,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        top_k: Optional[int] = None,
    ) -> np.ndarray:
        """One word per column of h, (H,)xN -> (N,) ints; see ``sample_log_probs``."""
        return sample_log_probs(read(self.log_probs(h)), rng, temperature=temperature, top_k=top_k)

    def touched(self, ids: Any) -> dict[dy.LookupParameters, np.ndarray]:
        """Rows of the lookup tables that ``nll`` of these ids updates: the classes of the ids."""
        rows = np.unique(self.class_of[check_ids("ids", ids, self.n_words)])
        return {table: rows for table in (self.W, self.b) if table is not None}
