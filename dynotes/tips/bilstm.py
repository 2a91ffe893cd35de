"""Both directions of an LSTM over padded sentences, a whole batch at a time.

    h^f_t = LSTM_f(x_t, h^f_{t-1}),    h^b_t = LSTM_b(x_t, h^b_{t+1})      of every layer
    gates of layer l:  b + sum_j W_j (m_j * x_j) + U (m_h * h)             x_j: parts of the input

An input may come in parts, as a word and its tag do, or the two directions of the layer below: each
part has a matrix of its own, and no column is ever put together from its parts, nor turned round
for the backward direction.  Where a backward sequence has not begun (padding stands behind its
end), its state is held at zero; what forward states do behind the end is never read.

Note: Tips in Training / Dropout (T03)
Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
Paper: Gal & Ghahramani 2016, equation 7 (masks fixed over time); Graves & Schmidhuber 2005 (both
    directions); Dozat & Manning 2017, arXiv:1611.01734, appendix A
Differs: the forget gate has a constant bias of 1, as DyNet's builder adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.builder import Builder
from dynotes.graph.masks import row
from dynotes.graph.shapes import ShapeError, check_dims, check_rate, check_size, expect
from dynotes.tips.dropout import dropout_mask
from dynotes.tips.lstm_sequence import drop_columns


class _Direction(NamedTuple):
    W: list[dy.Parameters]  # (4H, n) of each part of the input
    U: dy.Parameters  # (4H, H)
    b: dy.Parameters  # (4H,), gates i, f, o, g


class BiLstm(Builder):
    """Layers of a forward and a backward LSTM.

    Args:
        pc: collection that will own the parameters, as sub-collection "bilstm".
        n_in: sizes of the parts of the input.
        n_hidden: H, size of each direction.
        layers: L.
    """

    NAME = "bilstm"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_in: Sequence[int], n_hidden: int, layers: int
    ) -> None:
        check_size("layers", layers)
        check_size("n_hidden", n_hidden)
        sizes = list(n_in)
        check_dims("n_in", sizes)
        super().__init__(pc, n_in=sizes, n_hidden=n_hidden, layers=layers)
        self.n_in, self.n_hidden = sizes, n_hidden
        widths = [sizes] + [[n_hidden, n_hidden]] * (layers - 1)
        self.layers = [
            [self._new(f"{side}{n}", width) for side in "fb"] for n, width in enumerate(widths)
        ]

    def _new(self, name: str, widths: Sequence[int]) -> _Direction:
        add, size = self._pc.add_parameters, self.n_hidden
        # all parts as one matrix would begin
        scale = float(np.sqrt(6.0 / (4 * size + sum(widths))))
        W = [
            add((4 * size, n), init=dy.UniformInitializer(scale), name=f"W{name}{i}")
            for i, n in enumerate(widths)
        ]
        U = add((4 * size, size), name=f"U{name}")
        return _Direction(W, U, add((4 * size,), init=0.0, name=f"b{name}"))

    def __call__(
        self,
        parts: Sequence[dy.Expression],
        keep: np.ndarray,
        *,
        p_x: float = 0.0,
        p_h: float = 0.0,
        p_first: float = 0.0,
    ) -> tuple[dy.Expression, dy.Expression]:
        """States of the last layer.

        Args:
            parts: of the input, each (n,)x(T*B), time-major columns.
            keep: (T, B) bool, padding at the ends of the columns.
            p_x, p_h: dropout of the inputs of the layers above the first and of the recurrent
                states, masks drawn once a sentence.
            p_first: the same of the first layer's inputs.

        Returns:
            (forward, backward), each (H,)x(T*B).

        Raises:
            ShapeError: parts of other sizes.
            ValueError: a column with padding before a token, or a rate outside [0, 1).
        """
        kept = np.asarray(keep)
        if kept.ndim != 2 or kept.dtype != np.bool_ or (kept[1:] & ~kept[:-1]).any():
            raise ValueError("keep: expected (T, B) bool, padding behind the tokens")
        if len(parts) != len(self.n_in):
            raise ShapeError(f"parts: expected {len(self.n_in)}, found {len(parts)}")
        for i, (x, size) in enumerate(zip(parts, self.n_in)):
            expect(f"parts[{i}]", x, (size,), kept.size)
        batch, rate, x = kept.shape[1], check_rate("p_first", p_first), list(parts)
        check_rate("p_h", p_h)
        for forward, backward in self.layers:
            x = [drop_columns(e, rate, batch=batch, shared=True) for e in x]
            x = [self._run(forward, x, kept, p_h, False), self._run(backward, x, kept, p_h, True)]
            rate = check_rate("p_x", p_x)
        return x[0], x[1]

    def _run(
        self, own: _Direction, parts: list[dy.Expression], keep: np.ndarray, p_h: float, back: bool
    ) -> dy.Expression:
        """One direction of a layer, (H,)x(T*B)."""
        size, (steps, batch) = self.n_hidden, keep.shape
        gates = dy.affine_transform([own.b, *(e for pair in zip(own.W, parts) for e in pair)])
        mask = dropout_mask((size,), p_h, batch_size=batch) if p_h else None
        one = feed([0.0] * size + [1.0] * size + [0.0] * size)
        outputs: list[dy.Expression] = []
        c = h = None
        for t in reversed(range(steps)) if back else range(steps):
            g = dy.pick_batch_elems(gates, list(range(t * batch, (t + 1) * batch)))
            if h is not None:
                g = dy.affine_transform([g, own.U, h if mask is None else dy.cmult(mask, h)])
            c, h = _cell(g, c, size, one)
            if back and not keep[t].all():
                begun = row(keep[t])
                c, h = c * begun, h * begun
            outputs.append(h)
        return dy.concatenate_to_batch(outputs[::-1] if back else outputs)


def _cell(
    g: dy.Expression, c: dy.Expression | None, size: int, one: dy.Expression
) -> tuple[dy.Expression, dy.Expression]:
    """c_t = s(i) tanh(g) + s(f + 1) c, h_t = s(o) tanh(c_t) from the gates i, f, o, g."""
    opened = dy.logistic(dy.pick_range(g, 0, 3 * size) + one)
    i = dy.pick_range(opened, 0, size)
    o = dy.pick_range(opened, 2 * size, 3 * size)
    c_t = dy.cmult(i, dy.tanh(dy.pick_range(g, 3 * size, 4 * size)))
    if c is not None:
        c_t = c_t + dy.cmult(dy.pick_range(opened, size, 2 * size), c)
    return c_t, dy.cmult(o, dy.tanh(c_t))
