"""Checking many vectors, and going through them in blocks that fit a processor's cache.

    |x| = sqrt(sum_d x_d^2)

Note: Tips in Training / Locality Sensitive Hashing (T24)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 2**18  # numbers of a temporary array


def check_vectors(name: str, vectors: Any, dim: int) -> np.ndarray:
    """(N, D) numbers, N >= 1, as float32 if they are, as float64 otherwise."""
    found = np.asarray(vectors)
    if found.ndim != 2 or found.shape[1] != dim or not len(found):
        raise ValueError(f"{name}: expected shape (N, {dim}), N >= 1, found {found.shape}")
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected numbers, found {found.dtype}")
    return found if found.dtype == np.float32 else found.astype(np.float64, copy=False)


def lengths_of(name: str, vectors: np.ndarray, *, zeros: bool = False) -> np.ndarray:
    """(N,) float64 |x|; ValueError for a NaN, an infinity, or (unless ``zeros``) a zero row."""
    found = np.empty(len(vectors))
    for part in blocks(len(vectors), vectors.shape[1]):
        x = vectors[part].astype(np.float64)
        with np.errstate(over="ignore"):
            found[part] = np.sqrt(np.einsum("nd,nd->n", x, x))
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found)))
        raise ValueError(f"{name}: row {row} holds a NaN or an infinity, or is too long")
    if not zeros and not found.all():
        row = int(np.argmin(found))
        raise ValueError(f"{name}: row {row} has length 0, so no direction")
    return found


def blocks(count: int, width: int) -> Iterator[slice]:
    """Slices of ``count`` rows of ``width`` numbers, each about BLOCK numbers."""
    rows = max(1, BLOCK // max(1, width))
    return (slice(first, min(first + rows, count)) for first in range(0, count, rows))
