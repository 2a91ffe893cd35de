"""context2vec: what stands before and behind a word, read by two LSTMs, predicts it.

    l_i = LSTM_left(BOS, w_1, ..., w_{i-1})         r_i = LSTM_right(EOS, w_n, ..., w_{i+1})
    c_i = L_2 ReLU(L_1 [l_i; r_i] + b_1) + b_2
    J = sum_i [softplus(-t_{w_i}.c_i) + sum_{k=1..K} softplus(t_{w_k}.c_i)],   w_k ~ U^(3/4)

w_i itself is not read.  Each LSTM has a table of word vectors of its own; the t_w are a third one,
in the output layer.  Whatever output layer predicts from c_i, the model is CBOW with another
function of the context: if both LSTMs add up small vectors and L_1, L_2 add the halves, c_i is
the sum of the context vectors.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
Paper: Melamud, Goldberger & Dagan 2016, CoNLL
Renamed: L_1, L_2 with their biases are ``W1``, ``b1``, ``W2``, ``b2``; the tables are ``L``, ``R``.
Differs: the notes leave out the two layers L_1, L_2, the separate tables and the loss.  BOS and
    EOS are vectors of the tables' size, not words.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.slots import Slots, id_slots
from dynotes.graph.shapes import check_dims, check_size
from dynotes.graph.working_rules import linear
from dynotes.tips.lstm_sequence import LayerWeights
from dynotes.tips.ragged_lstm import ragged_lstm
from dynotes.tips.variational_lstm import VariationalLSTM

SCALE = 0.1  # of new word vectors: an LSTM at the scale of word2vec's would hardly move


class Context2vec(Encoder):
    """The encoder of contexts; the defaults are those of the paper.

    Args:
        pc: collection that will own the parameters, as sub-collection "context2vec".
        n_words: V.
        n_embed: size of the word vectors that the LSTMs read.
        n_hidden: size of each LSTM.
        n_middle: size between L_1 and L_2.
        n_out: size of c_i and of the t_w.
    """

    NAME = "context2vec"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_embed: int = 300,
        n_hidden: int = 600,
        n_middle: int = 1200,
        n_out: int = 600,
    ) -> None:
        check_dims("table", (n_words, n_embed))
        check_dims("W1", (n_middle, 2 * check_size("n_hidden", n_hidden)))
        check_dims("W2", (n_out, n_middle))
        super().__init__(
            pc,
            n_words=n_words,
            n_embed=n_embed,
            n_hidden=n_hidden,
            n_middle=n_middle,
            n_out=n_out,
        )
        self.n_words, self.n_embed, self.n_out = n_words, n_embed, n_out
        make = self._pc
        self.tables = tuple(
            make.add_lookup_parameters((n_words, n_embed), init="uniform", scale=SCALE, name=name)
            for name in ("L", "R")
        )
        self.edges = [
            make.add_parameters((n_embed,), init="uniform", scale=SCALE, name=name)
            for name in ("bos", "eos")
        ]
        self.lstms = [
            VariationalLSTM(make, layers=1, n_in=n_embed, n_hidden=n_hidden) for _ in "LR"
        ]
        self.W1 = make.add_parameters((n_middle, 2 * n_hidden), name="W1")
        self.b1 = make.add_parameters((n_middle,), init=0.0, name="b1")
        self.W2 = make.add_parameters((n_out, n_middle), name="W2")
        self.b2 = make.add_parameters((n_out,), init=0.0, name="b2")

    def hidden(self, examples: Slots, factors: Factors = None) -> dy.Expression:
        """c_i of every place, the columns of (n_out, P).

        Args:
            examples: sentences of words below V.
            factors: see `Encoder.hidden`.

        Raises:
            ValueError: ids or sizes that do not fit.
        """
        examples.checked(self.n_words)
        sides = [
            self._side(side, examples, None if factors is None else factors[side])
            for side in (0, 1)
        ]
        middle = dy.rectify(linear(self.b1, self.W1, dy.concatenate(sides)))
        return dy.reshape(linear(self.b2, self.W2, middle), (self.n_out, len(examples.places)))

    def n_hidden(self, examples: Slots) -> int:
        """P."""
        return len(examples.places)

    def masses(self, examples: Slots, losses: np.ndarray) -> list[Masses]:
        """A word is held by the places behind it on the left, by those before it on the right."""
        count = len(examples.words)
        return [
            [(examples.words, np.bincount(examples.rows, held, count))]
            for held in examples.held(losses)
        ]

    def embed_context(self, ids: Any, place: int) -> dy.Expression:
        """c_i of one place of one sentence, (n_out,).

        Args:
            ids: (n,) the sentence; the id at ``place`` is not read, but must be one.
            place: i, counted from 0.
        """
        return dy.reshape(self.hidden(id_slots([ids], [place])), (self.n_out,))

    def _side(self, side: int, slots: Slots, factors: Optional[np.ndarray]) -> dy.Expression:
        """l_i (side 0) or r_i (side 1) of every place, (H,)xP."""
        words = columns(self.tables[side], slots.words, factors)
        words = dy.reshape(words, (self.n_embed,), len(slots.words))
        x = dy.concatenate_to_batch([words, self.edges[side]])
        reads, at = _reading(slots, backwards=bool(side))
        weights = LayerWeights(*self.lstms[side].parameters())
        return ragged_lstm(x, reads, slots.lengths, weights, at=at)


def _reading(slots: Slots, *, backwards: bool) -> tuple[np.ndarray, np.ndarray]:
    """(rows in the order of reading, places in it after which the LSTM knows the context).

    The mark of the edge, row u, takes the place of the first word that is read, and each other
    word comes one later: the state at the place of a word has not read it.
    """
    starts = np.cumsum(slots.lengths) - slots.lengths
    if not backwards:
        order = np.arange(len(slots.rows))
    else:  # token j of a sentence from a to b-1 is read at a + b-1 - j
        order = np.repeat(2 * starts + slots.lengths - 1, slots.lengths)
        order -= np.arange(len(slots.rows))
    reads = np.roll(slots.rows[order], 1)
    reads[starts] = len(slots.words)
    return reads, order[slots.places]
