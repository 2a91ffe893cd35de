"""Checks of sizes and ids before DyNet sees them.

DyNet aborts the process or answers garbage on many wrong sizes, so the first lines of every
public function call these.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

MAX_ELEMENTS = 2**31 - 1  # DyNet counts elements with 32 bits


class ShapeError(ValueError):
    """An Expression of a wrong shape; the message holds the found and the expected one."""


def describe(shape: Sequence[Optional[int]], batch: Optional[int] = None) -> str:
    """``(H,)xB`` text of a shape; None is shown as ``*``."""
    sizes = ", ".join("*" if n is None else str(n) for n in shape)
    return f"({sizes}{',' if len(shape) == 1 else ''})x{'*' if batch is None else batch}"


def expect(
    name: str, e: Any, shape: Sequence[Optional[int]], batch: Optional[int] = None
) -> tuple[tuple[int, ...], int]:
    """Check the shape of an Expression and return it.

    Args:
        name: what the user calls the argument.
        e: the Expression.
        shape: expected sizes; None means any size.  A trailing 1 may be missing on either side,
            since some DyNet nodes drop it.
        batch: expected batch size; None means any.

    Returns:
        (sizes, batch size), sizes with as many entries as ``shape``.

    Raises:
        ShapeError: with the found and the expected shape.
        TypeError: if ``e`` is no Expression (DyNet would crash on None).
    """
    if not isinstance(e, dy.Expression):
        raise TypeError(f"{name}: expected a DyNet Expression, found {type(e).__name__}")
    found, found_batch = e.dim()
    sizes = list(found)
    while len(sizes) > len(shape) and sizes[-1] == 1:
        sizes.pop()
    sizes += [1] * (len(shape) - len(sizes))
    wanted = all(n is None or n == m for n, m in zip(shape, sizes)) and len(sizes) == len(shape)
    if not wanted or (batch is not None and batch != found_batch):
        raise ShapeError(
            f"{name}: expected {describe(shape, batch)}, found {describe(found, found_batch)}"
        )
    return tuple(sizes), found_batch


def check_size(name: str, value: Any, low: int = 1, high: int = MAX_ELEMENTS) -> int:
    """``value`` as an int if it is a whole number in [low, high]; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name}: expected a whole number, found {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low} to {high}, found {value}")
    return int(value)


def check_dims(name: str, dims: Sequence[int]) -> tuple[int, ...]:
    """A parameter shape that DyNet can hold: sizes >= 1 and fewer than 2^31 elements."""
    sizes = tuple(check_size(f"{name}[{i}]", n) for i, n in enumerate(dims))
    if not sizes or int(np.prod([float(n) for n in sizes])) > MAX_ELEMENTS:
        raise ValueError(f"{name}: {sizes} has no element or more than {MAX_ELEMENTS}")
    return sizes


def check_rate(name: str, p: Any) -> float:
    """``p`` as a float if 0 <= p < 1 (a dropout rate; 1 would drop everything)."""
    if isinstance(p, bool) or not isinstance(p, (int, float, np.floating)) or not 0 <= p < 1:
        raise ValueError(f"{name}: expected a rate 0 <= p < 1, found {p!r}")
    return float(p)


def check_ids(
    name: str, ids: Any, size: int, shape: Optional[Sequence[Optional[int]]] = None
) -> np.ndarray:
    """Integer ids in [0, size) as a numpy array.

    Args:
        name: what the user calls the argument.
        ids: integers, any nesting; floats are refused (DyNet would truncate them silently).
        size: number of rows of the table.
        shape: expected array shape, None entries for any size.

    Raises:
        ValueError: empty, non-integer or out-of-range ids, or another shape.
    """
    array = np.asarray(ids)
    if array.size == 0:
        raise ValueError(f"{name}: no ids")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integers, found {array.dtype}")
    if shape is not None and (
        array.ndim != len(shape)
        or any(n is not None and n != m for n, m in zip(shape, array.shape))
    ):
        raise ValueError(f"{name}: expected shape {tuple(shape)}, found {array.shape}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= size:
        raise ValueError(f"{name}: ids must be 0 to {size - 1}, found {low} to {high}")
    return array
