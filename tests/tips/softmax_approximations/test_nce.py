"""T22: noise-contrastive estimation against exact expectations, its limits and its optimum."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.tips.softmax_approximations.nce import contrastive_loss, nce_loss
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler
from tests.helpers import assert_gradients, asymmetric
from tests.reference import sampling as ref
from tests.reference.distributions import softmax
from tests.tips.softmax_approximations.sampled_layer import (
    CASE,
    CASES,
    all_draws,
    all_words,
    deltas,
    gradients,
    hidden,
    layer_with_scores,
    normalised_loss,
    nowhere,
    scores_of,
    segment,
    weighted,
    words_at,
)

SHARES = ("all", "batch", "time", "none")


def log_normaliser_of(out, h):
    """u^T h + z by numpy, (N,)."""
    return (parameter_array(out.u).astype(float) @ h + parameter_array(out.z))[0]


# --- every draw ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
@CASE
def test_the_loss_of_every_draw_is_its_definition(case, k, by_time):
    scores, q, target = case
    pc, out = layer_with_scores(scores)
    draw, targets, drawn, _ = all_draws(q, k, target, by_time)
    found = nce_loss(out, nowhere(targets.size), targets, draw)
    expected = [ref.contrast(deltas(scores, q, k), target, words) for words in drawn]
    assert found.dim() == ((1,), len(drawn))
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("k", [1, 2, 3])
@CASE
def test_the_mean_over_every_draw_is_the_sum_over_the_vocabulary(case, k):
    """E[J] and grad E[J] = -sum_v kQ / (P + kQ) (P~ - P) grad log P(v), with P = exp s."""
    scores, q, target = case
    pc, out = layer_with_scores(scores)
    draw, targets, _, p = all_draws(q, k, target)
    loss = weighted(nce_loss(out, nowhere(targets.size), targets, draw), p)
    value, found = gradients(loss, out.b)
    kq = k * np.array(q)
    assert value == pytest.approx(ref.expected_contrast(deltas(scores, q, k), target, kq), rel=1e-5)
    np.testing.assert_allclose(found, ref.nce_gradient(scores, target, kq, False), atol=2e-6)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("k", [1, 7, 1000])
@CASE
def test_every_word_counted_as_often_as_expected_gives_the_expected_loss(case, k):
    scores, q, target = case
    pc, out = layer_with_scores(scores)
    draw = all_words(q, k, [[target, target]])
    loss = nce_loss(out, nowhere(2), [[target, target]], draw)
    expected = ref.expected_contrast(deltas(scores, q, k), target, k * np.array(q))
    np.testing.assert_allclose(read(loss)[0], [expected, expected], rtol=1e-5)
    _, found = gradients(weighted(loss, [1, 0]), out.b)
    expected = ref.nce_gradient(scores, target, k * np.array(q), False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("k", [1, 7, 1000])
@CASE
def test_the_gradient_formula_holds_for_a_normalised_model_too(case, k):
    scores, q, target = case
    loss, pc, s = normalised_loss(scores, q, k, target)
    value, found = gradients(loss, s)
    kq = k * np.array(q)
    expected = ref.expected_contrast(np.log(softmax(scores)) - np.log(kq), target, kq)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(found, ref.nce_gradient(scores, target, kq, True), atol=3e-6)
    assert pc.parameter_count() > 0


def test_a_noise_word_that_is_the_target_stays():
    scores, q, target = CASES["V=3"]
    pc, out = layer_with_scores(scores)
    draw, targets, drawn, _ = all_draws(q, 2, target)
    loss = read(nce_loss(out, nowhere(targets.size), targets, draw))[0]
    delta = deltas(scores, q, 2)[target]
    expected = ref.softplus(-delta) + 2 * ref.softplus(delta)
    assert loss[drawn.index((target, target))] == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count() > 0


# --- learned normaliser, sharing, gradients ------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"normaliser": True}, {"n_embed": 3}], ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("share", SHARES)
def test_every_position_has_the_loss_of_its_own_words(share, shape, spec):
    _, out, h, targets, draw = segment(share, shape=shape, **spec)
    log_z = np.zeros(targets.size) if out.u is None else log_normaliser_of(out, h)
    q = NoiseDistribution.log_uniform(9).probabilities
    expected = []
    for i, (t, b) in enumerate(np.ndindex(*shape)):
        words = words_at(draw, t, b)
        delta = deltas(scores_of(out, h)[:, i] - log_z[i], q, 5)
        expected.append(ref.contrast(delta, targets[t, b], words))
    found = read(nce_loss(out, feed(h, batched=True), targets, draw))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


@pytest.mark.parametrize("share", SHARES)
def test_columns_one_by_one_have_the_losses_of_the_batch(share):
    _, out, h, targets, draw = segment(share, normaliser=True)
    together = read(nce_loss(out, feed(h, batched=True), targets, draw)).reshape(2, 3)
    for b in range(3):
        x = feed(h.reshape(4, 2, 3)[:, :, b], batched=True)
        part = slice(b, b + 1)
        loss = nce_loss(out, x, targets[:, part], draw.columns(part))
        np.testing.assert_allclose(read(loss)[0], together[:, b], rtol=1e-5)


@pytest.mark.parametrize("share", SHARES)
def test_the_normaliser_learns_the_opposite_of_what_all_scores_learn(share):
    """dJ/d log Z = -sum_v dJ/ds_v at every position."""
    _, out, h, targets, draw = segment(share, normaliser=True, shape=(1, 1))
    loss = nce_loss(out, feed(h, batched=True), targets, draw)
    _, of_biases, of_u, of_z = gradients(loss, out.b, out.u, out.z)
    assert abs(of_z) > 1e-2
    assert of_z == pytest.approx(-of_biases.sum(), abs=1e-5)
    np.testing.assert_allclose(of_u, of_z * h[:, 0], rtol=1e-4)


@pytest.mark.parametrize("normaliser", [False, True])
@pytest.mark.parametrize("share", SHARES)
def test_losses_pass_central_differences(share, normaliser):
    pc, out, values, targets, draw = segment(share, n_embed=3, normaliser=normaliser)
    h = pc.add_parameters((4,), init=hidden(4, 1)[:, 0])

    def build():
        x = dy.cmult(h, feed(values, batched=True))
        return asymmetric(nce_loss(out, x, targets, draw))

    params = [p for p in (out.L, out.b, out.A, out.u, out.z, h) if p is not None]
    assert_gradients(build, params)


@pytest.mark.parametrize("share", SHARES)
def test_rows_neither_target_nor_drawn_get_exactly_no_gradient(share):
    _, out, h, targets, draw = segment(share, samples=3, shape=(1, 2))
    loss = nce_loss(out, feed(h, batched=True), targets, draw)
    _, of_rows, of_biases = gradients(asymmetric(loss), out.L, out.b)
    rows = out.touched(targets, draw)[out.L]
    others = np.setdiff1d(np.arange(9), rows)
    assert others.size
    assert (of_rows[others] == 0).all()
    assert (of_biases[others] == 0).all()
    assert np.abs(of_biases[rows]).min() > 1e-4


@pytest.mark.parametrize("share", SHARES)
def test_the_mean_gradient_of_real_draws_is_the_expected_one(share):
    """A z-test over 1000 draws, weights of the positions unequal: any way of sharing will do."""
    scores, q, _ = CASES["V=5"]
    targets, k, rounds = np.array([[4, 0], [1, 4]]), 3, 1000
    sampler = NoiseSampler(NoiseDistribution(q), samples=k, share=share)
    pc, out = layer_with_scores(scores)
    weights, rng, found = np.array([1.0, 0.5, 2.0, 0.25]), np.random.default_rng(6), []
    for _ in range(rounds):
        dy.renew_cg()
        loss = nce_loss(out, nowhere(4), targets, sampler.draw(targets, rng))
        found.append(gradients(weighted(loss, weights), out.b)[1])
    expected = sum(
        w * ref.nce_gradient(scores, t, k * np.array(q), False)
        for w, t in zip(weights, targets.ravel())
    )
    error = np.std(found, axis=0) / math.sqrt(rounds)
    assert (np.abs(np.mean(found, 0) - expected) < 4.5 * error).all()
    assert pc.parameter_count() > 0


# --- contrastive_loss alone ----------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[1, 1, 1], [3, 0, 1], [0.5, 2.25, 0.125]])
def test_noise_words_count_as_often_as_they_were_drawn(counts):
    target, noise = np.array([[0.5, -2.0]]), np.random.default_rng(1).normal(size=(3, 2))
    found = contrastive_loss(
        feed(target, batched=True), feed(noise, batched=True), np.array(counts)
    )
    expected = np.logaddexp(0, -target[0]) + counts @ np.logaddexp(0, noise)
    assert found.dim() == ((1,), 2)
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-6)


def test_extreme_scores_give_finite_losses_and_gradients():
    pc = dy.ParameterCollection()
    p = pc.add_parameters((4,), init=np.array([1e6, -1e6, 0.0, 300.0]))
    loss = contrastive_loss(p[0], p, np.ones(4)) + contrastive_loss(p[1], p, np.ones(4))
    value, gradient = gradients(loss, p)
    assert value == pytest.approx(2e6 + 600 + 2 * math.log(2) + 1e6, rel=1e-6)
    np.testing.assert_allclose(gradient, [2, -1, 1, 2], atol=1e-6)


def test_scores_of_exactly_zero_are_trained():
    """The first step of word vectors that start at 0."""
    pc = dy.ParameterCollection()
    p = pc.add_parameters((3,), init=0.0)
    _, gradient = gradients(contrastive_loss(p[0], p[1:3], np.ones(2)), p)
    assert gradient.tolist() == [-0.5, 0.5, 0.5]
    assert pc.parameter_count() == 3


def test_sizes_that_do_not_fit_are_named():
    one, two = feed(np.ones((1, 2)), batched=True), feed(np.ones((3, 2)), batched=True)
    with pytest.raises(ValueError, match=r"target: expected \(1,\)x\*, found \(3,\)x2"):
        contrastive_loss(two, two, np.ones(3))
    with pytest.raises(ValueError, match=r"noise: expected \(\*,\)x2, found \(3,\)x1"):
        contrastive_loss(one, feed(np.ones(3)), np.ones(3))
    with pytest.raises(ValueError, match=r"counts: expected 3, found shape \(2,\)"):
        contrastive_loss(one, two, np.array([1, 2]))
    with pytest.raises(ValueError, match=r"counts: expected 3, found shape \(2, 3\)"):
        contrastive_loss(one, two, np.full((2, 3), 2))


def test_targets_that_do_not_fit_the_draw_are_named():
    _, out, h, targets, draw = segment("none")
    with pytest.raises(ValueError, match=r"targets: expected shape \(2, 3\), found \(3, 2\)"):
        nce_loss(out, feed(h, batched=True), targets.T, draw)
    with pytest.raises(ValueError, match="targets: ids must be 0 to 8, found -1"):
        nce_loss(out, feed(h, batched=True), targets * 0 - 1, draw)
