"""T67: runs over n-grams: bits that do not depend on interruptions or chunks, what is learned."""

import os
import signal

import numpy as np
import pytest

from dynotes.corpora.token_store import SPACE
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.run import Word2vecRun
from dynotes.training.word2vec.texts import store_text
from tests.training.word2vec.small_word2vec import config, log, write_text

SEMBEI = {"model": "sembei", "ngrams": "12,40,20"}


def run(folder, **settings):
    folder.mkdir(exist_ok=True)
    settings = config(**{**SEMBEI, **settings})
    text = store_text(write_text(folder / "text.txt"), folder / "tokens", settings)
    return Word2vecRun(settings, text, RunFolder(folder), say=lambda _: None)


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_an_interrupted_run_ends_with_the_bits_of_a_whole_one(tmp_path):
    whole = run(tmp_path / "whole")
    whole.train()
    part = run(tmp_path / "part")
    steps, step = [], part.stepper.step

    def stopped(*args):
        steps.append(1)
        if len(steps) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    part.stepper.step = stopped
    with pytest.raises(Interrupted):
        part.train()
    rest = run(tmp_path / "part")
    rest.train(resume=True)
    assert_equal(whole.parameters(), rest.parameters())


def test_a_run_counts_characters_and_predictions_and_its_loss_falls(tmp_path):
    r = run(tmp_path / "a", epochs=6, subsample=0.0, damping=0.5, lr=0.2)
    r.train()
    entries = log(tmp_path / "a")
    assert {entry["characters"] for entry in entries} == {120 * 9}
    # every boundary of two single characters is told from both sides, and more
    assert entries[0]["predictions"] > 2 * 120 * 8
    assert {entry["predictions"] for entry in entries} == {entries[0]["predictions"]}
    assert entries[-1]["loss"] < entries[0]["loss"]


def test_each_ngram_has_a_vector_and_two_output_vectors(tmp_path):
    r = run(tmp_path / "a")
    shapes = {name: array.shape for name, array in r.parameters().items()}
    n = len(r.text.vocabulary)
    assert shapes == {"/skip-gram/V": (n, 6), "/negative-sampling/U": (2 * n, 6)}
    assert r.vectors().shape == (n, 6)


@pytest.mark.parametrize("loss", ["nce", "hierarchical", "softmax"])
def test_every_loss_trains(tmp_path, loss):
    shared = {"shared": 8} if loss == "nce" else {"shared": 128}
    r = run(tmp_path / "a", loss=loss, **shared)
    r.train()
    assert all(np.isfinite(a).all() for a in r.parameters().values())


def test_words_marked_at_their_ends_are_units(tmp_path):
    r = run(tmp_path / "a", spaces=True, ngrams="0,99", epochs=1)
    assert set(r.text.vocabulary.words) >= {c + SPACE for c in "abcdefghijkl"}
    r.train()
    assert r.at.finished


def test_more_negatives_than_ngrams_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="negatives: expected 1 to 12"):
        run(tmp_path / "a", ngrams="12", negatives=13)
