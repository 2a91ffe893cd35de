"""T21, T38: noise distributions against closed forms; an alias table implies its probabilities."""

import math

import numpy as np
import pytest
from scipy import stats

from dynotes.tips.softmax_approximations.noise import NoiseDistribution, TiltedNoise, alias_table
from tests.reference import sampling as ref

RNG = np.random.default_rng(1)
COUNTS = [907, 400, 211, 60, 33, 9, 2, 1, 1]
SHAPES = {
    "one word": [1.0],
    "two equal words": [0.5, 0.5],
    "two unequal words": [0.1, 0.9],
    "uniform": np.full(7, 1 / 7),
    "uniform over a power of two": np.full(64, 1 / 64),
    "a word of exactly one bucket": [0.25, 0.25, 0.4, 0.1],
    "all but one in a bucket of their own": [0.2, 0.2, 0.2, 0.3, 0.1],
    "one word has nearly all": [1 - 3e-12, 1e-12, 1e-12, 1e-12],
    "nearly all is in the last word": [*np.full(99, 1e-14), 1 - 99e-14],
    "one rare word": [1e-300, *np.full(9, 1 / 9)],
    "light first": [0.01, 0.02, 0.07, 0.3, 0.6],
    "heavy first": [0.6, 0.3, 0.07, 0.02, 0.01],
    "light and heavy in turns": [0.01, 0.3, 0.02, 0.3, 0.03, 0.34],
    "zipf": ref.log_uniform(1000),
    "geometric": ref.powered([2.0**-i for i in range(60)], 1.0),
    "dirichlet": RNG.dirichlet(np.full(500, 0.3)).clip(1e-12),
    "very skewed dirichlet": RNG.dirichlet(np.full(500, 0.02)).clip(1e-30),
}
DRAWS = 40_000


def normalised(p):
    return np.asarray(p, float) / math.fsum(p)


