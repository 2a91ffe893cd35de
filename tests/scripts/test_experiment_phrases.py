"""The experiments on phrases and on n-grams at work on the toy language."""

import json

import numpy as np
import pytest

from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.word_vectors import WordVectors
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line


def small_text(folder, lines=1500):
    """The first lines of the toy language."""
    text = (toy_dir() / "train.txt").read_text().splitlines()[:lines]
    (folder / "toy.txt").write_text("\n".join(text) + "\n")
    return folder / "toy.txt"


def test_every_composition_has_a_row_and_the_additive_one_gains_nothing(tmp_path):
    out = tmp_path / "out"
    done = run_script(
        tmp_path, "phrase_composition.py", "--text", small_text(tmp_path), "--out", out,
        "--tagged", toy_dir() / "train.conllu", "--dim", 4, "--rank", 1,
        "--epochs", 1, "--seeds", 2, "--threshold", 1, "--min-count", 5,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["composition"]: row for row in table(out)}
    diagonals = ("identity", "learned", "none", "unit")
    names = {"linear", "additive", "multiplicative", "mean phrase"}
    names |= {f"TIM, {name}" for name in diagonals} | {"linear, by type"}
    assert set(rows) == names | {f"TIM, {name}, by type" for name in diagonals[:3]}
    assert rows["additive"]["gain"] == "+0.0000 ± 0.0000"
    found = last_line(done.stdout)
    assert found["seeds"] == 2
    assert found["phrases"] > 10
    assert list(found["test_cosine"]) == [row["composition"] for row in table(out)]
    assert json.loads((out / "result.json").read_text())["options"]["dim"] == 4


def test_ngrams_are_compared_with_a_segmentation_and_with_words(tmp_path):
    out = tmp_path / "out"
    done = run_script(
        tmp_path, "segmentation_free.py", "--text", small_text(tmp_path), "--out", out,
        "--tagged", toy_dir() / "train.conllu", "--dim", 4, "--epochs", 1, "--seeds", 2,
        "--ngrams", "30,100,300,300,300,300,300,300", "--min-count", 5,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["model"]: row for row in table(out)}
    assert list(rows) == ["sembei", "greedy", "words", "most frequent class"]
    assert 0 < float(rows["sembei"]["coverage"]) <= 1
    assert float(rows["words"]["coverage"]) == 1
    assert last_line(done.stdout)["words"] >= 10


def test_longest_matches_put_a_line_together_again():
    probe = module("segmentation_probe")
    found = list(probe.longest_matches(["thecat", "xthe", ""], ["the", "th", "ca", "e", "hec"]))
    assert found == [["the", "ca", "t"], ["x", "the"], []]


def test_the_probe_finds_classes_that_vectors_show_and_not_others():
    probe = module("segmentation_probe")
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(300)]
    gold = {word: probe.CLASSES[i % 3] for i, word in enumerate(words)}
    centres = np.eye(3)[np.arange(300) % 3] * 3
    told = WordVectors(words, (centres + 0.3 * rng.normal(size=(300, 3))).astype(np.float32))
    blind = WordVectors(words, rng.normal(size=(300, 3)).astype(np.float32))
    assert probe.pos_accuracy(told, words, gold, 1) > 0.95
    assert probe.pos_accuracy(blind, words, gold, 1) < 0.55


def test_words_near_are_counted_among_units_of_two_characters_and_more():
    probe = module("segmentation_probe")
    units = ["ab", "cd", "ef", "x", *(f"q{i}" for i in range(20))]
    matrix = np.zeros((24, 2), np.float32)
    matrix[:12] = [1, 0.1]
    matrix[12:] = [-1, 0.1]
    found = probe.words_near(WordVectors(units, matrix), ["ab", "cd"], {"ab", "cd", "ef", "x"})
    # of the 10 nearest of ab, out of the ten others on its side, two are words
    assert found == {"near": pytest.approx(0.2), "all": pytest.approx(3 / 23)}


@pytest.mark.parametrize("script", ["phrase_composition.py", "segmentation_free.py"])
def test_without_data_an_experiment_tells_what_it_needs(tmp_path, script):
    done = run_script(tmp_path, script, "--data-dir", tmp_path / "none", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
