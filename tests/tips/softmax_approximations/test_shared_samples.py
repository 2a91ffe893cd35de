"""T39: shared noise words: the same expectation at every position, other covariances."""

import math

import numpy as np
import pytest
from scipy import stats

from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler, accidental_hits
from tests.reference import sampling as ref
from tests.tips.softmax_approximations.sampled_layer import hand_made

V = 6
Q = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
TARGETS = np.array([[0, 3, 3], [5, 1, 0]])  # T = 2, B = 3
GROUPS = {"all": (1, 1), "batch": (2, 1), "time": (1, 3), "none": (2, 3)}


def sampler(samples=4, **options):
    return NoiseSampler(NoiseDistribution(Q), samples=samples, **options)


def one_draw(seed=0, targets=TARGETS, **options):
    return sampler(**options).draw(targets, np.random.default_rng(seed))


# --- what a draw holds ---------------------------------------------------------------------------


@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize("share", GROUPS)
def test_every_group_has_its_m_words_in_ascending_order(share, tilt):
    draw = one_draw(share=share, tilt=tilt)
    assert draw.words.shape[:2] == GROUPS[share]
    assert draw.counts.shape == draw.log_q.shape == draw.words.shape
    assert draw.samples == 4
    np.testing.assert_array_equal(draw.counts.sum(-1), np.full(GROUPS[share], 4))
    assert (np.diff(draw.words, axis=-1) >= 0).all()


def test_a_set_for_all_positions_holds_every_word_once():
    draws = [one_draw(seed, samples=6) for seed in range(20)]
    assert all((np.diff(draw.words) > 0).all() for draw in draws)
    assert any((draw.counts > 1).any() for draw in draws)


@pytest.mark.parametrize("share", ["batch", "time", "none"])
def test_private_sets_hold_m_words_of_count_one(share):
    draw = one_draw(share=share, samples=6)
    assert draw.words.shape[-1] == 6
    assert (draw.counts == 1).all()


@pytest.mark.parametrize("share", GROUPS)
def test_the_log_probabilities_are_those_of_the_noise(share):
    draw = one_draw(share=share)
    np.testing.assert_allclose(draw.log_q, np.log(Q)[draw.words], rtol=1e-12)
    np.testing.assert_allclose(draw.target_log_q, np.log(Q)[TARGETS], rtol=1e-12)


@pytest.mark.parametrize("share", GROUPS)
def test_a_tilted_draw_has_the_log_probabilities_of_the_mixture(share):
    draw = one_draw(share=share, tilt=0.4)
    mixed = np.log(ref.tilted(Q, TARGETS.ravel().tolist(), 0.4))
    np.testing.assert_allclose(draw.log_q, mixed[draw.words], rtol=1e-12)
    np.testing.assert_allclose(draw.target_log_q, mixed[TARGETS], rtol=1e-12)


@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (1, 4), (4, 1)])
@pytest.mark.parametrize("share", GROUPS)
def test_one_step_or_one_column_are_segments_too(share, steps, batch):
    draw = one_draw(share=share, targets=np.zeros((steps, batch), int))
    over = (steps if share in ("batch", "none") else 1, batch if share in ("time", "none") else 1)
    assert draw.words.shape[:2] == over
    assert draw.target_log_q.shape == (steps, batch)
    np.testing.assert_array_equal(draw.counts.sum(-1), np.full(over, 4))


def test_the_same_generator_state_gives_the_same_draw():
    first, again, other = (one_draw(seed, share="none") for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.words, again.words)
    assert (first.words != other.words).any()


def test_as_many_samples_as_words_may_be_drawn():
    assert one_draw(samples=V).samples == V


@pytest.mark.parametrize("share", GROUPS)
def test_columns_are_what_these_positions_see(share):
    draw = one_draw(share=share)
    part = draw.columns(slice(1, 3))
    for t in range(2):
        for b in (1, 2):
            group = (t if draw.words.shape[0] > 1 else 0, b if draw.words.shape[1] > 1 else 0)
            seen = (group[0], group[1] - 1 if group[1] else 0)
            for whole, some in zip(draw[:3], part[:3]):
                np.testing.assert_array_equal(some[seen], whole[group])
            assert part.target_log_q[t, b - 1] == draw.target_log_q[t, b]
    assert part.target_log_q.shape == (2, 2)
    assert part.samples == draw.samples


