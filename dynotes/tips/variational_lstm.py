"""LSTM with one dropout mask a sequence, a forget bias, and Monte Carlo averaging at test.

Note: Tips in Training / Dropout (T03)
Note: Models & Structures / Highway Networks by Srivastava et al (T50)
Paper: Gal & Ghahramani 2016, eq. 7 (tied weights); Gers, Schmidhuber & Cummins 2000 (forget gate,
    positive start); Jozefowicz, Zaremba & Sutskever 2015 (value 1).
Renamed: p_x and p_h are the papers' dropout rates of x_t and h_{t-1}; the gates are stacked in
    DyNet's order i, f, o, g.
Differs: the forget bias is DyNet's: a constant added inside the gate, while the stored bias starts
    at zero; adding it to the stored bias too would count it twice.  DyNet's builder ties the masks
    of the four gates; the untied variant, one mask a gate, is not offered.  Masks live in the
    graph: a sequence cut into segments by renew_cg draws new ones for each segment, as the
    authors' code does.  The notes name Gers et al. for a bias of 1 or 2; they only start it
    positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed, read
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_rate, check_size


class VariationalLSTM(Builder):
    """DyNet's LSTM, regularised with masks that stay the same at all steps of a sequence.

        [i; f; o; g] = Wx (m_x * x_t) + Wh (m_h * h_{t-1}) + b
        c_t = s(f + forget_bias) * c_{t-1} + s(i) * tanh(g)        s = logistic
        h_t = s(o) * tanh(c_t)

    m_x and m_h, entries 0 or 1/(1 - p), are drawn once a sequence, layer and batch entry.  With x
    and h at zero a memory fades by s(forget_bias) a step, see ``forget_half_life``.

    Args:
        pc: collection that will own the parameters, as sub-collection "variational-lstm".
        layers: number of layers L.
        n_in: size I of the inputs.
        n_hidden: size H of every layer.
        forget_bias: added *inside* the forget gate and not stored; the stored bias starts at zero.

    Raises:
        ValueError: a size below 1 or a forget bias that is no finite number.
    """

    NAME = "variational-lstm"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        layers: int,
        n_in: int,
        n_hidden: int,
        forget_bias: float = 1.0,
    ) -> None:
        check_size("layers", layers)
        check_dims("(4 n_hidden, n_in)", (4 * check_size("n_hidden", n_hidden), n_in))
        check_dims("(4 n_hidden, n_hidden)", (4 * n_hidden, n_hidden))
        if not math.isfinite(forget_bias):
            raise ValueError(f"forget_bias: expected a finite number, found {forget_bias!r}")
        super().__init__(pc, layers=layers, n_in=n_in, n_hidden=n_hidden, forget_bias=forget_bias)
        self._layers, self._size = layers, n_hidden
        self._lstm = dy.VanillaLSTMBuilder(
            layers, n_in, n_hidden, self._pc, forget_bias=float(forget_bias)
        )

    def parameters(self) -> list[dy.Parameters]:
        """Wx (4H, I), Wh (4H, H), b (4H,) of layer 1, then of layer 2 (I = H), ...; 3L in all."""
        return [p for layer in self._lstm.get_parameters() for p in layer]

    def start(
        self,
        batch_size: int,
        *,
        values: Sequence[np.ndarray] | None = None,
        p_x: float = 0.0,
        p_h: float = 0.0,
    ) -> dy.RNNState:
        """Begin a batch of sequences in the current graph.

        Rates and masks belong to one batch of sequences at a time: read all its inputs before the
        next ``start``.  Inputs must have the batch size B.

        Args:
            batch_size: B.
            values: the 2L arrays of ``read_state``, each (H, B), to go on from; None for zeros.
            p_x: dropout rate of the input of every layer, 0 <= p_x < 1.
            p_h: dropout rate of the recurrent state of every layer, 0 <= p_h < 1.
                Both 0, the default, is evaluation: nothing is drawn.

        Returns:
            State to which inputs (n_in,)xB are added by ``add_input``; ``output()`` is (H,)xB.

        Raises:
            ValueError: a bad batch size or rate, or values of a wrong number or shape.
        """
        batch = check_size("batch_size", batch_size)
        p_x, p_h = check_rate("p_x", p_x), check_rate("p_h", p_h)
        if values is not None:
            self._check_values(values, batch)
        # The order matters: DyNet crashes on masks drawn before initial_state or before the rates.
        self._lstm.set_dropouts(p_x, p_h)
        vectors = None if values is None else [feed(v, batched=True) for v in values]
        state = self._lstm.initial_state(vectors)
        if p_x > 0.0 or p_h > 0.0:
            self._lstm.set_dropout_masks(batch)
        return state

    def _check_values(self, values: Sequence[np.ndarray], batch: int) -> None:
        if len(values) != 2 * self._layers:
            raise ValueError(
                f"values: expected {2 * self._layers} arrays, all c then all h, found {len(values)}"
            )
        for n, v in enumerate(values):
            if np.shape(v) != (self._size, batch):
                raise ValueError(
                    f"values[{n}]: expected shape {(self._size, batch)}, found {np.shape(v)}"
                )

    def read_state(self, state: dy.RNNState) -> list[np.ndarray]:
        """The numbers of a state, cut off from its graph, for the next segment's ``start``.

        Args:
            state: a state after at least one input, or one started from values.

        Returns:
            2L float32 arrays (H, B): c of all layers, then h of all layers.

        Raises:
            ValueError: a state without vectors (started from None and without input).
        """
        vectors = state.s()
        if len(vectors) != 2 * self._layers:
            raise ValueError(
                f"state: expected {2 * self._layers} vectors, found {len(vectors)}; "
                "add an input first"
            )
        return [read(e) for e in vectors]

    def zero_state(self, batch_size: int) -> list[np.ndarray]:
        """2L zero arrays (H, B), in the order of ``read_state``; the same as ``values=None``."""
        batch = check_size("batch_size", batch_size)
        return [np.zeros((self._size, batch), np.float32) for _ in range(2 * self._layers)]


def forget_half_life(forget_bias: float) -> float:
    """Steps after which a memory has halved, in a cell whose inputs are zero.

        ln 2 / -ln s(b_f)        s = logistic: c fades as s(b_f)^t

    1.0 steps for a bias of 0, 2.2 for 1, 5.5 for 2.

    Args:
        forget_bias: b_f.

    Returns:
        Steps.

    Raises:
        ValueError: a bias that is no finite number.
    """
    if not math.isfinite(forget_bias):
        raise ValueError(f"forget_bias: expected a finite number, found {forget_bias!r}")
    decay = float(np.logaddexp(0.0, -forget_bias))
    return math.log(2.0) / decay if decay > 0.0 else math.inf


def mc_dropout(log_probs_fn: Callable[[], Any], samples: int) -> np.ndarray:
    """Average the probabilities of S passes with dropout on.

        log p(y | x) = log (1/S) sum_s exp log p(y | x, m_s)

    The error falls as S^-1/2.  Averaged are probabilities: the mean of log-probabilities would be
    lower (Jensen).

    Args:
        log_probs_fn: runs one pass with fresh masks; returns log-probabilities in nats, as an array
            of any shape (the same each time).
        samples: S >= 1.

    Returns:
        float64 array of that shape, in nats.

    Raises:
        ValueError: samples below 1, an array of another shape, or a NaN.
    """
    count = check_size("samples", samples)
    total = _checked_array(log_probs_fn(), None)
    for _ in range(count - 1):
        total = np.logaddexp(total, _checked_array(log_probs_fn(), total.shape))
    return total - math.log(count)


def _checked_array(values: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    """Log-probabilities as float64; ValueError for a NaN or another shape."""
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError("log-probabilities: expected numbers, found NaN")
    if shape is not None and array.shape != shape:
        raise ValueError(f"log-probabilities: expected {shape}, found {array.shape}")
    return array
