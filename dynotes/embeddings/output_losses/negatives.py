"""Noise words of a step: drawn for each prediction, or once for all of them.

    private   w_1, ..., w_K ~ Q for each prediction
    shared    w_1, ..., w_M ~ Q for all predictions, each with the weight K/M

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546; Zoph et al. 2016 (shared noise)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynotes.graph.shapes import check_size
from dynotes.tips.softmax_approximations.noise import NoiseDistribution


class SharedNoise(NamedTuple):
    """Noise words of all predictions of a step.

    words: (m,) different ids, ascending.
    weights: (m,), K/M times how often each was drawn; they sum to K.
    """

    words: np.ndarray
    weights: np.ndarray


def shared_noise(
    noise: NoiseDistribution, negatives: int, draws: int, rng: np.random.Generator
) -> SharedNoise:
    """M draws that stand for K noise words a prediction.

    Args:
        noise: Q.
        negatives: K >= 1, at most the vocabulary.
        draws: M >= 1.
    """
    check_size("negatives", negatives, 1, len(noise))
    words, often = np.unique(noise.sample((check_size("draws", draws),), rng), return_counts=True)
    return SharedNoise(words, often * (negatives / draws))


def private_noise(
    noise: NoiseDistribution, negatives: int, predictions: int, rng: np.random.Generator
) -> np.ndarray:
    """K noise words for each of P predictions, (K, P) ids."""
    check_size("negatives", negatives, 1, len(noise))
    return noise.sample((negatives, predictions), rng)