@pytest.mark.parametrize("p", SHAPES.values(), ids=SHAPES)
def test_the_alias_table_implies_exactly_the_probabilities(p):
    p = normalised(p)
    keep, alias = alias_table(p)
    assert ((keep >= 0) & (keep <= 1)).all()
    assert ((alias >= 0) & (alias < len(p))).all()
    implied = np.array(ref.bucket_probabilities(keep, alias))
    np.testing.assert_allclose(implied, p, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_random_alias_tables_imply_their_probabilities(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    p = normalised(rng.exponential(size=n) ** rng.integers(1, 9) + 1e-9)
    implied = ref.bucket_probabilities(*alias_table(p))
    np.testing.assert_allclose(implied, p, rtol=1e-12, atol=1e-15)


def test_the_table_of_a_large_vocabulary_keeps_its_digits():
    p = NoiseDistribution.log_uniform(50_000).probabilities
    implied = ref.bucket_probabilities(*alias_table(p))
    np.testing.assert_allclose(implied, p, rtol=1e-9, atol=1e-15)


def assert_drawn_from(p, drawn):
    """A chi-square test in which the rarest words share a bin.

    The seeds are fixed; a right sampler falls below 1e-4 with one seed in ten thousand.
    """
    counts, expected = np.bincount(drawn.ravel(), minlength=len(p)), drawn.size * np.asarray(p)
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5:
        assert counts[-1] <= 15
        counts, expected = counts[:-1], expected[:-1] * counts[:-1].sum() / expected[:-1].sum()
    assert counts.size == 1 or stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize("p", SHAPES.values(), ids=SHAPES)
def test_words_are_drawn_as_often_as_they_are_probable(p):
    assert_drawn_from(normalised(p), NoiseDistribution(p).sample(DRAWS, np.random.default_rng(2)))


@pytest.mark.parametrize("shape", [(), 3, (2, 3), (4, 1, 2)])
def test_draws_have_the_shape_that_was_asked_for(shape):
    drawn = NoiseDistribution(COUNTS).sample(shape, np.random.default_rng(0))
    assert np.shape(drawn) == (shape if isinstance(shape, tuple) else (shape,))
    assert drawn.dtype == np.int64


def test_a_vocabulary_of_one_word_is_always_that_word():
    noise = NoiseDistribution.uniform(1)
    assert noise.probabilities.tolist() == [1.0]
    assert noise.log_probs.tolist() == [0.0]
    assert not noise.sample(50, np.random.default_rng(0)).any()


def test_the_same_generator_state_draws_the_same_words():
    noise = NoiseDistribution(COUNTS)
    first, again, other = (noise.sample(50, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_neighbouring_draws_are_independent():
    noise = NoiseDistribution([0.5, 0.3, 0.2])
    pairs = noise.sample((DRAWS, 2), np.random.default_rng(3))
    counts = np.bincount(pairs[:, 0] * 3 + pairs[:, 1], minlength=9)
    expected = DRAWS * np.outer(noise.probabilities, noise.probabilities).ravel()
    assert stats.chisquare(counts, expected).pvalue > 1e-4


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.0, 0.5, 0.75, 1.0, 2.0])
def test_the_unigram_distribution_is_the_powered_counts(power):
    noise = NoiseDistribution.unigram(COUNTS, power)
    np.testing.assert_allclose(noise.probabilities, ref.powered(COUNTS, power), rtol=1e-12)
    assert math.fsum(noise.probabilities) == pytest.approx(1, abs=1e-14)


def test_power_one_is_the_default_and_power_zero_is_uniform():
    np.testing.assert_allclose(
        NoiseDistribution.unigram(COUNTS).probabilities, normalised(COUNTS), rtol=1e-12
    )
    np.testing.assert_array_equal(
        NoiseDistribution.unigram(COUNTS, 0).probabilities,
        NoiseDistribution.uniform(9).probabilities,
    )


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_the_log_uniform_distribution_is_its_formula_and_adds_up_by_telescoping(n):
    p = NoiseDistribution.log_uniform(n).probabilities
    np.testing.assert_allclose(p, ref.log_uniform(n), rtol=1e-11)
    expected = [math.log(w + 2) / math.log(n + 1) for w in range(n)]
    np.testing.assert_allclose(np.cumsum(p), expected, rtol=1e-11)


def test_uniform_is_one_over_v():
    np.testing.assert_allclose(NoiseDistribution.uniform(7).probabilities, 1 / 7, rtol=1e-15)


def test_weights_are_divided_by_their_sum_at_any_scale():
    expected = NoiseDistribution(COUNTS).probabilities
    for scale in (1e-300, 1e-3, 1.5e305):
        found = NoiseDistribution(np.array(COUNTS) * scale).probabilities
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["unigram", "uniform", "log-uniform"])
def test_every_kind_has_full_support_over_a_large_skewed_vocabulary(kind):
    counts = np.ones(30_000, int)
    counts[0] = 2_000_000_000
    noise = NoiseDistribution.of_kind(kind, counts, 2.0)
    assert len(noise) == 30_000
    assert (noise.probabilities > 0).all()
    assert np.isfinite(noise.log_probs).all()


def test_a_kind_is_what_its_constructor_makes():
    pairs = [
        (("unigram", COUNTS, 0.75), NoiseDistribution.unigram(COUNTS, 0.75)),
        (("unigram", COUNTS), NoiseDistribution.unigram(COUNTS)),
        (("uniform", COUNTS, 0.75), NoiseDistribution.uniform(len(COUNTS))),
        (("log-uniform", COUNTS, 0.75), NoiseDistribution.log_uniform(len(COUNTS))),
    ]
    for arguments, expected in pairs:
        found = NoiseDistribution.of_kind(*arguments)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)


@pytest.mark.parametrize("ids", [3, [0, 8], [[1, 1], [2, 0]]])
def test_log_prob_is_the_log_of_the_probability_for_ids_of_any_shape(ids):
    noise = NoiseDistribution(COUNTS)
    expected = np.log(normalised(COUNTS))[np.array(ids)]
    np.testing.assert_allclose(noise.log_prob(np.array(ids)), expected, rtol=1e-12)


