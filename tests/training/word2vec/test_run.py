"""Runs of word2vec: bits that do not depend on interruptions, what is counted, bad checkpoints."""

import os
import signal

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.training.optimizer_state import describe_state
from dynotes.training.progress import Interrupted
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.checkpoint import read_checkpoint
from tests.training.word2vec.small_word2vec import config, log, run

SETTINGS = [{}, {"model": "cbow"}, {"model": "subword", "minn": 2}, {"shared": 0}, {"loss": "nce"}]


def parameters(r):
    return {name.rsplit("/", 1)[1]: a for name, a in r.parameters().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_two_runs_with_one_seed_give_equal_bits_and_another_seed_others(tmp_path, model):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        r = run(tmp_path / name, config(model=model, seed=seed))
        r.train()
        found.append(parameters(r))
    assert_equal(found[0], found[1])
    assert (found[0]["V"] != found[2]["V"]).any()


WHOLE = {"subsample": 1e-3, "hidden": 5}  # what models of whole sentences take
LSTMS = [
    {"model": "context2vec", **WHOLE},
    {"model": "c2w", "char_dim": 3, "char_hidden": 4, "loss": "softmax", **WHOLE, "shared": 128},
]


INTERRUPTED = [
    *((each, n) for n in (1, 5, 9, 17) for each in SETTINGS),
    *((each, n) for n in (5, 17) for each in LSTMS),
]


@pytest.mark.parametrize(("settings", "stop_at"), INTERRUPTED, ids=str)
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tmp_path, stop_at, settings):
    whole = run(tmp_path / "whole", config(**settings))
    whole.train()
    part = run(tmp_path / "part", config(**settings))
    step, steps = part.stepper.step, []

    def counted(*args):
        steps.append(1)
        if len(steps) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    part.stepper.step = counted
    with pytest.raises(Interrupted):
        part.train()
    rest = run(tmp_path / "part", config(**settings))
    at = rest.train(resume=True)
    assert_equal(parameters(whole), parameters(rest))
    assert at.epoch == 2
    assert log(tmp_path / "part") == log(tmp_path / "whole")


@pytest.mark.parametrize("settings", LSTMS, ids=["context2vec", "c2w"])
def test_lstms_learn_the_text_by_adam(tmp_path, settings):
    """The next letters are one of three, so 1.1 nats are to be had from 2.5: half of the way."""
    r = run(
        tmp_path / "a",
        config(**{**settings, "loss": "softmax", "shared": 128, "epochs": 8, "lr": 0.02}),
    )
    r.train()
    entries = log(tmp_path / "a")
    assert entries[-1]["loss"] < 1.8 < entries[0]["loss"]
    assert {entry["predictions"] for entry in entries} == {120 * 9}
    _, _, moments = read_checkpoint(r.folder)
    assert describe_state(moments).trainer == "AdamTrainer"


def test_word_vectors_are_the_target_vectors_of_context2vec_and_composed_by_c2w(tmp_path):
    first = run(tmp_path / "a", config(**LSTMS[0]))
    first.train()
    np.testing.assert_array_equal(first.vectors(), parameters(first)["U"])
    second = run(tmp_path / "b", config(**LSTMS[1]))
    assert second.vectors().shape == (12, 6)
    assert np.isfinite(second.vectors()).all()


def test_checkpoints_between_epochs_do_not_change_the_bits(tmp_path):
    plain, saving = run(tmp_path / "a", config()), run(tmp_path / "b", config(checkpoint_seconds=0))
    plain.train()
    saving.train()
    assert_equal(parameters(plain), parameters(saving))


def test_resuming_a_finished_run_trains_nothing(tmp_path):
    first = run(tmp_path / "a", config())
    first.train()
    again = run(tmp_path / "a", config())
    at = again.train(resume=True)
    assert at.finished
    assert_equal(parameters(first), parameters(again))


def test_the_log_counts_words_and_predictions_and_the_loss_falls(tmp_path):
    r = run(tmp_path / "a", config(epochs=8, subsample=0.0, lr=0.1, damping=0.5))
    r.train()
    entries = log(tmp_path / "a")
    assert [entry["epoch"] for entry in entries] == list(range(1, 9))
    assert {entry["words"] for entry in entries} == {120 * 9}
    assert entries[-1]["loss"] < entries[0]["loss"]


def test_words_left_out_count_among_the_words_of_an_epoch(tmp_path):
    whole = run(tmp_path / "a", config())
    rare = run(tmp_path / "b", config(min_count=90))
    assert rare.text.dropped > 0
    assert whole.words_an_epoch == rare.words_an_epoch


def test_the_learning_rate_falls_linearly_to_its_last_part(tmp_path):
    r = run(tmp_path / "a", config(lr=0.4, min_lr=0.25, epochs=4, damping=0.5))
    rates, step = [], r.stepper.step
    r.stepper.step = lambda chunk, rate, rng: (rates.append(rate), step(chunk, rate, rng))[1]
    r.train()
    assert rates[0] == 0.4
    assert np.all(np.diff(rates) < 0)
    assert 0.1 < rates[-1] < 0.12
    np.testing.assert_allclose(rates[len(rates) // 2], 0.25, atol=0.01)


def test_more_negatives_than_words_are_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match="negatives: expected 1 to 12"):
        run(tmp_path / "a", config(negatives=13))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run(tmp_path / "a", config()).train()
    with pytest.raises(InputError, match="of other settings"):
        run(tmp_path / "a", config(dim=7)).train(resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    run(tmp_path / "a", config()).train()
    file = tmp_path / "a" / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match="not a complete safetensors file"):
        run(tmp_path / "a", config()).train(resume=True)


def test_the_checkpoint_holds_places_and_both_tables(tmp_path):
    r = run(tmp_path / "a", config())
    r.train()
    at, arrays, moments = read_checkpoint(r.folder)
    assert at.finished
    assert at.epoch == 2
    assert sorted(arrays) == ["/negative-sampling/U", "/skip-gram/V"]
    assert describe_state(moments).trainer == "SimpleSGDTrainer"
