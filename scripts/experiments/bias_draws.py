"""What sampling does to loss and gradient, by every draw or by many, without the engine.

P(w) is the exact softmax, so Z = 1.  Every rule replaces the denominator of P(v) by a sum over the
words, S = sum_v x_v, of random numerators x_v that a draw of m words decides:

    plain, tilted   x_v = c_v P(v) / mQ(v)           c_v: how often v was drawn
    stratified      the same, but x_w = P(w)         w: the target
    forced          x_v = [c_v > 0] P(v) / pi(v)     pi(v) = 1 - (1 - Q(v))^m;  x_w = P(w) / pi(w)

With e = E[x] and S0 = E[S], E[x/S] = e/S0 + E[(x - e S/S0) (1/S - 1/S0)]: the last mean is of
second order, so that far fewer draws are needed than for E[x/S] itself; log S likewise.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple, Optional

import numpy as np

BLOCKS = 10
ROUNDING = 1e-12  # x_w is subtracted from a sum that may hold nothing else


class Problem(NamedTuple):
    """p: (V,) softmax; q: (V,) noise; targets: (T,) ids."""

    p: np.ndarray
    q: np.ndarray
    targets: np.ndarray


class Numerators(NamedTuple):
    """x of a rule.

    scale: (V,), x_v = scale_v times c_v or [c_v > 0].
    once: whether [c_v > 0] is meant.
    own: (T,) numerators of the targets that do not depend on the draw, or None.
    covariance: (V, V) of the x.
    """

    scale: np.ndarray
    once: bool
    own: Optional[np.ndarray]
    covariance: np.ndarray


class Cost(NamedTuple):
    """loss: (T,) bias in nats; gradient: (V, T) bias; negative: (T,) probability of a loss < 0."""

    loss: np.ndarray
    gradient: np.ndarray
    negative: Optional[np.ndarray] = None


def numerators(rule: str, problem: Problem, m: int) -> Numerators:
    """The numerators of a rule at m draws."""
    p, q, targets = problem
    if rule == "forced":
        pi = -np.expm1(m * np.log1p(-q))
        missed = (1 - q) ** m
        both = np.maximum(1 - q[:, None] - q, 0) ** m - missed[:, None] * missed
        np.fill_diagonal(both, pi * missed)
        return Numerators(p / pi, True, (p / pi)[targets], both * np.outer(p / pi, p / pi))
    covariance = (np.diag(p * p / q) - np.outer(p, p)) / m
    own = p[targets] if rule == "stratified" else None
    return Numerators(p / (m * q), False, own, covariance)


def multisets(n_words: int, m: int) -> int:
    """How many draws of m words there are, order aside."""
    return math.comb(n_words + m - 1, m)


def all_draws(q: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Every multiset of m words: (counts (n, V), probabilities (n,))."""
    n = multisets(len(q), m)
    counts = np.zeros((n, len(q)))
    chosen = itertools.combinations_with_replacement(range(len(q)), m)
    words = np.fromiter(itertools.chain.from_iterable(chosen), np.int64, n * m).reshape(n, m)
    np.add.at(counts, (np.arange(n)[:, None], words), 1)
    factorials = np.array([math.lgamma(c + 1) for c in range(m + 1)])
    log_p = factorials[m] - factorials[counts.astype(int)].sum(1) + counts @ np.log(q)
    return counts, np.exp(log_p)


def exact_cost(problem: Problem, rule: str, draw: tuple[np.ndarray, np.ndarray], m: int) -> Cost:
    """Biases by enumeration."""
    return _mean(problem, numerators(rule, problem, m), *draw)


def sampled_cost(problem: Problem, rule: str, counts: np.ndarray, m: int) -> tuple[Cost, Cost]:
    """Biases by drawn counts (n, V): (means, their standard errors)."""
    terms = numerators(rule, problem, m)
    found = [
        _mean(problem, terms, part, np.full(len(part), 1 / len(part)))
        for part in np.array_split(counts, BLOCKS)
    ]
    values = [np.array(each) for each in zip(*found)]
    errors = (each.std(0, ddof=1) / math.sqrt(BLOCKS) for each in values)
    return Cost(*(each.mean(0) for each in values)), Cost(*errors)


def first_order(problem: Problem, rule: str, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted biases of loss (T,) and gradient (V, T) from the covariances of x.

    log S ~ log S0 - Var(S) / 2 S0^2;    x/S ~ e/S0 - Cov(x - e S/S0, S) / S0^2

    (For "plain" these are -(sum P^2/Q - 1) / 2m and -1/m (P^2/Q - P sum P^2/Q).)
    """
    terms = numerators(rule, problem, m)
    size, share = _means(problem, terms)
    with_sum = np.repeat(terms.covariance.sum(1)[:, None], size.size, axis=1)
    if terms.own is not None:
        with_sum -= terms.covariance[:, problem.targets]
        with_sum[problem.targets, np.arange(size.size)] = 0
    variance = with_sum.sum(0)
    gradient = share - problem.p[:, None] - (with_sum - share * variance) / size**2
    return _offset(problem, terms, size) - variance / (2 * size**2), gradient


def _means(problem: Problem, terms: Numerators) -> tuple[np.ndarray, np.ndarray]:
    """(S0 (T,), e/S0 (V, T)) of every target."""
    mean = np.repeat(problem.p[:, None], len(problem.targets), axis=1)
    if terms.own is not None:
        mean[problem.targets, np.arange(len(problem.targets))] = terms.own
    return mean.sum(0), mean / mean.sum(0)


def _offset(problem: Problem, terms: Numerators, size: np.ndarray) -> np.ndarray:
    """log S0 less the log of what the target's numerator is in excess of P(w)."""
    own = problem.p[problem.targets] if terms.own is None else terms.own
    return np.log(size) - np.log(own / problem.p[problem.targets])


def _mean(problem: Problem, terms: Numerators, counts: np.ndarray, weights: np.ndarray) -> Cost:
    """Biases under weighted draws."""
    p, targets = problem.p, problem.targets
    columns = np.arange(len(targets))
    size, share = _means(problem, terms)
    x = terms.scale * (np.sign(counts) if terms.once else counts)
    total = np.repeat(x.sum(1)[:, None], len(targets), axis=1)
    if terms.own is not None:
        total += terms.own - x[:, targets]
    inverse = weights[:, None] * (1 / total - 1 / size)
    second = x.T @ inverse
    if terms.own is not None:
        second[targets, columns] = terms.own * inverse.sum(0)
    second -= share * (total * inverse).sum(0)
    ratio = total / size
    loss = weights @ (np.log(ratio) - (ratio - 1)) + _offset(problem, terms, size)
    own = p[targets] if terms.own is None else terms.own
    negative = total < own * (1 - ROUNDING)
    return Cost(loss, share - p[:, None] + second, weights @ negative)
