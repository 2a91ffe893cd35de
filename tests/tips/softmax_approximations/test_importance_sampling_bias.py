"""T21, T37, T38: what sampling costs: biases to first order, and the limits where they vanish."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.tips.softmax_approximations.importance_sampling import (
    importance_sampling_loss,
)
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler
from tests.helpers import asymmetric, set_value
from tests.reference import sampling as ref
from tests.tips.softmax_approximations.sampled_layer import (
    CASE,
    RULE,
    gradients,
    graph_loss,
    hand_made,
    hidden,
    layer,
    noise_of,
    scores_of,
    weighted,
)

# --- bias, to first order ------------------------------------------------------------------------

MILD = [0.4, -0.7, 1.1], [0.4, 0.2, 0.4], 1
M = (8, 16, 32)


def biases(rule, m, case=MILD):
    """(loss bias, gradient bias) through the graph, over every draw of m words."""
    scores, q, target = case
    loss, out, _, p, _ = graph_loss(rule, scores, q, target, m)
    value, found = gradients(weighted(loss, p), out.b)
    return value - ref.exact_loss(scores, target), found - ref.exact_gradient(scores, target)


@pytest.mark.parametrize("rule", ["plain", "stratified"])
def test_the_bias_of_the_loss_is_its_first_order_formula_up_to_one_over_m_squared(rule):
    scores, q, target = MILD
    first = -ref.variance_constant(rule, scores, target, q) / 2
    errors = [m * m * abs(biases(rule, m)[0] - first / m) for m in M]
    assert max(errors) < 1.3 * min(errors)
    assert biases(rule, 32)[0] == pytest.approx(first / 32, rel=0.05)


def test_the_bias_of_the_gradient_is_its_first_order_formula_up_to_one_over_m_squared():
    scores, q, _ = MILD
    first = ref.first_order_gradient_bias(scores, q)
    errors = [m * m * np.linalg.norm(biases("plain", m)[1] - first / m) for m in M]
    assert max(errors) < 1.3 * min(errors)
    np.testing.assert_allclose(biases("plain", 32)[1], first / 32, rtol=0.1, atol=1e-4)


@CASE
def test_the_variance_constant_is_the_variance_of_the_estimate(case):
    scores, q, target = case
    for rule in ("plain", "tilted", "stratified"):
        noise = noise_of(rule, q, target)
        loss, _, _, p, _ = graph_loss(rule, scores, noise, target, 2)
        ratio = np.exp(read(loss)[0].astype(float) - ref.exact_loss(scores, target))
        expected = ref.variance_constant(rule, scores, target, noise) / 2
        assert p @ (ratio - 1) ** 2 == pytest.approx(expected, rel=1e-4)


def test_a_target_that_the_noise_hardly_draws_costs_less_tilted_and_least_stratified():
    scores, q, target = [0.0, 0.0, 0.0, 2.5], np.array([0.4, 0.39, 0.2, 0.01]), 3
    constants = [
        ref.variance_constant(rule, scores, target, noise_of(rule, q, target))
        for rule in ("plain", "tilted", "stratified")
    ]
    assert constants[0] > 10 * constants[1] > 10 * constants[2]


def test_the_bias_of_forced_targets_vanishes_as_draws_become_many():
    """One candidate a word and the odds of being drawn: all weights tend to 1."""
    found = [np.linalg.norm(biases("forced", m)[1]) for m in (1, 4, 16, 48)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-4


def test_the_first_order_bias_of_forced_targets_is_the_weight_of_the_target():
    """Without the variance of the rest the loss is log(1 + pi (1 - P) / P) for -log P."""
    scores, q, target = [0.0, 0.0, 0.0, 1.0], [0.32, 0.32, 0.32, 0.04], 3
    p, pi = ref.softmax(scores)[target], ref.inclusion(q[target], 16)
    loss, _ = biases("forced", 16, (scores, q, target))
    assert loss == pytest.approx(np.log(p + pi * (1 - p)), abs=0.003)


# --- limits --------------------------------------------------------------------------------------


@RULE
def test_every_word_once_and_nothing_to_correct_is_the_full_softmax(rule):
    """Log-odds of 0 for "forced"; m = V and uniform Q, so mQ = 1, for the others."""
    pc, out = layer(6)
    full = FullSoftmax(pc, n_words=6, n_hidden=4)
    set_value(full.P, parameter_array(out.L))
    set_value(full.b, parameter_array(out.b).ravel())
    targets, h = np.array([[0, 5, 2], [2, 2, 1]]), hidden(4, 6)
    q = np.ones(6) if rule == "forced" else np.full(6, 1 / 6)
    draw = hand_made(np.arange(6)[None, None], q, targets)
    x = feed(h, batched=True)
    sampled = importance_sampling_loss(out, x, targets, draw, rule=rule)
    exact = full.nll(x, targets)
    np.testing.assert_allclose(read(sampled), read(exact), rtol=1e-5)
    _, of_rows, of_biases = gradients(asymmetric(sampled), out.L, out.b)
    dy.renew_cg()
    _, rows, bias = gradients(asymmetric(full.nll(feed(h, batched=True), targets)), full.P, full.b)
    np.testing.assert_allclose(of_rows, rows, atol=1e-5)
    np.testing.assert_allclose(of_biases, bias, atol=1e-5)


@RULE
def test_many_real_draws_come_near_the_full_softmax(rule):
    v = 400
    pc, out = layer(v)
    noise = NoiseDistribution(np.exp(np.random.default_rng(2).normal(size=v) * 0.3))
    sampler = NoiseSampler(noise, samples=v, tilt=0.2 if rule == "tilted" else 0.0)
    targets, h = np.array([[3, 200], [7, 399]]), hidden(4, 4)
    exact = [ref.exact_loss(s, w) for s, w in zip(scores_of(out, h).T, targets.ravel())]
    rng, found = np.random.default_rng(3), []
    for _ in range(300):
        dy.renew_cg()
        draw = sampler.draw(targets, rng)
        loss = importance_sampling_loss(out, feed(h, batched=True), targets, draw, rule=rule)
        found.append(read(loss)[0])
    # biases of "forced" are log(P + pi (1 - P)) = log pi for improbable words, pi = .49 to .77
    offset = np.log(ref.inclusion(noise.probabilities[targets.ravel()], v)) * (rule == "forced")
    np.testing.assert_allclose(np.mean(found, 0) - exact - offset, 0, atol=0.02)
    assert pc.parameter_count() > 0


def test_the_default_rule_is_forced():
    _, out = layer(6)
    noise = NoiseSampler(NoiseDistribution.uniform(6), samples=3)
    targets = np.array([[1, 2]])
    draw = noise.draw(targets, np.random.default_rng(0))
    x = feed(hidden(4, 2), batched=True)
    default = importance_sampling_loss(out, x, targets, draw)
    named = importance_sampling_loss(out, x, targets, draw, rule="forced")
    np.testing.assert_array_equal(read(default), read(named))


# --- where training stops ------------------------------------------------------------------------

TRUE = [0.45, 0.3, 0.05, 0.2]


def drift(rule, m):
    """||sum_w P(w) E[gradient]|| at s = log P, where the likelihood has gradient 0."""
    q, total = [0.1, 0.4, 0.3, 0.2], 0.0
    for target, p_w in enumerate(TRUE):
        dy.renew_cg()
        loss, out, _, p, pc = graph_loss(rule, np.log(TRUE), q, target, m)
        total = total + p_w * gradients(weighted(loss, p), out.b)[1]
        assert pc.parameter_count() > 0
    return np.linalg.norm(total)


def test_forced_targets_leave_the_right_scores_alone_at_one_draw():
    """Of the two candidates w is the target with odds P/Q, exactly."""
    assert drift("forced", 1) < 1e-7
    assert drift("plain", 1) > 0.1
    assert drift("stratified", 1) > 0.1


@pytest.mark.parametrize("m", [2, 4, 8])
def test_forced_targets_drift_far_less_from_the_right_scores_than_other_rules(m):
    found = {rule: drift(rule, m) for rule in ("forced", "plain", "stratified")}
    assert found["forced"] < 0.05 * min(found["plain"], found["stratified"])
