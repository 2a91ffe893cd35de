"""What a parser reads of a word: word, fixed vector, tag and characters, some of them dropped.

    x = a (E_w + P_w) (+) b E_tag (+) c [s^f_m; s^b_1]          (+): parts side by side
    s^f_m = LSTM_f(c_1, ..., c_m),      s^b_1 = LSTM_b(c_m, ..., c_1)

In training each part is dropped with the rate p by itself; those that are left are scaled by
(number of parts) / (parts left), so that the input keeps its size.  A tag that the table lacks is
a part that is dropped, in training or not: text without tags can be read too.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
Paper: Dozat & Manning 2017, arXiv:1611.01734, section 3.1 and appendix A; Dozat, Qi & Manning
    2017 (characters); Ling et al. 2015, arXiv:1508.02096 (their two LSTMs)
Differs: the paper's vectors of characters come from an LSTM with attention.
"""

from __future__ import annotations

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.corpora.spelling import Spelling
from dynotes.corpora.treebank import SentenceBatch
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_rate, check_size
from dynotes.tips.dropout import scale_columns
from dynotes.tips.lstm_sequence import LayerWeights
from dynotes.tips.ragged_lstm import ragged_lstm
from dynotes.tips.variational_lstm import VariationalLSTM

SCALE = 0.1  # of new rows of the tables of words and characters


class ParserInputs(Builder):
    """The parts of the input; their sizes are in ``sizes``.

    Args:
        pc: collection that will own the parameters, as sub-collection "parser-inputs".
        n_words, n_tags, n_chars: rows of the tables.
        word_size, tag_size: of the vectors; 0 leaves a part out.
        char_size: of the vectors of characters; 0 leaves the part out.
        char_hidden: size of each of the two LSTMs over characters.
        n_fixed: words that have a fixed vector of word_size, all 0 until `set_fixed`.
    """

    NAME = "parser-inputs"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_tags: int,
        n_chars: int,
        word_size: int = 100,
        tag_size: int = 100,
        char_size: int = 0,
        char_hidden: int = 50,
        n_fixed: int = 0,
    ) -> None:
        for name, size in (("word", word_size), ("tag", tag_size), ("char", char_size)):
            check_size(f"{name}_size", size, 0)
        check_size("n_fixed", n_fixed, 0)
        chars = 2 * check_size("char_hidden", char_hidden) if char_size else 0
        self.sizes = [size for size in (word_size, tag_size, chars) if size]
        if not self.sizes or (n_fixed and not word_size):
            raise ValueError("expected at least one part, and fixed vectors only beside words")
        super().__init__(
            pc, n_words=n_words, n_tags=n_tags, n_chars=n_chars, word_size=word_size,
            tag_size=tag_size, char_size=char_size, char_hidden=char_hidden, n_fixed=n_fixed,
        )  # fmt: skip
        self.words = self._table("words", n_words, word_size)
        self.tags = self._table("tags", n_tags, tag_size)
        self.characters = self._table("characters", n_chars, char_size)
        self.fixed = self._table("fixed", n_fixed, word_size if n_fixed else 0)
        if self.fixed is not None:
            self.set_fixed(np.zeros((n_fixed, word_size), np.float32))
        self.readers = [
            VariationalLSTM(self._pc, layers=1, n_in=char_size, n_hidden=char_hidden)
            for _ in ("fb" if char_size else "")
        ]

    def _table(self, name: str, rows: int, size: int) -> Optional[dy.LookupParameters]:
        if not size:
            return None
        dims = check_dims(name, (rows, size))
        return self._pc.add_lookup_parameters(dims, init="uniform", scale=SCALE, name=name)

    def set_fixed(self, matrix: np.ndarray) -> None:
        """The fixed vectors, (n_fixed, word_size); no training changes them."""
        shape = (self.spec["n_fixed"], self.spec["word_size"])
        if self.fixed is None or matrix.shape != shape:
            raise ValueError(f"fixed vectors: expected {shape}, found {matrix.shape}")
        self.fixed.init_from_array(np.asarray(matrix, np.float32))

    def __call__(
        self,
        batch: SentenceBatch,
        *,
        p: float = 0.0,
        rng: Optional[np.random.Generator] = None,
    ) -> list[dy.Expression]:
        """The parts for every place of a batch.

        Args:
            batch: (T, B) places.
            p: rate at which a part of a word is dropped; 0 is evaluation.
            rng: draws what is dropped; needed for p > 0.

        Returns:
            A part each of ``sizes``: (n,)x(T*B), time-major columns.

        Raises:
            ValueError: ids that the tables lack, or a rate without rng.
        """
        check_ids("words", batch.words, self.spec["n_words"])
        factors = iter(self._factors(batch, p, rng))
        parts = []
        if self.words is not None:
            word = dy.lookup_batch(self.words, batch.words.ravel().tolist())
            if self.fixed is not None:
                word = word + self._fixed(batch.fixed)
            parts.append(scale_columns(word, next(factors)))
        if self.tags is not None:
            known = check_ids("tags", np.maximum(batch.tags, 0), self.spec["n_tags"])
            tag = dy.lookup_batch(self.tags, known.ravel().tolist())
            parts.append(scale_columns(tag, next(factors)))
        if self.characters is not None:
            spelled = dy.pick_batch_elems(
                self.spelled(batch.spelling), batch.forms.ravel().tolist()
            )
            parts.append(scale_columns(spelled, next(factors)))
        return parts

    def spelled(self, spelling: Spelling) -> dy.Expression:
        """The last states of both LSTMs over the characters of u words, (2 char_hidden,)xu."""
        if self.characters is None:
            raise ValueError("these inputs have no characters")
        characters = check_ids("characters", spelling.characters, self.spec["n_chars"], (None,))
        distinct, rows = np.unique(characters, return_inverse=True)
        x = dy.lookup_batch(self.characters, distinct.tolist())
        ends = np.cumsum(spelling.lengths)
        starts = np.repeat(ends - spelling.lengths, spelling.lengths)
        backwards = starts + np.repeat(ends - 1, spelling.lengths) - np.arange(len(rows))
        states = [
            ragged_lstm(
                x, rows[order], spelling.lengths, LayerWeights(*lstm.parameters()), at=ends - 1
            )
            for lstm, order in zip(self.readers, (np.arange(len(rows)), backwards))
        ]
        return dy.concatenate(states)

    def _fixed(self, ids: np.ndarray) -> dy.Expression:
        """The fixed vectors, 0 for words without one."""
        known = check_ids("fixed", np.maximum(ids, 0), self.spec["n_fixed"])
        rows = dy.lookup_batch(self.fixed, known.ravel().tolist(), update=False)
        return rows if (ids >= 0).all() else scale_columns(rows, ids >= 0)

    def _factors(
        self, batch: SentenceBatch, p: float, rng: Optional[np.random.Generator]
    ) -> list[Optional[np.ndarray]]:
        """What each part is multiplied by, (T, B) each; None for 1 everywhere."""
        there = np.ones((len(self.sizes), *batch.words.shape), np.bool_)
        if self.tags is not None:
            there[1 if self.words is not None else 0] = batch.tags >= 0
        if check_rate("p", p) > 0:
            if rng is None:
                raise ValueError("p: needs an rng")
            there &= rng.random(there.shape) >= p
        if there.all():
            return [None] * len(there)
        left = np.maximum(there.sum(axis=0), 1)
        return list((there * (len(there) / left)).astype(np.float32))
