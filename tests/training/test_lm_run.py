import json
import math
import os
import re

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.tips.truncated_bptt import windows
from dynotes.training import lm_run
from dynotes.training.lm_run import LmRun
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.optimizer_state import save_state
from dynotes.training.run_folder import RunFolder
from tests.training.small_lm import config, data, outcome, python, timeless, train


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waiting for the disk is not tested here, and takes longer than the training."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


NOISE = {
    "dropout_embed": 0.2,
    "dropout_x": 0.2,
    "dropout_h": 0.2,
    "dropout_out": 0.2,
    "zero_state": 0.3,
}
RATES = {"sgd": 1.0, "momentum": 0.3, "adagrad": 0.3, "adadelta": 1.0, "rmsprop": 0.1, "adam": 0.1}


def moments(trainer):
    """The optimizer's statistics as DyNet's lines of text, without rates and counters."""
    return save_state(trainer).split(b"\n")[6:]


# one run


def test_training_lowers_the_perplexity(tmp_path):
    run, at = train(tmp_path, config(hidden=12, epochs=8, lr=0.5), texts=data(train=400))
    assert [e["epoch"] for e in at.history] == list(range(1, 9))
    assert at.history[0]["dev_perplexity"] > at.best
    assert at.best == min(e["dev_perplexity"] for e in at.history)
    assert at.best < 1.3 * 5.2  # 5.2: the chain that made the text; 11: no memory at all
    assert run.evaluate("dev") == at.history[-1]["dev_perplexity"]


def test_two_runs_with_the_same_seed_are_equal_to_the_bit(tmp_path):
    found = [
        outcome(train(tmp_path / name, config(**NOISE, seed=seed))[0])
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


def test_the_files_of_a_run_say_what_the_run_says(tmp_path):
    run, at = train(tmp_path, config(epochs=3))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == at.history
    assert {e["epoch"]: e["update"] for e in lines} == {n: n * at.update // 3 for n in (1, 2, 3)}
    assert at.trained_tokens == 3 * len(run.data.texts["train"].ids)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "log.jsonl",
        "model.safetensors",
    ]


def test_the_model_file_holds_the_best_epoch_and_not_the_last(tmp_path):
    kept = {}

    def watch(run):
        kept[run.at.epoch] = run.owned.arrays()

    _, at = train(tmp_path, config(hidden=20, epochs=40, lr=4.0), texts=data(train=15), watch=watch)
    assert at.best_epoch < 40  # it overfits 15 sentences
    best, _ = read_arrays(tmp_path / "model.safetensors")
    for name, value in kept[at.best_epoch].items():
        np.testing.assert_array_equal(best[name], value)


@pytest.mark.parametrize("rule", ["plain", "stratified"])
def test_the_log_calls_a_loss_that_is_no_likelihood_a_loss(tmp_path, rule):
    settings = config(softmax="importance", samples=1, rule=rule, epochs=4, lr=1.0)
    _, at = train(tmp_path, settings)
    for entry in at.history:
        assert "train_perplexity" not in entry
        assert math.isfinite(entry["train_loss"])
        assert math.isfinite(entry["dev_perplexity"])
        assert ("negative_losses" in entry) == (rule == "plain")
    if rule == "plain":
        assert 0 < at.history[-1]["negative_losses"] < at.history[-1]["tokens"]


def test_a_finished_run_is_not_trained_on(tmp_path):
    run, _ = train(tmp_path, config())
    again, _ = train(tmp_path, config(), resume=True)
    assert outcome(again) == outcome(run)


# interrupted runs


@pytest.mark.parametrize("trainer", RATES)
def test_an_interrupted_run_ends_with_the_same_bits_for_every_trainer(tmp_path, trainer):
    settings = config(trainer=trainer, lr=RATES[trainer], **NOISE)
    whole, at = train(tmp_path / "whole", settings)
    assert at.update == 2 * math.ceil(math.ceil(len(whole.data.texts["train"].ids) / 4) / 8)
    part = tmp_path / "part"
    for stop_at in (5, 1 + at.update // 2):
        assert train(part, settings, resume=stop_at != 5, stop_at=stop_at)[1] is None
    resumed, _ = train(part, settings, resume=True)
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"random_lengths": True},
        {"k1": 5, "k2": 12},
        {"k1": 5, "k2": 12, "bptt_variant": "williams-peng"},
        {"variational": False},
        {"schedule": "cosine", "warmup": 0.2},
        {"schedule": "plateau", "patience": 1},
        {"tie": True, "embed": 3, "augmented_gamma": 0.5},
        {"clip": 0.0, "layers": 1},
        {"softmax": "importance", "samples": 6, "rule": "plain", "layers": 1},
        {"softmax": "nce", "samples": 5, "normaliser": True, "share": "batch", "layers": 1},
        {"softmax": "negative-sampling", "samples": 5, "tie": True, "layers": 1},
        {"softmax": "adaptive", "cutoffs": "4,8", "layers": 1},
        {"softmax": "class-factored", "classes": 3, "assignment": "random", "layers": 1},
    ],
    ids=str,
)
def test_a_run_interrupted_again_and_again_ends_with_the_same_bits(tmp_path, extra):
    settings = config(**{**NOISE, "trainer": "momentum", "lr": 0.3, **extra})
    whole, at = train(tmp_path / "whole", settings)
    part = tmp_path / "part"
    for stop_at in range(1, at.update, 7):
        assert train(part, settings, resume=stop_at > 1, stop_at=stop_at)[1] is None
    resumed, _ = train(part, settings, resume=True)
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize("after", [0, 1])
def test_an_interruption_at_the_end_of_an_epoch_changes_nothing(tmp_path, after):
    settings = config(**NOISE)
    whole, at = train(tmp_path / "whole", settings)
    stop_at = at.update // 2 + after
    assert train(tmp_path / "part", settings, stop_at=stop_at)[1] is None
    assert outcome(train(tmp_path / "part", settings, resume=True)[0]) == outcome(whole)


