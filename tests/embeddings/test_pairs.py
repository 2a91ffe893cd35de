"""T54: pairs, bags and noise words as arrays."""

import numpy as np
import pytest

from dynotes.embeddings.pairs import (
    Pairs,
    id_bags,
    id_pairs,
    private_noise,
    shared_noise,
    text_bags,
    text_pairs,
)
from dynotes.tips.softmax_approximations.noise import NoiseDistribution

TEXT = np.array([4, 2, 4, 9, 2])
CENTRES, CONTEXTS = np.array([0, 1, 1, 3, 3]), np.array([1, 0, 2, 2, 4])


def ids_of(pairs):
    return pairs.words[pairs.centres].tolist(), pairs.words[pairs.contexts].tolist()


def test_pairs_of_a_text_are_the_words_at_the_places():
    pairs = text_pairs(TEXT, CENTRES, CONTEXTS)
    assert pairs.words.tolist() == [2, 4, 9]
    assert ids_of(pairs) == ([4, 2, 2, 9, 9], [2, 4, 4, 4, 2])


def test_pairs_of_ids_are_these_ids():
    assert ids_of(id_pairs([5, 1, 5], [1, 1, 3])) == ([5, 1, 5], [1, 1, 3])


def test_counts_say_how_often_a_word_is_centre_and_context():
    pairs = id_pairs([5, 1, 5], [1, 1, 3])
    assert dict(zip(pairs.words.tolist(), pairs.centre_counts.tolist())) == {1: 1, 3: 0, 5: 2}
    assert dict(zip(pairs.words.tolist(), pairs.context_counts.tolist())) == {1: 2, 3: 1, 5: 0}


def dense(bags, mean):
    cells, values = bags.shares(mean)
    A = np.zeros(len(bags.words) * len(bags.targets))
    A[cells] = values
    return A.reshape((len(bags.words), len(bags.targets)), order="F")


def test_bags_of_a_text_hold_every_window_and_leave_centres_without_one_out():
    bags = text_bags(TEXT, CENTRES, CONTEXTS)
    assert bags.targets.tolist() == [4, 2, 9]
    np.testing.assert_array_equal(dense(bags, False), [[1, 0, 1], [0, 2, 1], [0, 0, 0]])


def test_the_shares_of_a_bag_sum_to_one_and_count_repeated_words():
    bags = id_bags([[1, 1, 2], [2]], [0, 3])
    np.testing.assert_allclose(dense(bags, True), [[2 / 3, 0], [1 / 3, 1]], rtol=1e-6)


@pytest.mark.parametrize("mean", [False, True])
def test_input_shares_are_the_row_sums_of_the_shares(mean):
    bags = text_bags(TEXT, CENTRES, CONTEXTS)
    np.testing.assert_allclose(bags.input_shares(mean), dense(bags, mean).sum(axis=1), rtol=1e-6)


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: id_pairs([], []), "centres: no ids"),
        (lambda: id_pairs([1, 2], [1]), "contexts: expected shape"),
        (lambda: id_pairs([1.5], [1]), "centres: expected integers"),
        (lambda: id_bags([[1], []], [1, 2]), "window 1: no ids"),
        (lambda: id_bags([[1]], [1, 2]), "targets: expected shape"),
        (lambda: text_bags(TEXT, CENTRES[:0], CONTEXTS[:0]), "expected at least one pair"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pairs_tuple_is_plain_arrays():
    assert Pairs._fields == ("words", "centres", "contexts")
