"""The C2W experiment on a few sentences: parts, vectors, perplexities, what it refuses."""

import csv
import json
import math

import numpy as np
import pytest

from dynotes.corpora.toy_data import toy_dir
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line

SIZES = ["--epochs", 2, "--embed", 4, "--hidden", 5, "--char-hidden", 3, "--seeds", 2]


def treebank(folder, part, sentences):
    """The first sentences of the toy treebank under the name of the Hungarian one."""
    text = (toy_dir() / f"{part}.conllu").read_text(encoding="utf-8")
    blocks = text.split("\n\n")[:sentences]
    path = folder / "ud_hungarian_szeged_2.5" / f"hu_szeged-ud-{part}.conllu"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    treebank(folder, "train", 50)
    treebank(folder, "dev", 15)
    return folder


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("c2w")
    options = ["--treebank", "hungarian", "--data-dir", data, *SIZES, "--out", folder / "out"]
    return run_script(folder, "c2w.py", *options), folder / "out"


def test_there_is_a_row_for_every_kind_of_vectors_and_seed(done):
    process, out = done
    assert process.returncode == 0, process.stderr
    rows = table(out)
    assert [(row["vectors"], row["seed"]) for row in rows] == [
        (vectors, seed) for seed in "12" for vectors in ("table", "c2w")
    ]
    for row in rows:
        assert 1 < float(row["perplexity"]) < 1000
        assert row["epoch"] in "12"
    assert len({row["unseen_share"] for row in rows}) == 1
    found = last_line(process.stdout)
    logs = [math.log(float(row["perplexity"])) for row in rows]
    expected = 100 * (1 - math.exp((logs[1] - logs[0] + logs[3] - logs[2]) / 2))
    assert found["metrics"]["gain_hungarian"] == pytest.approx(expected, abs=0.02)
    assert found["seeds"] == [1, 2]
    assert json.loads((out / "result.json").read_text())["settings"]["embed"] == 4


def test_the_forms_are_read_without_comments_and_multiword_tokens(tmp_path):
    path = tmp_path / "x.conllu"
    rows = ["# text = ab", "1-2\tab" + "\t_" * 8, "1\ta" + "\t_" * 8, "2\tb" + "\t_" * 8, ""]
    path.write_text("\n".join([*rows, "1\tc" + "\t_" * 8]) + "\n")
    assert list(module("c2w").sentences(path)) == [["a", "b"], ["c"]]


def texts():
    train = [["a", "b"], ["b", "c"]] * 10
    train[9] = ["held", "b"]
    return module("c2w_train").prepared(train, [["a", "new"], ["new", "b"]])


def test_every_tenth_sentence_is_held_back_and_does_not_count():
    found = texts()
    assert [len(found.parts[name]) for name in ("train", "held back", "test")] == [18, 2, 2]
    assert "held" not in found.outputs
    words = found.outputs.words
    assert [words[i] for i in found.words[found.parts["test"][0]]] == ["a", "<unk>", "</s>"]
    assert found.unseen[found.parts["test"][0]].tolist() == [False, True, False]


@pytest.mark.parametrize("vectors", ["table", "c2w"])
def test_losses_are_those_of_each_sentence_and_know_what_was_unseen(vectors):
    script, text = module("c2w_train"), texts()
    settings = script.Settings(4, 5, 3, 0.0, 0.1, 2, 1)
    model = script.Model(text, vectors, settings)
    nats, after = model.losses("test")
    assert after.tolist() == [False, False, True, False, True, False]
    singles = []
    for sentence in text.parts["test"]:
        text.parts["one"] = [sentence]
        singles += model.losses("one")[0].tolist()
    np.testing.assert_allclose(nats, singles, rtol=1e-5)


def test_a_table_knows_no_difference_between_unseen_words_and_c2w_does():
    script = module("c2w_train")
    text = script.prepared([["ab", "ba"], ["ba", "abb"]] * 10, [["aab", "ba"], ["bba", "ba"]])
    settings = script.Settings(4, 5, 3, 0.0, 0.1, 2, 1)
    found = {v: script.Model(text, v, settings).losses("test")[0] for v in ("table", "c2w")}
    assert found["table"][1] == pytest.approx(found["table"][4], abs=1e-6)
    assert abs(found["c2w"][1] - found["c2w"][4]) > 1e-5


def test_training_lowers_the_perplexity():
    script = module("c2w_train")
    settings = script.Settings(4, 8, 6, 0.0, 0.02, 2, 12)
    for vectors in ("table", "c2w"):
        text = texts()
        text.parts["test"] = text.parts["train"]
        before = np.exp(script.Model(text, vectors, settings).losses("test")[0].mean())
        assert script.measure(text, vectors, settings, 1)["perplexity"] < 0.6 * before


def test_a_file_that_is_no_treebank_is_refused_with_its_line(data, tmp_path):
    treebank(tmp_path, "dev", 2)
    bad = treebank(tmp_path, "train", 2)
    bad.write_text("1 a b\n")
    options = ["--treebank", "hungarian", "--data-dir", tmp_path, "--out", tmp_path / "out"]
    failed = run_script(tmp_path, "c2w.py", *options)
    assert failed.returncode == 1
    assert failed.stderr == f"error: {bad}:1: expected 10 columns, found 1\n"
    assert not (tmp_path / "out").exists()


def test_a_treebank_that_is_not_there_is_named(data, tmp_path):
    options = ["--treebank", "basque", "--data-dir", data, "--out", tmp_path / "out"]
    failed = run_script(tmp_path, "c2w.py", *options)
    assert failed.returncode == 1
    assert "eu-ud-train.conllu" in failed.stderr


def test_the_table_of_the_folder_can_be_read_back(done):
    with open(done[1] / "table.tsv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == 4
