"""Feeding numpy arrays into a graph and reading them back, at any batch size and numpy version.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np


def feed(array: Any, *, batched: bool = False) -> dy.Expression:
    """A constant input of the values of ``array``.

    Args:
        array: (d1, ..., dk), or (d1, ..., dk, B) with ``batched``; at least one value.
        batched: the last axis is DyNet's batch dimension (B = 1 works with every numpy).

    Returns:
        (d1, ..., dk)x1 or (d1, ..., dk)xB.

    Raises:
        ValueError: an empty or non-numeric array, or a batched one without an axis for it.
    """
    values = np.asarray(array)
    if values.size == 0 or values.dtype.kind not in "fiub":
        raise ValueError(f"expected numbers, found {values.dtype} of shape {values.shape}")
    if batched and values.ndim < 1:
        raise ValueError("a batched array needs a last axis for the batch")
    dims, batch = (values.shape[:-1], values.shape[-1]) if batched else (values.shape, 1)
    flat = values.astype(np.float32).ravel(order="F").tolist()
    return dy.inputTensorTranspose(flat, dim=tuple(dims) or (1,), batch_size=batch)


def read(e: dy.Expression) -> np.ndarray:
    """The value of an Expression as float32, (d1, ..., dk, B): the batch axis is always there."""
    dims, batch = e.dim()
    values = np.asarray(e.vec_value(), dtype=np.float32)
    return values.reshape((*dims, batch), order="F")


def parameter_array(p: Any, gradient: bool = False) -> np.ndarray:
    """Value (or gradient) of a Parameters or LookupParameters as a float32 copy."""
    values = p.grad_as_array() if gradient else p.as_array()
    return np.array(values, dtype=np.float32)


def scalar(e: dy.Expression, name: Optional[str] = None) -> float:
    """The value of a one-element Expression; ``scalar_value()`` of anything else would abort."""
    dims, batch = e.dim()
    if int(np.prod(dims)) * batch != 1:
        raise ValueError(f"{name or 'expression'}: expected one number, found {dims}x{batch}")
    return float(e.scalar_value())
