"""What an update minimises: which losses are likelihoods, and the spec of every output layer."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import parameter_array, read
from dynotes.structures.cluster_costs import CostModel, LayerCost, LevelCost, optimal_cutoffs
from dynotes.tips.softmax_approximations.importance_sampling import importance_sampling_loss
from dynotes.tips.softmax_approximations.nce import nce_loss
from dynotes.tips.softmax_approximations.negative_sampling import negative_sampling_loss
from dynotes.training.lm_config import SAMPLED, SOFTMAXES, ConfigError, LmConfig
from dynotes.training.lm_evaluate import log_partitions, stream_nll
from dynotes.training.lm_model import load_model, new_model, save_model
from dynotes.training.lm_objective import Objective, cutoffs_of, noise_of, output_spec
from tests.training.small_lm import vocabulary

COUNTS = np.array([30, 20, 9, 9, 5, 2, 1, 1, 0])
V = len(COUNTS)


def settings(softmax="importance", **more):
    small = {"hidden": 4, "layers": 1, "softmax": softmax, "init": "uniform:0.5"}
    if softmax in SAMPLED:
        small["samples"] = 5
    if softmax == "adaptive":
        small["cutoffs"] = "3,6"
    return LmConfig(**{**small, **more}).checked()


def segment(model, rng):
    inputs, targets = rng.integers(0, V, (2, 3, 2))
    return model.segment(inputs), targets


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_only_losses_that_sample_are_no_likelihoods(softmax):
    assert Objective(settings(softmax), COUNTS).is_likelihood == (softmax not in SAMPLED)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"rule": "plain"}, True),
        ({"rule": "tilted"}, True),
        ({"rule": "plain", "clamp": True}, False),
        ({"rule": "forced"}, False),
        ({}, False),
        ({"softmax": "nce"}, False),
    ],
    ids=str,
)
def test_losses_below_zero_are_counted_only_where_they_can_be(more, expected):
    assert Objective(settings(**more), COUNTS).may_be_negative == expected


@pytest.mark.parametrize("softmax", ["full", "adaptive", "class-factored"])
def test_a_likelihood_is_the_exact_loss_and_draws_nothing(softmax):
    owned = new_model(settings(softmax), V, COUNTS)
    objective = Objective(settings(softmax), COUNTS)
    found, targets = segment(owned.model, np.random.default_rng(0))
    assert objective.draw(targets, np.random.default_rng(1)) is None
    loss = objective.loss(owned.model, found, targets, None)
    np.testing.assert_array_equal(read(loss), read(owned.model.nll(found, targets)))


LOSSES = {
    "nce": nce_loss,
    "negative-sampling": negative_sampling_loss,
    "importance": lambda *a: importance_sampling_loss(*a, rule="forced"),
}


@pytest.mark.parametrize("softmax", SAMPLED)
@pytest.mark.parametrize("share", ["all", "time"])
def test_an_approximation_is_its_function_of_the_draws(softmax, share):
    more = {"rule": "forced"} if softmax == "importance" else {}
    config = settings(softmax, share=share, **more)
    owned, objective = new_model(config, V, COUNTS), Objective(config, COUNTS)
    found, targets = segment(owned.model, np.random.default_rng(0))
    draw = objective.draw(targets, np.random.default_rng(1))
    loss = objective.loss(owned.model, found, targets, draw)
    expected = LOSSES[softmax](owned.model.output, found.h, targets, draw)
    np.testing.assert_array_equal(read(loss), read(expected))


@pytest.mark.parametrize("softmax", SAMPLED)
def test_more_samples_than_words_are_refused(softmax):
    with pytest.raises(ConfigError, match="samples: expected 1 to 9, found 10"):
        Objective(settings(softmax, samples=10), COUNTS)


@pytest.mark.parametrize(
    ("needs", "config"),
    [
        *((Objective, settings(softmax)) for softmax in SAMPLED),
        (output_spec, settings("negative-sampling")),
        (output_spec, settings("adaptive", cutoffs="auto")),
    ],
)
def test_a_vocabulary_without_counts_is_refused_where_they_are_needed(needs, config):
    with pytest.raises(ConfigError, match="the vocabulary has no counts"):
        needs(config, None)


def test_a_word_that_training_never_shows_counts_as_seen_once():
    q = noise_of(settings(noise_power=1.0), COUNTS).probabilities
    np.testing.assert_allclose(q, np.maximum(COUNTS, 1) / np.maximum(COUNTS, 1).sum())


def test_biases_start_where_each_loss_wants_them():
    starts = {"importance": 0.0, "nce": -math.log(V), "negative-sampling": -math.log(5)}
    for softmax, expected in starts.items():
        owned = new_model(settings(softmax), V, COUNTS)
        np.testing.assert_allclose(parameter_array(owned.model.output.b), expected, rtol=1e-6)


@pytest.mark.parametrize("init", ["uniform:0.5", "xavier", "dynet"])
def test_rows_of_classes_start_alike_under_every_scheme_and_their_biases_at_0(init):
    owned = new_model(settings("class-factored", init=init), V, COUNTS)
    assert not parameter_array(owned.model.output.b).any()
    bound = math.sqrt(6 / (3 + 4))  # S + H
    assert 0.8 * bound < np.abs(parameter_array(owned.model.output.W)).max() <= np.float32(bound)


@pytest.mark.parametrize("softmax", SOFTMAXES)
@pytest.mark.parametrize("init", ["uniform:0.5", "xavier", "dynet"])
def test_a_model_is_a_function_of_its_seed_whatever_was_drawn_before(softmax, init):
    models = [new_model(settings(softmax, init=init), V, COUNTS).arrays() for _ in range(2)]
    for name, value in models[0].items():
        np.testing.assert_array_equal(models[1][name], value)


def test_negative_sampling_is_evaluated_with_log_kq_added():
    config = settings("negative-sampling")
    owned = new_model(config, V, COUNTS)
    found, targets = segment(owned.model, np.random.default_rng(2))
    output = owned.model.output
    raw = np.concatenate(
        [read(output.word_scores(found.h, np.full((3, 2), w))) for w in range(V)]
    ).astype(float)
    shifted = raw + np.log(5 * noise_of(config, COUNTS).probabilities)[:, None]
    log_z = np.log(np.exp(shifted).sum(0))
    expected = log_z - shifted[targets.ravel(), np.arange(6)]
    np.testing.assert_allclose(read(owned.model.nll(found, targets))[0], expected, rtol=1e-4)


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_every_model_is_saved_with_what_its_probabilities_need(tmp_path, softmax):
    words = vocabulary()
    counts = np.arange(len(words), 0, -1)
    owned = new_model(settings(softmax), len(words), counts)
    ids = np.random.default_rng(3).integers(0, len(words), 40)
    expected = stream_nll(owned.model, ids, 0)
    save_model(tmp_path / "m", owned, words, {"lower": False, "numbers": False})
    loaded, _, _ = load_model(tmp_path / "m")
    np.testing.assert_array_equal(stream_nll(loaded.model, ids, 0), expected)


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_the_exact_probabilities_of_every_output_layer_sum_to_one(softmax):
    owned = new_model(settings(softmax), V, COUNTS)
    found, _ = segment(owned.model, np.random.default_rng(4))
    total = np.exp(read(owned.model.log_probs(found)).astype(float)).sum(0)
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_log_z_of_a_stream_is_that_of_its_scores():
    owned = new_model(settings("nce", normaliser=True, share="none"), V, COUNTS)
    owned.model.output.z.set_value(np.array([0.3]))
    ids = np.random.default_rng(5).integers(0, V, 6)
    found = log_partitions(owned.model, ids, 0)
    dy.renew_cg()
    segment = owned.model.segment(np.array([0, *ids[:-1]])[:, None])
    expected = np.log(np.exp(read(owned.model.output.scores(segment.h)).astype(float)).sum(0)) - 0.3
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_log_z_of_a_model_that_is_not_sampled_is_refused():
    owned = new_model(settings("full"), V, COUNTS)
    with pytest.raises(ValueError, match="not trained by sampling"):
        log_partitions(owned.model, np.zeros(3, int), 0)


def test_cut_offs_are_those_given_or_the_cheapest():
    counts = np.arange(60, 0, -1)
    given = settings("adaptive", cutoffs="4,9")
    assert cutoffs_of(given, counts) == [4, 9]
    assert cutoffs_of(settings("adaptive", cutoffs="none"), counts) == []
    level = LevelCost(CostModel(0.0, 1e-9, 0.0), CostModel(1e-3, 1e-5, 0.0))
    cost = LayerCost(level, (level, level))
    auto = settings("adaptive", cutoffs="auto", tails=2, head_share=0.5)
    expected = optimal_cutoffs(counts, 2, cost, head_share=0.5)
    assert cutoffs_of(auto, counts, cost) == expected
    assert counts[: expected[0]].sum() >= 0.5 * counts.sum()


def test_more_tails_than_words_are_refused():
    config = settings("adaptive", cutoffs="auto", tails=8)
    with pytest.raises(ConfigError, match="cutoffs:"):
        cutoffs_of(config, np.array([5, 4, 3]))
