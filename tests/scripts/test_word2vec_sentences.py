"""scripts/word2vec.py with models of sentences: train, kill, resume, substitutes, spell."""

import numpy as np
import pytest

from dynotes.corpora.word_vectors import read_vectors
from dynotes.training.model_file import read_arrays
from tests.scripts.word2vec_script import SMALL, last_line, run, start, text

MODELS = {
    "context2vec": ["--model", "context2vec", "--hidden", "5"],
    "c2w": ["--model", "c2w", "--hidden", "5", "--char-dim", "3", "--char-hidden", "4"],
}


@pytest.fixture(scope="module", params=MODELS)
def trained(request, tmp_path_factory):
    """(name of a model, folder of its run, its summary)."""
    folder = tmp_path_factory.mktemp(request.param)
    options = [*text(folder), *SMALL, *MODELS[request.param]]
    status, out, errors = run("train", *options, "--out", folder / "run")
    assert (status, errors) == (0, "")
    return request.param, folder / "run", last_line(out)


def test_train_writes_word_vectors_and_the_summary_of_the_contract(trained):
    name, folder, summary = trained
    assert summary["model"] == name
    assert summary["epochs"] == 2
    assert summary["metrics"]["loss"] > 0
    vectors = read_vectors(folder / "vectors.bin")
    assert vectors.matrix.shape == (12, 6)
    if name == "context2vec":
        arrays, _ = read_arrays(folder / "model.safetensors")
        np.testing.assert_array_equal(vectors.matrix, arrays["/negative-sampling/U"])


@pytest.mark.parametrize("name", MODELS)
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(name, tmp_path):
    more = [*SMALL, *MODELS[name], "--epochs", "6", "--checkpoint-seconds", "0"]
    assert run("train", *text(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *text(tmp_path), *more, "--out", tmp_path / "part")
    try:
        for _ in range(3):  # the text is read, two epochs are over
            process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
    assert not (tmp_path / "part" / "vectors.bin").exists()
    assert run("train", "--resume", tmp_path / "part")[0] == 0
    for file in ("vectors.bin", "model.safetensors"):
        names = [tmp_path / which / file for which in ("whole", "part")]
        assert names[0].read_bytes() == names[1].read_bytes()


def test_substitutes_and_spell_answer_for_their_model_and_refuse_others(trained):
    name, folder, _ = trained
    status, out, errors = run("substitutes", folder, "a b [] d", "--top", "4")
    if name == "context2vec":
        assert (status, errors) == (0, "")
        assert len(last_line(out)["substitutes"]) == 4
        assert len(out.splitlines()) == 5
        status, out, errors = run("substitutes", folder, "a b d")
        assert (status, out) == (1, "")
        assert errors == "error: sentence: expected one gap [], found 0\n"
    else:
        assert status == 1
        assert errors.endswith("expected a model context2vec or cbow, found 'c2w'\n")
    status, out, errors = run("spell", folder, "abc", "b", "--top", "4")
    if name == "c2w":
        assert (status, errors) == (0, "")
        found = last_line(out)
        assert found["unseen"] == ["abc"]
        assert {w: len(some) for w, some in found["neighbours"].items()} == {"abc": 4, "b": 4}
    else:
        assert status == 1
        assert errors.endswith("no model c2w\n")
