"""Negative sampling: noise-contrastive estimation with k Q(w) and Z set to 1.

    P(y = 1 | w, c) = sigmoid(s_w)          J = softplus(-s_w) + sum_{j=1..k} softplus(s_{w_j})

The loss is least where s_w = log P(w | c) - log k Q(w), the pointwise mutual information shifted
by log k if Q is the unigram distribution.  So scores for a distribution over words are not lost:

    log P(w | c) = s_w + log k Q(w) - log Z(c),    Z(c) about 1

Note: Tips in Training / Softmax Approximations by Sampling (T23)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, eq. 4; Levy & Goldberg 2014 (the optimum)
Differs: the notes say that the probabilistic information is lost; log kQ brings it back.
"""

from __future__ import annotations

import math
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_ids, check_size
from dynotes.tips.softmax_approximations.nce import contrastive_loss
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw


def log_kq(noise: NoiseDistribution, samples: int) -> np.ndarray:
    """log kQ(w), (V,): added to the scores of negative sampling it gives those of a softmax."""
    return math.log(check_size("samples", samples)) + noise.log_probs


def negative_sampling_loss(
    output: SampledOutput, h: dy.Expression, targets: Any, draw: Draw
) -> dy.Expression:
    """J of every position.

    Args:
        output: the layer whose scores s are meant; its ``shift`` is log kQ; see `bias_start`.
        h: (H,)x(T*B), time-major.
        targets: (T, B) ids.
        draw: k noise words of these positions.

    Returns:
        (1,)x(T*B), in nats; no likelihood.
    """
    ids = check_ids("targets", targets, output.n_words, draw.target_log_q.shape)
    return contrastive_loss(output.word_scores(h, ids), output.noise_scores(h, draw), draw.counts)


def bias_start(samples: int) -> float:
    """-log k: the optimal score of words that do not depend on their context."""
    return -math.log(check_size("samples", samples))
