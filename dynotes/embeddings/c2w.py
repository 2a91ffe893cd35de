"""C2W: the vector of a word is composed from its characters by two LSTMs.

    e_w = D^f s^f_m + D^b s^b_0 + b_d
    s^f_m = LSTM_f(c_1, ..., c_m),      s^b_0 = LSTM_b(c_m, ..., c_1)

It takes the place of a table of word vectors: no parameter belongs to a word, and every word has
a vector, seen or not.  Different words are composed once and used wherever they occur.

Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Ling, Luis, Marujo, Astudillo, Amir, Dyer, Black & Trancoso 2015, arXiv:1508.02096
Renamed: D^f, D^b, b_d are ``Df``, ``Db``, ``bd``; the table of character vectors is ``C``.
"""

from __future__ import annotations

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.corpora.rectangles import check_lengths
from dynotes.corpora.spelling import Spelling
from dynotes.embeddings.damped_rows import columns
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_size
from dynotes.tips.lstm_sequence import LayerWeights
from dynotes.tips.ragged_lstm import ragged_lstm
from dynotes.tips.variational_lstm import VariationalLSTM

SCALE = 0.1  # of new character vectors


class C2w(Builder):
    """Word vectors from characters; the defaults are those of the paper.

    Args:
        pc: collection that will own the parameters, as sub-collection "c2w".
        n_chars: different characters.
        n_embed: size of a word vector.
        n_char_embed: size of a character vector.
        n_hidden: size of each LSTM.
    """

    NAME = "c2w"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_chars: int,
        n_embed: int = 50,
        n_char_embed: int = 50,
        n_hidden: int = 150,
    ) -> None:
        check_dims("C", (n_chars, n_char_embed))
        check_dims("Df", (n_embed, check_size("n_hidden", n_hidden)))
        super().__init__(
            pc, n_chars=n_chars, n_embed=n_embed, n_char_embed=n_char_embed, n_hidden=n_hidden
        )
        self.n_chars, self.n_embed = n_chars, n_embed
        make = self._pc
        self.C = make.add_lookup_parameters(
            (n_chars, n_char_embed), init="uniform", scale=SCALE, name="C"
        )
        self.lstms = [
            VariationalLSTM(make, layers=1, n_in=n_char_embed, n_hidden=n_hidden) for _ in "fb"
        ]
        self.Df, self.Db = (
            make.add_parameters((n_embed, n_hidden), name=name) for name in ("Df", "Db")
        )
        self.bd = make.add_parameters((n_embed,), init=0.0, name="bd")

    def embed(self, spelling: Spelling, factors: Optional[np.ndarray] = None) -> dy.Expression:
        """e_w of u words, (D,)xu.

        Args:
            spelling: of the words, each at least a character.
            factors: (n_chars,) what the gradient of each character is multiplied by; None for 1.

        Raises:
            ValueError: ids out of range, or lengths that do not fit.
        """
        characters = check_ids("characters", spelling.characters, self.n_chars, (None,))
        lengths = check_lengths(spelling.lengths, len(characters))
        distinct, rows = np.unique(characters, return_inverse=True)
        size = self.spec["n_char_embed"]
        x = dy.reshape(columns(self.C, distinct, factors), (size,), len(distinct))
        ends = np.cumsum(lengths)
        backwards = np.repeat(2 * ends - lengths - 1, lengths) - np.arange(len(rows))
        forward, backward = (
            ragged_lstm(x, rows[order], lengths, LayerWeights(*lstm.parameters()), at=ends - 1)
            for lstm, order in zip(self.lstms, (np.arange(len(rows)), backwards))
        )
        return dy.affine_transform([self.bd, self.Df, forward, self.Db, backward])
