"""The subword experiment trains both models and counts the sections that it says."""

import json

import pytest

from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line


def test_both_models_are_trained_and_compared(tmp_path):
    out = tmp_path / "out"
    options = ["--corpus", "toy", "--epochs", 1, "--dim", 4, "--out", out]
    done = run_script(tmp_path, "subword.py", *options)
    assert done.returncode == 0, done.stderr
    plain, subword = table(out)
    assert [row["model"] for row in (plain, subword)] == ["skipgram", "subword"]
    for row in (plain, subword):
        assert 0 <= float(row["analogies"]) <= 1
        assert float(row["similarity similarity"]) == pytest.approx(0, abs=1)
    assert plain["similarity similarity, all"] == ""
    assert subword["similarity similarity, all"] != ""
    found = last_line(done.stdout)
    assert (found["task"], list(found["syntactic"])) == ("subword", ["skipgram-1", "subword-1"])
    rows = json.loads((out / "result.json").read_text())["rows"]
    assert sum(s["answered"] for s in rows[1]["counts"].values()) > 0


def test_an_accuracy_is_that_of_all_questions_of_its_sections():
    sections = {
        "family": {"right": 1, "answered": 4},
        "gram1": {"right": 3, "answered": 6},
        "gram2": {"right": 0, "answered": 2},
    }
    accuracy = module("subword").accuracy
    assert accuracy(sections, ["gram1", "gram2"]) == 3 / 8
    assert accuracy(sections, ["family"]) == 1 / 4
    assert accuracy(sections, []) is None
