"""Eisner: the best projective tree, and the sum over all projective trees, by spans.

    open   h -> d over h .. d:   s[h, d] + (+)_k  C(h .. k) + C(k+1 .. d)
    closed C(h .. d):            (+)_k  open(h -> k) + C(k .. d)

mirrored for heads at the right; (+) is the maximum or log-sum-exp.  A table entry is a span and
the side its head is on.  All spans of one width are done at once, so that n steps over arrays do
the n^3 additions.

Note: Topic: Dependency Parsing / Methods (T71)
Paper: Eisner 1996; McDonald, Crammer & Pereira 2005 (first-order features).
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np

from dynotes.parsing.scores import arc_scores

# what (+) makes of the splits in a row (m, w): values (m,), and which split each came from
Sum = Callable[[np.ndarray], "tuple[np.ndarray, np.ndarray]"]


def eisner(scores: Any, *, single_root: bool = True) -> np.ndarray:
    """Heads of the projective tree with the highest score.

    Args:
        scores: (n + 1, n + 1), see `arc_scores`: [h, d] scores the arc from h to d.
        single_root: exactly one word hangs below the root; False allows several.

    Returns:
        (n,) int64, heads of the words, 0 for a root.  Equal scores give equal trees.

    Raises:
        ValueError: bad scores, or no projective tree without forbidden arcs.
    """
    weights = arc_scores(scores)
    heads = np.zeros(len(weights), dtype=np.int64)
    if single_root:
        chart = _fill(weights[1:, 1:], _maximum)
        totals = _over_roots(weights, chart)
        root = int(totals.argmax()) + 1
        best = totals[root - 1]
        todo = [(1, root, "closed", "right"), (root, len(weights) - 1, "closed", "left")]
        shift = 1
    else:
        chart = _fill(weights, _maximum)
        best = chart.closed_left[0, -1]
        todo, shift = [(0, len(weights) - 1, "closed", "left")], 0
    if best == -np.inf:
        raise ValueError("scores: the arcs that are not forbidden give no projective tree")
    while todo:
        i, j, kind, side = todo.pop()
        if i == j:
            continue
        split = i + int(chart.splits[kind, side][i - shift, j - i])
        if kind == "open":
            head, word = (i, j) if side == "left" else (j, i)
            heads[word] = head
            todo += [(i, split, "closed", "left"), (split + 1, j, "closed", "right")]
        elif side == "left":
            todo += [(i, split + 1, "open", "left"), (split + 1, j, "closed", "left")]
        else:
            todo += [(i, split, "closed", "right"), (split, j, "open", "right")]
    return heads[1:]


def projective_log_partition(scores: Any, *, single_root: bool = True) -> float:
    """log of the sum over all projective trees of exp(score), in nats.

    Args:
        scores, single_root: see `eisner`.

    Raises:
        ValueError: bad scores.
    """
    weights = arc_scores(scores)
    if not single_root:
        return float(_fill(weights, _log_sum).closed_left[0, -1])
    totals = _over_roots(weights, _fill(weights[1:, 1:], _log_sum))
    return float(_log_sum(totals[None, :])[0][0])


class _Chart(NamedTuple):
    """Tables [first word, width] of the spans with the head at the left or right end."""

    closed_left: np.ndarray
    closed_right: np.ndarray
    splits: dict[tuple[str, str], np.ndarray]


def _over_roots(weights: np.ndarray, chart: _Chart) -> np.ndarray:
    """The sums of all trees by their only root: s[0, r] + C(1 .. r) + C(r .. n)."""
    n = len(weights) - 1
    root = np.arange(n)
    return weights[0, 1:] + chart.closed_right[0, root] + chart.closed_left[root, n - 1 - root]


def _fill(weights: np.ndarray, combine: Sum) -> _Chart:
    """The tables over all spans, by growing width.

    A table by_last[j, w] holds the span of width w that ends at j: with it, the right parts of
    all splits of a span are one slice, read backwards.
    """
    size = len(weights)
    sides = ("left", "right")
    opened = {key: np.full((size, size), -np.inf) for key in sides}
    closed = {key: np.full((size, size), -np.inf) for key in sides}
    opened_last = {key: table.copy() for key, table in opened.items()}
    closed_last = {key: table.copy() for key, table in closed.items()}
    kinds = [(kind, side) for kind in ("open", "closed") for side in sides]
    splits = {key: np.zeros((size, size), dtype=np.int32) for key in kinds}
    for tables in (closed, closed_last):
        for table in tables.values():
            table[:, 0] = 0.0
    for w in range(1, size):
        first, last = slice(0, size - w), slice(w, size)
        left, right = closed["left"][first, :w], closed_last["right"][last, w - 1 :: -1]
        values, where = combine(left + right[:, :w])
        for side, arcs in (("left", weights.diagonal(w)), ("right", weights.diagonal(-w))):
            opened[side][first, w] = opened_last[side][last, w] = values + arcs
            splits["open", side][first, w] = where
        parts = {
            "left": opened["left"][first, 1 : w + 1] + closed_last["left"][last, w - 1 :: -1],
            "right": closed["right"][first, :w] + opened_last["right"][last, w:0:-1],
        }
        for side, sums in parts.items():
            values, where = combine(sums)
            closed[side][first, w] = closed_last[side][last, w] = values
            splits["closed", side][first, w] = where
    return _Chart(closed["left"], closed["right"], splits)


def _maximum(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    where = parts.argmax(axis=1)
    return parts[np.arange(len(parts)), where], where


def _log_sum(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    top = parts.max(axis=1)
    safe = np.where(top > -np.inf, top, 0.0)
    total = np.exp(parts - safe[:, None]).sum(axis=1)
    found = np.full(len(parts), -np.inf)
    np.log(total, out=found, where=total > 0)
    return found + safe, np.zeros(len(parts), dtype=np.int64)
