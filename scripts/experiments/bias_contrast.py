"""Expected gradients of NCE and negative sampling beside those of the likelihood, in closed form.

    dE[J] / dDelta_v = kQ(v) sigmoid(Delta_v) - [v = w] sigmoid(-Delta_w)

Delta_v is log P(v) - log kQ(v) for NCE and log P(v) for negative sampling; with Z learned exactly
it depends on the scores through log Z as well, with Z = 1 it does not.  (At its own optimum,
s = log P - log kQ, negative sampling has the gradient of NCE with Z = 1.)
"""

from __future__ import annotations

import numpy as np

CONTRASTS = (
    "nce, normalised",
    "nce, Z = 1",
    "negative sampling, normalised",
    "negative sampling, Z = 1",
)


def shift_of(contrast: str, kq: np.ndarray) -> np.ndarray:
    """What is taken from log P: log kQ or nothing."""
    return np.log(kq) if contrast.startswith("nce") else np.zeros_like(kq)


def is_normalised(contrast: str) -> bool:
    """Whether the gradient goes through log Z."""
    return contrast.endswith("normalised")


def expected_gradient(
    contrast: str, p: np.ndarray, kq: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """d E[J] / d scores, (V, T).

    Args:
        contrast: one of ``CONTRASTS``.
        p: (V,) softmax of scores whose Z is 1.
        kq: (V,) k times the noise distribution.
        targets: (T,) ids.
    """
    delta = np.log(p) - shift_of(contrast, kq)
    columns = np.arange(len(targets))
    gradient = np.repeat((kq / (1 + np.exp(-delta)))[:, None], len(targets), axis=1)
    gradient[targets, columns] -= 1 / (1 + np.exp(delta[targets]))
    return through_softmax(p, gradient) if is_normalised(contrast) else gradient


def predicted_bias(
    contrast: str, p: np.ndarray, kq: np.ndarray, targets: np.ndarray
) -> np.ndarray | None:
    """First order in 1/k: P / kQ ([v = w] - P), (V, T); None where there is no such limit."""
    if not contrast.startswith("nce"):
        return None
    bias = np.repeat((-p * p / kq)[:, None], len(targets), axis=1)
    bias[targets, np.arange(len(targets))] += (p / kq)[targets]
    return through_softmax(p, bias) if is_normalised(contrast) else bias


def through_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient in s of what depends on log_softmax(s)."""
    return gradient - p[:, None] * gradient.sum(0)
