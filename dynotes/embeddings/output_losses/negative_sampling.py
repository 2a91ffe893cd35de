"""Negative sampling: a word of the text against K noise words, without a normaliser.

    J = sum_p [softplus(-u_{w_p}.h_{c_p}) + sum_{k=1..K} softplus(u_{w_pk}.h_{c_p})],   w_pk ~ Q

Its optimum, if the rank of the tables allows it, is u_o.h_c = log P(o, c) / (P(c) Q(o)) - log K:
the shifted pointwise mutual information if Q are the unigrams.  How noise is shared among the
predictions of a step, and why nothing is lost by it: `contrastive`.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, eq. 4; Levy & Goldberg 2014 (the optimum)
"""

from __future__ import annotations

import numpy as np

from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.output_losses.contrastive import ContrastiveLoss


class NegativeSamplingLoss(ContrastiveLoss):
    """Output vectors U, (V S, D), as sub-collection "negative-sampling"; see `ContrastiveLoss`."""

    NAME = "negative-sampling"

    def offset(self, rows: np.ndarray, factors: Factors) -> None:
        """Nothing: the scores are compared as they are."""