# --- tilted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [[4], [[8, 0], [8, 8]], list(range(9)), [0, 1], [7, 8]])
@pytest.mark.parametrize("tilt", [0.0, 0.1, 0.9])
def test_the_tilted_distribution_is_the_mixture_and_sums_to_one(targets, tilt):
    q = normalised(COUNTS)
    noise = TiltedNoise(NoiseDistribution(COUNTS), targets, tilt)
    found = np.exp(noise.log_prob(np.arange(9)))
    np.testing.assert_allclose(found, ref.tilted(q, np.ravel(targets).tolist(), tilt), rtol=1e-12)
    assert math.fsum(found) == pytest.approx(1, abs=1e-12)


def test_tilted_log_prob_takes_ids_of_any_shape():
    noise = TiltedNoise(NoiseDistribution(COUNTS), [4, 2], 0.3)
    every = noise.log_prob(np.arange(9))
    ids = np.array([[8, 4, 2], [0, 3, 2]])
    np.testing.assert_array_equal(noise.log_prob(ids), every[ids])


@pytest.mark.parametrize("tilt", [0.0, 0.2, 0.8])
def test_words_are_drawn_from_the_tilted_distribution(tilt):
    noise = TiltedNoise(NoiseDistribution(COUNTS), [[6, 2], [6, 6]], tilt)
    drawn = noise.sample((200, DRAWS // 200), np.random.default_rng(4))
    assert drawn.shape == (200, DRAWS // 200)
    assert_drawn_from(np.exp(noise.log_prob(np.arange(9))), drawn)


# --- bad input -----------------------------------------------------------------------------------

UNIGRAM = NoiseDistribution.unigram


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NoiseDistribution([]), r"expected \(V,\) weights, found shape \(0,\)"),
        (lambda: NoiseDistribution(0.5), r"expected \(V,\) weights, found shape \(\)"),
        (lambda: NoiseDistribution(np.ones((2, 2))), r"found shape \(2, 2\)"),
        (lambda: NoiseDistribution([0.5, 0.0]), "expected weights > 0, found 0.0 for word 1"),
        (lambda: NoiseDistribution([0.5, 1.0, -1.0]), "found -1.0 for word 2"),
        (lambda: NoiseDistribution([math.nan, 1.0]), "found nan for word 0"),
        (lambda: NoiseDistribution([1.0, math.inf]), "found inf for word 1"),
        (lambda: NoiseDistribution([1e-200, 1e200]), "1e-200 to 1e\\+200 are too far apart"),
        (lambda: UNIGRAM([]), r"expected \(V,\) counts, found shape \(0,\)"),
        (lambda: UNIGRAM([[1, 2]]), r"found shape \(1, 2\)"),
        (lambda: UNIGRAM([3, 0, 1]), "expected counts >= 1, found 0 for word 1"),
        (lambda: UNIGRAM([3, 1, -4]), "expected counts >= 1, found -4 for word 2"),
        (lambda: UNIGRAM([3, math.nan]), "expected counts >= 1, found nan for word 1"),
        (lambda: UNIGRAM([3, 1], -0.5), "power: expected a number >= 0, found -0.5"),
        (lambda: UNIGRAM([3, 1], math.nan), "power: expected a number >= 0, found nan"),
        (lambda: UNIGRAM([3, 1], math.inf), "power: expected a number >= 0, found inf"),
        (lambda: UNIGRAM([10**6, 1], 80.0), "found 0.0 for word 1"),
        (lambda: NoiseDistribution.uniform(0), "n_words: expected 1 to"),
        (lambda: NoiseDistribution.uniform(2.5), "n_words: expected a whole number, found 2.5"),
        (lambda: NoiseDistribution.log_uniform(-1), "n_words: expected 1 to"),
        (lambda: NoiseDistribution.of_kind("zipf", [1, 2]), "expected one of unigram, uniform"),
        (lambda: NoiseDistribution.of_kind("uniform", []), "n_words: expected 1 to"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [0], 1.0), "tilt: expected 0 <= tilt < 1, found 1"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [0], -0.1), "tilt: .* found -0.1"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [0], math.nan), "tilt: .* found nan"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [], 0.5), "targets: no ids"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [2], 0.5), "targets: ids must be 0 to 1"),
        (lambda: TiltedNoise(UNIGRAM([2, 1]), [0.0], 0.5), "targets: expected integers"),
    ],
)
def test_what_is_no_distribution_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
