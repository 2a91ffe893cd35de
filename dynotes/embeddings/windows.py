"""Windows whose positions are told apart: slots, and the words in them.

    offset o     -c ... -2 -1 . 1  2 ... c
    slot         0 .. c-2 c-1 . c c+1 .. 2c-1

A window of half width c has 2c slots, in the order of the text; the centre has none.  Where the
sentence ends, slots stay empty: a row of padding stands in them.

Note: Topic: Embeddings / Structured Word2Vec by W. Ling et al (T65, T66)
Paper: Ling, Dyer, Black & Trancoso 2015, NAACL
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.embeddings.predictions import MAX_WORDS, Predictions, predicted
from dynotes.graph.shapes import check_ids, check_size


class Windows(NamedTuple):
    """N windows of u different words, padding among them.

    words: (u,) ids, ascending.
    rows: (2c, N), row of ``words`` in each slot of each window.
    """

    words: np.ndarray
    rows: np.ndarray


def slots(offsets: Any, window: int) -> np.ndarray:
    """The slot of each neighbour, (P,) in 0 .. 2c-1.

    Args:
        offsets: (P,) its place minus that of the centre, in -c .. c without 0.
        window: c.

    Raises:
        ValueError: an offset out of the window, or that of the centre.
    """
    check_size("window", window)
    offsets = np.asarray(offsets)
    wrong = np.flatnonzero((np.abs(offsets) > window) | (offsets == 0))
    if wrong.size:
        raise ValueError(
            f"offsets: expected -{window} to {window} without 0, found {offsets[wrong[0]]}"
        )
    return offsets + window - (offsets > 0)


def text_windows(
    ids: np.ndarray, centres: np.ndarray, contexts: np.ndarray, *, window: int, padding: int
) -> tuple[Windows, Predictions]:
    """Windows from the places (P,) of the centres, ascending, and of the words around them.

    Args:
        ids: (n,), a stretch of text.
        centres, contexts: see `dynotes.corpora.token_stream.window_pairs`.
        window: c.
        padding: the row of the input table for empty slots.

    Returns:
        Windows of the different centres, and the words in their middles as what they predict.
    """
    if not len(centres):
        raise ValueError("windows: expected at least one pair, found none")
    middles, columns = np.unique(centres, return_inverse=True)
    grid = np.full((2 * window, len(middles)), padding)
    grid[slots(contexts - centres, window), columns] = ids[contexts]
    return _windows(grid), predicted(np.arange(len(middles)), ids[middles])


def id_windows(grid: Any) -> Windows:
    """Windows from the ids (2c, N) in their slots, padding where it stands.

    Raises:
        ValueError: no ids, or an odd number of slots.
    """
    ids = check_ids("windows", grid, MAX_WORDS, (None, None))
    if len(ids) % 2:
        raise ValueError(f"windows: expected an even number of slots, found {len(ids)}")
    return _windows(ids)


def _windows(grid: np.ndarray) -> Windows:
    words, rows = np.unique(grid, return_inverse=True)
    return Windows(words, rows.reshape(grid.shape))
