"""CBOW: the words of a window, as a bag, predict the word in its middle.

    h_t = 1/|C_t| sum_{c in C_t} v_c     (mean; or the sum)        P(o | C_t) = softmax(U h_t)_o
    full softmax        J = sum_t -log P(w_t | C_t)
    negative sampling   J = sum_t [softplus(-u_{w_t}.h_t) + sum_{k=1..K} softplus(u_{w_k}.h_t)]

with w_k ~ Q drawn for each position (private), or M words for all N positions of a step (shared):

    J^ = sum_t softplus(-u_{w_t}.h_t) + K/M sum_{m=1..M} sum_t softplus(u_{w_m}.h_t)

whose expectation is that of private draws for every M >= 1.  All h_t are one product X A of the
step's different context vectors X, (D, u), and their shares in the bags A, (u, N).

With one context word a position, CBOW is skip-gram with that word as the centre.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781, section 3.1; 2013b, arXiv:1310.4546, eq. 4
Renamed: the notes' one-hot x and matrices are rows of lookup tables.
Differs: the gradient is the exact one; the released code adds the gradient of the mean h_t to each
    context vector undivided, |C_t| times as much.  A noise word that is the target stays.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import StepFactors, columns
from dynotes.embeddings.pairs import Bags, SharedNoise
from dynotes.embeddings.tables import check_words, input_table, output_table
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_dims, check_ids
from dynotes.graph.working_rules import nll
from dynotes.tips.softmax_approximations.nce import contrastive_loss


class Cbow(Builder):
    """Two tables of word vectors, and the losses of bags.

    Args:
        pc: collection that will own both tables, as sub-collection "cbow".
        n_words: V.
        n_embed: D.
        mean: h is the mean of the context vectors, else their sum.
    """

    NAME = "cbow"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int, mean: bool = True
    ) -> None:
        check_dims("table", (n_words, n_embed))
        super().__init__(pc, n_words=n_words, n_embed=n_embed, mean=mean)
        self.n_words, self.n_embed, self.mean = n_words, n_embed, mean
        self.inputs = input_table(self._pc, n_words, n_embed)
        self.outputs = output_table(self._pc, n_words, n_embed)

    def hidden(self, bags: Bags, factors: Optional[StepFactors] = None) -> dy.Expression:
        """h_t of every position, (D,)xN.

        Args:
            bags: N >= 1 bags, none of them empty.
            factors: damps the gradient of each row; None leaves it.
        """
        return dy.reshape(self._hidden(bags, factors), (self.n_embed,), len(bags.targets))

    def scores(self, bags: Bags, factors: Optional[StepFactors] = None) -> dy.Expression:
        """u_{w_t} . h_t of every position, (1,)xN; arguments as of `hidden`."""
        return self._target_scores(bags, self._hidden(bags, factors), factors)

    def nll(self, bags: Bags, factors: Optional[StepFactors] = None) -> dy.Expression:
        """-log P(w_t | C_t) under the full softmax, (1,)xN in nats; for small vocabularies.

        Args: as of `hidden`.
        """
        H = self._hidden(bags, factors)
        u = None if factors is None else factors.outputs
        U = columns(self.outputs, np.arange(self.n_words), u)
        scores = dy.reshape(dy.transpose(U) * H, (self.n_words,), len(bags.targets))
        return nll(scores, bags.targets)

    def negative_sampling(
        self, bags: Bags, negatives: Any, factors: Optional[StepFactors] = None
    ) -> dy.Expression:
        """J of every position with noise words of its own.

        Args:
            bags, factors: as of `hidden`.
            negatives: (K, N) ids, drawn from Q.

        Returns:
            (1,)xN, in nats; no likelihood.
        """
        count = len(bags.targets)
        ids = check_ids("negatives", negatives, self.n_words, (None, count))
        H = self._hidden(bags, factors)
        u = None if factors is None else factors.outputs
        noise = columns(self.outputs, ids.ravel(order="F"), u)
        noise = dy.reshape(noise, (self.n_embed, len(ids)), count)
        scores = dy.reshape(H, (1, self.n_embed), count) * noise
        each = dy.reshape(scores, (len(ids),), count)
        return contrastive_loss(self._target_scores(bags, H, factors), each, np.ones(len(ids)))

    def shared_negative_sampling(
        self, bags: Bags, noise: SharedNoise, factors: Optional[StepFactors] = None
    ) -> dy.Expression:
        """J^ of all positions together, with the same noise words for all.

        Args:
            bags, factors: as of `hidden`.
            noise: from `pairs.shared_noise`.

        Returns:
            (1,), in nats; no likelihood.
        """
        check_ids("noise words", noise.words, self.n_words, noise.weights.shape)
        H = self._hidden(bags, factors)
        u = None if factors is None else factors.outputs
        scores = dy.transpose(columns(self.outputs, noise.words, u)) * H
        weights = dy.inputTensorTranspose(noise.weights.tolist(), dim=(1, len(noise.words)))
        sampled = weights * (softplus(scores) * dy.ones((len(bags.targets),)))
        observed = self._target_scores(bags, H, factors)
        return dy.sum_batches(softplus(-observed)) + sampled

    def _hidden(self, bags: Bags, factors: Optional[StepFactors]) -> dy.Expression:
        """X A, (D, N)."""
        check_words(bags.words, bags.rows, self.n_words)
        check_ids("targets", bags.targets, self.n_words, (None,))
        X = columns(self.inputs, bags.words, None if factors is None else factors.inputs)
        u, count = len(bags.words), len(bags.targets)
        cells, shares = bags.shares(self.mean)
        A = dy.sparse_inputTensor([cells], shares, (u * count,))
        return X * dy.reshape(A, (u, count))

    def _target_scores(
        self, bags: Bags, H: dy.Expression, factors: Optional[StepFactors]
    ) -> dy.Expression:
        count = len(bags.targets)
        U = columns(self.outputs, bags.targets, None if factors is None else factors.outputs)
        vectors = (dy.reshape(e, (self.n_embed,), count) for e in (U, H))
        return dy.dot_product(*vectors)
