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

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.tables import input_table
from dynotes.embeddings.windows import Windows
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_size


class CWindow(Builder):
    """The input table and the windows' hidden vectors.

    Args:
        pc: collection that will own the table, as sub-collection "cwindow".
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
        self.n_hidden = 2 * window * n_embed
        self.inputs = input_table(self._pc, n_words + 1, n_embed)

    @property
    def padding(self) -> int:
        """The row of the input table that stands in empty slots: V."""
        return self.n_words

    def hidden(self, windows: Windows, factors: Optional[np.ndarray] = None) -> dy.Expression:
        """h_t of every window, (2cD, N).

        Args:
            windows: N >= 1 windows of 2c slots.
            factors: (V + 1,), damps the gradient of each row; None leaves it.
        """
        check_ids("words", windows.words, self.n_words + 1, (None,))
        rows = check_ids("rows", windows.rows, len(windows.words), (2 * self.window, None))
        X = columns(self.inputs, windows.words, factors)
        slots = dy.select_cols(X, rows.ravel(order="F").tolist())
        return dy.reshape(slots, (self.n_hidden, rows.shape[1]))

    def input_masses(self, windows: Windows, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ids, how many losses each row of the input table takes part in), (u,) each.

        Args:
            windows: as of `hidden`.
            losses: (N,) losses of each window.
        """
        each = np.broadcast_to(losses, windows.rows.shape).ravel()
        taken = np.bincount(windows.rows.ravel(), weights=each, minlength=len(windows.words))
        return windows.words, taken
