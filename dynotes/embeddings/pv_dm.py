"""PV-DM: a document and the words of a window predict a word.

    concat   h_t = [d; v_{t-k}; ...; v_{t-1}]                    ((1 + k) D,)
    mean     h_t = (d + sum_{c in C_t} v_c) / (1 + |C_t|)        (D,)
    sum      h_t = d + sum_{c in C_t} v_c                        (D,)

    P(o | d, C_t) = softmax(U h_t)_o        J = sum_t loss(w_t | h_t)

The loss is one of `dynotes.embeddings.output_losses`.  d is the vector of the document, the same
for all of its windows, and what the words before do not tell about the next one ends up in it.  In
``concat`` a slot beyond the beginning of the document holds a vector of its own, the row V of the
words' table; in ``mean`` and ``sum`` it is left out, and a window of empty slots leaves the
document alone.

With d = 0 held, ``sum`` is CBOW, and ``mean`` is CBOW's mean times |C_t| / (1 + |C_t|).

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T60)
Paper: Le & Mikolov 2014, arXiv:1405.4053, section 2.2, eq. 1
Renamed: the paper's matrices D and W are the tables "D" and "V"; a paragraph is a document.
Differs: the words of the window may also lie on both sides, as in CBOW and in gensim: which words
    fill the slots is up to the caller (`dynotes.embeddings.paragraphs`).  The gradient of a mean is
    the exact one unless ``divided`` is False; gensim's is never divided.
"""

from __future__ import annotations

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.paragraphs import Windows
from dynotes.embeddings.tables import document_table, input_table
from dynotes.graph.shapes import check_dims, check_ids, check_size

MODES = ("concat", "mean", "sum")


class PvDm(Encoder):
    """A table of documents and one of words; hidden vectors of positions.

    Args:
        pc: collection that will own both tables, as sub-collection "pv-dm".
        n_words: V.
        n_documents: N.
        n_embed: D.
        slots: k, words of a window.
        mode: "concat", "mean" or "sum".
        divided: the gradient of a mean; False: each of its vectors gets that of h undivided.

    ``size`` is that of a hidden vector.
    """

    NAME = "pv-dm"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_documents: int,
        n_embed: int,
        slots: int,
        mode: str = "concat",
        divided: bool = True,
    ) -> None:
        check_dims("words", (n_words, n_embed))
        check_dims("documents", (n_documents, n_embed))
        check_size("slots", slots)
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
        sizes = {"n_words": n_words, "n_documents": n_documents, "n_embed": n_embed}
        super().__init__(pc, **sizes, slots=slots, mode=mode, divided=divided)
        self.n_words, self.n_embed, self.slots, self.mode = n_words, n_embed, slots, mode
        self.divided = divided or mode != "mean"
        self.size = n_embed * (1 + slots if mode == "concat" else 1)
        self.inputs = input_table(self._pc, n_words + (mode == "concat"), n_embed)
        self.documents = document_table(self._pc, n_documents, n_embed)
        self.tables = (self.inputs, self.documents)

    def hidden(
        self,
        examples: Windows,
        factors: Factors = None,
        documents: Optional[dy.LookupParameters] = None,
    ) -> dy.Expression:
        """h_t of every position, (size, P).

        Args:
            examples: P >= 1 positions of ``slots`` slots.
            factors: see `Encoder.hidden`.
            documents: table (N', D) of new documents, with which the words are held; None for
                the encoder's own.
        """
        texts = documents or self.documents
        self._check(examples, texts)
        shares = self._shares(examples)
        weights = shares if self.divided else np.ones(len(shares))
        words = None if factors is None else factors[0]
        D = columns(texts, examples.documents, None if factors is None else factors[1])
        H = D * _placed(examples, weights)
        if self.mode == "concat":
            return self._concatenated(H, examples, words, held=documents is not None)
        if len(examples.words):
            X = columns(self.inputs, examples.words, words)
            shape = len(examples.words), len(examples.rows)
            cells, values = examples.word_cells(weights)
            A = dy.sparse_inputTensor([cells], values, (shape[0] * shape[1],))
            H = H + (X if documents is None else dy.nobackprop(X)) * dy.reshape(A, shape)
        return H if self.divided else _scaled(H, shares)

    def n_hidden(self, examples: Windows) -> int:
        """P."""
        return len(examples.rows)

    def masses(self, examples: Windows, losses: np.ndarray) -> list[Masses]:
        """Words and documents take part in the losses of their positions with their shares."""
        weights = losses * (self._shares(examples) if self.divided else 1.0)
        words: Masses = [(examples.words, examples.word_sums(weights))]
        if self.mode == "concat":
            padding = (self.slots - examples.fillings) @ weights
            words.append((np.array([self.n_words]), np.array([padding])))
        sums = np.bincount(examples.rows, weights, minlength=len(examples.documents))
        return [words, [(examples.documents, sums)]]

    def _shares(self, windows: Windows) -> np.ndarray:
        """What each vector of a position has in its h, (P,)."""
        count = len(windows.rows)
        return 1 / (1 + windows.fillings) if self.mode == "mean" else np.ones(count)

    def _concatenated(
        self, d: dy.Expression, windows: Windows, factors: Optional[np.ndarray], *, held: bool
    ) -> dy.Expression:
        """[d; v_1; ...; v_k] of every position, ((1 + k) D, P)."""
        count = len(windows.rows)
        words = np.append(windows.words, self.n_words)  # EMPTY, the last one, is the padding
        v = columns(self.inputs, words[windows.slots].ravel(), factors)
        v = dy.reshape(v, (self.slots * self.n_embed,), count)
        parts = [dy.reshape(d, (self.n_embed,), count), dy.nobackprop(v) if held else v]
        return dy.reshape(dy.concatenate(parts), (self.size, count))

    def _check(self, windows: Windows, documents: dy.LookupParameters) -> None:
        check_ids("documents", windows.documents, int(documents.shape()[0]), (None,))
        count = len(windows.rows)
        if windows.slots.shape != (count, self.slots) or not count:
            found = windows.slots.shape
            raise ValueError(f"windows: expected (P, {self.slots}) slots, P >= 1, found {found}")
        if len(windows.words):
            check_ids("words", windows.words, self.n_words, (None,))


def _placed(windows: Windows, shares: np.ndarray) -> dy.Expression:
    """(d, P): the share of each position in the row of its document."""
    size = (len(windows.documents), len(windows.rows))
    cells = np.arange(size[1]) * size[0] + windows.rows
    flat = dy.sparse_inputTensor([cells], shares.astype(np.float32), (size[0] * size[1],))
    return dy.reshape(flat, size)


def _scaled(S: dy.Expression, shares: np.ndarray) -> dy.Expression:
    """The columns of S times their shares, (D, P), with the gradient of S itself."""
    (size, count), _ = S.dim()
    held = dy.nobackprop(S)
    row = dy.inputTensorTranspose(shares.tolist(), dim=(1, count))
    return S - held + dy.cmult(held, dy.ones((size, 1)) * row)