@pytest.mark.parametrize("share", GROUPS)
def test_all_columns_are_the_draw_itself(share):
    draw = one_draw(share=share)
    for whole, same in zip(draw, draw.columns(slice(None))):
        np.testing.assert_array_equal(same, whole)


def test_expected_counts_are_m_times_q():
    draw = one_draw(share="none")
    np.testing.assert_allclose(np.exp(draw.log_expected), 4 * Q[draw.words], rtol=1e-12)
    np.testing.assert_allclose(np.exp(draw.target_log_expected), 4 * Q[TARGETS], rtol=1e-12)


def test_inclusion_is_the_probability_of_being_drawn_at_all_by_enumeration():
    draw = one_draw(share="none")
    among = ref.expectation(lambda drawn: np.isin(np.arange(V), drawn), ref.sequences(Q, 4))
    np.testing.assert_allclose(np.exp(draw.log_inclusion), among[draw.words], rtol=1e-12)
    np.testing.assert_allclose(np.exp(draw.target_log_inclusion), among[TARGETS], rtol=1e-12)


def test_inclusion_of_rare_and_of_sure_words_keeps_its_digits():
    q = [1e-12, 1e-300, 1.0]
    draw = hand_made([[[0, 1, 2]]], q, [[0]], samples=100)
    expected = [math.log(100) + math.log(1e-12), math.log(100) + math.log(1e-300), 0.0]
    np.testing.assert_allclose(draw.log_inclusion[0, 0], expected, rtol=1e-11, atol=1e-15)


def test_repeats_are_the_words_that_a_set_has_already():
    words = np.array([[[0, 0, 0, 2], [1, 2, 3, 4], [0, 1, 1, 5]]])
    found = hand_made(words, Q, TARGETS[:1]).repeats
    expected = [[[w in row[:i] for i, w in enumerate(row)] for row in words[0].tolist()]]
    np.testing.assert_array_equal(found, expected)
    assert not hand_made([[[3]]], Q, [[0]]).repeats.any()


# --- laws of the draws ---------------------------------------------------------------------------


def unrolled(draw, shape):
    """The m words of every position, (T, B, m)."""
    sets = np.repeat(draw.words.ravel(), draw.counts.ravel())
    return np.broadcast_to(sets.reshape(*draw.words.shape[:2], -1), (*shape, draw.samples))


@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize("share", GROUPS)
def test_every_position_sees_words_of_the_noise_distribution(share, tilt):
    source, rng = sampler(share=share, tilt=tilt), np.random.default_rng(5)
    drawn = np.array([unrolled(source.draw(TARGETS, rng), (2, 3)) for _ in range(1000)])
    q = ref.tilted(Q, TARGETS.ravel().tolist(), tilt)
    for position in drawn.reshape(1000, 6, 4).swapaxes(0, 1):
        counts = np.bincount(position.ravel(), minlength=V)
        # six positions of eight cases, fixed seeds
        assert stats.chisquare(counts, 4000 * np.array(q)).pvalue > 1e-5


@pytest.mark.parametrize("tilt", [0.0, 0.5])
def test_the_target_is_among_the_draws_with_probability_one_minus_the_misses(tilt):
    targets, rounds = np.array([[5, 4]]), 4000
    source, rng = sampler(tilt=tilt), np.random.default_rng(6)
    found = np.mean([5 in source.draw(targets, rng).words for _ in range(rounds)])
    p = 1 - (1 - ref.tilted(Q, [5, 4], tilt)[5]) ** 4
    assert abs(found - p) < 4 * math.sqrt(p * (1 - p) / rounds)


def same_set(share):
    """Which pairs of the six positions of TARGETS share their words."""
    t, b = np.divmod(np.arange(6), 3)
    step, column = t[:, None] == t, b[:, None] == b
    return {
        "all": np.ones((6, 6), bool),
        "batch": step,
        "time": column,
        "none": step & column,
    }[share]


