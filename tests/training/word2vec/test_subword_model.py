"""T57 in training: skip-gram's pairs, rows that move, no n-grams, small tables."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.embeddings.units import vocabulary_units
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.checkpoint import read_checkpoint
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.models import new_model
from dynotes.training.word2vec.step import Word2vecStepper
from tests.training.word2vec.small_word2vec import config, run

COUNTS = {"the": 40, "then": 30, "a": 20, "others": 10, "hen": 5}
WORDS = list(COUNTS)
IDS = np.array([0, 3, 0, 1, 3, 4], np.int32)


def chunk():
    n = len(IDS)
    return Chunk(IDS, np.zeros(n, np.int64), 0, np.full(n, 2, np.int32), 0, n)


def stepper(**settings):
    """(collection, stepper): tables are random, and the words' own rows the same for all models."""
    settings = config(**{"dim": 4, "negatives": 2, "model": "subword", **settings})
    vocabulary = Vocabulary.build(COUNTS, min_count=1, unk=None, eos=None)
    pc = dy.ParameterCollection()
    model = new_model(settings, pc, TokenText(vocabulary, IDS, np.array([6]), 0, ""))
    for number, table in enumerate(model.tables):
        values = np.random.default_rng(number).normal(0, 0.5, table.shape())
        table.init_from_array(values)
    trainer = dy.SimpleSGDTrainer(pc, 0.1)
    trainer.set_clip_threshold(-1)
    return pc, Word2vecStepper(model, trainer, settings)


def test_the_predictions_of_a_chunk_are_the_pairs_of_its_windows():
    pc, step = stepper()
    inputs, predictions = step.model.examples(chunk())
    centres, contexts = window_pairs(chunk(), chunk().windows)
    found = zip(inputs.words[predictions.columns].tolist(), predictions.words.tolist())
    assert sorted(found) == sorted(zip(IDS[centres].tolist(), IDS[contexts].tolist()))
    assert len(set(inputs.words)) == len(inputs.words)
    assert pc.parameter_count()


@pytest.mark.parametrize("damping", [0.0, 0.5])
@pytest.mark.parametrize("how", [{}, {"exact": True}, {"mean": False}], ids=str)
def test_without_ngrams_every_update_is_that_of_skip_gram(damping, how):
    pc, subword = stepper(maxn=0, damping=damping, **how)
    pc_too, plain = stepper(model="skipgram", damping=damping)
    for number in range(3):
        one, other = (s.step(chunk(), 0.1, np.random.default_rng(number)) for s in (subword, plain))
        assert one.losses == other.losses
        assert one.nats == pytest.approx(other.nats, rel=1e-5)
    for a, b in zip(subword.model.tables, plain.model.tables):
        np.testing.assert_allclose(a.as_array(), b.as_array(), rtol=1e-5, atol=1e-6)
    assert pc.parameter_count() == pc_too.parameter_count()


def test_cbow_without_ngrams_makes_the_updates_of_cbow():
    pc, subword = stepper(model="subword-cbow", maxn=0, exact=True)
    pc_too, plain = stepper(model="cbow")
    for number in range(3):
        one, other = (s.step(chunk(), 0.1, np.random.default_rng(number)) for s in (subword, plain))
        assert one.losses == other.losses == len(IDS)
    for a, b in zip(subword.model.tables, plain.model.tables):
        np.testing.assert_allclose(a.as_array(), b.as_array(), rtol=1e-5, atol=1e-6)
    assert pc.parameter_count() == pc_too.parameter_count()


def test_an_update_moves_the_units_of_the_centres_alone():
    pc, step = stepper()
    table = step.model.encoder.inputs
    before = np.array(table.as_array())
    step.step(chunk(), 0.1, np.random.default_rng(1))
    moved = np.flatnonzero((table.as_array() != before).any(axis=1))
    units = vocabulary_units(WORDS)
    expected = {r for w in set(IDS.tolist()) for r in units.rows[slice(*units.starts[w : w + 2])]}
    assert set(moved.tolist()) == expected
    assert pc.parameter_count()


def test_a_word_that_is_not_in_the_chunk_learns_from_its_ngrams():
    """No chunk has "a"; "hen" shares hen, en> and hen> with "then"."""
    pc, step = stepper()
    before = step.model.vectors({t.name(): np.array(t.as_array()) for t in step.model.tables})
    some = Chunk(np.array([0, 1], np.int32), np.zeros(2, np.int64), 0, np.ones(2, np.int32), 0, 2)
    step.step(some, 0.1, np.random.default_rng(1))
    after = step.model.vectors({t.name(): np.array(t.as_array()) for t in step.model.tables})
    moved = [word for word, row in zip(WORDS, (before != after).any(axis=1)) if row]
    assert moved == ["the", "then", "others", "hen"]  # others: the
    assert pc.parameter_count()


@pytest.mark.parametrize("mean", [True, False])
def test_the_word_vectors_are_the_hidden_vectors(mean):
    pc, step = stepper(mean=mean)
    model = step.model
    inputs, _ = model.examples(chunk())
    dy.renew_cg()
    hidden = model.encoder.hidden(inputs).npvalue()
    found = model.vectors({t.name(): np.array(t.as_array()) for t in model.tables})
    np.testing.assert_allclose(found[inputs.words], hidden.T, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@pytest.mark.parametrize("loss", ["negative-sampling", "nce", "hierarchical", "softmax"])
@pytest.mark.parametrize("model", ["subword", "subword-cbow"])
def test_an_update_lowers_every_loss_of_its_chunk(model, loss):
    sampled = loss in ("negative-sampling", "nce")
    pc, step = stepper(model=model, loss=loss, negatives=2 if sampled else 5, shared=128)
    nats = [step.step(chunk(), 0.05, np.random.default_rng(1)).nats for _ in range(20)]
    assert nats[-1] < 0.9 * nats[0]
    assert pc.parameter_count()


def test_the_checkpoint_holds_the_rows_of_the_vocabulary_and_not_two_million(tmp_path):
    r = run(tmp_path / "r", config(model="subword", minn=1, maxn=3, epochs=1))
    r.train()
    _, arrays, _ = read_checkpoint(r.folder)
    units = vocabulary_units(list(r.text.vocabulary.words), minn=1, maxn=3)
    assert arrays["/subword/V"].shape == (12 + len(units.buckets), 6)
    assert len(units.buckets) == 4 * 12  # <x  <x>  x  x>
    assert r.vectors().shape == (12, 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "subword", "minn": 7}, r"minn: expected 1 to 6 \(maxn\), found 7"),
        ({"minn": 2}, "minn: only with model subword or subword-cbow"),
        ({"model": "cbow", "exact": True}, "exact: only with model subword or subword-cbow"),
        ({"model": "subword", "mean": False, "exact": True}, "exact: only with mean True"),
        ({"model": "subword", "buckets": 0}, "buckets: expected 1 to"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Word2vecConfig(**settings).checked()
