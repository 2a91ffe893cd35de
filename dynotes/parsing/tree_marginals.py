"""The probabilities of all arcs under a distribution over trees, in float64.

    P(y) = exp(sum_d s[y_d, d]) / Z,     mu[h, d] = P(y_d = h) = d log Z / d s[h, d]

by running the elimination of `matrix_tree` and then back through it.  Decoding mu by
Chu-Liu-Edmonds or Eisner gives the tree with the most words expected to be right.

Note: Topic: Dependency Parsing / Methods (T71)
Paper: Koo, Globerson, Carreras & Collins 2007; Smith & Smith 2007.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.parsing.scores import arc_scores

FLOOR = -1e6  # nats below a word's best head: an impossible arc
BLOCK = 32  # every so many steps, the weights are kept; those between are made again


class TreeMarginals(NamedTuple):
    """log Z in nats, and mu (n + 1, n + 1), whose columns 1 .. n sum to 1; column 0 is zero."""

    log_partition: float
    arcs: np.ndarray


def tree_marginals(scores: Any, *, single_root: bool = True) -> TreeMarginals:
    """log Z and the probability of every arc, over all trees, projective or not.

    Args:
        scores: (n + 1, n + 1), see `arc_scores`: [h, d] scores the arc from h to d.
        single_root: trees with exactly one word below the root; False: any number.

    Raises:
        ValueError: bad scores, or no tree without forbidden arcs.
    """
    weights = arc_scores(scores)
    n = len(weights) - 1
    best = weights[:, 1:].max(axis=0)
    w = np.maximum(weights[:, 1:] - best, FLOOR)
    first = 1 if single_root else 0
    kept = {}
    total = 0.0
    for k in range(n, 1, -1):
        if (n - k) % BLOCK == 0:
            kept[k] = w
        total += _log_sum(w[first:k, k - 1])
        w = _without(w, k, first)
    total += w[0, 0]
    if total < FLOOR / 2:
        raise ValueError("scores: the arcs that are not forbidden give no tree")
    arcs = np.zeros((n + 1, n + 1))
    arcs[:, 1:] = np.where(weights[:, 1:] > -np.inf, _back(w, n, kept, first), 0.0)
    return TreeMarginals(float(total + best.sum()), arcs)


def _log_sum(x: np.ndarray) -> float:
    return float(x.max() + np.log(np.exp(x - x.max()).sum()))


def _detour(w: np.ndarray, k: int, first: int) -> np.ndarray:
    """What the arcs h -> d through word k weigh, (k, k - 1)."""
    return w[:k, k - 1, None] + (w[k, : k - 1] - _log_sum(w[first:k, k - 1]))


def _without(w: np.ndarray, k: int, first: int) -> np.ndarray:
    """The weights (k, k - 1) of the words 1 .. k - 1 once word k is eliminated."""
    return np.logaddexp(w[:k, : k - 1], _detour(w, k, first))


def _back(last: np.ndarray, n: int, kept: dict[int, np.ndarray], first: int) -> np.ndarray:
    """The gradient of log Z with respect to the first weights, (n + 1, n)."""
    after, gradient = last, np.array([[1.0], [0.0]])
    for top in sorted(kept):
        steps = [kept[top]]
        for k in range(top, max(top - BLOCK + 1, 2), -1):
            steps.append(_without(steps[-1], k, first))
        for w in reversed(steps):
            gradient = _step_back(w, after, gradient, first)
            after = w
    return gradient


def _step_back(w: np.ndarray, after: np.ndarray, gradient: np.ndarray, first: int) -> np.ndarray:
    """The gradient with respect to w (k + 1, k) from the one with respect to what follows."""
    k = len(w) - 1
    through = gradient * np.exp(_detour(w, k, first) - after)
    result = np.zeros_like(w)
    result[:k, : k - 1] = gradient * np.exp(w[:k, : k - 1] - after)
    result[:k, k - 1] = through.sum(axis=1)
    result[k, : k - 1] = through.sum(axis=0)
    heads = w[first:k, k - 1]
    result[first:k, k - 1] += (1.0 - through.sum()) * np.exp(heads - _log_sum(heads))
    return result
