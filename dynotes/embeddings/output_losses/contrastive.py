"""Losses that tell the words of the text from words of a noise distribution.

    private noise   J  = sum_p [softplus(-Delta_p) + sum_{k=1..K} softplus(Delta(w_pk, c_p))]
    shared noise    J^ = sum_p softplus(-Delta_p) + K/M sum_{m=1..M} sum_p softplus(Delta(w_m, c_p))

Delta(w, c) = u_w . h_c + offset(w), the offset being 0 in negative sampling.  Each w_m is a draw
from Q, so by linearity E[J^] = sum_p [softplus(-Delta_p) + K E_Q softplus(Delta(w, c_p))], that of
private draws for every M >= 1: only the variance differs.  The scores of shared noise are one
product of the noise words with H, each column weighted with its number of predictions.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, eq. 4; Zoph et al. 2016 (shared noise)
Differs: the released code draws again what hits the target; here a noise word that is the target
    stays, which the optimum counts on.
"""

from __future__ import annotations

import abc
from typing import Any, Optional, Union

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns, gathered
from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.output_losses.negatives import SharedNoise, private_noise, shared_noise
from dynotes.embeddings.output_losses.output_table import OutputLoss, pair_scores
from dynotes.embeddings.predictions import Predictions
from dynotes.graph.arrays import feed
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_ids, check_size
from dynotes.tips.softmax_approximations.noise import NoiseDistribution

Noise = Union[SharedNoise, np.ndarray]


class ContrastiveLoss(OutputLoss):
    """What negative sampling and noise-contrastive estimation share.

    Args:
        pc, counts, n_embed, n_slots: see `OutputLoss`.
        negatives: K, noise words a prediction.
        shared: M, words drawn once for all predictions; 0: K for each.
        power: Q is the counts to this power.
    """

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        counts: Any,
        n_embed: int,
        n_slots: int = 1,
        negatives: int = 5,
        shared: int = 64,
        power: float = 0.75,
    ) -> None:
        noise = NoiseDistribution.unigram(counts, power)
        check_size("negatives", negatives, 1, len(noise))
        check_size("shared", shared, 0)
        options = {"negatives": negatives, "shared": shared, "power": power}
        super().__init__(pc, counts=counts, n_embed=n_embed, n_slots=n_slots, **options)
        self.negatives, self.shared, self.noise = negatives, shared, noise

    def draw(self, n_predictions: int, rng: np.random.Generator) -> Noise:
        """Shared noise, or (K, P) ids if ``shared`` is 0."""
        if self.shared:
            return shared_noise(self.noise, self.negatives, self.shared, rng)
        return private_noise(self.noise, self.negatives, n_predictions, rng)

    @abc.abstractmethod
    def offset(self, rows: np.ndarray, factors: Factors) -> Optional[dy.Expression]:
        """What is added to the scores of rows of the table, (1, n); None for nothing."""

    def loss(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """J or J^, (1,), in nats; no likelihood.

        Args:
            H, predictions, factors: see `OutputLoss.loss`.
            noise: from `draw`.
        """
        if not isinstance(noise, SharedNoise):
            return dy.sum_batches(self.losses(H, predictions, noise, factors))
        observed = self._observed(H, predictions, factors)
        return dy.sum_elems(observed) + self._sampled(H, predictions, noise, factors)

    def losses(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """J of each prediction with noise words of its own, (1,)xP, in nats; no likelihood.

        Args:
            H, predictions, factors: see `OutputLoss.loss`.
            noise: (K, P) ids.
        """
        observed = self._observed(H, predictions, factors)
        count = len(predictions.rows)
        ids = check_ids("noise words", noise, self.n_words, (self.negatives, count))
        rows = (ids * self.n_slots + predictions.of_slots()).ravel(order="F")
        U = columns(self.outputs, rows, None if factors is None else factors[0])
        heads = dy.reshape(gathered(H, predictions.columns), (1, self.n_embed), count)
        scores = heads * dy.reshape(U, (self.n_embed, len(ids)), count)
        each = dy.reshape(scores, (len(ids),), count)
        offset = self.offset(rows, factors)
        if offset is not None:
            each = each + dy.reshape(offset, (len(ids),), count)
        return dy.reshape(observed, (1,), count) + dy.sum_elems(softplus(each))

    def masses(
        self, predictions: Predictions, noise: Any, n_hidden: int
    ) -> tuple[np.ndarray, list[Masses]]:
        """1 + K losses a prediction; a noise word is held by its weight in them."""
        columns_held = np.bincount(predictions.columns, minlength=n_hidden) * (1 + self.negatives)
        rows, where = predictions.table_rows(self.n_slots)
        parts: Masses = [(rows, np.bincount(where, minlength=len(rows)))]
        if isinstance(noise, SharedNoise):
            often = np.bincount(predictions.of_slots(), minlength=self.n_slots)
            noise_rows = noise.words[:, None] * self.n_slots + np.arange(self.n_slots)
            parts.append((noise_rows.ravel(), np.outer(noise.weights, often).ravel()))
        else:
            drawn = np.asarray(noise) * self.n_slots + predictions.of_slots()
            parts.append(np.unique(drawn, return_counts=True))
        return columns_held, [parts for _ in self.tables]

    def _observed(
        self, H: dy.Expression, predictions: Predictions, factors: Factors
    ) -> dy.Expression:
        """softplus(-Delta_p), (1, P)."""
        rows, where = self.checked(H, predictions)
        U = columns(self.outputs, rows, None if factors is None else factors[0])
        delta = pair_scores(H, predictions.columns, U, where)
        offset = self.offset(rows, factors)
        if offset is not None:
            delta = delta + dy.reshape(gathered(offset, where), (1, len(where)))
        return softplus(-delta)

    def _sampled(
        self, H: dy.Expression, predictions: Predictions, noise: SharedNoise, factors: Factors
    ) -> dy.Expression:
        """sum_m weight_m sum_p softplus(Delta(w_m, c_p)), (1,)."""
        words = check_ids("noise words", noise.words, self.n_words, noise.weights.shape)
        S, m, h = self.n_slots, len(words), H.dim()[0][1]
        rows = (np.arange(S)[:, None] + words * S).ravel()  # all words of a slot, slot by slot
        U = columns(self.outputs, rows, None if factors is None else factors[0])
        scores = dy.transpose(U) * H
        offset = self.offset(rows, factors)
        if offset is not None:
            scores = dy.colwise_add(scores, dy.reshape(offset, (len(rows),)))
        # element (s m + i, c) of the scores is (i, c S + s) of this
        each = dy.reshape(softplus(scores), (m, S * h))
        cells = predictions.columns * S + predictions.of_slots()
        often = feed(np.bincount(cells, minlength=S * h))
        return feed(noise.weights.reshape(1, m)) * (each * often)
