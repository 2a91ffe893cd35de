"""The deep biaffine parser: BiLSTM, four MLPs, biaffine scores of arcs and labels.

    r_i = BiLSTM(x_0, ..., x_n)_i                          x_0: the root
    h_i = MLP(r_i)      one each for arc-head, arc-dep, label-head, label-dep
    S[h, d] = s(h^arc-head_h, h^arc-dep_d)                 masked: h = d and padding
    J = sum_d -log softmax(S[., d])_{y_d} - log softmax(s(h^label-head_{y_d}, h^label-dep_d))_{r_d}

or with log Z(S) - sum_d S[y_d, d], over trees, in place of the first term.  Training takes the gold
heads for the labels, prediction those of the decoded tree.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
Paper: Dozat & Manning 2017, arXiv:1611.01734, equations 1 to 6 and appendix A
Differs: several sentences at a time; self-loops are masked.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.treebank import SentenceBatch
from dynotes.graph.arrays import feed
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import NEG_INF
from dynotes.graph.shapes import check_dims, check_ids, check_rate
from dynotes.parsing.biaffine import Biaffine
from dynotes.parsing.matrix_tree import tree_nll
from dynotes.parsing.parser_inputs import ParserInputs
from dynotes.tips.bilstm import BiLstm
from dynotes.tips.lstm_sequence import drop_columns

LEAK = 0.1  # slope of LeakyReLU below 0
LOSSES = ("local", "tree")


class ParserRates(NamedTuple):
    """Dropout rates; all 0 is evaluation."""

    embed: float = 0.0  # parts of a word
    x: float = 0.0  # inputs of the LSTMs
    h: float = 0.0  # recurrent states
    mlp: float = 0.0  # outputs of the MLPs


class Encoded(NamedTuple):
    """The MLP outputs of a batch, each (n,)x(T*B), time-major columns."""

    arc_head: dy.Expression
    arc_dep: dy.Expression
    label_head: dy.Expression
    label_dep: dy.Expression


class _Mlp(NamedTuple):
    Wf: dy.Parameters
    Wb: dy.Parameters
    b: dy.Parameters


class BiaffineParser(Builder):
    """Scores of arcs and labels of whole sentences.

    Args:
        pc: collection that will own the parameters, as sub-collection "biaffine-parser".
        inputs: spec of `ParserInputs`.
        n_labels: K.
        n_hidden, layers: of the BiLSTM, each direction.
        arc_size, label_size: of the MLPs.
    """

    NAME = "biaffine-parser"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        inputs: dict[str, Any],
        n_labels: int,
        n_hidden: int = 400,
        layers: int = 3,
        arc_size: int = 500,
        label_size: int = 100,
    ) -> None:
        check_dims("MLPs", (2 * n_hidden, arc_size, label_size))
        super().__init__(
            pc, inputs=dict(inputs), n_labels=n_labels, n_hidden=n_hidden, layers=layers,
            arc_size=arc_size, label_size=label_size,
        )  # fmt: skip
        self.n_labels = n_labels
        self.inputs = ParserInputs(self._pc, **inputs)
        self.lstm = BiLstm(self._pc, n_in=self.inputs.sizes, n_hidden=n_hidden, layers=layers)
        self._mlps = [
            self._mlp(name, size, n_hidden)
            for name, size in zip(Encoded._fields, [arc_size] * 2 + [label_size] * 2)
        ]
        self.arcs = Biaffine(self._pc, n_head=arc_size, n_dep=arc_size)
        self.labels = Biaffine(
            self._pc, n_head=label_size, n_dep=label_size, n_out=n_labels, bias_dep=True
        )

    def _mlp(self, name: str, size: int, n_hidden: int) -> _Mlp:
        add, name = self._pc.add_parameters, name.replace("_", "-")
        Wf, Wb = (add((size, n_hidden), name=f"{name}-{side}") for side in "fb")
        return _Mlp(Wf, Wb, add((size,), init=0.0, name=f"{name}-bias"))

    def encode(
        self,
        batch: SentenceBatch,
        rates: Optional[ParserRates] = None,
        rng: Optional[np.random.Generator] = None,
    ) -> Encoded:
        """The MLP outputs of every place of a batch.

        Args:
            batch: B sentences.
            rates: of dropout; None is evaluation.
            rng: draws which parts of words are dropped.
        """
        p = rates or ParserRates()
        check_rate("mlp", p.mlp)
        parts = self.inputs(batch, p=p.embed, rng=rng)
        forward, backward = self.lstm(parts, batch.keep, p_x=p.x, p_h=p.h)
        size = len(batch.lengths)
        return Encoded(
            *(
                drop_columns(
                    _leaky(dy.affine_transform([m.b, m.Wf, forward, m.Wb, backward])),
                    p.mlp,
                    batch=size,
                    shared=True,
                )
                for m in self._mlps
            )
        )

    def arc_scores(self, encoded: Encoded, batch: SentenceBatch) -> dy.Expression:
        """S of every sentence, (T, T)xB: [h, d], the root first; NEG_INF where there is no arc."""
        T, B = batch.words.shape
        # time-major columns t B + b to those of one sentence after another
        order = (np.arange(T) * B + np.arange(B)[:, None]).ravel().tolist()
        head, dep = (
            dy.reshape(dy.pick_batch_elems(x, order), (x.dim()[0][0], T), B)
            for x in (encoded.arc_head, encoded.arc_dep)
        )
        return self.arcs.pairs(head, dep) + feed(_no_arcs(batch.keep), batched=True)

    def label_scores(self, encoded: Encoded, heads: Any, batch: SentenceBatch) -> dy.Expression:
        """Scores of the labels of every word's arc, (K,)xN.

        Args:
            encoded: of the batch.
            heads: (N,) within the sentences, one sentence after another.
            batch: B sentences of N words in all.

        Raises:
            ValueError: another number of heads, or one that is not in its sentence.
        """
        sentence, word = _words(batch)
        ids = check_ids("heads", heads, len(batch.words), (len(word),))
        if (ids > batch.lengths[sentence]).any():
            raise ValueError("heads: one is behind the end of its sentence")
        columns = ids * len(batch.lengths) + sentence
        places = word * len(batch.lengths) + sentence
        return self.labels(
            dy.pick_batch_elems(encoded.label_head, columns.tolist()),
            dy.pick_batch_elems(encoded.label_dep, places.tolist()),
        )

    def loss(
        self,
        batch: SentenceBatch,
        heads: Any,
        labels: Any,
        *,
        kind: str = "local",
        rates: Optional[ParserRates] = None,
        rng: Optional[np.random.Generator] = None,
    ) -> dy.Expression:
        """J of all sentences together, (1,), in nats.

        Args:
            batch: B sentences of N words in all.
            heads: (N,) gold heads within the sentences, one sentence after another.
            labels: (N,) gold labels.
            kind: "local", or "tree": the first term over whole trees.
            rates, rng: see `encode`.

        Raises:
            ValueError: an unknown kind, or heads and labels that cannot be.
        """
        if kind not in LOSSES:
            raise ValueError(f"kind: expected one of {', '.join(LOSSES)}, found {kind!r}")
        encoded = self.encode(batch, rates, rng)
        scored = self.label_scores(encoded, heads, batch)
        gold = check_ids("labels", labels, self.n_labels, (scored.dim()[1],))
        of_labels = dy.pickneglogsoftmax_batch(scored, gold.tolist())
        scores = self.arc_scores(encoded, batch)
        of_arcs = _local_nll(scores, heads, batch)
        if kind == "tree":
            of_arcs = tree_nll(scores, _square(heads, batch), batch.lengths)
        return dy.sum_batches(of_labels) + dy.sum_batches(of_arcs)


def _leaky(x: dy.Expression) -> dy.Expression:
    return dy.bmax(x, x * LEAK)


def _words(batch: SentenceBatch) -> tuple[np.ndarray, np.ndarray]:
    """Sentence and place of all words, one sentence after another."""
    sentence, word = np.nonzero(batch.keep[1:].T)
    return sentence, word + 1


def _square(heads: Any, batch: SentenceBatch) -> np.ndarray:
    """(N,) heads as (T - 1, B), 0 at padding."""
    square = np.zeros((len(batch.words) - 1, len(batch.lengths)), np.int64)
    square.T[batch.keep[1:].T] = heads
    return square


def _no_arcs(keep: np.ndarray) -> np.ndarray:
    """NEG_INF where a place is its own head or the head is padding, (T, T, B)."""
    T = len(keep)
    return np.where(np.eye(T, dtype=np.bool_)[:, :, None] | ~keep[:, None, :], NEG_INF, 0.0)


def _local_nll(scores: dy.Expression, heads: Any, batch: SentenceBatch) -> dy.Expression:
    """-log softmax of the gold heads of all words, (1,)xN."""
    T, B = batch.words.shape
    gold = np.zeros((B, T), np.int64)
    gold[:, 1:] = _square(heads, batch).T
    gold[:, 0] = 1  # the root has no head: any
    every = dy.pickneglogsoftmax_batch(dy.reshape(scores, (T,), T * B), gold.ravel().tolist())
    sentence, word = _words(batch)
    return dy.pick_batch_elems(every, (sentence * T + word).tolist())
