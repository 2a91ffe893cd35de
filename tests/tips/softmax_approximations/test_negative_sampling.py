"""T23: negative sampling against NCE without kQ; its optimum is the shifted mutual information."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.tips.softmax_approximations.nce import nce_loss
from dynotes.tips.softmax_approximations.negative_sampling import (
    bias_start,
    log_kq,
    negative_sampling_loss,
)
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import sampling as ref
from tests.tips.softmax_approximations.sampled_layer import (
    CASE,
    all_draws,
    all_words,
    descend,
    gradients,
    hand_made,
    hidden,
    layer,
    layer_with_scores,
    nowhere,
    scores_of,
    segment,
    weighted,
    words_at,
)

SHARES = ("all", "batch", "time", "none")


# --- every draw ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
@CASE
def test_the_loss_of_every_draw_is_its_definition(case, k, by_time):
    scores, q, target = case
    pc, out = layer_with_scores(scores)
    draw, targets, drawn, _ = all_draws(q, k, target, by_time)
    found = negative_sampling_loss(out, nowhere(targets.size), targets, draw)
    expected = [ref.contrast(scores, target, words) for words in drawn]
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("k", [1, 2, 3])
@CASE
def test_the_mean_over_every_draw_is_the_sum_over_the_vocabulary(case, k):
    """dE[J]/ds_v = kQ(v) sigmoid(s_v) - [v = w] sigmoid(-s_w)."""
    scores, q, target = case
    pc, out = layer_with_scores(scores)
    draw, targets, _, p = all_draws(q, k, target)
    loss = weighted(negative_sampling_loss(out, nowhere(targets.size), targets, draw), p)
    value, found = gradients(loss, out.b)
    kq = k * np.array(q)
    assert value == pytest.approx(ref.expected_contrast(scores, target, kq), rel=1e-5)
    expected = kq * [ref.sigmoid(s) for s in scores]
    expected[target] -= ref.sigmoid(-scores[target])
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("share", SHARES)
def test_every_position_has_the_loss_of_its_own_words(share):
    _, out, h, targets, draw = segment(share, n_embed=3)
    expected = []
    for s, (t, b) in zip(scores_of(out, h).T, np.ndindex(2, 3)):
        words = words_at(draw, t, b)
        expected.append(ref.contrast(s, targets[t, b], words))
    found = read(negative_sampling_loss(out, feed(h, batched=True), targets, draw))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


# --- and NCE -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", SHARES)
def test_it_is_nce_with_log_kq_set_to_zero(share):
    _, out, h, targets, draw = segment(share)
    without = draw._replace(
        log_q=np.full(draw.words.shape, -math.log(5)),
        target_log_q=np.full(targets.shape, -math.log(5)),
    )
    x = feed(h, batched=True)
    found = read(negative_sampling_loss(out, x, targets, draw))
    np.testing.assert_allclose(found, read(nce_loss(out, x, targets, without)), rtol=1e-6)
    assert np.abs(found - read(nce_loss(out, x, targets, draw))).min() > 1e-3


@pytest.mark.parametrize("share", SHARES)
def test_it_is_nce_exactly_where_the_noise_is_uniform_and_k_is_v(share):
    _, out, h, targets, draw = segment(share, samples=9, noise=NoiseDistribution.uniform(9))
    assert abs(draw.log_expected).max() < 1e-12
    values, grads = [], []
    for loss in (nce_loss, negative_sampling_loss):
        dy.renew_cg()
        e = loss(out, feed(h, batched=True), targets, draw)
        values.append(read(e))
        grads.append(gradients(asymmetric(e), out.b)[1])
    np.testing.assert_allclose(*values, rtol=1e-6)
    np.testing.assert_allclose(*grads, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("samples", "uniform"), [(8, True), (9, False)])
def test_it_is_not_nce_for_another_k_or_noise(samples, uniform):
    noise = NoiseDistribution.uniform(9) if uniform else None
    _, out, h, targets, draw = segment("all", samples=samples, noise=noise)
    x = feed(h, batched=True)
    a, b = (read(f(out, x, targets, draw)) for f in (nce_loss, negative_sampling_loss))
    assert np.abs(a - b).max() > 1e-2


@CASE
def test_it_is_nce_of_the_scores_plus_log_kq(case):
    """Every gradient is that of NCE at s + log kQ: nothing about P(w | c) is lost."""
    scores, q, target = case
    k = 4
    draw = all_words(q, k, [[target]])
    found = []
    for loss, s in (
        (negative_sampling_loss, np.array(scores)),
        (nce_loss, np.array(scores) + np.log(k * np.array(q))),
    ):
        dy.renew_cg()
        pc, out = layer_with_scores(s)
        found.append(gradients(loss(out, nowhere(1), [[target]], draw), out.b))
        assert pc.parameter_count() > 0
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


# --- the optimum ---------------------------------------------------------------------------------

CONTEXTS = WORDS = 20


def toy_joint():
    """P(c, w) of 20 contexts and 20 words, all > 0, words and contexts dependent."""
    rng = np.random.default_rng(11)
    p = rng.gamma(0.8, size=(CONTEXTS, WORDS)) + 0.05
    return p / p.sum()


def trained(k, shift=None):
    """A table of scores at the optimum for the toy joint and unigram noise.

    Returns:
        (collection, layer, joint, unigram distribution).
    """
    joint = toy_joint()
    q, of_context = joint.sum(0), joint.sum(1)
    pc = dy.ParameterCollection()
    out = SampledOutput(pc, n_words=WORDS, n_hidden=CONTEXTS, bias=False, shift=shift)
    set_value(out.L, np.zeros((WORDS, CONTEXTS)) + bias_start(k))
    # one position a pair (c, w), weighted by its probability; h is the one-hot context
    targets = np.tile(np.arange(WORDS), CONTEXTS)[None]
    contexts = np.eye(CONTEXTS).repeat(WORDS, axis=1)
    draw = all_words(q, k, targets)

    def build():
        loss = negative_sampling_loss(out, feed(contexts, batched=True), targets, draw)
        return weighted(loss, joint.ravel())

    def curvature(value):
        sigmoid = 1 / (1 + np.exp(-value))
        return (joint + k * np.outer(of_context, q)).T * sigmoid * (1 - sigmoid)

    descend(out.L, build, curvature, 12)
    dy.renew_cg()
    return pc, out, joint, q


@pytest.mark.parametrize("k", [1, 5, 15])
def test_the_optimum_is_the_pointwise_mutual_information_less_log_k(k):
    pc, out, joint, q = trained(k)
    pmi = np.log(joint / np.outer(joint.sum(1), q))
    np.testing.assert_allclose(parameter_array(out.L).T, pmi - math.log(k), atol=1e-2)
    assert pmi.max() - pmi.min() > 3
    assert pc.parameter_count() > 0


def test_log_kq_gives_the_scores_back_their_distribution():
    k = 5
    joint = toy_joint()
    shift = log_kq(NoiseDistribution(joint.sum(0)), k).tolist()
    pc, out, _, q = trained(k, shift)
    scores = parameter_array(out.L).astype(float).T
    sums = (np.exp(scores) * k * q).sum(1)
    np.testing.assert_allclose(sums, 1, atol=0.01)
    contexts = feed(np.eye(CONTEXTS), batched=True)
    conditional = joint / joint.sum(1, keepdims=True)
    found = np.exp(read(out.log_probs(contexts))).T
    np.testing.assert_allclose(found, conditional, rtol=0.01)
    np.testing.assert_allclose(read(out.log_partition(contexts))[0], np.log(sums), atol=1e-5)
    assert pc.parameter_count() > 0


def test_without_log_kq_the_scores_are_no_distribution():
    pc, out, joint, _ = trained(5)
    found = np.exp(read(out.log_probs(feed(np.eye(CONTEXTS), batched=True)))).T
    assert np.abs(found - joint / joint.sum(1, keepdims=True)).max() > 0.05
    assert pc.parameter_count() > 0


# --- gradients, start, bad input -----------------------------------------------------------------


@pytest.mark.parametrize("share", SHARES)
def test_losses_pass_central_differences(share):
    pc, out, values, targets, draw = segment(share, n_embed=3)
    h = pc.add_parameters((4,), init=hidden(4, 1)[:, 0])

    def build():
        x = dy.cmult(h, feed(values, batched=True))
        return asymmetric(negative_sampling_loss(out, x, targets, draw))

    assert_gradients(build, [out.L, out.b, out.A, h])


@pytest.mark.parametrize("share", SHARES)
def test_rows_neither_target_nor_drawn_get_exactly_no_gradient(share):
    _, out, h, targets, draw = segment(share, samples=3, shape=(1, 2))
    loss = negative_sampling_loss(out, feed(h, batched=True), targets, draw)
    _, of_rows, of_biases = gradients(asymmetric(loss), out.L, out.b)
    others = np.setdiff1d(np.arange(9), out.touched(targets, draw)[out.L])
    assert others.size
    assert (of_rows[others] == 0).all()
    assert (of_biases[others] == 0).all()


def test_output_rows_that_start_at_zero_are_trained():
    """word2vec starts them there; every score is then exactly 0."""
    _, out = layer(9, bias=False)
    set_value(out.L, np.zeros((9, 4)))
    h = hidden(4, 1)
    draw = hand_made([[[3, 5]]], np.full(9, 1 / 9), [[1]])
    loss = negative_sampling_loss(out, feed(h, batched=True), [[1]], draw)
    _, found = gradients(loss, out.L)
    np.testing.assert_allclose(found[[1, 3, 5]], np.outer([-0.5, 0.5, 0.5], h[:, 0]), rtol=1e-5)


def test_log_kq_is_the_log_of_the_expected_counts():
    noise = NoiseDistribution([4, 3, 2, 1])
    np.testing.assert_allclose(log_kq(noise, 5), np.log([2.0, 1.5, 1.0, 0.5]), rtol=1e-12)
    with pytest.raises(ValueError, match="samples: expected 1 to"):
        log_kq(noise, 0)


def test_the_bias_starts_at_minus_log_k_the_optimum_of_independent_words():
    assert bias_start(1) == 0
    assert bias_start(15) == pytest.approx(-math.log(15))
    with pytest.raises(ValueError, match="samples: expected 1 to"):
        bias_start(0)
    q = [0.5, 0.3, 0.2]
    pc, out = layer_with_scores(np.full(3, bias_start(15)))
    draw = all_words(q, 15, [[0, 1, 2]])
    loss = weighted(negative_sampling_loss(out, nowhere(3), [[0, 1, 2]], draw), q)
    np.testing.assert_allclose(gradients(loss, out.b)[1], 0, atol=1e-6)
    assert pc.parameter_count() > 0


def test_targets_that_do_not_fit_the_draw_are_named():
    _, out, h, targets, draw = segment("none")
    with pytest.raises(ValueError, match=r"targets: expected shape \(2, 3\), found \(3, 2\)"):
        negative_sampling_loss(out, feed(h, batched=True), targets.T, draw)
    with pytest.raises(ValueError, match="targets: ids must be 0 to 8, found 9"):
        negative_sampling_loss(out, feed(h, batched=True), targets * 0 + 9, draw)
