"""A whole segment through DyNet's LSTM, one layer at a time, its masks drawn once a sequence.

The cell is DyNet's VanillaLSTMBuilder, its parameters included; only the order of the arithmetic
differs.  The builder multiplies W_x x_t step by step; here each layer first forms W_x X for all
time steps as one matrix product (time-major columns), and only U h_{t-1} remains inside the
recursion:

    G = b + W_x (m_x * X)                                      all steps at once
    [i; f; o; g]_t = G_t + U (m_h * h_{t-1}),    c_t = s(i) tanh(g) + s(f + b_f) c_{t-1},
    h_t = s(o) tanh(c_t)                                       s = logistic, * elementwise

Note: Tips in Training / Dropout (T03, T04)
Paper: Gal & Ghahramani 2016, eq. 7 (masks fixed over time); Zaremba et al. 2014, section 3.1
    (fresh masks, non-recurrent connections only)
Differs: the masks are Expressions of ours instead of set_dropouts, since the builder cannot show
    or share its own; at rate 0 the results equal the builder's (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import dynet as dy

from dynotes.graph.arrays import feed
from dynotes.graph.shapes import ShapeError, check_rate, check_size, expect
from dynotes.tips.dropout import dropout, dropout_mask


class LayerWeights(NamedTuple):
    """The parameters of one layer of VanillaLSTMBuilder: gate order i, f, o, g."""

    wx: dy.Parameters  # (4H, n_in)
    wh: dy.Parameters  # (4H, H)
    b: dy.Parameters  # (4H,)


class LayerState(NamedTuple):
    """Cell and output of one layer, each (H,)xB."""

    c: dy.Expression
    h: dy.Expression


class Rates(NamedTuple):
    """Dropout rates of a segment; 0 everywhere is evaluation.

    embed: word types (T02).  x: inputs of every layer.  h: recurrent connections.  out: the copy
    of the last layer's output that feeds the softmax (T04).  shared: masks of x and out are drawn
    once a sequence and column (variational, T03) instead of anew at every step (Zaremba).
    """

    embed: float = 0.0
    x: float = 0.0
    h: float = 0.0
    out: float = 0.0
    shared: bool = True

    def checked(self) -> Rates:
        """These rates, or ValueError if one is outside [0, 1)."""
        for name in ("embed", "x", "h", "out"):
            check_rate(f"dropout rate {name}", getattr(self, name))
        return self


def drop_columns(x: dy.Expression, rate: float, *, batch: int, shared: bool) -> dy.Expression:
    """Inverted dropout of time-major columns.

    Args:
        x: (n,)x(T*B), column t*B + b is step t of batch entry b.
        rate: 0 <= rate < 1; 0 returns x itself.
        batch: B.
        shared: one mask a batch entry for all steps, else a fresh mask for every column.
    """
    if check_rate("dropout rate", rate) == 0:
        return x
    if not shared:
        return dropout(x, rate)
    (size,), columns = expect("x", x, (None,))
    mask = dropout_mask((size,), rate, batch_size=batch)
    return dy.cmult(x, dy.pick_batch_elems(mask, list(range(batch)) * (columns // batch)))


def lstm_layer(
    x: dy.Expression,
    weights: LayerWeights,
    state: Optional[LayerState],
    *,
    batch: int,
    forget_bias: float = 1.0,
    mask_h: Optional[dy.Expression] = None,
    save_at: Optional[int] = None,
) -> tuple[dy.Expression, LayerState]:
    """One layer over T steps.

    Args:
        x: (n_in,)x(T*B), time-major columns.
        weights: of a VanillaLSTMBuilder layer.
        state: at the step before the first, or None for zeros.
        batch: B.
        forget_bias: b_f, added in the gate and not stored (DyNet's own convention).
        mask_h: (H,)xB factors of h_{t-1}, the same at every step; None keeps all.
        save_at: the state after so many steps is returned, 1 to T; None means T.

    Returns:
        (h of all steps: (H,)x(T*B) time-major, state after ``save_at`` steps).

    Raises:
        ShapeError: sizes of x, weights and state that do not belong together.
    """
    size = weights.b.shape()[0] // 4
    _, columns = expect("x", x, (weights.wx.shape()[1],))
    if columns % check_size("batch", batch):
        raise ShapeError(f"x: {columns} columns are no multiple of the batch {batch}")
    for name, e in zip(("c", "h"), state or ()):
        expect(f"state {name}", e, (size,), batch)
    bias = weights.b
    if forget_bias:
        bias = bias + feed([0.0] * size + [float(forget_bias)] * size + [0.0] * (2 * size))
    gates = dy.affine_transform([bias, weights.wx, x])
    c, h = state or (None, None)
    steps = columns // batch
    saved = batch * check_size("save_at", steps if save_at is None else save_at, high=steps)
    outputs = []
    for first in range(0, columns, batch):
        g = dy.pick_batch_elems(gates, list(range(first, first + batch)))
        if h is not None:
            g = dy.affine_transform([g, weights.wh, h if mask_h is None else dy.cmult(mask_h, h)])
        opened = dy.logistic(dy.pick_range(g, 0, 3 * size))
        i = dy.pick_range(opened, 0, size)
        o = dy.pick_range(opened, 2 * size, 3 * size)
        update = dy.cmult(i, dy.tanh(dy.pick_range(g, 3 * size, 4 * size)))
        if c is not None:
            update = update + dy.cmult(dy.pick_range(opened, size, 2 * size), c)
        c = update
        h = dy.cmult(o, dy.tanh(c))
        outputs.append(h)
        if first + batch == saved:
            after = LayerState(c, h)
    return dy.concatenate_to_batch(outputs), after


def lstm_segment(
    x: dy.Expression,
    layers: Sequence[LayerWeights],
    states: Optional[Sequence[LayerState]],
    *,
    batch: int,
    forget_bias: float = 1.0,
    rates: Optional[Rates] = None,
    save_at: Optional[int] = None,
) -> tuple[dy.Expression, list[LayerState]]:
    """All layers over T steps.

    Args:
        x: (n_in,)x(T*B), time-major columns.
        layers: weights from the lowest layer up.
        states: one a layer, or None for zeros.
        batch: B.
        forget_bias: see :func:`lstm_layer`.
        rates: dropout of layer inputs (x), recurrent connections (h) and the output copy (out);
            None draws nothing.
        save_at: the states after so many steps are returned; None means after the last.

    Returns:
        (output for the softmax, dropped: (H,)x(T*B); undropped states after ``save_at`` steps).

    Raises:
        ShapeError: see :func:`lstm_layer`; another number of states than layers.
        ValueError: a rate outside [0, 1).
    """
    p = (rates or Rates()).checked()
    if states is not None and len(states) != len(layers):
        raise ShapeError(f"states: expected {len(layers)}, one a layer, found {len(states)}")
    after = []
    for n, weights in enumerate(layers):
        x = drop_columns(x, p.x, batch=batch, shared=p.shared)
        size = weights.b.shape()[0] // 4
        mask_h = dropout_mask((size,), p.h, batch_size=batch) if p.h else None
        x, state = lstm_layer(
            x,
            weights,
            None if states is None else states[n],
            batch=batch,
            forget_bias=forget_bias,
            mask_h=mask_h,
            save_at=save_at,
        )
        after.append(state)
    return drop_columns(x, p.out, batch=batch, shared=p.shared), after
