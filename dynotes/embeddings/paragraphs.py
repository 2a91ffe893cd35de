"""What paragraph vectors learn from, as numpy arrays: documents with words, and with windows.

    mixture   (d, o): a document and one of its words; and, where words predict too, (c, o)
    windows   (d, c_1 .. c_k, o): a document, the slots around or before a position, its word o

A document is a line of the text.  A slot beyond its beginning or end, or outside of a window that
was drawn smaller, is empty.  Documents and words are held once, in ascending order; everything
else points at them by row.

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T60, T61)
Paper: Le & Mikolov 2014, arXiv:1405.4053
Renamed: the paper's paragraphs are documents in the code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.predictions import MAX_WORDS, Predictions, predicted
from dynotes.graph.shapes import check_ids, check_size

EMPTY = -1  # a slot without a word


class Mixture(NamedTuple):
    """What d different documents and u different words predict.

    documents: (d,) ids, ascending.
    words: (u,) ids, ascending; none unless words predict too.
    columns: (P,) below d the documents, from d on the words, ascending.
    targets: (P,) ids of the words that these predict.
    """

    documents: np.ndarray
    words: np.ndarray
    columns: np.ndarray
    targets: np.ndarray

    @property
    def predictions(self) -> Predictions:
        """Each column predicts its targets."""
        return predicted(self.columns, self.targets)


class Windows(NamedTuple):
    """P positions of d different documents, each with k slots for the words of its window.

    documents: (d,) ids, ascending.
    rows: (P,) rows of ``documents``.
    words: (u,) ids, ascending; none if all slots are empty.
    slots: (P, k) rows of ``words``, or EMPTY.
    targets: (P,) ids of the words to be predicted.
    """

    documents: np.ndarray
    rows: np.ndarray
    words: np.ndarray
    slots: np.ndarray
    targets: np.ndarray

    @property
    def predictions(self) -> Predictions:
        """Each position predicts its word."""
        return predicted(np.arange(len(self.targets)), self.targets)

    @property
    def fillings(self) -> np.ndarray:
        """(P,), how many slots of each position hold a word."""
        return (self.slots != EMPTY).sum(axis=1)

    def word_cells(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words' matrix A, (u, P): cells (column-major), and what is in them.

        Args:
            shares: (P,), what one occurrence of a word has in each position.
        """
        columns, _ = np.nonzero(self.slots != EMPTY)
        rows = self.slots[self.slots != EMPTY]
        cells, often = np.unique(columns * len(self.words) + rows, return_counts=True)
        return cells, (often * shares[cells // max(1, len(self.words))]).astype(np.float32)

    def word_sums(self, weights: np.ndarray) -> np.ndarray:
        """The weights (P,) of the positions, summed over every occurrence of each word, (u,)."""
        columns, _ = np.nonzero(self.slots != EMPTY)
        rows = self.slots[self.slots != EMPTY]
        return np.bincount(rows, weights=weights[columns], minlength=len(self.words))


def id_windows(documents: Any, windows: Any, targets: Any) -> Windows:
    """Windows from ids.

    Args:
        documents: (P,) document of each position.
        windows: (P, k) words, or EMPTY.
        targets: (P,) words to be predicted.

    Raises:
        ValueError: no positions, wrong ids, or unequal lengths.
    """
    documents = check_ids("documents", documents, MAX_WORDS, (None,))
    windows = np.asarray(windows)
    check_ids("windows", windows + 1, MAX_WORDS, (len(documents), None))
    targets = check_ids("targets", targets, MAX_WORDS, documents.shape)
    distinct, rows = np.unique(documents, return_inverse=True)
    filled = windows != EMPTY
    slots = np.full(windows.shape, EMPTY)
    words, slots[filled] = np.unique(windows[filled], return_inverse=True)
    return Windows(distinct, rows, words, slots, targets)


def text_windows(chunk: Chunk, offsets: Any, widths: np.ndarray) -> Windows:
    """The window of every centre of a chunk.

    Args:
        chunk: its sentences are the documents.
        offsets: (k,) places of the slots from the centre, such as -2, -1, or -1, 1.
        widths: (m,); a slot farther away than its centre's width is empty.

    Raises:
        ValueError: no slots, a slot at the centre itself, or no centres.
    """
    offsets = np.asarray(offsets)
    if offsets.ndim != 1 or not offsets.size or not offsets.all():
        raise ValueError(f"offsets: expected (k,) numbers other than 0, found {offsets}")
    if not len(widths):
        raise ValueError("windows: expected at least one centre, found none")
    centres = np.arange(chunk.first, chunk.first + len(widths))
    places = centres[:, None] + offsets
    inside = (places >= 0) & (places < len(chunk.ids)) & (abs(offsets) <= widths[:, None])
    documents = chunk.sentences[centres]
    places = np.where(inside, places, centres[:, None])
    inside &= chunk.sentences[places] == documents[:, None]
    return id_windows(documents, np.where(inside, chunk.ids[places], EMPTY), chunk.ids[centres])


def window_offsets(size: int, around: bool) -> np.ndarray:
    """The places of the slots: -size .. -1, and 1 .. size too if the window lies around."""
    before = np.arange(-check_size("window", size), 0)
    return np.concatenate([before, -before[::-1]]) if around else before


def text_mixture(chunk: Chunk, words: bool) -> Mixture:
    """Every centre of a chunk as a word that its document predicts.

    Args:
        chunk: its sentences are the documents.
        words: the centres predict the words of their windows too, as in skip-gram.
    """
    ids, last = chunk.centres, chunk.first + len(chunk.windows)
    documents, rows = np.unique(chunk.sentences[chunk.first : last], return_inverse=True)
    if not words:
        return Mixture(documents, np.zeros(0, ids.dtype), rows, ids)
    centres, contexts = window_pairs(chunk, chunk.windows)
    distinct, row = np.unique(chunk.ids[centres], return_inverse=True)
    order = np.argsort(row, kind="stable")
    columns = np.concatenate([rows, row[order] + len(documents)])
    targets = np.concatenate([ids, chunk.ids[contexts][order]])
    return Mixture(documents, distinct, columns, targets)
