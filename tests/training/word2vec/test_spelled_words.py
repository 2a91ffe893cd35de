"""T63: vectors of any words by a trained C2W."""

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.word_vectors import WordVectors, write_vectors
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.word2vec import spelled_words
from dynotes.training.word2vec.session import model_meta
from dynotes.training.word2vec.spelled_words import open_composer, run_spelling
from dynotes.training.word2vec.tools import run_neighbours
from tests.training.word2vec.small_word2vec import config, run

SETTINGS = {"model": "c2w", "subsample": 1e-3, "hidden": 5, "char_dim": 3, "char_hidden": 4}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(run, its folder) with a model file and vectors; its words are the letters a to l."""
    r = run(tmp_path_factory.mktemp("c2w"), config(**SETTINGS))
    r.train()
    write_arrays(r.folder.model, r.parameters(), model_meta(r.config, r.text.vocabulary, r.model))
    vectors = WordVectors(list(r.text.vocabulary.words), r.vectors())
    write_vectors(r.folder.path / "vectors.bin", vectors, format="binary")
    return r, r.folder.path


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_the_vectors_of_the_vocabulary_are_those_of_the_run(trained, monkeypatch, at_once):
    r, folder = trained
    monkeypatch.setattr(spelled_words, "WORDS", at_once)
    found = open_composer(folder / "model.safetensors").vectors(r.text.vocabulary.words)
    np.testing.assert_allclose(found, r.vectors(), atol=1e-6)
    singles = [open_composer(folder / "model.safetensors").vectors([w])[0] for w in "abc"]
    places = [r.text.vocabulary.words.index(word) for word in "abc"]
    np.testing.assert_allclose(found[places], singles, atol=1e-6)


def test_unseen_words_have_vectors_that_depend_on_all_their_characters(trained):
    composer = open_composer(trained[1] / "model.safetensors")
    found = composer.vectors(["abc", "acb", "abd", "abc"])
    np.testing.assert_allclose(found[0], found[3], atol=1e-7)
    for other in (1, 2):
        assert np.abs(found[0] - found[other]).max() > 1e-6


def test_characters_that_were_never_seen_are_one_and_the_same(trained):
    found = open_composer(trained[1] / "model.safetensors").vectors(["aXc", "aYc"])
    np.testing.assert_allclose(found[0], found[1], atol=1e-7)


def test_neighbours_of_known_words_are_those_of_the_vectors(trained):
    found = run_spelling(trained[1], ["a", "b"], top=3)
    assert found["unseen"] == []
    expected = run_neighbours(trained[1], ["a", "b"], top=3)["neighbours"]
    assert found["neighbours"] == expected


def test_neighbours_of_unseen_words_are_words_of_the_vocabulary(trained):
    r, folder = trained
    found = run_spelling(folder, ["abc", "abd", "abc"], top=20)
    assert found["unseen"] == ["abc", "abd"]
    (vector,) = open_composer(folder / "model.safetensors").vectors(["abc"])
    matrix = r.vectors()
    cosines = matrix @ vector / np.linalg.norm(matrix, axis=1) / np.linalg.norm(vector)
    words = r.text.vocabulary.words
    assert {word for word, _ in found["neighbours"]["abc"]} == set(words)
    for word, cosine in found["neighbours"]["abc"]:
        assert cosine == pytest.approx(cosines[words.index(word)], abs=1e-4)
    few = run_spelling(folder, ["abc"], top=20, restrict_vocab=3)["neighbours"]["abc"]
    assert {word for word, _ in few} == set(words[:3])


def test_another_model_is_refused(tmp_path):
    r = run(tmp_path, config(epochs=1))
    write_arrays(r.folder.model, r.parameters(), model_meta(r.config, r.text.vocabulary, r.model))
    with pytest.raises(InputError, match="no model c2w"):
        open_composer(r.folder.model)


def test_a_model_file_that_lacks_something_is_refused(trained, tmp_path):
    arrays, meta = read_arrays(trained[1] / "model.safetensors")
    del meta["characters"]
    write_arrays(tmp_path / "m.safetensors", arrays, meta)
    with pytest.raises(InputError, match="damaged"):
        open_composer(tmp_path / "m.safetensors")
