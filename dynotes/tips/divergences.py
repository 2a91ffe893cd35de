"""Entropy, cross-entropy, KL divergence and perplexity.

    H(p)    = -sum p log p                        0 log 0 = 0
    H(p, q) = -sum p log q                        d H(p, softmax(s)) / ds = softmax(s) - p
    KL(p || q) = H(p, q) - H(p) = sum p log(p / q) >= 0
    perplexity = exp(nats per token) = 2^(bits per token)

Losses come back one a column, in nats; means, sums and masks (``graph.masks.masked_loss``) are the
caller's.  Functions ending in ``_array`` are the numpy twins.

Note: Tips in Training / Entropy, Cross Entropy Loss, and KL-Divergence (T17)
Paper: Shannon 1948; Szegedy et al. 2016, section 7 (label smoothing).
Differs: bits need log2, and -log p(x) bounds no single code length, only the expected one;
minimising KL(p || q) is minimising H(p, q) only while p does not depend on the parameters.
"""

from __future__ import annotations

import math
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_rate, check_size, expect
from dynotes.graph.working_rules import flat_ids, nll

TINY = 1e-37  # a float32 that flush-to-zero leaves alone; log TINY = -85.2
UNITS = {"nats": 1.0, "bits": 1.0 / math.log(2.0)}


def cross_entropy_ids(
    scores: dy.Expression, ids: Any, *, label_smoothing: float = 0.0, temperature: float = 1.0
) -> dy.Expression:
    """H(p, softmax(s / temperature)) for index targets, p one-hot or smoothed.

        p = (1 - e) onehot(y) + e / V:   H = nll_y + e (s_y - mean s)

    Args:
        scores: (V,)xN, not normalised.
        ids: N ints, (N,) or (T, B) time-major.
        label_smoothing: e, 0 <= e < 1.
        temperature: > 0.

    Returns:
        (1,)xN, in nats.

    Raises:
        ValueError: ids out of range or not N of them, e outside [0, 1), temperature <= 0.
    """
    (n_words,), batch = expect("scores", scores, (None,))
    e = check_rate("label_smoothing", label_smoothing)
    s = tempered(scores, temperature)
    loss = nll(s, ids)
    if e == 0:
        return loss
    s_y = dy.pick_batch(s, flat_ids(ids, n_words, batch))
    return loss + (s_y - dy.mean_elems(s)) * e


def cross_entropy_dense(scores: dy.Expression, target: dy.Expression) -> dy.Expression:
    """H(p, softmax(s)) = LSE(s) - p^T s for a dense target p.

    Args:
        scores: (V,)xB, not normalised.
        target: (V,)xB or (V,)x1, columns sum to 1.

    Returns:
        (1,)xB, in nats.
    """
    shape, batch = expect("scores", scores, (None,))
    _check_partner("target", target, shape, batch)
    return -dy.sum_elems(dy.cmult(dy.log_softmax(scores), target))


def entropy(p: dy.Expression) -> dy.Expression:
    """H(p) = -sum p log p of probabilities (V,)xB -> (1,)xB, in nats; 0 log 0 = 0."""
    expect("p", p, (None,))
    return -dy.sum_elems(dy.cmult(p, _safe_log(p)))


def cross_entropy(p: dy.Expression, q: dy.Expression) -> dy.Expression:
    """H(p, q) = -sum p log q of probabilities.

    From scores use ``cross_entropy_dense``: it is exact where q underflows.

    Args:
        p, q: (V,)xB, columns sum to 1; q may be 0.

    Returns:
        (1,)xB, in nats.  Where q = 0 < p it is finite: log q counts as log 1e-37 = -85.2,
        without gradient, so that training survives (the numpy twin answers inf).
    """
    shape, batch = expect("p", p, (None,))
    _check_partner("q", q, shape, batch)
    return -dy.sum_elems(dy.cmult(p, _safe_log(q)))


def kl(p: dy.Expression, q: dy.Expression) -> dy.Expression:
    """KL(p || q) = sum p log(p / q) of probabilities (V,)xB -> (1,)xB, in nats.

    0 log 0 = 0; q = 0 < p is finite as in ``cross_entropy``.
    """
    shape, batch = expect("p", p, (None,))
    _check_partner("q", q, shape, batch)
    return dy.sum_elems(dy.cmult(p, _safe_log(p) - _safe_log(q)))


def tempered(scores: dy.Expression, temperature: float) -> dy.Expression:
    """scores / temperature; the same node at temperature 1.

    Raises:
        ValueError: a temperature that is not a positive finite number.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature: expected a positive number, found {temperature!r}")
    return scores if temperature == 1 else scores * (1.0 / float(temperature))


def perplexity(total_nats: float, tokens: int) -> float:
    """exp(total_nats / tokens); inf where that overflows.

    Args:
        total_nats: sum of the losses.
        tokens: how many tokens the sum is over, at least 1.

    Raises:
        ValueError: no tokens, or a total that is NaN.
    """
    count = check_size("tokens", tokens)
    if math.isnan(total_nats):
        raise ValueError("total_nats: expected a number, found nan")
    try:
        return math.exp(total_nats / count)
    except OverflowError:
        return math.inf


def entropy_array(p: Any, unit: str = "nats") -> np.ndarray:
    """H(p) over axis 0 of probabilities (V, ...), in nats or bits."""
    return cross_entropy_array(p, p, unit)


def cross_entropy_array(p: Any, q: Any, unit: str = "nats") -> np.ndarray:
    """H(p, q) over axis 0 of probabilities (V, ...), in nats or bits; inf where q = 0 < p.

    Raises:
        ValueError: another unit, shapes that differ, or columns that are no distributions.
    """
    p, q = _distributions(p, q)
    scale = _scale(unit)
    return -_sum_p_log(p, q) * scale


def kl_array(p: Any, q: Any, unit: str = "nats") -> np.ndarray:
    """KL(p || q) over axis 0 of probabilities (V, ...), in nats or bits; inf where q = 0 < p."""
    p, q = _distributions(p, q)
    scale = _scale(unit)
    return (_sum_p_log(p, p) - _sum_p_log(p, q)) * scale


def _safe_log(p: dy.Expression) -> dy.Expression:
    """log max(p, TINY): finite in value and gradient at 0."""
    return dy.log(dy.rectify(p - TINY) + TINY)


def _check_partner(name: str, e: dy.Expression, shape: tuple[int, ...], batch: int) -> None:
    _, found = expect(name, e, shape)
    if found != 1 and batch != 1:
        expect(name, e, shape, batch)


def _scale(unit: str) -> float:
    if unit not in UNITS:
        raise ValueError(f"unit: expected one of {sorted(UNITS)}, found {unit!r}")
    return UNITS[unit]


def _distributions(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    arrays = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if arrays[0].shape != arrays[1].shape or arrays[0].size == 0:
        raise ValueError(f"expected two equal shapes, found {arrays[0].shape}, {arrays[1].shape}")
    for name, a in zip("pq", arrays):
        if not ((a >= 0).all() and np.allclose(a.sum(axis=0), 1.0, atol=1e-4)):
            raise ValueError(f"{name}: expected columns of probabilities that sum to 1")
    return arrays


def _sum_p_log(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    log_q = np.log(q, out=np.full_like(q, -np.inf), where=q > 0)
    return np.multiply(p, log_q, out=np.zeros_like(p), where=p > 0).sum(axis=0)
