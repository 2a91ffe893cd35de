"""Checks of the scores of all arcs of a sentence, for decoders in numpy.

Note: Topic: Dependency Parsing / Methods (T70, T71)
"""

from __future__ import annotations

from typing import Any

import numpy as np


def arc_scores(scores: Any) -> np.ndarray:
    """A float64 copy of the scores of all arcs of a sentence, with -inf where there is no arc.

    Args:
        scores: (n + 1, n + 1) numbers, n >= 1; [h, d] scores the arc from h to word d, 0 being
            the root.  -inf forbids an arc.  The diagonal and column 0 are no arcs, and not read.

    Raises:
        ValueError: another shape or kind, NaN or +inf, or a word without any head.
    """
    array = np.array(scores, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ValueError(f"scores: expected (n + 1, n + 1) with n >= 1, found {array.shape}")
    np.fill_diagonal(array, -np.inf)
    array[:, 0] = -np.inf
    if not (array < np.inf).all():
        head, word = np.argwhere(~(array < np.inf))[0]
        found = f"{array[head, word]} for the arc {head} -> {word}"
        raise ValueError(f"scores: expected numbers below infinity, found {found}")
    alone = np.flatnonzero(array[:, 1:].max(axis=0) == -np.inf)
    if alone.size:
        raise ValueError(f"scores: every head of word {alone[0] + 1} is forbidden")
    return array


def tree_score(scores: Any, heads: Any) -> float:
    """The sum of the scores of a tree's arcs: sum_d scores[heads[d], d]."""
    up = np.asarray(heads)
    return float(np.asarray(scores, dtype=np.float64)[up, np.arange(1, up.size + 1)].sum())
