"""A language model's reading of sentences: what stands before a word predicts it.

    h_i = LSTM(BOS, e_{w_1}, ..., e_{w_{i-1}})         P(w_i | w_<i) from h_i by any output layer

The word vectors e_w are given by whoever owns them: a table, or C2W, which its authors train in
just this way.

Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Ling et al. 2015, arXiv:1508.02096, section 4
Differs: a sentence starts from a zero state and a learned BOS; the paper's model reads the text as
    a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import dynet as dy
import numpy as np

from dynotes.corpora.spelling import Spelling
from dynotes.embeddings.c2w import C2w
from dynotes.embeddings.damped_rows import Masses
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.predictions import Predictions
from dynotes.embeddings.slots import Slots
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect
from dynotes.tips.lstm_sequence import LayerWeights
from dynotes.tips.ragged_lstm import ragged_lstm
from dynotes.tips.variational_lstm import VariationalLSTM


class LeftReader(Builder):
    """An LSTM over the words of a sentence.

    Args:
        pc: collection that will own the parameters, as sub-collection "left-reader".
        n_embed: size of the word vectors.
        n_hidden: H.
    """

    NAME = "left-reader"

    def __init__(self, pc: dy.ParameterCollection, *, n_embed: int, n_hidden: int) -> None:
        check_size("n_embed", n_embed)
        check_size("n_hidden", n_hidden)
        super().__init__(pc, n_embed=n_embed, n_hidden=n_hidden)
        self.n_embed, self.n_hidden = n_embed, n_hidden
        self.bos = self._pc.add_parameters((n_embed,), init="uniform", scale=0.1, name="bos")
        self.lstm = VariationalLSTM(self._pc, layers=1, n_in=n_embed, n_hidden=n_hidden)

    def hidden(self, words: dy.Expression, slots: Slots) -> dy.Expression:
        """h_i of every place, the columns of (H, P).

        Args:
            words: (n_embed,)xu, the vectors of ``slots.words``.
            slots: the sentences.
        """
        expect("words", words, (self.n_embed,), len(slots.words))
        slots.checked(int(slots.words.max()) + 1)
        x = dy.concatenate_to_batch([words, self.bos])
        reads = np.roll(slots.rows, 1)
        reads[np.cumsum(slots.lengths) - slots.lengths] = len(slots.words)
        weights = LayerWeights(*self.lstm.parameters())
        h = ragged_lstm(x, reads, slots.lengths, weights, at=slots.places)
        return dy.reshape(h, (self.n_hidden, len(slots.places)))


class SpelledSlots(NamedTuple):
    """Slots, and the spelling of their words: of ``slots.words``, in that order."""

    slots: Slots
    spelling: Spelling

    @property
    def predictions(self) -> Predictions:
        """Each place predicts its word."""
        return self.slots.predictions


class C2wReader(Encoder):
    """C2W as the word vectors of a language model.

    Args:
        pc: collection that will own the parameters, as sub-collection "c2w-reader".
        n_chars, n_embed, n_char_embed, n_char_hidden: sizes of `C2w`.
        n_hidden: H, size of the LSTM over the words.
    """

    NAME = "c2w-reader"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_chars: int,
        n_embed: int = 50,
        n_char_embed: int = 50,
        n_char_hidden: int = 150,
        n_hidden: int = 150,
    ) -> None:
        check_dims("C", (n_chars, n_char_embed))
        super().__init__(
            pc,
            n_chars=n_chars,
            n_embed=n_embed,
            n_char_embed=n_char_embed,
            n_char_hidden=n_char_hidden,
            n_hidden=n_hidden,
        )
        self.words = C2w(
            self._pc,
            n_chars=n_chars,
            n_embed=n_embed,
            n_char_embed=n_char_embed,
            n_hidden=n_char_hidden,
        )
        self.reader = LeftReader(self._pc, n_embed=n_embed, n_hidden=n_hidden)
        self.tables = (self.words.C,)

    def hidden(self, examples: SpelledSlots, factors: Factors = None) -> dy.Expression:
        """h_i of every place, the columns of (H, P)."""
        vectors = self.words.embed(examples.spelling, None if factors is None else factors[0])
        return self.reader.hidden(vectors, examples.slots)

    def n_hidden(self, examples: SpelledSlots) -> int:
        """P."""
        return len(examples.slots.places)

    def masses(self, examples: SpelledSlots, losses: np.ndarray) -> list[Masses]:
        """A character is held by the places behind each word that it stands in, as often."""
        (slots, spelling), (behind, _) = examples, examples.slots.held(losses)
        words = np.repeat(np.bincount(slots.rows, behind), spelling.lengths)
        characters, rows = np.unique(spelling.characters, return_inverse=True)
        return [[(characters, np.bincount(rows, words))]]
