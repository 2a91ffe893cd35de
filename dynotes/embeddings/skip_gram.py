"""Skip-gram: a word predicts each word around it.

    h_c = v_c        P(o | c) = softmax(U v_c)_o        V (V, D) input vectors, U output vectors
    J = sum_(c,o) loss(o | v_c)             over all pairs of a centre c and a word o of its window

The loss is one of `dynotes.embeddings.output_losses`: full or hierarchical softmax, negative
sampling, noise-contrastive estimation.  Different centres of a step are looked up once.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781; 2013b, arXiv:1310.4546, eqs. 1, 2, 4
Renamed: the notes' one-hot x and matrices are rows of lookup tables.
Differs: the released code predicts the centre from each context; here a centre its contexts.
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.pairs import Pairs
from dynotes.embeddings.tables import check_words, input_table
from dynotes.graph.shapes import check_dims


class SkipGram(Encoder):
    """Input vectors of words, which are the hidden vectors.

    Args:
        pc: collection that will own the table "V", as sub-collection "skip-gram".
        n_words: V.
        n_embed: D.
    """

    NAME = "skip-gram"

    def __init__(self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int) -> None:
        check_dims("table", (n_words, n_embed))
        super().__init__(pc, n_words=n_words, n_embed=n_embed)
        self.n_words, self.n_embed = n_words, n_embed
        self.inputs = input_table(self._pc, n_words, n_embed)
        self.tables = (self.inputs,)

    def hidden(self, examples: Pairs, factors: Factors = None) -> dy.Expression:
        """The input vectors of all words of the pairs, (D, u).

        Args:
            examples: P >= 1 pairs of u words.
            factors: see `Encoder.hidden`.
        """
        check_words(examples.words, examples.contexts, self.n_words)
        return columns(self.inputs, examples.words, None if factors is None else factors[0])

    def n_hidden(self, examples: Pairs) -> int:
        """u."""
        return len(examples.words)

    def masses(self, examples: Pairs, losses: np.ndarray) -> list[Masses]:
        """A row is a column of H."""
        return [[(examples.words, losses)]]
