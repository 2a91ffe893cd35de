"""Sums and differences of probabilities kept as logarithms, without a NaN in value or gradient.

    LSE(x) = m + log sum_i exp(x_i - m),  m = max_i x_i          d LSE / dx = softmax(x)

A probability of zero is ``NEG_INF``, a finite number: DyNet answers NaN for sums of real
infinities.  Functions ending in ``_array`` are the numpy twins.

Note: Implementation Details / Log-probability Domain (T35)
Paper: Maechler 2012 (log1mexp: two branches, switched at log 2).
Differs: the notes say that numpy has logsumexp; it has ``logaddexp``, scipy has ``logsumexp``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.shapes import ShapeError, check_ids, expect

NEG_INF = -1e9  # the logarithm of zero, everywhere in dynotes
LOG2 = math.log(2.0)
SMALLEST_GAP = 1e-30  # below it, two log-probabilities count as equal


def hide(x: dy.Expression, keep: Any) -> dy.Expression:
    """Replace entries by ``NEG_INF``; no gradient reaches them.

    Args:
        x: any shape; finite.
        keep: bool array with the dims of x, or these and a last batch axis.  True keeps.

    Returns:
        The shape of x (batched as ``keep`` if that has a batch axis).

    Raises:
        ValueError: ``keep`` is not bool or has another shape.
    """
    kept = np.asarray(keep)
    (dims, batch) = x.dim()
    batched = kept.ndim == len(dims) + 1
    sizes, columns = (kept.shape[:-1], kept.shape[-1]) if batched else (kept.shape, 1)
    if kept.dtype != np.bool_ or sizes != dims or (batched and batch not in (1, columns)):
        raise ValueError(
            f"keep: expected bool {dims} or {(*dims, batch)}, found {kept.dtype} {kept.shape}"
        )
    if kept.all():
        return x
    return dy.cmult(x, feed(kept, batched=batched)) + feed(NEG_INF * ~kept, batched=batched)


def logsumexp(xs: Sequence[dy.Expression], keep: Any = None) -> dy.Expression:
    """Elementwise LSE over a list, log(exp x_1 + ... + exp x_n).

    Args:
        xs: n Expressions of one shape; batch sizes B or 1.
        keep: (n,) or (n, B) bool; False leaves an entry out.

    Returns:
        The shape of the entries; ``NEG_INF``, without gradient, where nothing is kept.

    Raises:
        ValueError: an empty list, unequal shapes, or a ``keep`` of another size.
    """
    if not xs:
        raise ValueError("logsumexp: expected at least one Expression, found none")
    dims, batch = _common_shape(xs)
    if keep is None:
        return dy.logsumexp(list(xs))
    kept = np.asarray(keep)
    if kept.dtype != np.bool_ or kept.shape not in ((len(xs),), (len(xs), batch)):
        sizes = f"({len(xs)},) or ({len(xs)}, {batch})"
        raise ValueError(f"keep: expected bool {sizes}, found {kept.dtype} {kept.shape}")
    if kept.ndim == 2:
        return dy.logsumexp([hide(x, np.broadcast_to(k, (*dims, batch))) for x, k in zip(xs, kept)])
    used = [x for x, k in zip(xs, kept) if k]
    return dy.logsumexp(used) if used else dy.constant(dims, NEG_INF, batch)


def logsumexp_dim(x: dy.Expression, axis: int = 0, keep: Any = None) -> dy.Expression:
    """LSE over one axis of a vector or a matrix.

        LSE(x) = sum_i p_i (x_i - log_softmax(x)_i),  p = softmax(x) held constant

    Every summand is LSE(x); the weights p keep the digits, and the gradient is softmax(x).
    (``dy.logsumexp_dim`` is wrong over axis 1, and its backward is slow.)

    Args:
        x: (n,)xB or (n, m)xB; finite.
        axis: 0 sums over rows, 1 over columns.
        keep: bool with the dims of x, or these and a batch axis; False leaves an entry out.

    Returns:
        (1,)xB, (m,)xB or (n,)xB; ``NEG_INF``, without gradient, where nothing is kept.

    Raises:
        ValueError: another rank or axis, or a ``keep`` of another shape.
    """
    dims, _ = x.dim()
    if len(dims) > 2 or axis not in range(len(dims)):
        raise ShapeError(f"x: expected a vector or a matrix with axis {axis}, found {dims}")
    visible = x if keep is None else hide(x, keep)
    batch = visible.dim()[1]
    if len(dims) == 1:
        return _column_lse(visible)
    columns = visible if axis == 0 else dy.transpose(visible)
    (n, m) = dims if axis == 0 else dims[::-1]
    return dy.reshape(_column_lse(dy.reshape(columns, (n,), m * batch)), (m,), batch)


def logsumexp_batch(x: dy.Expression, visible: Any = 0) -> dy.Expression:
    """LSE of every column of a batch, from one fused node: LSE(x) = x_r - log softmax(x)_r.

    The equation holds for every row r; one that is not hidden keeps the digits.

    Args:
        x: (n,)xN; rows may be hidden by ``NEG_INF``.
        visible: r, one id for all columns or N ids; a column that is hidden altogether gives
            about ``NEG_INF``.

    Returns:
        (1,)xN, with gradient softmax(x).

    Raises:
        ValueError: ``visible`` is no row, or of another size.
    """
    (n,), batch = expect("x", x, (None,))
    ids = check_ids("visible", visible, n).ravel()
    if ids.size not in (1, batch):
        raise ValueError(f"visible: expected 1 or {batch} ids, found {ids.size}")
    rows = np.broadcast_to(ids, batch).tolist()
    return dy.pickneglogsoftmax_batch(x, rows) + dy.pick_batch(x, rows)


def softplus(x: dy.Expression) -> dy.Expression:
    """log(1 + exp x) = LSE(x, 0) = -log sigmoid(-x), of any shape; its gradient is sigmoid(x).

    (``dy.log_sigmoid`` of some builds of the engine is off by 1 for more than a few numbers, and
    forms with ``rectify`` or ``abs`` have no gradient where x is exactly 0.)
    """
    dims, _ = x.dim()
    return dy.logsumexp([x, dy.zeros(dims)])


def _column_lse(x: dy.Expression) -> dy.Expression:
    p = dy.nobackprop(dy.softmax(x))
    return dy.sum_elems(dy.cmult(p, x - dy.log_softmax(x)))


def log_mean_exp(xs: Sequence[dy.Expression], keep: Any = None) -> dy.Expression:
    """Elementwise log of the mean of exp over a list; ``keep`` as in ``logsumexp``.

    The mean is over the kept entries; ``NEG_INF`` where nothing is kept.
    """
    total = logsumexp(xs, keep)
    if keep is None:
        return total - math.log(len(xs))
    kept = np.asarray(keep)
    log_n = np.log(np.maximum(kept.sum(0), 1))
    if kept.ndim == 1:
        return total - float(log_n)
    return total - feed(log_n[None, :], batched=True)


def log1mexp(x: dy.Expression) -> dy.Expression:
    """log(1 - exp x) for x <= 0, to float32 accuracy on both sides of the switch.

        -x <= log 2:  log tanh(-x/2) + log(1 + exp x)          1 - e^x = tanh(-x/2) (1 + e^x)
        -x >  log 2:  log1p(-exp x)

    Args:
        x: any shape; values of 0 or more give ``NEG_INF`` with gradient 0.

    Returns:
        The shape of x.
    """
    dims, batch = x.dim()
    gap = dy.rectify(-x)
    equal = dy.nobackprop(dy.rectify(gap * (-1.0 / SMALLEST_GAP) + 1.0))
    is_far = dy.nobackprop(dy.logistic((gap - LOG2) * 1e10))
    # the branches overlap, so that neither is clamped where the other takes over
    near = dy.bmin(gap + equal, dy.constant(dims, 2 * LOG2, batch))
    far = dy.bmax(gap, dy.constant(dims, LOG2 / 2, batch))
    # not dy.log_sigmoid: some builds of the engine are off by 1 for more than a few numbers
    value_near = dy.log(dy.tanh(near * 0.5)) + dy.log(dy.exp(-near) + 1.0)
    value_far = _log1p(-dy.exp(-far))
    value = dy.cmult(is_far, value_far) + dy.cmult(-is_far + 1.0, value_near)
    return dy.cmult(-equal + 1.0, value) + equal * NEG_INF


def _log1p(z: dy.Expression) -> dy.Expression:
    return dy.atanh(dy.cdiv(z, z + 2.0)) * 2.0


def log_diff_exp(a: dy.Expression, b: dy.Expression) -> dy.Expression:
    """log(exp a - exp b) = a + log1mexp(b - a), for a >= b; about ``NEG_INF`` where equal."""
    _common_shape([a, b])
    return a + log1mexp(b - a)


def logsumexp_array(x: Any, axis: Optional[int] = None, keep: Any = None) -> np.ndarray:
    """LSE over one axis (None: over all) of a numpy array, in float64.

    Args:
        x: any shape; real infinities are allowed.
        keep: bool, broadcast to x; False leaves an entry out.

    Returns:
        x without the axis; exactly ``NEG_INF`` where nothing is kept (or all is ``-inf``).
    """
    values = np.asarray(x, dtype=np.float64)
    if values.size == 0:
        raise ValueError(f"logsumexp_array: expected numbers, found shape {values.shape}")
    if keep is not None:
        values = np.where(np.asarray(keep, dtype=np.bool_), values, NEG_INF)
    values = np.maximum(values, NEG_INF)
    m = values.max(axis=axis, keepdims=True)
    total = np.exp(values - m).sum(axis=axis, keepdims=True)
    return np.squeeze(np.where(m > NEG_INF, m + np.log(total), NEG_INF), axis=axis)


def log_mean_exp_array(x: Any, axis: Optional[int] = None, keep: Any = None) -> np.ndarray:
    """Log of the mean of exp over the kept entries of one axis; ``NEG_INF`` where none is kept."""
    values = np.asarray(x)
    kept = np.broadcast_to(True if keep is None else np.asarray(keep, np.bool_), values.shape)
    return logsumexp_array(values, axis, kept) - np.log(np.maximum(kept.sum(axis=axis), 1))


def log1mexp_array(x: Any) -> np.ndarray:
    """log(1 - exp x) for x <= 0: log(-expm1 x) down to -log 2, log1p(-exp x) below it.

    Raises:
        ValueError: a value above 0 (or NaN).
    """
    values = np.asarray(x, dtype=np.float64)
    if not (values <= 0).all():
        raise ValueError(f"log1mexp: expected values <= 0, found {values.max()}")
    near = np.log(-np.expm1(np.clip(values, -LOG2, -SMALLEST_GAP)))
    far = np.log1p(-np.exp(np.minimum(values, -LOG2)))
    return np.where(values > -SMALLEST_GAP, NEG_INF, np.where(values > -LOG2, near, far))


def log_diff_exp_array(a: Any, b: Any) -> np.ndarray:
    """log(exp a - exp b) for a >= b; about ``NEG_INF`` where they are equal."""
    larger = np.asarray(a, dtype=np.float64)
    return larger + log1mexp_array(np.asarray(b, dtype=np.float64) - larger)


def _common_shape(xs: Sequence[dy.Expression]) -> tuple[tuple[int, ...], int]:
    """(dims, largest batch) of Expressions that must have the same dims, and batch B or 1."""
    dims, batch = xs[0].dim()
    for i, x in enumerate(xs):
        _, size = expect(f"entry {i}", x, dims)
        if size != batch and 1 not in (size, batch):
            raise ShapeError(f"entry {i}: expected batch {batch} or 1, found {size}")
        batch = max(batch, size)
    return dims, batch
