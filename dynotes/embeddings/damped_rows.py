"""Rows of a table as a matrix, whose steps shrink with the number of losses they take part in.

    v_r <- v_r - eta / (1 + eta beta n_r) dJ/dv_r        J = sum over a step's pairs of losses

J is a sum, so the gradient of a row grows with n_r, the number of losses in J that hold the row
(weights counted).  One by one, as in the released code, each of these steps would see what the
ones before have done; added up they overshoot.  With beta the curvature of one loss along v_r (at
most |u|^2 / 4), the factor is that of an implicit step: a rare row takes plain steps of eta, a row
of many losses goes 1/beta along their mean gradient and no further.  The optimum is not moved.

In the graph the factors act on the gradient alone:

    f * (v - stop(v)) + stop(v)        value v, gradient f dJ/dv

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Toulis & Airoldi 2017, arXiv:1408.2923 (implicit stochastic gradient descent)
Differs: the released code steps after each pair; a step here is that of a whole chunk of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.shapes import expect

# (different rows, the mass of each: how many losses hold it); the masses of several parts add up
Masses = list[tuple[np.ndarray, Any]]


class StepFactors:
    """1 / (1 + eta beta n_r) of the rows that a step touches.

    Args:
        sizes: rows of each table.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.tables = [np.ones(size, np.float32) for size in sizes]

    def set(self, strength: float, masses: Sequence[Masses]) -> None:
        """New factors of the named rows; the others keep theirs, and are not to be looked up.

        Args:
            strength: eta beta.
            masses: for each table, n of its rows; a row named by several parts has the sum.
        """
        for factors, parts in zip(self.tables, masses):
            for rows, _ in parts:
                factors[rows] = 0.0
            for rows, mass in parts:
                factors[rows] += mass
            # a row of several parts must be turned into its factor once
            rows = parts[0][0] if len(parts) == 1 else np.concatenate([rows for rows, _ in parts])
            factors[rows] = 1.0 / (1.0 + strength * factors[rows])


def columns(
    table: dy.LookupParameters, rows: np.ndarray, factors: Optional[np.ndarray] = None
) -> dy.Expression:
    """Rows of a table as the columns of a matrix, (D, n).

    Args:
        table: (V, D).
        rows: (n,), in 0 .. V-1.
        factors: (V,), what the gradient of each row is multiplied by; None for 1.
    """
    size = int(table.shape()[1])
    found = dy.reshape(dy.lookup_batch(table, rows.tolist()), (size, len(rows)))
    return found if factors is None else damped(found, factors[rows])


def damped(x: dy.Expression, factors: np.ndarray) -> dy.Expression:
    """x, (D, n), with the gradient of column i multiplied by factors[i]."""
    (size, n), _ = expect("x", x, (None, None))
    if factors.shape != (n,):
        raise ValueError(f"factors: expected ({n},), found {factors.shape}")
    row = dy.inputTensorTranspose(factors.tolist(), dim=(1, n))
    held = dy.nobackprop(x)
    return dy.cmult(dy.ones((size, 1)) * row, x - held) + held


def gathered(X: dy.Expression, which: np.ndarray) -> dy.Expression:
    """Columns of X, (D, n), as (D,)xP."""
    (size, n), _ = expect("X", X, (None, None))
    return dy.pick_batch_elems(dy.reshape(X, (size,), n), which.tolist())
