"""The texts of a step of the classifier as numpy arrays: bags of rows, and what is to be found.

Rows are held once, in ascending order; A, (u, N), holds the share of each of them in each text, so
that all means are one product X A.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, section 2
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.graph.shapes import check_ids

MAX_ROWS = 2**31 - 1


class TextBags(NamedTuple):
    """N texts of u different rows.

    words: (u,) ids of the rows, ascending.
    cells: (C,) places in A, column-major and ascending; shares: (C,) float32, the numbers there.
    n_texts: N.
    """

    words: np.ndarray
    cells: np.ndarray
    shares: np.ndarray
    n_texts: int


class Gold(NamedTuple):
    """M labels of N texts.

    columns: (M,), which text, ascending; labels: (M,) ids.
    """

    columns: np.ndarray
    labels: np.ndarray


def text_bags(rows: Any, ends: Any) -> TextBags:
    """Texts from their rows, one text after the other.

    Args:
        rows: (F,) ids of rows.
        ends: (N,), the place after each text; the last is F.

    Raises:
        ValueError: no text, one without any row, or ends that do not fit.
    """
    rows = check_ids("rows", rows, MAX_ROWS, (None,))
    ends = check_ids("ends", ends, MAX_ROWS, (None,))
    sizes = np.diff(ends, prepend=0)
    if ends[-1] != len(rows) or (sizes < 1).any():
        raise ValueError(f"ends: expected places up to {len(rows)}, one row a text, found {ends}")
    words, places = np.unique(rows, return_inverse=True)
    columns = np.repeat(np.arange(len(ends)), sizes)
    cells, often = np.unique(columns * len(words) + places.ravel(), return_counts=True)
    shares = (often / sizes[cells // len(words)]).astype(np.float32)
    return TextBags(words, cells, shares, len(ends))


def stretches(ends: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of some of many lists that lie one after the other, and where each list ends.

    Args:
        ends: (S,), the place after each list.
        which: (N,) lists, in any order.

    Returns:
        (F,) places and (N,) ends, int64.
    """
    stops = ends[which].astype(np.int64)
    starts = np.where(which > 0, ends[np.maximum(which, 1) - 1], 0)
    found = np.cumsum(stops - starts)
    first = np.repeat(stops - found, stops - starts)
    return np.arange(found[-1] if found.size else 0) + first, found
