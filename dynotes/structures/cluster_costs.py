"""Where to cut the vocabulary of an adaptive softmax: a cost model and the cheapest cut-offs.

    g(k) = c_m + max(0, lambda (k - k_0))                        seconds of a softmax over k rows
    C = g_0(V_h + J) + sum_j [i_j(V_j) + p_j (g_j(V_j) - i_j(V_j))]

g_j is for rows of d_j dimensions and all columns, projection included; i_j is what the tail costs
when hardly any column needs it (its parameters are copied and updated all the same); p_j is the
chance of a word of tail j.  C is a sum over clusters, so dynamic programming finds the best cuts.

Note: Models & Structures / Adapted Softmax by Grave et al (T48)
Paper: Grave et al. 2017, arXiv:1609.04309, section 4 (g; C with i_j = 0; clusters by falling
    frequency, found by dynamic programming).
Renamed: c_m is ``fixed``, lambda ``slope``, k_0 ``knee``; p_i is ``share``.
Differs: the paper fits bare products on a GPU (c_m = 0.40 ms, k_0 = 50); the constants here are of
    training steps on a CPU, where k_0 is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from dynotes.graph.shapes import check_size
from dynotes.structures.adaptive_softmax import check_cutoffs, check_div, tail_size

Rows = Union[int, np.ndarray]
GRID = 400  # boundaries that are tried in a large vocabulary
SAME_ERROR = 1e-20  # of equally good knees the smallest is taken

# seconds, fitted to 63 layers on one core of an AMD EPYC with the engine of `make install`
PER_PRODUCT_NODE, PER_COLUMN = 12e-6, 0.9e-6
PER_PARAMETER, PER_SCORE, PER_MULTIPLICATION = 1.2e-9, 2.2e-9, 0.062e-9


class CostModel(NamedTuple):
    """g(k) = fixed + max(0, slope (k - knee)), seconds."""

    fixed: float
    slope: float
    knee: float

    def __call__(self, rows: Rows) -> Any:
        return self.fixed + np.maximum(0.0, self.slope * (np.asarray(rows) - self.knee))


class LevelCost(NamedTuple):
    """The cost of rows of one size: with hardly a column, and with all; linear in between."""

    idle: CostModel
    busy: CostModel

    def __call__(self, rows: Rows, share: Any) -> Any:
        """Seconds for ``rows`` when ``share`` (0 to 1) of the columns need them."""
        idle = self.idle(rows)
        return idle + share * (self.busy(rows) - idle)


class LayerCost(NamedTuple):
    """Levels of an adaptive softmax: the head, and tails 1, 2, ..."""

    head: LevelCost
    tails: tuple[LevelCost, ...]


def default_cost(
    *, clusters: int, n_hidden: int = 256, columns: int = 700, div: float = 4.0
) -> LayerCost:
    """A cost model from constants that were measured once; `training.calibration` measures here.

        i_j(k) = node + parameter k d_j
        g_j(k) = i_j(k) + N (column + score k + multiplication (k + H) d_j)

    Args:
        clusters: J, number of tails.
        n_hidden: H.
        columns: N = T*B, columns of a training step.
        div: as of the layer.
    """
    check_size("n_hidden", n_hidden)
    check_size("columns", columns)
    check_size("clusters", clusters, 0)
    check_div(div)
    levels = []
    for j in range(clusters + 1):
        d = n_hidden if j == 0 else tail_size(n_hidden, div, j)
        projection = 0 if j == 0 else d * n_hidden
        per_column = PER_COLUMN + PER_MULTIPLICATION * projection
        per_score = PER_SCORE + PER_MULTIPLICATION * d
        fixed, slope = PER_PRODUCT_NODE, PER_PARAMETER * d
        busy = CostModel(fixed + per_column * columns, slope + per_score * columns, 0.0)
        levels.append(LevelCost(CostModel(fixed, slope, 0.0), busy))
    return LayerCost(levels[0], tuple(levels[1:]))


def fit_cost_model(sizes: Any, seconds: Any) -> CostModel:
    """The g(k) nearest to measured times: least squares of the relative errors.

    For a given knee the other two constants are a linear problem.  The best knee lies at a size, or
    between two sizes where a constant through the smaller ones meets a line through the larger
    ones; all of these are tried, so the result is the global minimum.  Where no flat part was seen
    the line is continued towards 0 rows.

    Args:
        sizes: rows k, at least 3 different ones.
        seconds: their times.

    Raises:
        ValueError: not such arrays, a size or time that is not positive, or times that do not rise.
    """
    k, t = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    if k.ndim != 1 or k.shape != t.shape or len(np.unique(k)) < 3:
        raise ValueError(
            f"sizes: expected 3 different ones and a time for each, found {k.shape} and {t.shape}"
        )
    if not (np.isfinite(k).all() and np.isfinite(t).all() and k.min() > 0 and t.min() > 0):
        raise ValueError("sizes and seconds: expected positive numbers, found others")
    order = np.argsort(k, kind="stable")
    k, t = k[order], t[order]
    fits = [(*_hinge(k, t, knee), knee) for knee in _knees(k, t)]
    least = min(error for error, *_ in fits) + SAME_ERROR
    _, fixed, slope, knee = next(fit for fit in fits if fit[0] <= least)
    if slope <= 0:
        raise ValueError("seconds: expected them to rise with the size, found that they do not")
    if knee <= k[0]:
        knee = max(0.0, knee - fixed / slope)
        fixed = max(0.0, fixed - slope * (k[0] - knee))
    return CostModel(fixed, slope, knee)


def _hinge(k: np.ndarray, t: np.ndarray, knee: float) -> tuple[float, float, float]:
    """(squared error, fixed, slope) of the best hinge with a given knee."""
    design = np.stack([np.ones_like(k), np.maximum(0.0, k - knee)], axis=1) / t[:, None]
    (fixed, slope), *_ = np.linalg.lstsq(design, np.ones_like(k), rcond=None)
    error = design @ [fixed, slope] - 1.0
    return float(error @ error), float(fixed), float(slope)


def _knees(k: np.ndarray, t: np.ndarray) -> list[float]:
    """Where the best knee can be, ascending; k ascending."""
    knees = np.unique(k)[:-1].tolist()
    for n in range(1, len(k) - 1):
        if k[n - 1] == k[n] or len(np.unique(k[n:])) < 2:
            continue
        constant = (1 / t[:n]).sum() / (1 / t[:n] ** 2).sum()
        slope, start = np.polyfit(k[n:], t[n:], 1, w=1 / t[n:])
        meet = (constant - start) / slope if slope > 0 else -1.0
        if k[n - 1] < meet < k[n]:
            knees.append(float(meet))
    return sorted(knees)


def expected_cost(counts: Any, cutoffs: Sequence[int], cost: LayerCost) -> float:
    """Expected seconds C of a step of an adaptive softmax with these cut-offs.

    Args:
        counts: (V,) how often each word occurs, by id: never rising.
        cutoffs: first ids of the tails, rising, in 1..V-1.
        cost: of the head and of at least as many tails.

    Raises:
        ValueError: counts that rise or are all 0, bad cut-offs, or too few tails in ``cost``.
    """
    cumulative = _cumulative(counts)
    cuts = check_cutoffs(cutoffs, len(cumulative) - 1)
    _check_tails(cost, len(cuts))
    edges = np.array([*cuts, len(cumulative) - 1])
    total = float(cost.head(edges[0] + len(cuts), 1.0))
    shares = np.diff(cumulative[edges])
    for tail, rows, share in zip(cost.tails, np.diff(edges), shares):
        total += float(tail(rows, share))
    return total


def optimal_cutoffs(
    counts: Any,
    clusters: int,
    cost: Optional[LayerCost] = None,
    *,
    candidates: Optional[Sequence[int]] = None,
    head_share: float = 0.0,
) -> list[int]:
    """The cheapest cut-offs among the candidates, by dynamic programming: O(J G^2) for G of them.

        best_0(a) = g_0(a + J),    best_j(b) = min_{a < b} best_{j-1}(a) + tail j from a to b

    Args:
        counts: (V,) how often each word occurs, by id: never rising.
        clusters: J, number of tails; 0 gives [].
        cost: of the head and of at least J tails; None is `default_cost`.
        candidates: cut-offs to choose from, rising, in 1..V-1.  None: all of them up to V = 401,
            otherwise 400, evenly spread over the logarithm of the id.
        head_share: share of the tokens that the head must cover, 0 to 1.  The cheapest head is
            small, for a tail's rows are cheap; it pays in perplexity, for they are also narrow.

    Returns:
        J cut-offs.

    Raises:
        ValueError: as `expected_cost`; fewer candidates than clusters behind such a head.
    """
    cumulative = _cumulative(counts)
    n_words = len(cumulative) - 1
    check_size("clusters", clusters, 0, n_words - 1)
    cost = default_cost(clusters=clusters) if cost is None else cost
    _check_tails(cost, clusters)
    if isinstance(head_share, bool) or not 0 <= head_share <= 1:
        raise ValueError(f"head_share: expected 0 to 1, found {head_share!r}")
    cuts = boundaries(n_words) if candidates is None else check_cutoffs(candidates, n_words)
    cuts = [c for c in cuts if cumulative[c] >= head_share]
    if len(cuts) < clusters:
        raise ValueError(f"candidates: expected at least {clusters}, found {len(cuts)}")
    if clusters == 0:
        return []
    ends = np.array([*cuts, n_words])
    rows = ends[None, :] - ends[:, None]  # from candidate a (row) to b (column)
    share = cumulative[ends][None, :] - cumulative[ends][:, None]
    best, came_from = cost.head(ends + clusters, 1.0), []
    for tail in cost.tails[:clusters]:
        ways = np.where(rows > 0, best[:, None] + tail(np.maximum(rows, 0), share), np.inf)
        came_from.append(ways.argmin(axis=0))
        best = ways.min(axis=0)
    found, at = [], len(ends) - 1
    for previous in reversed(came_from):
        at = int(previous[at])
        found.append(int(ends[at]))
    return found[::-1]


def boundaries(n_words: int, count: int = GRID) -> list[int]:
    """At most ``count`` cut-offs in 1..V-1: all, or evenly spread over the logarithm of the id."""
    check_size("n_words", n_words)
    if n_words - 1 <= check_size("count", count, 2):
        return list(range(1, n_words))
    return np.unique(np.geomspace(1, n_words - 1, count).round().astype(int)).tolist()


def _cumulative(counts: Any) -> np.ndarray:
    """(V + 1,) share of the tokens that words before each id make up; ValueError as promised."""
    array = np.asarray(counts)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iuf":
        raise ValueError(f"counts: expected (V,) numbers, found {array.shape} {array.dtype}")
    values = array.astype(float)
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("counts: expected numbers >= 0, found others")
    if values.max() == 0:
        raise ValueError("counts: expected a word that occurs, found only zeros")
    rises = np.flatnonzero(np.diff(values) > 0)
    if len(rises):
        i = int(rises[0]) + 1
        raise ValueError(
            f"counts: expected words by falling frequency, found {array[i]} at id {i} "
            f"after {array[i - 1]}"
        )
    total = np.concatenate([[0.0], values.cumsum()])
    return total / total[-1]


def _check_tails(cost: LayerCost, clusters: int) -> None:
    if len(cost.tails) < clusters:
        raise ValueError(f"cost: expected {clusters} tails, found {len(cost.tails)}")