def test_checkpoints_on_the_way_change_nothing(tmp_path):
    whole, _ = train(tmp_path / "a", config(**NOISE))
    often, _ = train(tmp_path / "b", config(**NOISE, checkpoint_seconds=0.0))
    assert outcome(often) == outcome(whole)


def test_an_interrupted_run_has_its_checkpoint_and_no_line_too_many(tmp_path):
    run, at = train(tmp_path, config(epochs=3), stop_at=run_length(config()) + 3)
    assert at is None
    _, meta = read_arrays(run.folder.checkpoint)
    position = meta["position"]
    assert (position["epoch"], position["window"]) == (1, 3)
    assert len(run.folder.log.read_text().splitlines()) == 1


def run_length(settings):
    """Updates of an epoch."""
    n = math.ceil(len(data().texts["train"].ids) / settings.batch_size)
    return len(list(windows(n, settings.k1, settings.steps_back)))


# learning rate, stopping


def test_the_schedule_sets_the_rate_of_every_epoch(tmp_path):
    settings = config(epochs=4, schedule="zaremba", decay_after=2, decay=0.5, lr=1.0)
    _, at = train(tmp_path, settings)
    assert [e["lr"] for e in at.history] == [1.0, 1.0, 0.5, 0.25]


def test_training_stops_after_more_than_patience_epochs_without_a_gain(tmp_path):
    _, at = train(tmp_path, config(epochs=10, lr=0.0, patience=2))
    assert (at.epoch, at.best_epoch, at.finished) == (4, 1, True)


def test_training_without_patience_goes_to_the_end(tmp_path):
    _, at = train(tmp_path, config(epochs=4, lr=0.0))
    assert (at.epoch, at.best_epoch) == (4, 1)


def test_training_stops_when_its_time_is_over_and_stays_finished(tmp_path):
    settings = config(epochs=50, max_minutes=1e-9)
    run, at = train(tmp_path, settings)
    assert (at.epoch, at.update, at.finished) == (1, 1, True)
    assert run.folder.model.exists()
    again, _ = train(tmp_path, settings, resume=True)
    assert outcome(again) == outcome(run)


