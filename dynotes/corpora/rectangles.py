"""Sequences of unequal lengths as a few padded rectangles, for a net that reads many at once.

    cost of a rectangle of T steps and B sequences:  T (B + a)      a: what a step costs by itself

Sorted by length the sequences are cut where the summed cost is least, by dynamic programming over
the different lengths.  With a = 0 nothing is padded; as a grows everything is one rectangle.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number

STEP_COLUMNS = 8  # a: a step of LSTMs of a few hundred units costs about that many columns


class Rectangle(NamedTuple):
    """Some of the sequences, padded at their ends.

    places: (T, B) of the tokens, counted through all sequences in their order; behind the end of
        a sequence its last place stands again.
    keep: (T, B) bool, True for a token and False for padding.
    """

    places: np.ndarray
    keep: np.ndarray


def rectangles(lengths: Any, *, step_columns: int = STEP_COLUMNS) -> list[Rectangle]:
    """The cheapest rectangles that hold every sequence once, the longest first.

    Args:
        lengths: (S,) integers >= 1.
        step_columns: a >= 0.

    Raises:
        ValueError: no sequence, or an empty one.
    """
    lengths = check_lengths(lengths)
    whole_number("step_columns", step_columns, 0)
    order = np.argsort(-lengths, kind="stable")
    starts = np.cumsum(lengths) - lengths
    found = []
    for first, last in _cuts(lengths[order], step_columns):
        some = order[first:last]
        steps = np.arange(lengths[some[0]])[:, None]
        keep = steps < lengths[some]
        found.append(Rectangle(starts[some] + np.minimum(steps, lengths[some] - 1), keep))
    return found


def check_lengths(lengths: Any, total: Optional[int] = None) -> np.ndarray:
    """Lengths as an array, if there is one, all are at least 1, and they sum to a total (if given).

    Raises:
        ValueError: with the found and the expected value.
    """
    found = np.asarray(lengths)
    if found.ndim != 1 or found.dtype.kind not in "iu" or not found.size:
        raise ValueError(f"lengths: expected (S,) integers, found {found.dtype} {found.shape}")
    if found.min() < 1:
        raise ValueError(f"lengths: expected at least 1, found {found.min()}")
    if total is not None and int(found.sum()) != total:
        raise ValueError(f"lengths: expected a sum of {total}, found {found.sum()}")
    return found


def _cuts(lengths: np.ndarray, step_columns: int) -> list[tuple[int, int]]:
    """(first, last) of the sequences of each rectangle; lengths descend."""
    edges = np.flatnonzero(np.diff(lengths, prepend=lengths[0] + 1))
    longest, ends = lengths[edges], np.append(edges, len(lengths))
    costs, begins = [0], [0]
    for stop in range(1, len(ends)):
        widths = ends[stop] - ends[:stop] + step_columns
        each = np.array(costs) + longest[:stop] * widths
        begins.append(int(each.argmin()))
        costs.append(int(each.min()))
    cuts, stop = [], len(edges)
    while stop:
        cuts.append((int(ends[begins[stop]]), int(ends[stop])))
        stop = begins[stop]
    return cuts[::-1]
