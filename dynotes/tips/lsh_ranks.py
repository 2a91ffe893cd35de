"""How good found neighbours are: their true ranks among all points, and what follows from these.

    rank of point j for query q:  1 + #{i : s(q, x_i) > s(q, x_j)}     s: cosine or inner product
    recall@k = #{found with rank <= k} / k

Note: Tips in Training / Locality Sensitive Hashing (T24)
Differs: the notes' "ranked ~23 among actual NNs" is ``mean_rank`` or ``median_rank`` of the best
    point found; the two lie far apart.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.tips.lsh_vectors import blocks, check_vectors, lengths_of

TIE = 1e-12  # of |x| |q|: closer scores are equal, whatever order they were added up in


class RankReport(NamedTuple):
    """Ranks of the best point found for each of many queries; 1 is the true nearest."""

    mean_rank: float
    mean_rank_error: float  # standard error over queries; nan for one query
    median_rank: float
    top1: float  # share of queries whose true nearest point was found
    recall: float  # mean share of the true k nearest that were found
    candidates: float  # mean number of points found


def true_ranks(points: Any, queries: Any, ids: Any, *, inner_product: bool = False) -> np.ndarray:
    """Rank of found points among all points.

    Args:
        points: (N, D).
        queries: (Q, D), no zero rows.
        ids: (Q, m) rows of points; -1 is "none found".
        inner_product: similarity is x . q instead of the cosine.

    Returns:
        (Q, m) int64 from 1 to N, equally similar points not counted; N + 1 at -1.

    Raises:
        ValueError: sizes that do not fit, a NaN, a zero row without a cosine, ids outside -1..N-1.
    """
    x = np.asarray(points)
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"points: expected shape (N, D), found {x.shape}")
    x, q = check_vectors("points", x, x.shape[1]), check_vectors("queries", queries, x.shape[1])
    found = _check_found(ids, len(q), len(x))
    units = q.astype(np.float64) / lengths_of("queries", q)[:, None]
    scale = lengths_of("points", x, zeros=inner_product)
    tie = TIE * (scale.max() if inner_product else 1.0)
    hit_scores = np.full(found.shape, np.inf)
    for row, ids_q in enumerate(found):
        there = ids_q[ids_q >= 0]
        inner = x[there].astype(np.float64) @ units[row]
        hit_scores[row, ids_q >= 0] = inner if inner_product else inner / scale[there]
    ranks = np.ones(found.shape, np.int64)
    for part in blocks(len(x), max(len(q), x.shape[1])):
        scores = x[part].astype(np.float64) @ units.T
        if not inner_product:
            scores /= scale[part, None]
        for column in range(found.shape[1]):
            ranks[:, column] += (scores > hit_scores[:, column] + tie).sum(axis=0)
    ranks[found < 0] = len(x) + 1
    return ranks


def rank_report(ranks: Any, k: int = 1, candidates: Any = None) -> RankReport:
    """Means over queries.

    Args:
        ranks: (Q, m), ``true_ranks`` of distinct points, in any order.
        k: of recall@k.
        candidates: (Q,) how many points were found; None is m.

    Raises:
        ValueError: no ranks, a rank below 1, or another number of queries.
    """
    found = np.asarray(ranks)
    if found.ndim != 2 or not found.size or found.dtype.kind not in "iu" or found.min() < 1:
        raise ValueError(f"ranks: expected ints (Q, m) >= 1, found shape {found.shape}")
    k = whole_number("k", k)
    counts = np.full(len(found), found.shape[1]) if candidates is None else np.asarray(candidates)
    if counts.shape != (len(found),):
        raise ValueError(f"candidates: expected shape ({len(found)},), found {counts.shape}")
    best = found.min(axis=1)
    spread = float(best.std(ddof=1)) if len(best) > 1 else math.nan
    return RankReport(
        mean_rank=float(best.mean()),
        mean_rank_error=spread / math.sqrt(len(best)),
        median_rank=float(np.median(best)),
        top1=float((best == 1).mean()),
        recall=float(np.minimum((found <= k).sum(axis=1) / k, 1.0).mean()),
        candidates=float(counts.mean()),
    )


def _check_found(ids: Any, queries: int, points: int) -> np.ndarray:
    found = np.asarray(ids)
    if found.ndim != 2 or len(found) != queries or not found.size or found.dtype.kind not in "iu":
        raise ValueError(
            f"ids: expected ints ({queries}, m), found {found.dtype} of shape {found.shape}"
        )
    if found.min() < -1 or found.max() >= points:
        raise ValueError(f"ids: expected -1 to {points - 1}, found {found.min()} to {found.max()}")
    return found
