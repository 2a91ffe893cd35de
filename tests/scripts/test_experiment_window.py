"""The experiment on window sizes: equal pairs, purity of neighbours, trends, the script."""

import json

import numpy as np
import pytest

from dynotes.corpora.word_vectors import WordVectors
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line
from tests.scripts.test_experiment_pos import treebank
from tests.training.word2vec.small_word2vec import write_text


def options(**more):
    return {"budget": 20, "dynamic": False, **more}


@pytest.mark.parametrize("dynamic", [True, False])
def test_every_window_makes_about_as_many_pairs_in_all_and_in_an_update(dynamic):
    for window in (1, 2, 5, 10, 20):
        found = module("window_size").of_window(window, options(dynamic=dynamic))
        pairs = window + 1 if dynamic else 2 * window  # a word, on average
        assert found["epochs"] * pairs == pytest.approx(40, rel=0.1 if dynamic else 0)
        assert found["chunk"] * pairs == pytest.approx(module("window_size").PAIRS, rel=0.01)
        assert (found["window"], found["dynamic"]) == (window, dynamic)


def test_lines_are_joined_whole_until_they_are_long_enough():
    joined = module("window_measure").joined_lines
    lines = ["a b", "c", "d e f", "g"]
    assert list(joined(lines, 3)) == ["a b c", "d e f", "g"]
    assert list(joined(lines, 0)) == lines


def test_purity_is_the_share_of_the_nearest_words_with_the_same_tag():
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(30)]
    matrix = rng.normal(size=(30, 4)).astype(np.float32)
    tags = {f"w{i}": "XYZ"[i % 3] for i in range(0, 30) if i % 5}
    known = [i for i in range(30) if i % 5]
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    same = []
    for i in known:
        others = sorted((j for j in known if j != i), key=lambda j: -unit[i] @ unit[j])[:3]
        same += [tags[words[i]] == tags[words[j]] for j in others]
    found = module("window_measure").tag_purity(WordVectors(words, matrix), tags, 3)
    assert found == pytest.approx(np.mean(same))
    with pytest.raises(ValueError, match="expected more than 24 words with a tag, found 24"):
        module("window_measure").tag_purity(WordVectors(words, matrix), tags, 24)


def test_a_trend_is_right_if_its_sign_is():
    measure = module("window_measure")
    runs = [
        {"window": w, **dict.fromkeys(measure.SIGNS, float(w)), "semantic": None if w == 5 else -w}
        for w in (1, 5, 10)
    ]
    found = {row["measure"]: row for row in measure.trends(runs)}
    assert (found["men"]["spearman"], found["men"]["right"]) == (1, True)
    assert (found["tag_purity"]["spearman"], found["tag_purity"]["right"]) == (1, False)
    assert (found["semantic"]["spearman"], found["semantic"]["right"]) == (-1, False)
    assert found["ws_similar"]["right"] is None


def data_folder(folder):
    """A treebank of the letters of the small text, and tests about them."""
    treebank(folder)
    row = "\t".join
    rows = [row([str(i), c, "_", "AB"[i % 2], *"______"]) for i, c in enumerate("abcdefghijkl", 1)]
    (folder / "bank" / "en-train.conllu").write_text("\n".join(rows * 2) + "\n")
    (folder / "word_eval").mkdir()
    questions = ": gram1\na b c d\nb c d e\n: family\na c b d\n"
    (folder / "word_eval" / "questions-words.txt").write_text(questions)
    for name in module("window_measure").FILES.values():
        pairs = "a\tb\t3\nc\tf\t2\na\tg\t1\n"
        (folder / "word_eval" / name).write_text(pairs)
    return folder


def test_the_script_trains_every_window_and_reports_the_trends(tmp_path):
    out, data = tmp_path / "out", data_folder(tmp_path / "data")
    path = write_text(tmp_path / "text.txt", lines=200)
    every = ["--text", path, "--data-dir", data, "--treebank", "bank", "--seeds", 1, "--line", 50]
    every += ["--window", 1, "--window", 2, "--budget", 2, "--dim", 4, "--nearest", 3]
    every += ["--setting", "subsample=0"]
    done = run_script(tmp_path, "window_size.py", *every, "--min-count", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = table(out)
    assert [(row["window"], row["epochs"]) for row in rows] == [("1", "2"), ("2", "1")]
    pairs = [float(row["pairs"]) for row in rows]
    assert pairs[0] == pytest.approx(pairs[1], rel=0.05)
    found = last_line(done.stdout)
    assert set(found["spearman"]) == set(module("window_measure").SIGNS)
    result = json.loads((out / "result.json").read_text())
    assert len(result["runs"]) == 2
    assert all(0 <= run["tag_purity"] <= 1 for run in result["runs"])


def test_a_treebank_that_is_not_there_is_one_line(tmp_path):
    path = write_text(tmp_path / "text.txt")
    (tmp_path / "data").mkdir()
    every = ["--text", path, "--data-dir", tmp_path / "data", "--out", tmp_path / "out"]
    done = run_script(tmp_path, "window_size.py", *every)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no such folder of a treebank" in done.stderr
