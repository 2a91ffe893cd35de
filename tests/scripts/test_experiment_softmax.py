"""The scaling and the quality experiment at work on very small models."""

import json
import os

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


@pytest.fixture(scope="module")
def quality(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    options = ["--corpus", "toy", "--preset", "toy", "--epochs", 1, "--processes", 2]
    methods = ["--method", "full", "--method", "negative-sampling"]
    done = run_script(folder, "softmax_quality.py", *options, *methods, "--out", folder / "out")
    return done, folder / "out"


def test_quality_compares_runs_by_their_exact_perplexity(quality):
    done, out = quality
    assert done.returncode == 0, done.stderr
    full, sampled = table(out)
    assert (full["method"], sampled["method"]) == ("full", "negative-sampling")
    assert float(full["test_ratio"]) == 1
    assert 1 < float(sampled["test_ratio"]) < 3
    assert full["log_z_mean"] == ""
    assert abs(float(sampled["log_z_mean"])) < 1
    for method in ("full", "negative-sampling"):
        summary = json.loads((out / method / "summary.json").read_text())
        assert summary["evaluation"].startswith("exact: full softmax")


def test_a_finished_run_is_not_trained_again(quality):
    _, out = quality
    for name in ("result.json", "table.tsv", "table.md"):
        os.remove(out / name)
    before = {p: b for p, b in tree(out).items() if p.parent != out}
    again = run_script(out.parent, "softmax_quality.py", "--method", "full", "--out", out)
    assert again.returncode == 0, again.stderr
    assert "train" not in again.stderr
    assert {p: b for p, b in tree(out).items() if p.parent != out} == before


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
