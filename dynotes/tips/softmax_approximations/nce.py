"""Noise-contrastive estimation: tell the word of the text from k words of a noise distribution.

    P(y = 1 | w, c) = P_theta / (P_theta + k Q(w)) = sigmoid(Delta_w)
    Delta_w = s_w - log Z(c) - log k Q(w)
    J = softplus(-Delta_w) + sum_{j=1..k} softplus(Delta_{w_j}),   w_j ~ Q

    grad E[J] = -sum_v kQ(v) / (P_theta(v) + kQ(v)) (P~(v) - P_theta(v)) grad log P_theta(v)

log Z(c) is 0 ("fixed", and the model learns to be self-normalised) or u^T h + z, learned along.
As k grows the gradient becomes that of the likelihood if P_theta is normalised; with Z fixed it
becomes that of -s_w + sum_v exp(s_v), whose minimum is the right distribution with Z = 1.

Note: Tips in Training / Softmax Approximations by Sampling (T22)
Paper: Gutmann & Hyvarinen 2010; Mnih & Teh 2012, arXiv:1206.6426; Dyer 2014, arXiv:1410.8251;
    Zoph et al. 2016 (shared noise)
Differs: the notes train "an extra classifier" in place of the output layer; the classifier is the
    output layer.  A noise word that is the target stays: the theory counts on it.
"""

from __future__ import annotations

import math
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.log_space import softplus
from dynotes.graph.masks import row
from dynotes.graph.shapes import check_ids, check_size, expect
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw


def contrastive_loss(
    target: dy.Expression, noise: dy.Expression, counts: np.ndarray
) -> dy.Expression:
    """softplus(-Delta_w) + sum_i count_i softplus(Delta_i): data against noise.

    Args:
        target: (1,)xN, Delta of the words of the text.
        noise: (n,)xN, Delta of the noise words.
        counts: how often each noise word was drawn: (n,), the same for all columns, or any shape
            if all are 1.

    Returns:
        (1,)xN, in nats.  Not a likelihood over the vocabulary: never report exp() of it.
    """
    _, batch = expect("target", target, (1,))
    (n,), _ = expect("noise", noise, (None,), batch)
    often = np.asarray(counts, np.float64)
    each = softplus(noise)
    if (often == 1).all():
        return softplus(-target) + dy.sum_elems(each)
    if often.size != n:
        raise ValueError(f"counts: expected {n}, found shape {often.shape}")
    return softplus(-target) + feed(often.reshape(1, n)) * each


def nce_loss(output: SampledOutput, h: dy.Expression, targets: Any, draw: Draw) -> dy.Expression:
    """J of every position, with the log-normaliser of the output layer (0 if it has none).

    Args:
        output: the layer whose scores s are meant; see `bias_start`.
        h: (H,)x(T*B), time-major.
        targets: (T, B) ids.
        draw: k noise words of these positions.

    Returns:
        (1,)x(T*B), in nats; no likelihood.
    """
    ids = check_ids("targets", targets, output.n_words, draw.target_log_q.shape)
    target = output.word_scores(h, ids) - row(draw.target_log_expected)
    noise = output.noise_scores(h, draw, draw.log_expected)
    log_z = output.log_normaliser(h)
    if log_z is not None:
        target = target - log_z
        noise = noise - dy.ones((draw.words.shape[-1], 1)) * log_z
    return contrastive_loss(target, noise, draw.counts)


def bias_start(n_words: int) -> float:
    """-log V: output biases at which the model begins as the uniform distribution with Z = 1."""
    return -math.log(check_size("n_words", n_words))
