"""scripts/experiments/classify.py: folds, choices on held-out texts, what is kept and refused."""

import gzip
import json

import numpy as np
import pytest

from tests.scripts.experiment_script import module, run_script, table

SCRIPT = "classify.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with two small sets whose texts tell their label, not all of it in UTF-8."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("trec", "subj"):
        (folder / "sentcls" / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    for place, count in (("trec/TREC.train.all", 60), ("trec/TREC.test.all", 20)):
        words = [(k % 2, " ".join(rng.choice(list("abcde"), 3))) for k in range(count)]
        lines = "".join(f"{y} {text} {'café' if y else 'thé'}\n" for y, text in words)
        (folder / "sentcls" / place).write_bytes(lines.encode("latin-1"))
    return folder


def test_a_set_with_a_split_is_chosen_on_a_tenth_of_its_training_texts(data, tmp_path):
    args = ["--set", "trec", "--seeds", "1", "--data-dir", data, "--out", tmp_path / "out"]
    done = run_script(tmp_path, SCRIPT, *args)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout.splitlines()[-1])
    (row,) = result["rows"]
    assert (row["set"], row["runs"], row["mean"]) == ("trec", 1, 100.0)
    assert [r["set"] for r in table(tmp_path / "out")] == ["trec"]
    kept = sorted(path.name for path in (tmp_path / "out" / "trec" / "0").iterdir())
    assert kept == [*(f"dev-{i}.json" for i in range(4)), "test-1.json"]
    again = run_script(tmp_path, SCRIPT, *args)
    assert again.returncode == 1
    assert "holds a result already" in again.stderr


def test_ten_folds_score_every_text_once_and_never_train_on_it(tmp_path):
    (tmp_path / "sentcls" / "subj").mkdir(parents=True)
    lines = [f"{k % 2} w{k}" for k in range(43)]
    script = module("classify")
    path = tmp_path / script.SETS["subj"][0]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    folds = script.folds_of("subj", tmp_path)
    every = sorted(f"__label__{line}" for line in lines)
    assert sorted(text for fold in folds for text in fold.test) == every
    assert all(sorted(fold.train + fold.test) == every for fold in folds)
    assert len(folds) == 10


def test_without_data_it_is_told_in_one_line(tmp_path):
    done = run_script(tmp_path, SCRIPT, "--data-dir", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "TREC" in done.stderr or "subj" in done.stderr
    assert done.stderr.count("\n") == 1
