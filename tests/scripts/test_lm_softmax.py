"""scripts/lm.py with every output layer: train, evaluate, generate, and what is called what."""

import json
import os

import dynet as dy
import pytest

from dynotes import runtime
from dynotes.structures.cluster_costs import default_cost
from dynotes.training import lm_objective
from dynotes.training.lm_config import SAMPLED, SOFTMAXES
from dynotes.training.run_folder import RunFolder
from tests.scripts.lm_script import SMALL, invoke, last_line, texts

OPTIONS = {
    "full": ["--tie"],
    "importance": ["--tie", "--samples", 5],
    "nce": ["--samples", 5, "--normaliser", "--share", "batch"],
    "negative-sampling": ["--tie", "--samples", 5, "--noise", "uniform"],
    "adaptive": ["--tie", "--cutoffs", "auto", "--tails", 1, "--div", 2],
    "class-factored": ["--classes", 3, "--assignment", "random"],
}


@pytest.fixture(autouse=True)
def running_engine(monkeypatch):
    monkeypatch.setattr(runtime, "start", lambda **_: dy)
    monkeypatch.setattr(RunFolder, "draw_curves", lambda *_: False)
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def trained(folder, softmax, *more):
    """(summary, stdout) of a small run whose test text is its dev text."""
    args = ["train", *texts(folder), "--test", folder / "dev.txt", "--out", folder / "run", *SMALL]
    status, out, errors = invoke(*args, "--epochs", 2, "--softmax", softmax, *more)
    assert status == 0, errors
    return last_line(out), out


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_what_was_trained_is_evaluated_and_sampled_by_its_exact_probabilities(tmp_path, softmax):
    summary, _ = trained(tmp_path, softmax, *OPTIONS[softmax])
    assert summary["softmax"] == softmax
    assert summary["evaluation"].startswith("exact: ")
    metrics = summary["metrics"]
    assert metrics["test_perplexity"] == pytest.approx(metrics["dev_perplexity"], abs=2e-4)
    status, out, errors = invoke("evaluate", tmp_path / "run", tmp_path / "dev.txt")
    assert status == 0, errors
    found = last_line(out)["metrics"]["perplexity"]
    assert found == pytest.approx(metrics["test_perplexity"], abs=2e-4)
    assert found < 13  # better than the uniform distribution over 13 words
    status, out, _ = invoke("generate", tmp_path / "run", "--sentences", 3)
    assert status == 0
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_a_loss_that_is_no_likelihood_is_never_called_a_perplexity(tmp_path, softmax):
    _, out = trained(tmp_path, softmax, *OPTIONS[softmax])
    epochs = [line for line in out.splitlines() if line.startswith("epoch")]
    lines = [json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert len(epochs) == len(lines) == 2
    sampled = softmax in SAMPLED
    for text, entry in zip(epochs, lines):
        assert ("loss " in text) == sampled
        assert ("train " in text) != sampled
        assert ("train_loss" in entry) == sampled
        assert ("train_perplexity" in entry) != sampled


@pytest.mark.parametrize("softmax", ["nce", "negative-sampling"])
def test_self_normalising_models_report_their_log_z(tmp_path, softmax):
    summary, _ = trained(tmp_path, softmax, *OPTIONS[softmax])
    assert abs(summary["metrics"]["dev_log_z_mean"]) < 2
    assert 0 < summary["metrics"]["dev_log_z_std"] < 2


def test_measured_cut_offs_are_written_into_the_settings(tmp_path, monkeypatch):
    asked = []

    def measured(**sizes):
        asked.append(sizes)
        return default_cost(clusters=2)

    monkeypatch.setattr(lm_objective, "calibrated_cost", measured)
    trained(tmp_path, "adaptive", "--cutoffs", "measured", "--tails", 2, "--head-share", 0.5)
    cutoffs = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["cutoffs"]
    first, second = map(int, cutoffs.split(","))
    assert 1 <= first < second < 13
    assert asked == [{"n_hidden": 6, "columns": 4 * 8, "clusters": 2, "div": 4.0}]
