"""A finished run of the subword model: unknown words in all commands, a file for fastText."""

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.fasttext_binary import read_fasttext
from dynotes.corpora.word_vectors import read_vectors
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.word2vec.scoring import WordTestFiles
from dynotes.training.word2vec.session import run_training
from dynotes.training.word2vec.sources import read_source
from dynotes.training.word2vec.tools import (
    run_analogy,
    run_conversion,
    run_evaluation,
    run_neighbours,
)
from tests.training.word2vec.small_word2vec import config, write_text

SETTINGS = {"model": "subword", "minn": 1, "maxn": 3, "buckets": 1000, "epochs": 1}


@pytest.fixture(scope="module", params=["subword", "subword-cbow"])
def trained(tmp_path_factory, request):
    """The folder of a run over the words a to l."""
    folder = tmp_path_factory.mktemp("subword")
    text, settings = write_text(folder / "text.txt"), config(**{**SETTINGS, "model": request.param})
    assert run_training(folder / "run", settings, text, resume=False, data=folder)
    return folder / "run"


def test_a_run_gives_back_the_vectors_that_it_wrote(trained):
    file, vectors, subwords = read_source(trained)
    assert file == trained / "vectors.bin"
    assert vectors.words == read_vectors(file).words
    np.testing.assert_array_equal(vectors.matrix, read_vectors(file).matrix)
    np.testing.assert_array_equal(subwords.of(vectors.words), vectors.matrix)


def test_a_file_of_vectors_alone_knows_no_ngrams(trained):
    assert read_source(trained / "vectors.bin").subwords is None


def test_unknown_words_have_neighbours_in_the_vocabulary_and_are_named(trained):
    _, vectors, subwords = read_source(trained)
    found = run_neighbours(trained, ["ab", "c", "ba"], top=20)
    assert (found["from_ngrams"], found["words"]) == (["ab", "ba"], 12)
    for word, others in found["neighbours"].items():
        assert {w for w, _ in others} == set(vectors.words) - {word}
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    (asked,) = subwords.of(["ab"])
    expected = dict(zip(vectors.words, unit @ (asked / np.linalg.norm(asked))))
    for word, cosine in found["neighbours"]["ab"]:
        assert cosine == pytest.approx(expected[word], abs=1e-4)


def test_an_analogy_may_ask_unknown_words(trained):
    found = run_analogy(trained, "a", "ab", "c", restrict_vocab=5)
    assert (found["from_ngrams"], found["words"]) == (["ab"], 12)
    assert len(found["answers"]) <= 5
    assert not {"a", "ab", "c"} & {word for word, _ in found["answers"]}


def test_known_words_are_not_named(trained):
    assert run_neighbours(trained, ["a"])["from_ngrams"] == []


def test_similarity_is_graded_a_second_time_with_unknown_words(trained, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a\tb\t1\na\tab\t5\nba\tbab\t7\nc\td\t2\nE\tf\t3\n")
    found = run_evaluation(trained, WordTestFiles([], [pairs], None), restrict_vocab=8)
    assert found["similarity"]["pairs.tsv"]["pairs"] <= 2
    every = found["similarity_from_ngrams"]["pairs.tsv"]
    assert (every["pairs"], every["left_out"]) == (4, 1)  # no n-gram of E was seen
    assert found["metrics"]["similarity_spearman_from_ngrams"] == every["spearman"]
    lower = run_evaluation(trained, WordTestFiles([], [pairs], None), lower=True)
    assert lower["similarity"]["pairs.tsv"]["pairs"] == 3


def test_a_run_becomes_a_file_of_fasttext_that_answers_the_same(trained, tmp_path):
    written = run_conversion(trained, tmp_path / "m.bin", format="fasttext")
    assert (written["words"], written["format"]) == (12, "fasttext")
    found, (_, vectors, subwords) = read_fasttext(tmp_path / "m.bin"), read_source(trained)
    assert (found.epochs, found.negatives, found.loss) == (1, 5, "negative-sampling")
    model = read_arrays(trained / "model.safetensors")[1]["model"]
    assert found.cbow == (model == "subword-cbow")
    np.testing.assert_array_equal(found.vectors.of(["ab", "a"]), subwords.of(["ab", "a"]))
    np.testing.assert_array_equal(
        found.outputs, read_arrays(trained / "model.safetensors")[0]["/negative-sampling/U"]
    )
    one, other = (run_neighbours(path, ["ab"]) for path in (trained, tmp_path / "m.bin"))
    assert one["neighbours"] == other["neighbours"]
    run_conversion(tmp_path / "m.bin", tmp_path / "v.txt", limit=5)
    back = read_vectors(tmp_path / "v.txt")
    assert back.words == vectors.words[:5]
    np.testing.assert_array_equal(back.matrix, vectors.matrix[:5])


def test_what_has_no_ngrams_is_no_source_of_a_file_of_fasttext(trained, tmp_path):
    with pytest.raises(InputError, match="expected a finished run of the subword model"):
        run_conversion(trained / "vectors.bin", tmp_path / "m.bin", format="fasttext")
    with pytest.raises(InputError, match="format fasttext has all words"):
        run_conversion(trained, tmp_path / "m.bin", format="fasttext", limit=3)
    assert not (tmp_path / "m.bin").exists()


def test_a_model_file_of_another_size_is_refused(trained, tmp_path):
    other = tmp_path / "run"
    other.mkdir()
    for name in ("config.json", "vectors.bin"):
        (other / name).write_bytes((trained / name).read_bytes())
    arrays, meta = read_arrays(trained / "model.safetensors")
    (table,) = (name for name in arrays if name.endswith("/V"))
    arrays[table] = arrays[table][1:]
    write_arrays(other / "model.safetensors", arrays, meta)
    with pytest.raises(InputError, match=r"model\.safetensors: damaged or of another"):
        read_source(other)


@pytest.mark.parametrize("lengths", [{"minn": 4, "maxn": 5}, {"minn": 2, "maxn": 2}])
def test_an_unknown_word_without_known_ngrams_is_refused_by_name(tmp_path, lengths):
    text = write_text(tmp_path / "text.txt")
    settings = config(**{**SETTINGS, **lengths, "buckets": 2_000_000})
    run_training(tmp_path / "run", settings, text, resume=False, data=tmp_path)
    with pytest.raises(InputError, match="'x' is not among its 12 words, nor are its n-grams"):
        run_neighbours(tmp_path / "run", ["x"])
