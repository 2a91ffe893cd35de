"""T54: noise words as arrays."""

import numpy as np
import pytest

from dynotes.embeddings.output_losses.negatives import private_noise, shared_noise
from dynotes.tips.softmax_approximations.noise import NoiseDistribution


def test_the_weights_of_shared_noise_sum_to_the_negatives_whatever_the_draws():
    noise = NoiseDistribution.unigram([5, 3, 2, 1])
    for draws in (1, 3, 50):
        found = shared_noise(noise, 3, draws, np.random.default_rng(1))
        assert found.weights.sum() == pytest.approx(3)
        assert (np.diff(found.words) > 0).all()


def test_shared_noise_is_drawn_from_the_distribution():
    """Seed 2, 40,000 draws: every share within 4 standard deviations."""
    noise = NoiseDistribution.unigram([50, 30, 15, 5], 0.75)
    found = shared_noise(noise, 1, 40000, np.random.default_rng(2))
    sd = np.sqrt(noise.probabilities * (1 - noise.probabilities) / 40000)
    assert (np.abs(found.weights - noise.probabilities) < 4 * sd).all()


def test_private_noise_has_its_own_words_for_every_pair():
    found = private_noise(NoiseDistribution.uniform(1000), 5, 40, np.random.default_rng(1))
    assert found.shape == (5, 40)
    assert len(np.unique(found)) > 150


@pytest.mark.parametrize("negatives", [0, 5])
def test_more_negatives_than_words_or_none_are_refused(negatives):
    noise, rng = NoiseDistribution.uniform(4), np.random.default_rng(1)
    for draw in (lambda: shared_noise(noise, negatives, 8, rng),
                 lambda: private_noise(noise, negatives, 8, rng)):  # fmt: skip
        with pytest.raises(ValueError, match=f"negatives: expected 1 to 4, found {negatives}"):
            draw()