@pytest.mark.parametrize(("minutes", "planned"), [(1e-9, 1), (1e9, None)])
def test_epochs_are_planned_from_the_speed_once_and_stay_planned(
    tmp_path, monkeypatch, minutes, planned
):
    monkeypatch.setattr(lm_run, "FIT_AFTER", 0.0)
    settings = config(epochs=3, fit_minutes=minutes, max_minutes=1e-9 if planned is None else 0)
    run, at = train(tmp_path, settings)
    assert at.fitted
    assert at.epochs == 1 if planned else at.epochs > 1000
    assert at.finished
    again, resumed = train(tmp_path, settings, resume=True)
    assert (resumed.epochs, outcome(again)) == (at.epochs, outcome(run))


class RollbackSpy:
    """Parameters and statistics before and after the decision of every epoch."""

    def __init__(self):
        self.before, self.after, self.trainers = [], [], []

    def look(self, run):
        state = {n: a.tobytes() for n, a in run.owned.arrays().items()}
        return state, moments(run.trainer)

    def attach(self, run):
        decide = run.schedule.after_epoch

        def spy(epoch, rate, dev):
            self.before.append(self.look(run))
            self.trainers.append(run.trainer)
            return decide(epoch, rate, dev)

        run.schedule.after_epoch = spy


def rollback_settings(strategy):
    return config(
        schedule="rollback",
        rollback_optimizer=strategy,
        decay=0.25,
        trainer="momentum",
        lr=0.1,
        hidden=20,
        epochs=8,
    )


@pytest.mark.parametrize("strategy", ["restore", "reset", "keep"])
def test_a_rollback_restores_the_parameters_and_treats_the_moments_as_told(tmp_path, strategy):
    spy = RollbackSpy()
    run = LmRun(
        rollback_settings(strategy),
        data(train=30),
        RunFolder(tmp_path),
        say=lambda _: spy.after.append(spy.look(run)),
    )
    spy.attach(run)
    at = run.train()
    devs = [e["dev_perplexity"] for e in at.history]
    rates = [e["lr"] for e in at.history]
    worse = [n for n in range(1, len(devs)) if devs[n] >= min(devs[:n])]
    assert worse  # 30 sentences are soon learnt by heart
    assert len(worse) < len(devs) - 1
    for n in range(len(devs)):
        if n + 1 < len(devs):
            assert rates[n + 1] == rates[n] * (0.25 if n in worse else 1.0)
        if n not in worse:
            assert spy.after[n] == spy.before[n]
            continue
        best = int(np.argmin(devs[: n + 1]))
        assert spy.after[n][0] == spy.before[best][0]
        assert spy.after[n][0] != spy.before[n][0]
        if strategy == "restore":
            assert spy.after[n][1] == spy.before[best][1]
        elif strategy == "keep":
            assert spy.after[n][1] == spy.before[n][1]
        else:
            assert spy.after[n][1] != spy.before[n][1]
            assert not any(b"#Parameter#" in line for line in spy.after[n][1])


@pytest.mark.parametrize("strategy", ["restore", "reset", "keep"])
def test_a_run_with_rollbacks_can_be_interrupted(tmp_path, strategy):
    settings, texts = rollback_settings(strategy), data(train=30)
    whole, at = train(tmp_path / "whole", settings, texts=texts)
    assert len({e["lr"] for e in at.history}) > 1
    part = tmp_path / "part"
    for stop_at in range(2, at.update, 6):
        train(part, settings, texts=texts, resume=stop_at > 2, stop_at=stop_at)
    resumed, _ = train(part, settings, texts=texts, resume=True)
    assert outcome(resumed) == outcome(whole)


# windows


