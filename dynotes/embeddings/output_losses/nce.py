"""Noise-contrastive estimation: logistic regression of text against noise, self-normalised.

    Delta(w, c) = u_w.h_c + b_w - log K Q(w)
    J = sum_p [softplus(-Delta_p) + sum_{k=1..K} softplus(Delta(w_pk, c_p))],        w_pk ~ Q

u_w.h_c + b_w learns log P(w | c) itself, its normaliser being taken for 1; without the term
log K Q(w) and the bias it is negative sampling.  Biases begin at -log V, the uniform distribution.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mnih & Kavukcuoglu 2013 (word embeddings by NCE); Gutmann & Hyvarinen 2010
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.output_losses.contrastive import ContrastiveLoss
from dynotes.graph.arrays import feed
from dynotes.tips.softmax_approximations.nce import bias_start


class NceLoss(ContrastiveLoss):
    """Output vectors U, (V S, D), and biases b, (V S, 1), as sub-collection "nce".

    Args: see `ContrastiveLoss`.
    """

    NAME = "nce"

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
        super().__init__(
            pc,
            counts=counts,
            n_embed=n_embed,
            n_slots=n_slots,
            negatives=negatives,
            shared=shared,
            power=power,
        )
        start = dy.ConstInitializer(bias_start(self.n_words))
        self.biases = self._pc.add_lookup_parameters(
            (self.n_words * self.n_slots, 1), init=start, name="b"
        )
        self.tables = (self.outputs, self.biases)
        self._log_expected = np.log(self.negatives) + self.noise.log_probs  # log K Q(w)

    def offset(self, rows: np.ndarray, factors: Factors) -> dy.Expression:
        """b_w - log K Q(w) of rows of the table, (1, n)."""
        b = columns(self.biases, rows, None if factors is None else factors[1])
        return b - feed(self._log_expected[rows // self.n_slots].reshape(1, -1))
