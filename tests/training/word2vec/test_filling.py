"""T59: gaps filled by trained models: contexts by other ways, probabilities, what is refused."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.embeddings.context2vec import Context2vec
from dynotes.embeddings.slots import id_slots
from dynotes.graph.arrays import read
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.parameters import named_parameters, restore
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec import filling
from dynotes.training.word2vec.filling import open_filler, run_substitutes
from dynotes.training.word2vec.session import model_meta
from tests.training.word2vec.small_word2vec import config, run

WHOLE = {"model": "context2vec", "subsample": 1e-3, "hidden": 5}
SENTENCES = [np.array(ids) for ids in ([2, 0, 5, 5, 7], [1, 3], [6, 2, 9, 4, 4, 11, 0])]


def trained(folder, **settings):
    """A model file of a short run, in the folder of the run."""
    r = run(folder, config(**settings))
    r.train()
    write_arrays(r.folder.model, r.parameters(), model_meta(r.config, r.text.vocabulary, r.model))
    return r.folder.path


@pytest.fixture(scope="module")
def context2vec(tmp_path_factory):
    settings = {**WHOLE, "epochs": 20, "lr": 0.03, "dim": 10, "hidden": 10, "shared": 40}
    return trained(tmp_path_factory.mktemp("context2vec"), **settings)


@pytest.fixture(scope="module")
def cbow(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("cbow"), model="cbow", window=2)


def test_contexts_of_context2vec_are_those_of_its_encoder(context2vec, monkeypatch):
    arrays, meta = read_arrays(context2vec / "model.safetensors")
    pc = dy.ParameterCollection()
    encoder = Context2vec(pc, **meta["encoder"])
    restore(pc, {name: arrays[name] for name in named_parameters(pc)})
    expected = np.concatenate([read(encoder.hidden(id_slots([s])))[..., 0].T for s in SENTENCES])
    for together in (1, 2, 50):
        monkeypatch.setattr(filling, "SENTENCES", together)
        found = open_filler(context2vec).contexts(SENTENCES)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert pc.parameter_count()


@pytest.mark.parametrize("mean", [True, False])
def test_contexts_of_cbow_are_the_words_of_its_window_by_loops(tmp_path, mean):
    folder = trained(tmp_path, model="cbow", window=2, mean=mean, epochs=1)
    arrays, _ = read_arrays(folder / "model.safetensors")
    expected = []
    for s in SENTENCES:
        for i in range(len(s)):
            near = [arrays["/cbow/V"][s[j]] for j in range(len(s)) if 0 < abs(i - j) <= 2]
            expected.append(np.mean(near, axis=0) if mean else np.sum(near, axis=0))
    np.testing.assert_allclose(open_filler(folder).contexts(SENTENCES), expected, atol=1e-6)


@pytest.mark.parametrize("model", ["context2vec", "cbow"])
def test_the_word_in_the_gap_is_not_read(model, request):
    filler = open_filler(request.getfixturevalue(model))
    found = [filler.contexts([np.array([3, w, 1])], [1]) for w in range(12)]
    np.testing.assert_allclose(np.concatenate(found), np.repeat(found[0], 12, axis=0), atol=1e-6)


def test_substitutes_are_the_words_by_their_probability(context2vec):
    filler = open_filler(context2vec)
    words = filler.vocabulary.words
    result = run_substitutes(context2vec, "a b [] d", top=12)
    ids = filler.vocabulary.lookup(["a", "b", "c", "d"])
    arrays, _ = read_arrays(context2vec / "model.safetensors")
    scores = arrays["/negative-sampling/U"] @ filler.contexts([ids], [2])[0]
    scores = scores + 0.75 * np.log(filler.vocabulary.counts)
    p = np.exp(scores) / np.exp(scores).sum()
    order = np.argsort(-p)
    assert [word for word, _ in result["substitutes"]] == [words[i] for i in order]
    np.testing.assert_allclose([q for _, q in result["substitutes"]], p[order], atol=2e-5)


def test_a_trained_model_knows_what_stands_between_letters(context2vec):
    """The next letter is the same, the next or the one after: b c d, b b d and b d d are right."""
    found = run_substitutes(context2vec, "a b [] d e", top=3)["substitutes"]
    assert {word for word, _ in found} == {"b", "c", "d"}
    assert sum(probability for _, probability in found) > 0.9


def test_words_that_the_model_does_not_know_are_left_out(context2vec):
    plain = run_substitutes(context2vec, "a b [] d")
    found = run_substitutes(context2vec, "a zebra b [] d zoo")
    assert found["left_out"] == ["zebra", "zoo"]
    assert found["sentence"] == "a b [] d"
    assert found["substitutes"] == plain["substitutes"]


def test_nce_ranks_with_its_biases_and_the_softmax_with_nothing(tmp_path):
    for loss in ("nce", "softmax"):
        settings = {} if loss == "nce" else {"shared": 128}
        folder = trained(tmp_path / loss, **WHOLE, loss=loss, epochs=1, **settings)
        arrays, _ = read_arrays(folder / "model.safetensors")
        expected = arrays["/nce/b"][:, 0] if loss == "nce" else np.zeros(12)
        np.testing.assert_allclose(open_filler(folder).shift, expected, rtol=1e-6)


@pytest.mark.parametrize("sentence", ["a b c", "a [] b []"])
def test_one_gap_is_expected(context2vec, sentence):
    with pytest.raises(ConfigError, match=r"sentence: expected one gap \[\], found"):
        run_substitutes(context2vec, sentence)


def test_models_that_fill_no_gaps_are_refused(tmp_path):
    with pytest.raises(InputError, match="expected a model context2vec or cbow, found 'skipgram'"):
        open_filler(trained(tmp_path / "a", epochs=1))
    with pytest.raises(InputError, match="loss hierarchical has no vectors of words"):
        open_filler(
            trained(tmp_path / "b", model="cbow", loss="hierarchical", shared=128, epochs=1)
        )
    with pytest.raises(InputError, match="no such file"):
        open_filler(tmp_path / "none.safetensors")


def test_a_model_file_that_lacks_something_is_refused(context2vec, tmp_path):
    arrays, meta = read_arrays(context2vec / "model.safetensors")
    del arrays["/context2vec/W1"]
    write_arrays(tmp_path / "m.safetensors", arrays, meta)
    with pytest.raises(InputError, match="damaged"):
        open_filler(tmp_path / "m.safetensors")