@pytest.mark.parametrize("variant", ["notes", "williams-peng"])
def test_both_variants_of_k1_below_k2_train_and_count_their_losses(tmp_path, variant):
    settings = config(k1=5, k2=12, bptt_variant=variant, batch_size=3, lr=0.0, epochs=1)
    run, at = train(tmp_path / variant, settings)
    ids = run.data.texts["train"].ids
    n = math.ceil(len(ids) / 3)
    real = run.columns.keep.sum(axis=1)
    plan = list(windows(n, 5, 12, variant))
    assert at.update == len(plan)
    assert at.history[0]["tokens"] == sum(int(real[w.loss_from : w.stop].sum()) for w in plan)
    if variant == "williams-peng":
        assert at.history[0]["tokens"] == len(ids)
        plain, _ = train(tmp_path / "plain", config(batch_size=3, k1=n, lr=0.0, epochs=1))
        expected = plain.at.history[0]["train_perplexity"]
        assert at.history[0]["train_perplexity"] == pytest.approx(expected, rel=1e-5)
    learning = config(k1=5, k2=12, bptt_variant=variant, hidden=12, epochs=4)
    _, learnt = train(tmp_path / "learning", learning, texts=data(train=300))
    assert learnt.best == learnt.history[-1]["dev_perplexity"] < 0.9 * at.best


def test_the_state_is_carried_over_windows(tmp_path):
    found = []
    for k1 in (3, 200):
        settings = config(k1=k1, lr=0.0, epochs=1, batch_size=1)
        run, at = train(tmp_path / str(k1), settings, texts=data(train=20))
        found.append(at.history[0]["train_perplexity"])
        assert run.at.tokens == 0
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_more_columns_than_tokens_train_all_the_same(tmp_path):
    _, at = train(tmp_path, config(batch_size=400, epochs=2), texts=data(train=20))
    assert at.history[0]["tokens"] == len(data(train=20).texts["train"].ids)


# errors


NO_NUMBER = """
import sys
from pathlib import Path
from dynotes import runtime
runtime.start(mem="16")
from dynotes.training.lm_step import TrainingError
from tests.training.small_lm import config, train
try:
    train(Path(sys.argv[1]), config(lr=1e30, clip=0.0, trainer="momentum"))
except TrainingError as error:
    print(error)
"""


def test_a_loss_that_is_no_number_ends_the_run_with_the_update(tmp_path):
    # in a process of its own: DyNet's matrix product gives nan where its memory held one before
    status, out, errors = python(NO_NUMBER, tmp_path)
    assert (status, errors) == (0, "")
    if not out:
        pytest.skip("compiled with -Ofast, this DyNet build stays finite here")
    assert re.fullmatch(
        r"update \d+: the loss is -?(nan|inf); lower the learning rate or clip\n", out
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"hidden": 6}, "expected shape"),
        ({"layers": 1}, "not in this model"),
        ({"trainer": "adam", "lr": 0.1}, "state of MomentumSGDTrainer"),
        ({"schedule": "plateau"}, "expected the keys"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, other, message):
    settings = {"trainer": "momentum", "lr": 0.3}
    train(tmp_path, config(**settings), stop_at=5)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: ") as caught:
        train(tmp_path, config(**{**settings, **other}), resume=True)
    assert message in str(caught.value)


def drop(name):
    return lambda arrays, meta: arrays.pop(name)


CHECKPOINT_DAMAGE = {
    "no position": lambda arrays, meta: meta.pop("position"),
    "unknown position": lambda arrays, meta: meta["position"].update(x=1),
    "no schedule": lambda arrays, meta: meta.pop("schedule"),
    "no state": drop("state"),
    "a state of another shape": lambda arrays, meta: arrays.update(state=arrays["state"][:, :, 1:]),
    "no optimizer": drop("optimizer"),
    "an optimizer cut off": lambda arrays, meta: arrays.update(optimizer=arrays["optimizer"][:-9]),
    "no parameters": lambda arrays, meta: [arrays.pop(n) for n in list(arrays) if "para" in n],
}


