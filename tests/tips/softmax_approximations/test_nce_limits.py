"""T22: NCE tends to maximum likelihood as k grows; its optimum is the data with Z = 1."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import parameter_array, read
from dynotes.tips.softmax_approximations.nce import bias_start, nce_loss
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler
from tests.reference import sampling as ref
from tests.tips.softmax_approximations.sampled_layer import (
    all_words,
    deltas,
    descend,
    gradients,
    layer_with_scores,
    normalised_loss,
    nowhere,
    weighted,
)

# --- distance to maximum likelihood --------------------------------------------------------------

WIDE = np.random.default_rng(5).normal(size=50)
KS = (10, 100, 1000, 10_000)
# of other random scores and noise over V = 50: what to be near to
CATALOGUE = {True: (1.35e-1, 2.1e-2, 2.3e-3, 2.4e-4), False: (2.2e-1, 4.3e-2, 5.1e-3, 5.2e-4)}


def wide_problem(normalised):
    """Scores with Z = 1, a skewed noise distribution and a target for V = 50."""
    q = np.random.default_rng(6).dirichlet(np.full(50, 3.0))
    scores = WIDE if normalised else WIDE - math.log(ref.partition(WIDE))
    return scores, q, 7


def distance(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def distances(normalised):
    """||g - g_MLE|| / ||g_MLE|| at every k, by numpy and through the graph."""
    scores, q, target = wide_problem(normalised)
    exact = ref.exact_gradient(scores, target)
    by_numpy = [distance(ref.nce_gradient(scores, target, k * q, normalised), exact) for k in KS]
    by_graph = []
    for k in KS:
        dy.renew_cg()
        if normalised:
            loss, pc, table = normalised_loss(scores, q, k, target)
        else:
            pc, out = layer_with_scores(scores)
            loss = nce_loss(out, nowhere(1), [[target]], all_words(q, k, [[target]]))
            table = out.b
        by_graph.append(distance(gradients(loss, table)[1], exact))
        assert pc.parameter_count() > 0
    return by_numpy, by_graph


@pytest.mark.parametrize("normalised", [True, False])
def test_the_distance_to_the_likelihoods_gradient_falls_as_one_over_k(normalised):
    by_numpy, by_graph = distances(normalised)
    for found in (by_numpy, by_graph):
        assert found[2] / found[3] == pytest.approx(10, rel=0.03)
        assert found[1] / found[2] == pytest.approx(10, rel=0.3)
        ratio = np.array(found) / CATALOGUE[normalised]
        assert (ratio > 1 / 4).all()
        assert (ratio < 4).all()
    np.testing.assert_allclose(by_graph, by_numpy, rtol=2e-3, atol=3e-6)


def test_the_limit_with_z_fixed_is_the_gradient_of_minus_s_plus_the_sum_of_exp_s():
    _, q, target = wide_problem(True)
    pc, out = layer_with_scores(WIDE)  # sum exp s is far from 1
    limit = np.exp(WIDE) - ref.one_hot(50, target)
    errors = []
    for k in (10**5, 10**6):
        dy.renew_cg()
        loss = nce_loss(out, nowhere(1), [[target]], all_words(q, k, [[target]]))
        errors.append(np.linalg.norm(gradients(loss, out.b)[1] - limit) / np.linalg.norm(limit))
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.05)
    assert errors[1] < 1e-3
    assert np.linalg.norm(limit - ref.exact_gradient(WIDE, target)) > 1
    assert pc.parameter_count() > 0


# --- the optimum ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 25])
def test_a_tabular_model_at_its_optimum_has_the_data_distribution_and_sums_to_one(k):
    rng = np.random.default_rng(8)
    data, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.full(8, 3.0))
    pc, out = layer_with_scores(np.full(8, bias_start(8)))
    targets = np.arange(8)[None]
    draw = all_words(q, k, targets)

    def curvature(value):
        sigmoid = 1 / (1 + np.exp(-deltas(value.ravel(), q, k)))
        return ((data + k * q) * sigmoid * (1 - sigmoid)).reshape(value.shape)

    def build():
        return weighted(nce_loss(out, nowhere(8), targets, draw), data)

    descend(out.b, build, curvature, 12)
    found = np.exp(parameter_array(out.b).ravel().astype(float))
    np.testing.assert_allclose(found, data, rtol=0.02)
    assert found.sum() == pytest.approx(1, abs=0.02)
    dy.renew_cg()
    assert read(out.log_partition(nowhere(1)))[0, 0] == pytest.approx(0, abs=0.02)
    assert pc.parameter_count() > 0


def test_real_noise_trains_a_tabular_model_to_the_data_distribution():
    data = np.array([0.35, 0.25, 0.2, 0.12, 0.08])
    pc, out = layer_with_scores(np.full(5, bias_start(5)))
    trainer = dy.AdamTrainer(pc, alpha=0.05)
    sampler = NoiseSampler(NoiseDistribution([1, 2, 3, 2, 1]), samples=5, share="time")
    rng, average = np.random.default_rng(9), np.zeros(5)
    for step in range(250):
        dy.renew_cg()
        targets = rng.choice(5, p=data, size=(1, 256))
        loss = nce_loss(out, nowhere(256), targets, sampler.draw(targets, rng))
        gradients(dy.sum_batches(loss) / 256.0)
        trainer.update()
        if step == 150:
            trainer.learning_rate = 0.01
        if step >= 200:
            average += parameter_array(out.b).ravel() / 50
    np.testing.assert_allclose(np.exp(average), data, rtol=0.05)
    assert np.exp(average).sum() == pytest.approx(1, abs=0.02)


def test_the_bias_starts_where_the_model_is_uniform_with_z_one():
    assert bias_start(50) == pytest.approx(-math.log(50))
    pc, out = layer_with_scores(np.full(50, bias_start(50)))
    assert read(out.log_partition(nowhere(1)))[0, 0] == pytest.approx(0, abs=1e-5)
    assert pc.parameter_count() > 0
    with pytest.raises(ValueError, match="n_words: expected 1 to"):
        bias_start(0)
