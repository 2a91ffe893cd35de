"""The experiment of paragraph vectors: its data, its heads, and all of it on a made-up set."""

import gzip
import json

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line


def sentences(seed, count=60):
    """(label, sentence): each class has words of its own, among others."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in np.arange(count) % 2:
        own = [f"{'xy'[label]}{i}" for i in rng.integers(0, 6, 5)]
        both = [f"W{i}" for i in rng.integers(0, 6, 5)]
        rows.append((int(label), " ".join(rng.permutation([*own, *both]))))
    return sorted(rows)


def write_sets(folder):
    """The three sets, in the layout of the data folder."""
    text = {s: "".join(f"{y} {x}\n" for y, x in sentences(s)) for s in range(4)}
    for name in ("subj", "mr", "trec"):
        (folder / "sentcls" / name).mkdir(parents=True)
    places = {"subj/subj.all.gz": 0, "mr/rt-polarity.all.gz": 1}
    places |= {"trec/TREC.train.all": 2, "trec/TREC.test.all": 3}
    for place, which in places.items():
        raw = text[which].replace("W0", "caf\xe9").encode("latin-1")
        path = folder / "sentcls" / place
        path.write_bytes(gzip.compress(raw) if place.endswith("gz") else raw)


def test_sentences_come_with_their_labels_in_lower_case_and_the_test_ones_last(tmp_path):
    write_sets(tmp_path)
    data = module("paragraph_data")
    trec = data.read_sentences(tmp_path, "trec")
    rows = [*sentences(2), *sentences(3)]
    assert trec.labels == [label for label, _ in rows]
    assert trec.lines == [line.replace("W0", "caf\xe9").lower() for _, line in rows]
    assert trec.n_test == 60
    assert data.read_sentences(tmp_path, "subj").n_test == 0


def test_a_line_without_a_label_is_told_with_its_number(tmp_path):
    write_sets(tmp_path)
    (tmp_path / "sentcls" / "trec" / "TREC.test.all").write_text("1 a b\nb c\n")
    with pytest.raises(InputError, match=r"TREC\.test\.all:2: expected a label"):
        module("paragraph_data").read_sentences(tmp_path, "trec")


def test_sentences_are_written_in_an_order_that_is_no_order_of_the_classes(tmp_path):
    data = module("paragraph_data")
    lines = [f"line {i}" for i in range(50)]
    order = data.write_shuffled(tmp_path / "text.txt", lines)
    assert sorted(order) == list(range(50))
    assert order != sorted(order)
    written = (tmp_path / "text.txt").read_text().splitlines()
    assert written == [lines[i] for i in order]
    assert data.write_shuffled(tmp_path / "again.txt", lines) == order


def test_the_head_finds_classes_that_are_there_and_none_that_are_not():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    head = module("paragraph_head")
    rng = np.random.default_rng(1)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 3))
    assert 0.3 < head.accuracy(X, y, 0) < 0.7
    X[:, 1] += 6 * y
    assert head.accuracy(X, y, 0) > 0.97
    assert head.accuracy(X, y, 50) > 0.95


def test_bags_and_averages_are_those_of_the_words():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    head = module("paragraph_head")
    bags = head.bags_of_words(["a b a", "b c", "c"], 2).toarray()
    assert bags.tolist() == [[1, 0], [1, 1], [0, 1]]  # b and c; a is in one line
    found = head.averages(["a b", "c", "a a"], ["a", "b"], np.array([[1.0, 0], [3, 2]]))
    assert found.tolist() == [[2, 1], [0, 0], [1, 0]]


def test_the_experiment_compares_all_features_with_and_without_a_split(tmp_path):
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    write_sets(tmp_path / "data")
    out = tmp_path / "out"
    options = ["--data-dir", tmp_path / "data", "--seeds", 1, "--dim", 8, "--epochs", 5]
    options += ["--set", "subj", "--set", "trec"]
    done = run_script(tmp_path, "paragraphs.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = table(out)
    methods = ["bag of words", "skip-gram", "dbow", "dm", "dbow + dm"]
    assert [(r["set"], r["method"]) for r in rows] == [
        (name, method) for name in ("subj", "trec") for method in methods
    ]
    for row in rows:
        assert 0 <= float(row["accuracy"]) <= 1
        assert (row["rank1"] != "") == (row["method"] in ("dbow", "dm"))
        assert int(row["seeds"]) == 1
    assert all(float(r["accuracy"]) > 0.8 for r in rows if r["method"] == "bag of words")
    assert last_line(done.stdout)["task"] == "paragraphs"
    assert json.loads((out / "result.json").read_text())["options"]["dim"] == 8
    again = run_script(tmp_path, "paragraphs.py", *options, "--out", out)
    assert again.returncode == 1
    assert "holds a result already" in again.stderr
