"""T58: runs of the classifier: bits that do not depend on interruptions, order, labels, rates."""

import os
import signal

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.word_vectors import WordVectors
from dynotes.training.lm_step import TrainingError
from dynotes.training.progress import Interrupted
from tests.training.classify.small_classify import config, log, run

OUTPUTS = ["softmax", "hierarchical-softmax", "one-vs-all"]


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def watched(r):
    """What every step of a run is given, from now on."""
    seen, step = [], r.stepper.step
    r.stepper.step = lambda *args: (seen.append(args), step(*args))[1]
    return seen


@pytest.mark.parametrize("output", OUTPUTS)
def test_two_runs_with_one_seed_give_equal_bits_and_another_seed_others(tmp_path, output):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        r = run(tmp_path / name, config(output=output, seed=seed))
        r.train()
        found.append(r.parameters())
    assert_equal(found[0], found[1])
    assert (found[0]["/fasttext-classifier/A"] != found[2]["/fasttext-classifier/A"]).any()


@pytest.mark.parametrize("stop_at", [1, 5, 13, 14, 39])
@pytest.mark.parametrize("output", OUTPUTS)
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tmp_path, stop_at, output):
    whole = run(tmp_path / "whole", config(output=output))
    whole.train()
    part = run(tmp_path / "part", config(output=output))
    step, steps = part.stepper.step, []

    def counted(*args):
        steps.append(1)
        if len(steps) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    part.stepper.step = counted
    with pytest.raises(Interrupted):
        part.train()
    rest = run(tmp_path / "part", config(output=output))
    at = rest.train(resume=True)
    assert_equal(whole.parameters(), rest.parameters())
    assert at.epoch == 3
    assert log(tmp_path / "part") == log(tmp_path / "whole")


def test_checkpoints_between_epochs_do_not_change_the_bits(tmp_path):
    plain, saving = run(tmp_path / "a", config()), run(tmp_path / "b", config(checkpoint_seconds=0))
    plain.train()
    saving.train()
    assert_equal(plain.parameters(), saving.parameters())


def test_resuming_a_finished_run_trains_nothing(tmp_path):
    first = run(tmp_path / "a", config())
    first.train()
    again = run(tmp_path / "a", config())
    assert again.train(resume=True).finished
    assert_equal(first.parameters(), again.parameters())


def test_an_epoch_sees_every_text_once_in_another_order_each_time(tmp_path):
    r = run(tmp_path / "a", config(output="one-vs-all"))
    seen = watched(r)
    r.train()
    assert [bags.n_texts for bags, _, _ in seen] == 3 * ([7] * 12 + [6])
    labels = np.concatenate([gold.labels for _, gold, _ in seen]).reshape(3, -1)
    assert labels.shape[1] == 120  # a third of the 90 texts have two labels
    assert not (labels[0] == labels[1]).all()
    np.testing.assert_array_equal(np.sort(labels[0]), np.sort(labels[2]))


def test_of_several_labels_one_is_drawn_and_in_time_each(tmp_path):
    r = run(tmp_path / "a", config(epochs=20, batch=90))
    seen = watched(r)
    r.train()
    x = r.examples
    two = np.flatnonzero(np.diff(x.label_ends, prepend=0) == 2)
    drawn = {int(s): set() for s in two}
    for epoch, (_, gold, _) in enumerate(seen):
        order = np.random.default_rng((1, epoch)).permutation(90)
        for s, label in zip(order.tolist(), gold.labels.tolist()):
            own = x.label_ids[x.label_ends[s - 1] if s else 0 : x.label_ends[s]].tolist()
            assert label in own
            if s in drawn:
                drawn[s].add(label)
    assert all(len(labels) == 2 for labels in drawn.values())


def test_the_learning_rate_falls_linearly_to_its_last_part(tmp_path):
    r = run(tmp_path / "a", config(lr=0.4, min_lr=0.25, batch=9))
    seen = watched(r)
    r.train()
    rates = [rate for _, _, rate in seen]
    np.testing.assert_allclose(rates, 0.4 * (1 - 0.75 * np.arange(30) / 30), rtol=1e-12)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_loss_falls_and_the_log_counts_words(tmp_path, output):
    r = run(tmp_path / "a", config(output=output, epochs=8))
    r.train()
    entries = log(tmp_path / "a")
    assert [entry["epoch"] for entry in entries] == list(range(1, 9))
    assert {entry["words"] for entry in entries} == {90 * 6 + 30 * 2}
    assert entries[-1]["loss"] < 0.6 * entries[0]["loss"]


def test_scores_after_an_epoch_go_into_the_log(tmp_path):
    r = run(tmp_path / "a", config(), score=lambda model: {"dev_precision_at_1": model.n_labels})
    r.train()
    assert [entry["dev_precision_at_1"] for entry in log(tmp_path / "a")] == [3, 3, 3]


def test_a_bounded_gradient_keeps_steps_from_running_away(tmp_path):
    settings = {"lr": 8.0, "batch": 90, "epochs": 60}
    with pytest.raises(TrainingError, match="lower the learning rate"):
        run(tmp_path / "a", config(clip=0.0, **settings)).train()
    at = run(tmp_path / "b", config(**settings)).train()
    assert np.isfinite(at.history[-1]["loss"])


def test_rows_start_from_vectors_and_words_without_one_from_random_numbers(tmp_path):
    vectors = WordVectors(["dog", "unseen", "cat"], np.arange(15, dtype=np.float32).reshape(3, 5))
    r = run(tmp_path / "a", config(), vectors=vectors)
    A = r.parameters()["/fasttext-classifier/A"]
    vocabulary = r.examples.features.vocabulary
    ids = vocabulary.lookup(["dog", "cat", "cow"])
    np.testing.assert_array_equal(A[ids[:2]], vectors.matrix[[0, 2]])
    assert np.abs(A[ids[2]]).max() <= 0.2


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
