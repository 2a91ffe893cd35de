"""One update of word2vec: what is counted, what moves, and how far."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training.lm_step import TrainingError
from dynotes.training.word2vec.models import new_model
from dynotes.training.word2vec.step import Word2vecStepper
from tests.reference import word2vec as ref
from tests.training.word2vec.small_word2vec import config

COUNTS = {"a": 40, "b": 30, "c": 20, "d": 10, "e": 5}
IDS = np.array([0, 3, 0, 1, 3], np.int32)
LOSSES = {
    "shared": {"shared": 8},
    "private": {"shared": 0},
    "nce": {"loss": "nce"},
    "hierarchical": {"loss": "hierarchical"},
    "softmax": {"loss": "softmax"},
}
every = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
MODELS = ["skipgram", "cbow", "structured-skipgram", "cwindow"]
models = pytest.mark.parametrize("model", MODELS)


def chunk(ids=IDS, windows=1, sentences=None):
    n = len(ids)
    where = np.zeros(n, np.int64) if sentences is None else sentences
    return Chunk(ids, where, 0, np.full(n, windows, np.int32), 0, n)


def stepper(**settings):
    settings = {"dim": 4, "shared": 128, **settings}
    if settings.get("loss") not in ("softmax", "hierarchical"):
        settings["negatives"] = 2
    settings = config(**settings)
    vocabulary = Vocabulary.build(COUNTS, min_count=1, unk=None, eos=None)
    pc = dy.ParameterCollection()
    model = new_model(settings, pc, TokenText(vocabulary, IDS, np.array([5]), 0, ""))
    rng = np.random.default_rng(4)
    for table in model.tables:
        table.init_from_array(rng.normal(0, 0.5, table.shape()))
    trainer = dy.SimpleSGDTrainer(pc, 0.1)
    trainer.set_clip_threshold(-1)
    return pc, Word2vecStepper(model, trainer, settings)


def tables(step):
    return [np.array(t.as_array()) for t in step.model.tables]


@models
@every
def test_an_update_lowers_the_loss_of_its_chunk(model, loss):
    pc, step = stepper(model=model, **loss)
    nats = [step.step(chunk(), 0.1, np.random.default_rng(1)).nats for _ in range(30)]
    assert nats[-1] < 0.9 * nats[0]
    assert pc.parameter_count()


@models
@every
def test_the_losses_are_the_pairs_of_skip_gram_and_the_positions_of_cbow(model, loss):
    pc, step = stepper(model=model, **loss)
    result = step.step(chunk(), 0.1, np.random.default_rng(1))
    assert result.losses == (8 if model.endswith("skipgram") else 5)
    assert pc.parameter_count()


def test_a_step_without_damping_is_plain_gradient_descent():
    """v_r <- v_r - eta dJ/dv_r of the full softmax, by loops."""
    pc, step = stepper(loss="softmax", damping=0.0)
    v, u = tables(step)
    pairs = [(0, 3), (3, 0), (3, 0), (0, 3), (0, 1), (1, 0), (1, 3), (3, 1)]
    dv, du = np.zeros_like(v), np.zeros_like(u)
    nats = 0.0
    for c, o in pairs:
        p = np.exp(u @ v[c]) / np.exp(u @ v[c]).sum()
        error = p - np.eye(5)[o]
        dv[c] += u.T @ error
        du += np.outer(error, v[c])
        nats += ref.nll(v[c], u, o)
    result = step.step(chunk(), 0.1, np.random.default_rng(1))
    assert result.nats == pytest.approx(nats, rel=1e-5)
    for found, start, slope in zip(tables(step), (v, u), (dv, du)):
        np.testing.assert_allclose(found, start - 0.1 * slope, atol=1e-6)
    assert pc.parameter_count()


def test_damping_divides_the_step_of_a_row_by_one_plus_its_losses():
    """Word 0 is the centre of 3 pairs with 2 noise words each: 1 + eta beta 9; word 1 of 2."""
    moved = []
    for damping in (0.0, 0.5):
        pc, step = stepper(damping=damping, shared=8)
        before = tables(step)
        step.step(chunk(), 0.1, np.random.default_rng(1))
        moved.append([after - start for after, start in zip(tables(step), before)])
        assert pc.parameter_count()
    for word, pairs in ((0, 3), (1, 2), (3, 3)):
        expected = moved[0][0][word] / (1 + 0.1 * 0.5 * 3 * pairs)
        np.testing.assert_allclose(moved[1][0][word], expected, rtol=1e-3, atol=1e-6)


def test_noise_counts_among_the_losses_of_an_output_row():
    """Shared noise: the masses of all output rows sum to the pairs times 1 + K."""
    pc, step = stepper(shared=8)
    factors = []
    original = step._factors.set
    step._factors.set = lambda *args: (factors.append(args), original(*args))
    step.step(chunk(), 0.1, np.random.default_rng(1))
    _, (_, outputs) = factors[0]
    assert sum(float(np.sum(mass)) for _, mass in outputs) == pytest.approx(8 * (1 + 2))
    assert pc.parameter_count()


def test_sentences_do_not_see_each_other():
    pc, step = stepper()
    result = step.step(chunk(sentences=np.array([0, 0, 1, 1, 2])), 0.1, np.random.default_rng(1))
    assert result.losses == 4
    assert pc.parameter_count()


def test_a_chunk_without_pairs_changes_nothing():
    pc, step = stepper()
    before = tables(step)
    result = step.step(chunk(sentences=np.arange(5)), 0.1, np.random.default_rng(1))
    assert result == (0.0, 0)
    for one, other in zip(before, tables(step)):
        np.testing.assert_array_equal(one, other)
    assert pc.parameter_count()


@models
@every
def test_equal_generators_give_equal_bits(model, loss):
    found = []
    for _ in range(2):
        dy.renew_cg()
        pc, step = stepper(model=model, **loss)
        for number in range(3):
            step.step(chunk(), 0.1, np.random.default_rng((1, number)))
        found.append(tables(step))
        assert pc.parameter_count()
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_number_stops_training_before_the_update():
    pc, step = stepper(damping=0.0)
    step.model.encoder.inputs.init_from_array(np.full((5, 4), np.nan))
    before = tables(step)[1]
    with pytest.raises(TrainingError, match="the loss is nan; lower the learning rate"):
        step.step(chunk(), 0.1, np.random.default_rng(1))
    np.testing.assert_array_equal(tables(step)[1], before)
    assert pc.parameter_count()
