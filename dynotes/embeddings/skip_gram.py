"""Skip-gram: a word predicts each word around it.

    P(o | c) = softmax(U v_c)_o                  V (V, D) input vectors v_c, U (V, D) output u_o
    full softmax        J = sum_(c,o) -log P(o | c)
    negative sampling   J = sum_(c,o) [softplus(-u_o.v_c) + sum_{k=1..K} softplus(u_{w_k}.v_c)]

with w_k ~ Q drawn for each pair (private), or M words drawn once for all pairs of a step (shared):

    J^ = sum_(c,o) softplus(-u_o.v_c) + K/M sum_{m=1..M} sum_c n_c softplus(u_{w_m}.v_c)

n_c being the number of pairs with the centre c.  Each w_m is a draw from Q, so by linearity
E[J^] = sum_(c,o) [softplus(-u_o.v_c) + K E_Q softplus(u_w.v_c)], that of private draws for every
M >= 1: only the variance differs.  All scores of a step are one product of its different words.

The logits U V^T have rank D at most; with D >= V the full softmax reaches the conditionals of the
corpus, and negative sampling the matrix log P(o, c) / (P(c) Q(o)) - log K.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781; 2013b, arXiv:1310.4546, eqs. 1, 2, 4; Levy & Goldberg
    2014 (the optimum); Zoph et al. 2016 (shared noise)
Renamed: the notes' one-hot x and matrices are rows of lookup tables.
Differs: the released code predicts the centre from each context and draws again what hits the
    target; here a noise word that is the target stays, which the optimum counts on.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import StepFactors, columns
from dynotes.embeddings.pairs import Pairs, SharedNoise
from dynotes.embeddings.tables import check_words, input_table, output_table
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_dims, check_ids
from dynotes.tips.softmax_approximations.nce import contrastive_loss


class SkipGram(Builder):
    """Two tables of word vectors, and the losses of pairs.

    Args:
        pc: collection that will own both tables, as sub-collection "skip-gram".
        n_words: V.
        n_embed: D.
    """

    NAME = "skip-gram"

    def __init__(self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int) -> None:
        check_dims("table", (n_words, n_embed))
        super().__init__(pc, n_words=n_words, n_embed=n_embed)
        self.n_words, self.n_embed = n_words, n_embed
        self.inputs = input_table(self._pc, n_words, n_embed)
        self.outputs = output_table(self._pc, n_words, n_embed)

    def scores(self, pairs: Pairs, factors: Optional[StepFactors] = None) -> dy.Expression:
        """u_o . v_c of every pair, (1,)xP.

        Args:
            pairs: P >= 1 pairs.
            factors: damps the gradient of each row; None leaves it.
        """
        check_words(pairs.words, pairs.contexts, self.n_words)
        centres = dy.transpose(self._centres(pairs, factors))
        return self._pair_scores(pairs, centres, factors)

    def nll(self, pairs: Pairs, factors: Optional[StepFactors] = None) -> dy.Expression:
        """-log P(o | c) under the full softmax, (1,)xP in nats; for small vocabularies.

        Args: as of `scores`.
        """
        check_words(pairs.words, pairs.contexts, self.n_words)
        everything = np.arange(self.n_words)
        U = columns(self.outputs, everything, None if factors is None else factors.outputs)
        log_probs = dy.log_softmax(dy.transpose(U) * self._centres(pairs, factors))
        cells = pairs.centres * self.n_words + pairs.words[pairs.contexts]
        size = self.n_words * len(pairs.words)
        return -dy.pick_batch(dy.reshape(log_probs, (size,)), cells.tolist())

    def negative_sampling(
        self, pairs: Pairs, negatives: Any, factors: Optional[StepFactors] = None
    ) -> dy.Expression:
        """J of every pair with noise words of its own.

        Args:
            pairs, factors: as of `scores`.
            negatives: (K, P) ids, drawn from Q.

        Returns:
            (1,)xP, in nats; no likelihood.
        """
        count = len(check_words(pairs.words, pairs.contexts, self.n_words))
        ids = check_ids("negatives", negatives, self.n_words, (None, count))
        v, u = (None, None) if factors is None else (factors.inputs, factors.outputs)
        centres = columns(self.inputs, pairs.words[pairs.centres], v)
        contexts = columns(self.outputs, pairs.words[pairs.contexts], u)
        rows = dy.reshape(centres, (1, self.n_embed), count)
        noise = columns(self.outputs, ids.ravel(order="F"), u)
        noise = rows * dy.reshape(noise, (self.n_embed, len(ids)), count)
        ends = (dy.reshape(e, (self.n_embed,), count) for e in (centres, contexts))
        target = dy.dot_product(*ends)
        each = dy.reshape(noise, (len(ids),), count)
        return contrastive_loss(target, each, np.ones(len(ids)))

    def shared_negative_sampling(
        self, pairs: Pairs, noise: SharedNoise, factors: Optional[StepFactors] = None
    ) -> dy.Expression:
        """J^ of all pairs together, with the same noise words for all.

        Args:
            pairs, factors: as of `scores`.
            noise: from `pairs.shared_noise`.

        Returns:
            (1,), in nats; no likelihood.
        """
        check_words(pairs.words, pairs.contexts, self.n_words)
        check_ids("noise words", noise.words, self.n_words, noise.weights.shape)
        # the transpose copies, so there is one for both products
        centres = dy.transpose(self._centres(pairs, factors))
        observed = self._pair_scores(pairs, centres, factors)
        u = None if factors is None else factors.outputs
        scores = centres * columns(self.outputs, noise.words, u)
        m, n = len(noise.words), len(pairs.words)
        counts = dy.inputTensorTranspose(pairs.centre_counts.astype(float).tolist(), dim=(1, n))
        weights = dy.inputTensorTranspose(noise.weights.tolist(), dim=(m,))
        sampled = counts * (softplus(scores) * weights)
        return dy.sum_batches(softplus(-observed)) + sampled

    def _centres(self, pairs: Pairs, factors: Optional[StepFactors]) -> dy.Expression:
        """The input vectors of all words of the pairs, (D, u)."""
        return columns(self.inputs, pairs.words, None if factors is None else factors.inputs)

    def _pair_scores(
        self, pairs: Pairs, centres: dy.Expression, factors: Optional[StepFactors]
    ) -> dy.Expression:
        """Scores of the pairs, (1,)xP; centres are the input vectors in rows, (u, D)."""
        u = None if factors is None else factors.outputs
        n = len(pairs.words)
        # the product of all words with all words is cheaper than a copy of two vectors a pair
        scores = centres * columns(self.outputs, pairs.words, u)
        cells = pairs.contexts * n + pairs.centres
        return dy.pick_batch(dy.reshape(scores, (n * n,)), cells.tolist())
