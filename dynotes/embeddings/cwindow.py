"""Continuous window: the words around a place, each in its slot, predict the word there.

    h_t = [v_{t-c}; ..; v_{t-1}; v_{t+1}; ..; v_{t+c}]     (2cD,)      P(o | h_t) = softmax(U h_t)_o

with U (V, 2cD), so a word's score is a sum over the slots, each with vectors of its own:

    u_o . h_t = sum_s u_o^s . v_s        u_o = [u_o^1; ..; u_o^2c]

If all blocks u_o^s are the same vector divided by 2c, this is CBOW with the mean of the window;
else the order counts.  Slots beyond the ends of a sentence hold a padding vector, row V of the
input table, which learns like a word's.

The hidden vectors of a step are one selection of columns of its different words' vectors.

Note: Topic: Embeddings / Structured Word2Vec by W. Ling et al (T66)
Paper: Ling, Dyer, Black & Trancoso 2015, NAACL, section 3.1
Differs: the released code pads with the vector of the end of a sentence, which is a word of its
    texts.
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.tables import input_table
from dynotes.embeddings.windows import Windows
from dynotes.graph.shapes import check_dims, check_ids, check_size


class CWindow(Encoder):
    """Input vectors of words; a hidden vector is that of the slots of a window.

    Args:
        pc: collection that will own the table "V", as sub-collection "cwindow".
        n_words: V; the table has a row more, see `padding`.
        n_embed: D.
        window: c.
    """

    NAME = "cwindow"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int, window: int
    ) -> None:
        check_dims("table", (n_words, n_embed))
        check_dims("hidden vector", (2 * check_size("window", window), n_embed))
        super().__init__(pc, n_words=n_words, n_embed=n_embed, window=window)
        self.n_words, self.n_embed, self.window = n_words, n_embed, window
        self.size = 2 * window * n_embed  # of a hidden vector
        self.inputs = input_table(self._pc, n_words + 1, n_embed)
        self.tables = (self.inputs,)

    @property
    def padding(self) -> int:
        """The row of the input table that stands in empty slots: V."""
        return self.n_words

    def hidden(self, examples: Windows, factors: Factors = None) -> dy.Expression:
        """h_t of every window, (2cD, N).

        Args:
            examples: N >= 1 windows of 2c slots.
            factors: see `Encoder.hidden`; the table has V + 1 rows.
        """
        check_ids("words", examples.words, self.n_words + 1, (None,))
        rows = check_ids("rows", examples.rows, len(examples.words), (2 * self.window, None))
        X = columns(self.inputs, examples.words, None if factors is None else factors[0])
        slots = dy.select_cols(X, rows.ravel(order="F").tolist())
        return dy.reshape(slots, (self.size, rows.shape[1]))

    def n_hidden(self, examples: Windows) -> int:
        """N."""
        return examples.rows.shape[1]

    def masses(self, examples: Windows, losses: np.ndarray) -> list[Masses]:
        """A word takes part in all losses of a window, with each slot in which it stands.

        Every loss counts 2c times: all slots move in a step, and (sum_s x_s)^2 <= 2c sum_s x_s^2
        bounds the curvature along each of them when they do.
        """
        each = np.broadcast_to(2 * self.window * losses, examples.rows.shape).ravel()
        held = np.bincount(examples.rows.ravel(), weights=each, minlength=len(examples.words))
        return [[(examples.words, held)]]
