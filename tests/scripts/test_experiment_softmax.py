"""The scaling and the quality experiment at work on very small models."""

import json

import pytest

from tests.scripts.experiment_script import run_script, table
from tests.scripts.lm_script import last_line, tree

SCALING = ["--hidden", 8, "--batch", 2, "--steps", 3, "--rounds", 1, "--seconds", 0.01]
SCALING += ["--samples", 20, "--words", 30, "--words", 10000, "--words", 100000]


def test_scaling_measures_every_point_and_leaves_out_a_full_softmax_that_is_too_large(tmp_path):
    out = tmp_path / "out"
    options = ["--softmax", "full", "--softmax", "nce", "--full-up-to", 30, *SCALING]
    done = run_script(tmp_path, "softmax_scaling.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = table(out)
    points = [(row["softmax"], int(row["words"])) for row in rows]
    assert points == [("full", 30), ("nce", 30), ("nce", 10000), ("nce", 100000)]
    for row in rows:
        for name in ("step_ms", "tokens_per_second", "graph_mb", "parameters_mb"):
            assert float(row[name]) > 0
    found = last_line(done.stdout)
    assert found["task"] == "softmax-scaling"
    assert list(found["ratios"]) == ["nce"]
    assert json.loads((out / "result.json").read_text())["rows"][0]["softmax"] == "full"


def test_the_graph_of_a_sampled_softmax_does_not_grow_with_the_vocabulary(tmp_path):
    out = tmp_path / "out"
    options = ["--softmax", "importance", *SCALING]
    assert run_script(tmp_path, "softmax_scaling.py", *options, "--out", out).returncode == 0
    rows = {int(row["words"]): row for row in table(out)}
    assert float(rows[100000]["graph_mb"]) <= 1.15 * float(rows[10000]["graph_mb"])
    assert float(rows[100000]["parameters_mb"]) > 9 * float(rows[10000]["parameters_mb"])


def finished(folder, method, test_perplexity, speed):
    """A run that was trained before: what the experiment reads of it."""
    (folder / method).mkdir(parents=True)
    summary = {
        "metrics": {"dev_perplexity": test_perplexity + 1, "test_perplexity": test_perplexity},
        "throughput": {"tokens_per_second": speed},
        "train_seconds": 90.0,
        "epochs": 1,
        "best_epoch": 1,
    }
    (folder / method / "summary.json").write_text(json.dumps(summary))
    entry = {"train_seconds": 90.0, "dev_perplexity": test_perplexity + 1}
    (folder / method / "log.jsonl").write_text(json.dumps(entry) + "\n")


def test_quality_compares_finished_runs_without_training_them_again(tmp_path):
    out = tmp_path / "out"
    finished(out, "full", 100.0, 1000.0)
    finished(out, "adaptive", 105.0, 3000.0)
    before = tree(out)
    methods = ["--method", "full", "--method", "adaptive"]
    done = run_script(tmp_path, "softmax_quality.py", *methods, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    full, adaptive = table(out)
    assert [full[name] for name in ("method", "test_ratio", "speed_up")] == ["full", "1", "1"]
    assert [float(adaptive[name]) for name in ("test_ratio", "speed_up")] == [1.05, 3.0]
    assert float(adaptive["train_minutes"]) == 1.5
    assert last_line(done.stdout)["test_perplexity"] == {"full": 100.0, "adaptive": 105.0}
    after = tree(out)
    assert all(after[path] == content for path, content in before.items())


def test_quality_trains_what_is_not_there_and_reports_exact_perplexities(tmp_path):
    out = tmp_path / "out"
    finished(out, "full", 10.0, 1000.0)
    options = ["--corpus", "toy", "--preset", "toy", "--epochs", 1, "--processes", 2]
    methods = ["--method", "full", "--method", "negative-sampling"]
    done = run_script(tmp_path, "softmax_quality.py", *options, *methods, "--out", out)
    assert done.returncode == 0, done.stderr
    full, sampled = table(out)
    assert 1 < float(sampled["test_ratio"]) < 3
    assert full["log_z_mean"] == ""
    assert abs(float(sampled["log_z_mean"])) < 1
    summary = json.loads((out / "negative-sampling" / "summary.json").read_text())
    assert summary["evaluation"].startswith("exact: full softmax")


@pytest.mark.parametrize("script", ["softmax_scaling.py", "softmax_quality.py"])
def test_a_folder_with_a_result_is_left_alone(tmp_path, script):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("{}")
    done = run_script(tmp_path, script, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "holds a result already" in done.stderr
    assert (tmp_path / "out" / "result.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("softmax_scaling.py", ["--words", 1], "--words"),
        ("softmax_scaling.py", ["--samples", 0], "--samples"),
        ("softmax_scaling.py", ["--rounds", 0], "--rounds"),
        ("softmax_quality.py", ["--method", "fuller"], "--method"),
        ("softmax_quality.py", ["--epochs", 0], "--epochs"),
    ],
)
def test_bad_options_are_told_with_status_2(tmp_path, script, options, message):
    done = run_script(tmp_path, script, *options, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
