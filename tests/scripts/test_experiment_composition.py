"""The experiment on sums of word vectors: counts, measures, the script on a small text."""

import json

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.token_store import TokenText
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings.evaluation import spearman
from dynotes.training.model_file import write_arrays
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line
from tests.training.word2vec.small_word2vec import write_text

V = 6


def text(seed=0):
    """(text of short sentences, the sentences)."""
    rng = np.random.default_rng(seed)
    sentences = [rng.integers(0, V, n) for n in (5, 1, 7, 2, 9)]
    vocabulary = Vocabulary.build({w: 20 - i for i, w in enumerate("abcdef")}, unk=None, eos=None)
    ids, ends = np.concatenate(sentences), np.cumsum([len(s) for s in sentences])
    return TokenText(vocabulary, ids, ends, 0, ""), sentences


@pytest.mark.parametrize("window", [1, 3, 20])
def test_contexts_are_counted_as_by_a_loop(window):
    words = np.array([4, 0])
    some, sentences = text()
    expected = np.zeros((2, V), int)
    for sentence in sentences:
        for i, centre in enumerate(sentence):
            for j, context in enumerate(sentence):
                if 0 < abs(i - j) <= window and centre in words:
                    expected[list(words).index(centre), context] += 1
    found = module("composition_measure").context_counts(some, words, window)
    np.testing.assert_array_equal(found, expected)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order():
    high, low = np.array([1.0, 2.0, 2.0]), np.array([0.5, 2.0, 3.0, 1.0])
    expected = np.mean([(h > x) + (h == x) / 2 for h in high for x in low])
    assert module("composition_measure").auc(high, low) == pytest.approx(expected)


def test_scores_of_a_sum_are_compared_with_the_counts_of_the_text():
    """Input vectors of unit length, output vectors as the counts would have them."""
    measure = module("composition_measure")
    counts = np.array([[4, 0, 2, 3, 0, 5], [1, 6, 0, 2, 0, 8]])
    words = list("abcdef")
    u = np.random.default_rng(1).normal(size=(V, 2)).astype(np.float32)
    space = measure.Space(
        WordVectors(words, np.eye(V, 2, dtype=np.float32)), WordVectors(words, u)
    )  # fmt: skip
    found = measure.compared(space, counts, 0, 1, np.array([0, 1]))
    both, one = [0, 3, 5], [1, 2]
    scores = u.sum(axis=1)
    assert found["sum"] == measure.auc(scores[both], scores[one])
    assert found["first"] == measure.auc(u[both, 0], u[one, 0])
    p = counts / counts.sum(axis=1, keepdims=True)
    information = np.log(p[0] * p[1] + 1e-300) - 2 * np.log(counts.sum(axis=0) + 1e-300)
    assert found["rho"] == pytest.approx(spearman(scores[both], information[both]))


def test_a_run_without_a_vector_a_word_is_refused(tmp_path):
    vocabulary = Vocabulary.build({"a": 2, "b": 1}, unk=None, eos=None)
    arrays = {"/x/V": np.ones((2, 3), "f4"), "/y/U": np.ones((4, 3), "f4")}
    write_arrays(tmp_path / "model.safetensors", arrays, {"vocabulary": vocabulary.to_json()})
    with pytest.raises(InputError, match="expected one table U with a vector a word"):
        module("composition_measure").read_space(tmp_path)


SMALL = ["--setting", "epochs=2", "--setting", "dim=4", "--setting", "chunk=50"]
SMALL += ["--setting", "min_count=1", "--pairs", 3, "--ranks", 0, 12, "--top", 2, "--window", 1]


def test_the_script_trains_shows_and_measures(tmp_path):
    path, out = write_text(tmp_path / "text.txt"), tmp_path / "out"
    options = [*SMALL, "--text", path, "--sum", "a+b", "--sum", "c+l"]
    done = run_script(tmp_path, "composition.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = table(out)
    assert [row["sum"] for row in rows] == ["a + b", "c + l"]
    assert all(len(row["contexts of the sum"].split()) == 2 for row in rows)
    assert not set(rows[0]["words near the sum"].split()) & {"a", "b"}
    found = last_line(done.stdout)
    assert found["pairs"] == 3
    assert all(0 <= value <= 1 for value in found["auc"].values())
    assert len(json.loads((out / "result.json").read_text())["all"]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sum", "a"], "--sum: expected A+B, found 'a'"),
        (["--sum", "a+b+c"], "--sum: expected A+B"),
        (["--sum", "a+zebra"], "'zebra' is not among the 12 words"),
        (["--pairs", 7, "--sum", "a+b"], "--pairs: 14 words wanted, ranks 0 to 12 have fewer"),
    ],
)
def test_what_is_wrong_is_one_line(options, message, tmp_path):
    path = write_text(tmp_path / "text.txt", lines=30)
    every = [*SMALL, "--text", path, *options, "--out", tmp_path / "out"]
    done = run_script(tmp_path, "composition.py", *every)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
