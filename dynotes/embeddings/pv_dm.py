"""PV-DM: a document and the words of a window predict a word.

    concat   h_t = [d; v_{t-k}; ...; v_{t-1}]                    ((1 + k) D,)
    mean     h_t = (d + sum_{c in C_t} v_c) / (1 + |C_t|)        (D,)
    sum      h_t = d + sum_{c in C_t} v_c                        (D,)

    P(o | d, C_t) = softmax(b + U h_t)_o, or another output loss

d is the vector of the document, the same for all of its windows, and what the words before do not
tell about the next one ends up in it.  In ``concat`` a slot beyond the beginning of the document
holds a vector of its own, the row V of the words' table; in ``mean`` and ``sum`` it is left out,
and a window of empty slots leaves the document alone.

With d = 0 held, ``sum`` is CBOW, and ``mean`` is CBOW's mean times |C_t| / (1 + |C_t|).

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T60)
Paper: Le & Mikolov 2014, arXiv:1405.4053, section 2.2, eq. 1
Renamed: the paper's matrices D and W are the tables "D" and "V"; a paragraph is a document.
Differs: the words of the window may also lie on both sides, as in CBOW and in gensim: which words
    fill the slots is up to the caller (`dynotes.embeddings.paragraphs`).
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.paragraphs import Masses, Windows
from dynotes.embeddings.tables import document_table, input_table
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_size

MODES = ("concat", "mean", "sum")


class PvDm(Builder):
    """A table of documents and one of words; hidden vectors of positions.

    Args:
        pc: collection that will own both tables, as sub-collection "pv-dm".
        n_words: V.
        n_documents: N.
        n_embed: D.
        slots: k, words of a window.
        mode: "concat", "mean" or "sum".
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
    ) -> None:
        check_dims("words", (n_words, n_embed))
        check_dims("documents", (n_documents, n_embed))
        check_size("slots", slots)
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
        super().__init__(
            pc, n_words=n_words, n_documents=n_documents, n_embed=n_embed, slots=slots, mode=mode
        )
        self.n_words, self.n_embed, self.slots, self.mode = n_words, n_embed, slots, mode
        self.n_hidden = n_embed * (1 + slots if mode == "concat" else 1)
        self.inputs = input_table(self._pc, n_words + (mode == "concat"), n_embed)
        self.documents = document_table(self._pc, n_documents, n_embed)
        self.tables = (self.inputs, self.documents)

    def hidden(
        self,
        windows: Windows,
        factors: Any = None,
        documents: Optional[dy.LookupParameters] = None,
    ) -> dy.Expression:
        """h_t of every position, (n_hidden, P).

        Args:
            windows: P >= 1 positions of ``slots`` slots.
            factors: for each table, what the gradient of each row is multiplied by; None for 1.
            documents: table (N', D) of new documents, with which the words are held; None for
                the builder's own.
        """
        self._check(windows, documents or self.documents)
        shares = self._shares(windows)
        words, texts = (None, None) if factors is None else factors
        D = columns(documents or self.documents, windows.documents, texts)
        H = D * _placed(windows, shares)
        if self.mode == "concat":
            return self._concatenated(H, windows, words, held=documents is not None)
        if not len(windows.words):
            return H
        X = columns(self.inputs, windows.words, words)
        cells, values = windows.word_cells(shares)
        size = (len(windows.words), len(windows.rows))
        A = dy.reshape(dy.sparse_inputTensor([cells], values, (size[0] * size[1],)), size)
        return H + (X if documents is None else dy.nobackprop(X)) * A

    def masses(self, windows: Windows, losses: np.ndarray) -> list[Masses]:
        """For each table, how much its rows take part in the losses.

        Args:
            windows: as of `hidden`.
            losses: (P,), how many losses each position is in.

        Returns:
            Of words and of documents, the sum of the shares in the positions times their losses.
        """
        weights = losses * self._shares(windows)
        words: Masses = [(windows.words, windows.word_sums(weights))]
        if self.mode == "concat":
            padding = (self.slots - windows.fillings) @ weights
            words.append((np.array([self.n_words]), np.array([padding])))
        sums = np.bincount(windows.rows, weights, minlength=len(windows.documents))
        return [words, [(windows.documents, sums)]]

    def _shares(self, windows: Windows) -> np.ndarray:
        """What each vector of a position has in its h, (P,)."""
        count = len(windows.rows)
        return 1 / (1 + windows.fillings) if self.mode == "mean" else np.ones(count)

    def _concatenated(
        self, d: dy.Expression, windows: Windows, factors: Any, *, held: bool
    ) -> dy.Expression:
        """[d; v_1; ...; v_k] of every position, ((1 + k) D, P)."""
        count = len(windows.rows)
        words = np.append(windows.words, self.n_words)  # EMPTY, the last one, is the padding
        v = columns(self.inputs, words[windows.slots].ravel(), factors)
        v = dy.reshape(v, (self.slots * self.n_embed,), count)
        parts = [dy.reshape(d, (self.n_embed,), count), dy.nobackprop(v) if held else v]
        return dy.reshape(dy.concatenate(parts), (self.n_hidden, count))

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