@pytest.mark.parametrize("share", GROUPS)
def test_estimates_have_one_mean_and_the_covariance_of_their_shared_sets(share):
    """E Z^ = Z everywhere; Cov = Var(Z^) of the exact enumeration in a set, 0 between sets."""
    q, s, m, rounds = np.array([0.5, 0.3, 0.2]), [0.3, -0.5, 1.2], 2, 4000
    source = NoiseSampler(NoiseDistribution(q), samples=m, share=share)
    rng, found = np.random.default_rng(7), []
    for _ in range(rounds):
        draw = source.draw(TARGETS % 3, rng)
        terms = draw.counts * np.exp(np.take(s, draw.words) - draw.log_expected)
        found.append(np.broadcast_to(terms.sum(-1), (2, 3)).ravel())
    found = np.array(found)

    def power(k):
        def centred(drawn):
            return (ref.partition_estimate("plain", s, 0, drawn, q) - ref.partition(s)) ** k

        return float(ref.expectation(centred, ref.sequences(q, m)))

    mean, variance, fourth = power(1), power(2), power(4)
    assert mean == pytest.approx(0, abs=1e-12)
    error = math.sqrt(variance / rounds)
    assert np.abs(found.mean(0) - ref.partition(s)).max() < 4 * error
    covariance = np.cov(found.T, bias=True)
    together = same_set(share)
    spread = np.where(together, math.sqrt(fourth - variance**2), variance) / math.sqrt(rounds)
    assert (np.abs(covariance - variance * together) < 4.5 * spread).all()


# --- accidental hits -----------------------------------------------------------------------------


@pytest.mark.parametrize("share", GROUPS)
@pytest.mark.parametrize("seed", range(4))
def test_accidental_hits_are_those_of_a_search_of_every_pair(share, seed):
    draw = one_draw(seed, share=share, samples=6)
    rows, positions = accidental_hits(draw.words, TARGETS)
    expected = []
    for t in range(2):
        for b in range(3):
            group = draw.words[t % draw.words.shape[0], b % draw.words.shape[1]]
            expected += [(i, t * 3 + b) for i, w in enumerate(group) if w == TARGETS[t, b]]
    assert sorted(zip(rows.tolist(), positions.tolist())) == sorted(expected)
    for position in set(positions.tolist()):
        assert (np.diff(rows[positions == position]) == 1).all()


def test_no_hit_gives_two_empty_arrays():
    rows, positions = accidental_hits(np.array([[[1, 2, 4]]]), TARGETS * 0)
    assert rows.size == positions.size == 0


def test_words_of_a_neighbouring_set_are_no_hits():
    rows, positions = accidental_hits(np.array([[[0, 1], [2, 3]]]), np.array([[2, 1]]))
    assert rows.size == positions.size == 0


def test_targets_larger_than_every_word_are_no_hits():
    words, targets = np.array([[[0, 1], [0, 1]]]), np.array([[9, 1]])
    rows, positions = accidental_hits(words, targets)
    assert (rows.tolist(), positions.tolist()) == ([1], [1])


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: expected 1 to 6, found 0"),
        ({"samples": -3}, "samples: expected 1 to 6, found -3"),
        ({"samples": V + 1}, "samples: expected 1 to 6, found 7"),
        ({"samples": 2.0}, "samples: expected a whole number, found 2.0"),
        ({"samples": True}, "samples: expected a whole number, found True"),
        ({"share": "both"}, "share: expected one of all, batch, time, none, found 'both'"),
        ({"tilt": 1.0}, "tilt: expected 0 <= tilt < 1, found 1.0"),
        ({"tilt": -0.01}, "tilt: expected 0 <= tilt < 1, found -0.01"),
        ({"tilt": math.nan}, "tilt: expected 0 <= tilt < 1, found nan"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sampler(**options)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[0, V]], "targets: ids must be 0 to 5, found 0 to 6"),
        ([[-1]], "targets: ids must be 0 to 5, found -1"),
        ([0, 1], r"targets: expected shape \(None, None\), found \(2,\)"),
        (np.zeros((0, 3), int), "targets: no ids"),
        ([[0.0]], "targets: expected integers"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    with pytest.raises(ValueError, match=message):
        one_draw(targets=targets)
