"""Semirings: one dynamic program, read as a sum, a best score, a count, an entropy or a mean.

A program over paths or trees only adds alternatives and multiplies parts.  With the operations of
another semiring the same lines give, for path weights w = exp(log weight) and p = w / sum w:

    LOG          log sum of w                            (log-domain sum-product)
    MAX          log of the largest w                    its gradient marks the best path
    COUNT        number of paths
    ENTROPY      (log sum of w, -sum p log p)
    EXPECTATION  (log sum of w, sum p f), f adding up along a path

``LOG``, ``MAX``, ... work on numbers and numpy arrays (elementwise); ``GRAPH_LOG``, ... work on
Expressions (1,)xB, and what they compute can be differentiated.

Note: Implementation Details / Log-probability Domain (T35)
Paper: Goodman 1999 (semiring parsing); Li & Eisner 2009 (expectation semiring).
Differs: a pair holds (log Z, mean) instead of (Z, Z * mean), so nothing over- or underflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import dynet as dy
import numpy as np

from dynotes.graph.log_space import NEG_INF, logsumexp, logsumexp_array


class Semiring(NamedTuple):
    """The operations of a dynamic program.

    ``plus`` of a list of elements, ``times`` of two, the neutral elements ``zero()`` and
    ``one()``, and ``lift(log_weight)``, the element of one arc (``lift(log_weight, f)`` in an
    expectation semiring).
    """

    name: str
    plus: Callable[[Sequence[Any]], Any]
    times: Callable[[Any, Any], Any]
    zero: Callable[[], Any]
    one: Callable[[], Any]
    lift: Callable[..., Any]


class Weighted(NamedTuple):
    """Log of a total weight, and a mean (or an entropy) under the normalised weights."""

    log_weight: Any
    mean: Any


def _nonempty(elements: Sequence[Any]) -> list[Any]:
    if len(elements) == 0:
        raise ValueError("plus: expected at least one element, found none; use zero()")
    return list(elements)


def _add(a: Any, b: Any) -> Any:
    return a + b


def _same(log_weight: Any) -> Any:
    return log_weight


def _plus_log(elements: Sequence[Any]) -> Any:
    return logsumexp_array(np.stack(np.broadcast_arrays(*_nonempty(elements))), axis=0)


def _plus_max(elements: Sequence[Any]) -> Any:
    return np.max(np.stack(np.broadcast_arrays(*_nonempty(elements))), axis=0)


def _times_weighted(a: Weighted, b: Weighted) -> Weighted:
    return Weighted(a.log_weight + b.log_weight, a.mean + b.mean)


def _posteriors(elements: Sequence[Weighted]) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """log Z, and for each alternative its log posterior, posterior and mean, stacked."""
    parts = np.broadcast_arrays(*(part for e in _nonempty(elements) for part in e))
    weights, means = np.stack(parts[0::2]), np.stack(parts[1::2])
    total = logsumexp_array(weights, axis=0)
    log_p = weights - total
    return total, log_p, np.exp(log_p), means


def _plus_entropy(elements: Sequence[Weighted]) -> Weighted:
    # H = sum_i p_i (H_i - log p_i): the entropy of the choice and of what is chosen
    total, log_p, p, entropies = _posteriors(elements)
    return Weighted(total, (p * (entropies - log_p)).sum(axis=0))


def _plus_expectation(elements: Sequence[Weighted]) -> Weighted:
    total, _, p, means = _posteriors(elements)
    return Weighted(total, (p * means).sum(axis=0))


def _lift_count(log_weight: Any) -> Any:
    alive = np.asarray(log_weight) > NEG_INF / 2
    return int(alive) if alive.ndim == 0 else alive.astype(np.int64)


def _multiply(a: Any, b: Any) -> Any:
    return a * b


def _plus_count(elements: Sequence[Any]) -> Any:
    return sum(_nonempty(elements))


LOG = Semiring("log", _plus_log, _add, lambda: NEG_INF, lambda: 0.0, _same)
MAX = Semiring("max", _plus_max, _add, lambda: NEG_INF, lambda: 0.0, _same)
COUNT = Semiring("count", _plus_count, _multiply, lambda: 0, lambda: 1, _lift_count)
ENTROPY = Semiring(
    "entropy",
    _plus_entropy,
    _times_weighted,
    lambda: Weighted(NEG_INF, 0.0),
    lambda: Weighted(0.0, 0.0),
    lambda log_weight: Weighted(log_weight, 0.0),
)
EXPECTATION = Semiring(
    "expectation", _plus_expectation, _times_weighted, ENTROPY.zero, ENTROPY.one, Weighted
)


def _graph_zero() -> dy.Expression:
    return dy.scalarInput(NEG_INF)


def _graph_one() -> dy.Expression:
    return dy.scalarInput(0.0)


def _graph_plus_max(elements: Sequence[dy.Expression]) -> dy.Expression:
    return dy.max_dim(dy.concatenate(_nonempty(elements)))


def _graph_posteriors(
    elements: Sequence[Weighted],
) -> tuple[dy.Expression, dy.Expression, dy.Expression]:
    """log Z, and the alternatives' log weights and means in one (n,)xB vector each."""
    weights = [e.log_weight for e in _nonempty(elements)]
    means = dy.concatenate([e.mean for e in elements])
    return logsumexp(weights), dy.concatenate(weights), means


def _graph_plus_entropy(elements: Sequence[Weighted]) -> Weighted:
    total, weights, entropies = _graph_posteriors(elements)
    surprise = entropies - dy.log_softmax(weights)
    return Weighted(total, dy.sum_elems(dy.cmult(dy.softmax(weights), surprise)))


def _graph_plus_expectation(elements: Sequence[Weighted]) -> Weighted:
    total, weights, means = _graph_posteriors(elements)
    return Weighted(total, dy.sum_elems(dy.cmult(dy.softmax(weights), means)))


GRAPH_LOG = Semiring("log", logsumexp, _add, _graph_zero, _graph_one, _same)
GRAPH_MAX = Semiring("max", _graph_plus_max, _add, _graph_zero, _graph_one, _same)
GRAPH_ENTROPY = Semiring(
    "entropy",
    _graph_plus_entropy,
    _times_weighted,
    lambda: Weighted(_graph_zero(), _graph_one()),
    lambda: Weighted(_graph_one(), _graph_one()),
    lambda log_weight: Weighted(log_weight, _graph_one()),
)
GRAPH_EXPECTATION = Semiring(
    "expectation",
    _graph_plus_expectation,
    _times_weighted,
    GRAPH_ENTROPY.zero,
    GRAPH_ENTROPY.one,
    Weighted,
)