@pytest.mark.parametrize("damage", CHECKPOINT_DAMAGE.values(), ids=CHECKPOINT_DAMAGE)
def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path, damage):
    settings = config(trainer="momentum", lr=0.3)
    run, _ = train(tmp_path, settings, stop_at=5)
    arrays, meta = read_arrays(run.folder.checkpoint)
    damage(arrays, meta)
    write_arrays(run.folder.checkpoint, arrays, meta)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: "):
        train(tmp_path, settings, resume=True)


def test_a_checkpoint_that_is_a_list_is_refused(tmp_path):
    run, _ = train(tmp_path, config(), stop_at=5)
    write_arrays(run.folder.checkpoint, {}, [])
    with pytest.raises(InputError, match=r"checkpoint\.safetensors"):
        train(tmp_path, config(), resume=True)


# several processes

TWO_PROCESSES = """
import json, sys
from pathlib import Path
from dynotes import runtime
runtime.start(mem="16")
from tests.training.small_lm import config, train
folder, stop_at, resume, settings = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
run, at = train(folder, config(processes=2, **settings), resume=resume, stop_at=stop_at)
print("interrupted" if at is None else at.update)
"""


def two_processes(folder, settings, *, stop_at=-1, resume=False):
    arguments = map(json.dumps, (stop_at, resume, settings))
    status, out, errors = python(TWO_PROCESSES, folder, *arguments)
    assert (status, errors) == (0, "")
    return out.strip()


def files_of(folder):
    """What the lead wrote: parameters, LSTM states and history."""
    arrays, meta = read_arrays(folder / "checkpoint.safetensors")
    history = timeless(meta["position"].pop("history"))
    return (
        {n: a.tobytes() for n, a in arrays.items()},
        history,
        read_arrays(folder / "model.safetensors")[0],
    )


KINDS = [
    {},
    {"tie": True, "k1": 5, "k2": 9, "batch_size": 5},
    {"softmax": "importance", "samples": 6},
    {"softmax": "importance", "samples": 6, "tie": True, "share": "time", "rule": "forced"},
    {"softmax": "nce", "samples": 4, "tie": True, "embed": 3, "normaliser": True},
    {"softmax": "negative-sampling", "samples": 4, "share": "none", "batch_size": 5},
    {"softmax": "adaptive", "cutoffs": "3,7", "tie": True},
    {"softmax": "class-factored"},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_two_processes_compute_what_one_would(tmp_path, kind):
    settings = {"trainer": "adam", "lr": 0.01, **kind}
    two_processes(tmp_path / "two", settings)
    train(tmp_path / "one", config(**settings))
    (_, two, best_of_two), (_, one, best_of_one) = (files_of(tmp_path / n) for n in ("two", "one"))
    for name, value in best_of_one.items():
        np.testing.assert_allclose(best_of_two[name], value, atol=1e-4)
    for name in ("epoch", "update", "lr", "tokens"):
        assert [e[name] for e in two] == [e[name] for e in one]
    losses = {"train_perplexity", "train_loss", "dev_perplexity"} & set(one[0])
    assert len(losses) == 2
    for name in losses:
        np.testing.assert_allclose([e[name] for e in two], [e[name] for e in one], rtol=1e-4)


def test_two_processes_are_repeatable_resumable_and_learn(tmp_path):
    settings = {**NOISE, "trainer": "momentum", "lr": 0.03, "schedule": "rollback", "epochs": 3}
    updates = int(two_processes(tmp_path / "whole", settings))
    two_processes(tmp_path / "again", settings)
    values, history, best = files_of(tmp_path / "whole")
    part = tmp_path / "part"
    for number, stop_at in enumerate((4, updates // 3, updates - 2)):
        told = two_processes(part, settings, stop_at=stop_at, resume=number > 0)
        assert told == "interrupted"
    assert int(two_processes(part, settings, resume=True)) == updates
    for other in ("again", "part"):
        found = files_of(tmp_path / other)
        assert found[0] == values
        assert found[1] == history
        assert all(np.array_equal(found[2][name], value) for name, value in best.items())
    devs = [entry["dev_perplexity"] for entry in history]
    assert min(devs[1:]) < devs[0]
    assert history[0]["tokens"] == len(data().texts["train"].ids)
