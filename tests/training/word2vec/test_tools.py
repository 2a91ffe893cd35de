"""The summaries of the commands on trained vectors, and what they refuse."""

import json

import numpy as np
import pytest
from scipy import stats

from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.word_vectors import WordVectors, read_vectors, write_vectors
from dynotes.training.word2vec.scoring import (
    WordTestFiles,
    evaluate_vectors,
    published_tests,
    toy_tests,
)
from dynotes.training.word2vec.sources import find_vectors
from dynotes.training.word2vec.tools import (
    run_analogy,
    run_conversion,
    run_evaluation,
    run_neighbours,
)


@pytest.fixture
def vectors():
    """Countries and capitals on two lines, numbers of which the first two are near."""
    matrix = [[i, 1, 0] for i in range(1, 5)] + [[i, 1, 3] for i in range(1, 5)]
    words = [f"{kind}{i}" for kind in ("land", "city") for i in range(1, 5)]
    return WordVectors(words, np.array(matrix, np.float32))


@pytest.fixture
def path(tmp_path, vectors):
    write_vectors(tmp_path / "v.txt", vectors, format="text")
    return tmp_path / "v.txt"


@pytest.fixture
def files(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text(
        ": capitals\nland1 city1 land2 city2\nland1 city1 land2 land3\nland1 city1 none city1\n"
        ": gram1\nland1 LAND1 land2 city2\n"
    )
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("land1\tland2\t9\nland1\tcity4\t1\nland1\tcity1\t5\nnone\tland1\t2\n")
    bats = tmp_path / "bats"
    (bats / "E").mkdir(parents=True)
    (bats / "E" / "E01.txt").write_text("land1\tnone/city1\nland2\tcity2/none\n")
    return WordTestFiles([questions], [pairs], bats)


def cosine(vectors, a, b):
    x, y = (vectors.matrix[vectors.words.index(word)].astype(float) for word in (a, b))
    return x @ y / np.linalg.norm(x) / np.linalg.norm(y)


def test_an_evaluation_counts_by_file_group_and_section(path, vectors, files):
    found = run_evaluation(path, files)
    counts = {"accuracy": 0.5, "right": 1, "answered": 2, "skipped": 1}
    nothing = {"accuracy": None, "right": 0, "answered": 0, "skipped": 1}
    assert found["analogies"]["add"]["questions.txt"] == {
        **{**counts, "skipped": 2},
        "groups": {"semantic": counts, "syntactic": nothing},
        "sections": {"capitals": counts, "gram1": nothing},
    }
    assert found["bats"]["add"]["bats"]["groups"]["E"]["answered"] == 2
    assert set(found["analogies"]) == set(found["bats"]) == {"add", "mul"}
    pairs = [("land1", "land2"), ("land1", "city4"), ("land1", "city1")]
    rho = stats.spearmanr([cosine(vectors, *pair) for pair in pairs], [9, 1, 5])[0]
    expected = {"spearman": pytest.approx(rho, abs=1e-4), "pairs": 3, "left_out": 1}
    assert found["similarity"] == {"pairs.tsv": expected}
    assert found["metrics"]["similarity_spearman"] == expected["spearman"]
    assert found["metrics"]["analogy_accuracy"] == 0.5
    names = {"analogy_accuracy", "analogy_accuracy_mul", "bats_accuracy", "bats_accuracy_mul"}
    assert set(found["metrics"]) == {*names, "similarity_spearman"}
    assert (found["task"], found["words"], found["dimensions"]) == ("word2vec", 8, 3)
    json.dumps(found, allow_nan=False)


def test_files_of_one_kind_are_summed_or_averaged(tmp_path, vectors, files):
    other = tmp_path / "other.txt"
    other.write_text(": x\nland1 city1 land3 city3\n")
    graded = tmp_path / "other.tsv"
    graded.write_text("land1 land2 1\nland1 city4 9\nland1 city1 5\n")
    tests = WordTestFiles([*files.analogies, other], [*files.similarity, graded], None)
    found = evaluate_vectors(vectors, tests, methods=("add",))
    add = found["analogies"]["add"]
    right = sum(add[name]["right"] for name in ("questions.txt", "other.txt"))
    assert found["metrics"]["analogy_accuracy"] == round(right / 3, 4)
    rhos = [found["similarity"][name]["spearman"] for name in ("pairs.tsv", "other.tsv")]
    assert rhos[0] == -rhos[1] != 0
    assert found["metrics"]["similarity_spearman"] == 0
    assert "bats" not in found
    assert "mul" not in found["analogies"]


def test_settings_reach_the_evaluation(path, files):
    found = run_evaluation(path, files, lower=True, restrict_vocab=6, methods=("mul",))
    assert (found["lower"], found["restrict_vocab"]) == (True, 6)
    # LAND1 is known in lower case; city4 is not among the first six
    assert found["analogies"]["mul"]["questions.txt"]["groups"]["syntactic"]["answered"] == 1
    assert found["similarity"]["pairs.tsv"]["left_out"] == 2


def test_nothing_known_is_null(tmp_path, files):
    vectors = WordVectors(["x"], np.ones((1, 2), np.float32))
    found = evaluate_vectors(vectors, files)
    assert set(found["metrics"].values()) == {None}
    json.dumps(found, allow_nan=False)


def test_an_evaluation_without_tests_is_refused(vectors):
    with pytest.raises(ValueError, match="tests: expected at least one"):
        evaluate_vectors(vectors, WordTestFiles([], [], None))


def test_the_toy_tests_are_those_of_the_toy_language():
    words = (toy_dir() / "vocabulary.txt").read_text().split()
    rng = np.random.default_rng(0)
    vectors = WordVectors(words, rng.normal(size=(len(words), 8)).astype(np.float32))
    found = evaluate_vectors(vectors, toy_tests())
    add = found["analogies"]["add"]["analogies.txt"]
    assert (add["answered"], add["skipped"], len(add["sections"])) == (852, 0, 7)
    assert found["similarity"]["similarity.tsv"]["pairs"] == 270
    assert abs(found["metrics"]["similarity_spearman"]) < 0.2  # random vectors; seed 0: 0.07
    assert found["metrics"]["analogy_accuracy"] < 0.02


def test_the_published_tests_are_found_in_a_data_folder(tmp_path):
    with pytest.raises(InputError, match="no data folder"):
        published_tests(None)
    with pytest.raises(InputError, match="word_eval: none of the published tests is there"):
        published_tests(tmp_path)
    (tmp_path / "word_eval").mkdir()
    (tmp_path / "word_eval" / "EN-SIMLEX-999.txt").write_text("a b 1\n")
    only = WordTestFiles([], [tmp_path / "word_eval" / "EN-SIMLEX-999.txt"], None)
    assert published_tests(tmp_path) == only
    if data_dir() is None:
        pytest.skip("real data: no data folder")
    found = published_tests(data_dir())
    assert (len(found.analogies), len(found.similarity)) == (1, 6)
    assert found.bats is not None


def test_neighbours_are_listed_for_each_word(path, vectors):
    found = run_neighbours(path, ["land1", "city4"], top=2)
    assert list(found["neighbours"]) == ["land1", "city4"]
    first = found["neighbours"]["land1"]
    assert [word for word, _ in first] == ["land2", "land3"]
    assert first[0][1] == pytest.approx(cosine(vectors, "land1", "land2"), abs=1e-4)
    few = run_neighbours(path, ["city4"], top=20, restrict_vocab=3)["neighbours"]["city4"]
    assert {word for word, _ in few} == {"land1", "land2", "land3"}


def test_an_analogy_lists_its_answers(path):
    found = run_analogy(path, "land1", "city1", "land2", method="mul", top=3)
    assert (found["analogy"], found["method"]) == (["land1", "city1", "land2"], "mul")
    assert len(found["answers"]) == 3
    assert found["answers"][0][0].startswith("city")


def test_unknown_words_are_named_with_the_file(path):
    with pytest.raises(InputError, match=r"v\.txt: 'none' is not among its 8 words"):
        run_neighbours(path, ["land1", "none"])
    with pytest.raises(InputError, match=r"v\.txt: 'none' is not among its 8 words"):
        run_analogy(path, "land1", "city1", "none")


@pytest.mark.parametrize(
    ("name", "format"),
    [("o.txt", "text"), ("o.vec", "text"), ("o.bin", "binary"), ("o.npy", "npy"),
     ("o.bin.gz", "binary"), ("o.vec.gz", "text")],
)  # fmt: skip
def test_a_conversion_takes_its_format_from_the_name(tmp_path, path, vectors, name, format):
    found = run_conversion(path, tmp_path / name)
    assert (found["format"], found["written"]) == (format, str(tmp_path / name))
    back = read_vectors(tmp_path / name)
    assert back.words == vectors.words
    assert back.matrix.tobytes() == vectors.matrix.tobytes()


def test_a_conversion_takes_a_format_and_a_limit_and_its_own_source(path, vectors):
    found = run_conversion(path, path, format="binary", limit=3)
    assert (found["words"], found["format"]) == (3, "binary")
    assert read_vectors(path).words == vectors.words[:3]
    assert path.read_bytes().startswith(b"3 3\nland1 ")


def test_a_name_without_a_format_is_refused(tmp_path, path):
    for name in ("o", "o.gz", "o.glove"):
        with pytest.raises(InputError, match=r"the name tells no format; end it in \.txt, \.vec"):
            run_conversion(path, tmp_path / name)
    assert not (tmp_path / "o").exists()


def test_the_folder_of_a_run_stands_for_its_vectors(tmp_path, vectors):
    with pytest.raises(InputError, match="no word vectors there"):
        find_vectors(tmp_path)
    for format, name in (
        ("text", "vectors.txt"),
        ("binary", "vectors.bin"),
        ("npy", "vectors.npy"),
    ):
        write_vectors(tmp_path / name, vectors, format=format)
        assert find_vectors(tmp_path) == tmp_path / name
    assert run_neighbours(tmp_path, ["land1"])["model"] == str(tmp_path)
    assert find_vectors(tmp_path / "none") == tmp_path / "none"
