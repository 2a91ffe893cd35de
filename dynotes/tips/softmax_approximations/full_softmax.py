"""Full softmax: the exact output layer that every approximation is measured against.

    E(w) = h^T v_w + b_w        J_w = -E(w) + log sum_i exp E(w_i)
    grad J_w = -grad E(w) + sum_i P(w_i) grad E(w_i) = -grad E(w) + E_P[grad E]

Note: Tips in Training / Softmax Approximations by Sampling (T20)
Paper: Bengio & Senecal 2003.
Renamed: v_w is row w of ``P``.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect
from dynotes.graph.working_rules import linear, nll


class FullSoftmax(Builder):
    """P(w | h) = softmax(P h + b)_w over all words.

    Stack the time steps first (``dy.concatenate_to_batch``): one product for N = T*B columns.

    Args:
        pc: collection that will own P and b, as sub-collection "full-softmax".
        n_words: V, rows of P.
        n_hidden: H, size of h.
        bias: add b, which starts at 0.
    """

    NAME = "full-softmax"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_words: int, n_hidden: int, bias: bool = True
    ) -> None:
        dims = check_dims("P", (n_words, n_hidden))
        super().__init__(pc, n_words=n_words, n_hidden=n_hidden, bias=bias)
        self.n_words, self.n_hidden = dims
        self.P = self._pc.add_parameters(dims, name="P")
        self.b = self._pc.add_parameters((self.n_words,), init=0.0, name="b") if bias else None

    def scores(self, h: dy.Expression) -> dy.Expression:
        """P h + b, not normalised: (H,)xN -> (V,)xN."""
        expect("h", h, (self.n_hidden,))
        return linear(self.b, self.P, h)

    def nll(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """-log P(ids | h): (H,)xN and N ints (time-major) -> (1,)xN, in nats."""
        return nll(self.scores(h), ids)

    def log_probs(self, h: dy.Expression) -> dy.Expression:
        """log P(. | h): (H,)xN -> (V,)xN, in nats."""
        return dy.log_softmax(self.scores(h))

    def sample(
        self,
        h: dy.Expression,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        top_k: Optional[int] = None,
    ) -> np.ndarray:
        """One word per column of h, (H,)xN -> (N,) ints; see ``sample_log_probs``."""
        return sample_log_probs(read(self.log_probs(h)), rng, temperature=temperature, top_k=top_k)


def sample_log_probs(
    log_probs: np.ndarray,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: Optional[int] = None,
) -> np.ndarray:
    """Draw one row index per column with probability softmax(log_probs / temperature).

    Inverse of the distribution function: one uniform number per column.

    Args:
        log_probs: (V, N) scores or log-probabilities.
        rng: the only source of randomness; N numbers are drawn.
        temperature: > 0; below 1 sharper, above 1 flatter.
        top_k: draw among the k most probable rows only (1 is the argmax); None is all.

    Returns:
        (N,) ints in [0, V).

    Raises:
        ValueError: not a matrix, a NaN, a column of -inf, temperature <= 0, or top_k outside 1..V.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"log_probs: expected (V, N), found shape {scores.shape}")
    best = scores.max(axis=0)
    if not np.isfinite(best).all():
        raise ValueError("log_probs: expected a possible word in every column, found none, or NaN")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature: expected a positive number, found {temperature!r}")
    scores = (scores - best) / temperature
    if top_k is not None and check_size("top_k", top_k, 1, len(scores)) < len(scores):
        dropped = np.argpartition(-scores, top_k - 1, axis=0)[top_k:]
        np.put_along_axis(scores, dropped, -np.inf, axis=0)
    cumulative = np.exp(scores).cumsum(axis=0)
    u = rng.random(cumulative.shape[1]) * cumulative[-1]
    return (cumulative <= u).sum(axis=0)
