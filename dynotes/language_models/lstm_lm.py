"""LSTM language model: words in, scores of the next word out, one softmax for a whole segment.

    x_t = L w_{t-1},   h_t = LSTM(x_t),   P(w_t | w_<t) = softmax(W h_t + b)     (W = L^T if tied)

or another output layer of `output_layers` in place of the full softmax.

Note: Tips in Training / Tied Input and Output Embeddings (T18)
Note: Tips in Training / Truncated Backprop (T14)
Paper: Zaremba et al. 2014 (untied, fresh masks); Gal & Ghahramani 2016 (variational masks);
    Press & Wolf 2017 and Inan et al. 2017 (tied)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import ShapeError, check_ids, check_size
from dynotes.language_models.output_layers import Output, Words, make_layers, rows_of
from dynotes.tips.dropout import scale_columns, word_dropout_factors
from dynotes.tips.lstm_sequence import LayerState, LayerWeights, Rates, lstm_segment
from dynotes.tips.softmax_approximations.shared_samples import Draw
from dynotes.tips.variational_lstm import VariationalLSTM


class Segment(NamedTuple):
    """What a segment of T steps and B columns leaves behind."""

    h: dy.Expression  # (H,)x(T*B), inputs of the softmax, time-major
    states: list[LayerState]  # one a layer, undropped, after the step asked for


class LstmLm(Builder):
    """An LSTM language model.

    Args:
        pc: collection that will own the parameters.
        n_words: V.
        n_embed: E, size of the word vectors.
        n_hidden: H, size of every layer.
        layers: number of LSTM layers.
        tie: one table for input and output; with E != H a projection H -> E comes between.
        bias: output bias.
        forget_bias: added in the forget gate (T50).
        softmax: the output layer, one of `output_layers.KINDS`.
        options: further keyword arguments of that layer, plain values.
    """

    NAME = "lstm-lm"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_embed: int,
        n_hidden: int,
        layers: int = 2,
        tie: bool = False,
        bias: bool = True,
        forget_bias: float = 1.0,
        softmax: str = "full",
        options: Optional[dict[str, Any]] = None,
    ) -> None:
        for name, value in (("n_words", n_words), ("n_embed", n_embed), ("n_hidden", n_hidden)):
            check_size(name, value)
        check_size("layers", layers)
        super().__init__(
            pc,
            n_words=n_words,
            n_embed=n_embed,
            n_hidden=n_hidden,
            layers=layers,
            tie=tie,
            bias=bias,
            forget_bias=forget_bias,
            softmax=softmax,
            options=options,
        )
        self.n_words, self.n_hidden, self.layers = n_words, n_hidden, layers
        self.words: Words
        self.output: Output
        self.words, self.output = make_layers(
            self._pc,
            softmax,
            n_words=n_words,
            n_embed=n_embed,
            n_hidden=n_hidden,
            tie=tie,
            bias=bias,
            options=options or {},
        )
        self.lstm = VariationalLSTM(
            self._pc, layers=layers, n_in=n_embed, n_hidden=n_hidden, forget_bias=forget_bias
        )
        flat = self.lstm.parameters()
        self.weights = [LayerWeights(*flat[3 * n : 3 * n + 3]) for n in range(layers)]

    def segment(
        self,
        inputs: np.ndarray,
        state: Optional[Sequence[np.ndarray]] = None,
        *,
        rates: Optional[Rates] = None,
        rng: Optional[np.random.Generator] = None,
        save_at: Optional[int] = None,
    ) -> Segment:
        """Run T steps of B columns.

        Args:
            inputs: (T, B) ids of the words read.
            state: carried values, 2 * layers arrays (H, B), all c's then all h's; None for zeros.
            rates: dropout; None draws nothing.
            rng: draws the word-type masks; needed if rates.embed > 0.
            save_at: the states after so many steps are kept (T14, k1 < k2); None means after T.
        """
        ids = check_ids("inputs", inputs, self.n_words, (None, None))
        x = self.words.embed(ids.ravel())
        batch = ids.shape[1]
        if rates is not None and rates.embed > 0:
            if rng is None:
                raise ValueError("word-type dropout needs rng")
            x = scale_columns(x, word_dropout_factors(ids, rates.embed, rng).ravel())
        h, after = lstm_segment(
            x,
            self.weights,
            self._fed(state, batch),
            batch=batch,
            forget_bias=self.spec["forget_bias"],
            rates=rates,
            save_at=save_at,
        )
        return Segment(h, after)

    def nll(self, segment: Segment, targets: np.ndarray) -> dy.Expression:
        """-log P of every target, normalised over all words, in nats: (1,)x(T*B), time-major.

        The caller owns the sum.
        """
        ids = check_ids("targets", targets, self.n_words, (None, None))
        return self.output.nll(segment.h, ids.ravel())

    def log_probs(self, segment: Segment) -> dy.Expression:
        """log P over the vocabulary in nats: (V,)x(T*B)."""
        return self.output.log_probs(segment.h)

    def touched(
        self, inputs: np.ndarray, targets: np.ndarray, draw: Optional[Draw] = None
    ) -> dict[Any, np.ndarray]:
        """The rows of every lookup table that training on these words updates, ascending."""
        return rows_of(self.words, self.output, inputs, targets, draw)

    def zero_state(self, batch: int) -> list[np.ndarray]:
        """The state before any word: 2 * layers arrays (H, B) of zeros."""
        shape = (self.n_hidden, check_size("batch", batch))
        return [np.zeros(shape, np.float32) for _ in range(2 * self.layers)]

    def _fed(self, state: Optional[Sequence[np.ndarray]], batch: int) -> Optional[list[LayerState]]:
        if state is None:
            return None
        shape, n = (self.n_hidden, batch), self.layers
        if len(state) != 2 * n or any(np.shape(v) != shape for v in state):
            found = [np.shape(v) for v in state]
            raise ShapeError(f"state: expected {2 * n} arrays {shape}, found {found}")
        fed = [feed(v, batched=True) for v in state]
        return [LayerState(fed[i], fed[n + i]) for i in range(n)]
