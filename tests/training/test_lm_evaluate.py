import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import read
from dynotes.tips.divergences import perplexity
from dynotes.training import lm_evaluate
from dynotes.training.lm_evaluate import sentence_totals, stream_nll
from dynotes.training.lm_model import own
from tests.training.small_lm import WORDS, config, data, train

V = len(WORDS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has learnt to use what it remembers."""
    settings = config(hidden=16, epochs=6, lr=0.5)
    return train(tmp_path_factory.mktemp("run"), settings, texts=data(train=300))[0]


@pytest.fixture
def owned():
    return own({"n_words": V, "n_embed": 3, "n_hidden": 4})


@pytest.fixture
def model(owned):
    return owned.model  # the other fixture keeps its parameters alive


def stream(count, seed=3):
    return np.random.default_rng(seed).integers(0, V, count).astype(np.int32)


def one_pass(model, ids, start_id=0):
    """A single graph from the first token to the last."""
    inputs = np.concatenate(([start_id], ids[:-1]))[:, None]
    return read(model.nll(model.segment(inputs), ids[:, None]))[0]


@pytest.mark.parametrize("count", [1, 2, 50, 699, 700, 701])
def test_one_column_is_a_single_pass_whatever_the_graphs_it_is_cut_into(model, count, monkeypatch):
    monkeypatch.setattr(lm_evaluate, "TOKENS_A_GRAPH", 70)
    ids = stream(count)
    np.testing.assert_allclose(
        stream_nll(model, ids, 5, columns=1), one_pass(model, ids, 5), atol=1e-4
    )


@pytest.mark.parametrize("count", [1, 319, 320, 321, 1000, 1003])
@pytest.mark.parametrize("columns", [1, 2, 7, 20])
def test_every_token_is_counted_once(model, count, columns):
    nll = stream_nll(model, stream(count), 0, columns=columns)
    assert nll.shape == (count,)
    assert np.isfinite(nll).all()
    assert (nll > 0).all()


@pytest.mark.parametrize(("columns", "context"), [(2, 50), (5, 100), (20, 5), (3, 0)])
def test_every_token_has_the_loss_of_the_words_before_it(model, columns, context):
    ids = stream(600)
    nll = stream_nll(model, ids, 0, columns=columns, context=context)
    length = -(-(600 - context) // columns)
    for t in (0, 1, context, 300, 599):
        column = max(0, (t - context) // length)
        first = min(column, columns - 1) * length
        before = np.concatenate(([0], ids))[first : first + (t - first) + 1]
        scores = model.log_probs(model.segment(before[:, None]))
        assert nll[t] == pytest.approx(-read(scores)[ids[t], -1], abs=1e-4)
        dy.renew_cg()


def test_many_columns_give_the_perplexity_of_a_single_pass_to_1e_4(trained):
    ids = np.tile(trained.data.texts["dev"].ids, 12)
    assert len(ids) > 3000
    found = [
        perplexity(stream_nll(trained.owned.model, ids, 0, columns=columns).sum(), len(ids))
        for columns in (1, 20)
    ]
    assert abs(found[1] / found[0] - 1) < 1e-4
    assert found[0] < 8  # it is a model with a memory that could show


def test_a_column_without_context_differs_from_a_single_pass(trained):
    ids = np.tile(trained.data.texts["dev"].ids, 12)
    with_context = stream_nll(trained.owned.model, ids, 0, columns=1)
    without = stream_nll(trained.owned.model, ids, 0, columns=20, context=0)
    assert np.abs(without - with_context).max() > 1e-3


@pytest.mark.parametrize("count", [100, 1000])
@pytest.mark.parametrize("workers", [2, 3, 30])
def test_workers_that_share_the_columns_give_what_one_gives(model, count, workers):
    ids = stream(count)
    alone = stream_nll(model, ids, 0, columns=20)
    parts = [
        stream_nll(model, ids, 0, columns=20, only=range(rank, 20, workers))
        for rank in range(workers)
    ]
    counted = np.array([~np.isnan(part) for part in parts])
    np.testing.assert_array_equal(counted.sum(axis=0), 1)
    np.testing.assert_allclose(np.nansum(parts, axis=0), alone, atol=1e-5)


def test_evaluation_draws_no_noise(model, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("noise was drawn")

    for name in ("dropout", "random_bernoulli", "random_uniform", "random_normal"):
        monkeypatch.setattr(dy, name, refuse)
    assert np.isfinite(stream_nll(model, stream(10), 0)).all()


def test_sentence_totals_are_the_sums_of_the_sentences():
    nll = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(sentence_totals(nll, [2, 3, 6]), [3, 3, 15])
    np.testing.assert_array_equal(sentence_totals(nll, [6]), [21])


def test_the_totals_of_the_sentences_sum_to_the_total_of_the_text(trained):
    text = trained.data.texts["dev"]
    nll = stream_nll(trained.owned.model, text.ids, 0)
    totals = sentence_totals(nll, text.sentence_ends)
    assert totals.shape == text.sentence_ends.shape
    assert totals.sum() == pytest.approx(nll.sum())


def test_no_tokens_and_no_columns_are_refused(model):
    with pytest.raises(ValueError, match="no tokens to evaluate"):
        stream_nll(model, np.zeros(0, np.int32), 0)
    with pytest.raises(ValueError, match="columns: expected 1"):
        stream_nll(model, stream(10), 0, columns=0)
    with pytest.raises(ValueError, match="ids must be 0 to"):
        stream_nll(model, np.array([0, V]), 0)
