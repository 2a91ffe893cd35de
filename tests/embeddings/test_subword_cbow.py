"""T57: CBOW over n-grams: means and sums of loops, plain CBOW without n-grams, gradients."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cbow import BLOCK, Cbow
from dynotes.embeddings.pairs import Bags, id_bags
from dynotes.embeddings.subword_cbow import SubwordCbow, unit_bags
from dynotes.embeddings.units import vocabulary_units
from dynotes.graph import arrays
from tests.helpers import assert_gradients, asymmetric, set_value

WORDS = ["banana", "an", "the", "then", "日本語", "</s>", "ban"]
WINDOWS, TARGETS = [[1, 2, 1], [0], [5, 6, 3, 2]], [0, 4, 4]
D = 3
ways = pytest.mark.parametrize(
    "way", [{}, {"exact": False}, {"mean": False}], ids=["mean", "undivided", "sum"]
)


def made(way, maxn=3):
    """(collection, model, units of the vocabulary, bags, table as float64)."""
    vocabulary = vocabulary_units(WORDS, minn=min(2, maxn), maxn=maxn)
    pc, n_ngrams = dy.ParameterCollection(), len(vocabulary.buckets)
    model = SubwordCbow(pc, n_words=len(WORDS), n_ngrams=n_ngrams, n_embed=D, **way)
    shape = (len(WORDS) + n_ngrams, D)
    table = np.random.default_rng(0).normal(0, 0.7, shape).astype(np.float32)
    set_value(model.inputs, table)
    return pc, model, vocabulary, unit_bags(vocabulary, id_bags(WINDOWS, TARGETS)), table


def rows_of(vocabulary, window):
    return [r for w in window for r in vocabulary.rows[slice(*vocabulary.starts[w : w + 2])]]


def gradient(model, e):
    loss = asymmetric(e)
    loss.forward()
    loss.backward()
    found = np.array(model.inputs.grad_as_array())
    model.inputs.scale_gradient(0.0)
    return found


@ways
@pytest.mark.parametrize("maxn", [0, 3])
def test_a_bag_is_the_mean_or_the_sum_of_the_units_of_all_its_words(way, maxn):
    pc, model, vocabulary, examples, table = made(way, maxn)
    H = arrays.read(model.hidden(examples))[..., 0]
    assert H.shape == (D, BLOCK) == (D, model.n_hidden(examples))
    for h, window in zip(H.T, WINDOWS):
        rows = table.astype(float)[rows_of(vocabulary, window)]
        expected = rows.mean(axis=0) if way.get("mean", True) else rows.sum(axis=0)
        np.testing.assert_allclose(h, expected, rtol=1e-5, atol=1e-6)
    assert not H[:, 3:].any()
    assert pc.parameter_count()


@pytest.mark.parametrize("way", [{}, {"mean": False}], ids=["mean", "sum"])
@pytest.mark.parametrize("damped", [False, True])
def test_gradients_are_those_of_finite_differences(way, damped):
    pc, model, _, examples, table = made(way)
    factors = [np.ones(len(table), np.float32)] if damped else None
    assert_gradients(
        lambda: asymmetric(dy.tanh(model.hidden(examples, factors))), [model.inputs], entries=30
    )
    assert pc.parameter_count()


@ways
@pytest.mark.parametrize("damped", [False, True])
def test_the_gradient_and_the_mass_of_a_unit_are_its_shares(way, damped):
    pc, model, vocabulary, examples, table = made(way)
    factors = np.linspace(0.1, 2, len(table)).astype(np.float32) if damped else None
    slopes = np.reshape(np.sin(1.0 + 2.3 * np.arange(D * BLOCK)) + 0.2, (BLOCK, D))
    losses = np.arange(1.0, BLOCK + 1)
    expected, masses = np.zeros(table.shape), np.zeros(len(table))
    for slope, n, window in zip(slopes, losses, WINDOWS):
        rows = rows_of(vocabulary, window)
        for row in rows:
            share = 1 / len(rows) if way == {} else 1
            expected[row] += share * slope * (1 if factors is None else factors[row])
            masses[row] += share * n
    dy.renew_cg()
    found = gradient(model, model.hidden(examples, None if factors is None else [factors]))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    ((rows, held),) = model.masses(examples, losses)[0]
    np.testing.assert_allclose(held, masses[rows])
    assert set(np.flatnonzero(masses)) == set(rows.tolist())
    assert pc.parameter_count()


@pytest.mark.parametrize("mean", [True, False])
def test_without_ngrams_it_is_cbow(mean):
    pc, model, _, examples, table = made({"mean": mean}, maxn=0)
    pc_too = dy.ParameterCollection()
    plain = Cbow(pc_too, n_words=len(WORDS), n_embed=D, mean=mean)
    set_value(plain.inputs, table)
    dy.renew_cg()
    one, other = model.hidden(examples), plain.hidden(id_bags(WINDOWS, TARGETS))
    np.testing.assert_allclose(arrays.read(one), arrays.read(other), rtol=1e-6)
    np.testing.assert_allclose(gradient(model, one), gradient(plain, other), rtol=1e-6)
    assert pc.parameter_count() == pc_too.parameter_count()


def test_more_bags_than_a_block_are_those_one_by_one():
    pc, model, vocabulary, _, _ = made({})
    rng = np.random.default_rng(1)
    windows = [
        rng.integers(0, len(WORDS), rng.integers(1, 7)).tolist() for _ in range(2 * BLOCK + 3)
    ]
    whole = id_bags(windows, [0] * len(windows))
    H = arrays.read(model.hidden(unit_bags(vocabulary, whole)))[..., 0]
    for i in (0, BLOCK, 2 * BLOCK + 2):
        one = unit_bags(vocabulary, id_bags(windows[i : i + 1], [0]))
        alone = arrays.read(model.hidden(one))[:, 0, 0]
        np.testing.assert_allclose(H[:, i], alone, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_unknown_words_are_refused():
    _, _, vocabulary, examples, _ = made({})
    bags = Bags(np.array([7]), *examples.bags[1:])
    with pytest.raises(ValueError, match="words: ids must be 0 to 6, found 7 to 7"):
        unit_bags(vocabulary, bags)
