"""T57: words from their n-grams: means and sums of loops, one row for all who share it."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.subword import Subword
from dynotes.embeddings.units import Units, units_of, vocabulary_units
from dynotes.graph import arrays
from tests.helpers import assert_gradients, asymmetric, set_value

WORDS = ["banana", "an", "the", "then", "日本語", "</s>", "ban"]
D = 3
both = pytest.mark.parametrize("mean", [True, False])
ragged = pytest.mark.parametrize("maxn", [0, 3, 6])


def made(maxn=3, mean=True, seed=0, buckets=2_000_000, **options):
    """(collection, model, units of the vocabulary, its table as float64)."""
    vocabulary = vocabulary_units(WORDS, minn=min(2, maxn), maxn=maxn, buckets=buckets)
    pc, n_ngrams = dy.ParameterCollection(), len(vocabulary.buckets)
    model = Subword(pc, n_words=len(WORDS), n_ngrams=n_ngrams, n_embed=D, mean=mean, **options)
    table = np.random.default_rng(seed).normal(0, 0.7, (model.n_rows, D)).astype(np.float32)
    set_value(model.inputs, table)
    return pc, model, vocabulary, table.astype(float)


def read(e):
    """A matrix without a batch."""
    return arrays.read(e)[..., 0]


def some(vocabulary, words=(3, 0, 5, 1, 4)):
    return units_of(vocabulary, np.array(words))[0]


def listed(vocabulary, word):
    return vocabulary.rows[vocabulary.starts[word] : vocabulary.starts[word + 1]]


def by_loops(vocabulary, table, words, mean):
    columns = []
    for word in words:
        h = np.zeros(D)
        rows = listed(vocabulary, word)
        for row in rows:
            h += table[row] / (len(rows) if mean else 1)
        columns.append(h)
    return np.array(columns).T


def gradient(model, e):
    """Of the table, by the asymmetric sum of e."""
    loss = asymmetric(e)
    loss.forward()
    loss.backward()
    found = np.array(model.inputs.grad_as_array())
    model.inputs.scale_gradient(0.0)
    return found


@both
@ragged
def test_a_word_is_the_mean_or_the_sum_of_its_units(maxn, mean):
    pc, model, vocabulary, table = made(maxn, mean)
    units = some(vocabulary)
    found = read(model.hidden(units))
    np.testing.assert_allclose(
        found, by_loops(vocabulary, table, units.words, mean), rtol=1e-5, atol=1e-6
    )
    assert pc.parameter_count()


@both
@pytest.mark.parametrize("damped", [False, True])
def test_gradients_are_those_of_finite_differences(mean, damped):
    pc, model, vocabulary, _ = made(mean=mean)
    units = some(vocabulary)
    factors = [np.ones(model.n_rows, np.float32)] if damped else None
    assert_gradients(
        lambda: asymmetric(dy.tanh(model.hidden(units, factors))), [model.inputs], entries=30
    )
    assert pc.parameter_count()


@both
def test_every_unit_of_a_word_has_the_gradient_of_the_word_times_its_share(mean):
    pc, model, vocabulary, _ = made(mean=mean)
    word = 2
    rows = listed(vocabulary, word)
    dy.renew_cg()
    found = gradient(model, model.hidden(some(vocabulary, [word])))
    expected = np.zeros_like(found)
    of_word = np.sin(1.0 + 2.3 * np.arange(D)) + 0.2  # what asymmetric weighs its entries by
    expected[rows] = of_word / (len(rows) if mean else 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


def test_a_repeated_unit_counts_as_often_as_it_occurs():
    pc, model, vocabulary, table = made(maxn=3)
    rows = listed(vocabulary, 0)  # banana has "an", "na" and "ana" twice
    unique, counts = np.unique(rows, return_counts=True)
    assert (counts == 2).sum() == 3
    expected = (table[unique] * counts[:, None]).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(read(model.hidden(some(vocabulary, [0])))[:, 0], expected, rtol=1e-5)
    assert pc.parameter_count()


def test_without_ngrams_it_is_the_table_of_skip_gram():
    pc, model, vocabulary, table = made(maxn=0)
    units = some(vocabulary, [1, 3, 6])
    assert units.words.tolist() == [1, 3, 6]
    np.testing.assert_array_equal(read(model.hidden(units)), table[[1, 3, 6]].T)
    dy.renew_cg()
    found = gradient(model, model.hidden(units))
    plain = dy.reshape(dy.lookup_batch(model.inputs, [1, 3, 6]), (D, 3))
    np.testing.assert_array_equal(found, gradient(model, plain))
    assert pc.parameter_count()


@pytest.mark.parametrize("buckets", [1, 5])
def test_ngrams_that_collide_share_a_row_and_its_gradient(buckets):
    pc, model, vocabulary, table = made(buckets=buckets)
    units = some(vocabulary)
    assert model.n_rows == len(WORDS) + buckets
    expected = by_loops(vocabulary, table, units.words, True)
    np.testing.assert_allclose(read(model.hidden(units)), expected, rtol=1e-5, atol=1e-6)
    assert_gradients(lambda: asymmetric(model.hidden(units)), [model.inputs], entries=30)
    assert pc.parameter_count()


@both
def test_factors_scale_the_gradient_of_each_row_and_not_the_value(mean):
    pc, model, vocabulary, _ = made(mean=mean)
    units = some(vocabulary)
    factors = np.linspace(0.1, 2, model.n_rows).astype(np.float32)
    dy.renew_cg()
    plain, scaled = model.hidden(units), model.hidden(units, [factors])
    np.testing.assert_allclose(read(scaled), read(plain), rtol=1e-5, atol=1e-6)
    before, after = gradient(model, plain), gradient(model, scaled)
    np.testing.assert_allclose(after, before * factors[:, None], rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


@pytest.mark.parametrize("damped", [False, True])
def test_without_the_exact_gradient_every_unit_has_that_of_the_word_undivided(damped):
    pc, model, vocabulary, table = made(exact=False)
    pc_too, exact, _, _ = made()
    units, losses = some(vocabulary), np.arange(1.0, 6)
    factors = np.linspace(0.1, 2, model.n_rows).astype(np.float32) if damped else None
    dy.renew_cg()
    h = model.hidden(units, None if factors is None else [factors])
    np.testing.assert_allclose(read(h), read(exact.hidden(units)), rtol=1e-5, atol=1e-6)
    of_words = np.reshape(np.sin(1.0 + 2.3 * np.arange(D * 5)) + 0.2, (5, D))  # of asymmetric
    expected, masses = np.zeros_like(table), np.zeros(model.n_rows)
    for word, slope, n in zip(units.words, of_words, losses):
        for row in listed(vocabulary, word):
            expected[row] += slope * (1.0 if factors is None else factors[row])
            masses[row] += n
    np.testing.assert_allclose(gradient(model, h), expected, rtol=1e-5, atol=1e-6)
    ((rows, found),) = model.masses(units, losses)[0]
    np.testing.assert_allclose(found, masses[rows])
    assert pc.parameter_count() == pc_too.parameter_count()


def test_a_sum_has_one_gradient():
    pc, model, vocabulary, _ = made(mean=False, exact=False)
    pc_too, exact, _, _ = made(mean=False)
    units = some(vocabulary)
    dy.renew_cg()
    one, other = gradient(model, model.hidden(units)), gradient(exact, exact.hidden(units))
    np.testing.assert_array_equal(one, other)
    assert pc.parameter_count() == pc_too.parameter_count()


@both
def test_masses_are_the_shares_of_the_rows_in_the_losses(mean):
    pc, model, vocabulary, _ = made(mean=mean)
    units = some(vocabulary)
    losses = np.array([1.0, 2.0, 0.5, 7.0, 3.0])
    expected = np.zeros(model.n_rows)
    for word, n in zip(units.words, losses):
        rows = listed(vocabulary, word)
        for row in rows:
            expected[row] += n / (len(rows) if mean else 1)
    ((rows, masses),) = model.masses(units, losses)[0]
    assert rows.tolist() == np.unique(units.rows).tolist()
    np.testing.assert_allclose(masses, expected[rows])
    assert pc.parameter_count()


def test_an_update_moves_the_rows_of_the_units_alone():
    pc, model, vocabulary, table = made()
    trainer = dy.SimpleSGDTrainer(pc, 0.5)
    units = some(vocabulary, [0, 2])
    dy.renew_cg()
    loss = asymmetric(model.hidden(units))
    loss.forward()
    loss.backward()
    trainer.update()
    moved = np.flatnonzero((model.inputs.as_array() != table.astype(np.float32)).any(axis=1))
    assert moved.tolist() == np.unique(units.rows).tolist()


def test_a_saved_model_gives_the_same_vectors(tmp_path):
    pc, model, vocabulary, _ = made()
    expected = read(model.hidden(some(vocabulary)))
    dy.save(str(tmp_path / "m"), [model])
    other = dy.ParameterCollection()
    (loaded,) = dy.load(str(tmp_path / "m"), other)
    np.testing.assert_array_equal(read(loaded.hidden(some(vocabulary))), expected)
    assert pc.parameter_count() == other.parameter_count()


def test_vectors_start_small():
    pc = dy.ParameterCollection()
    model = Subword(pc, n_words=200, n_ngrams=300, n_embed=50)
    start = np.abs(model.inputs.as_array())
    assert 0.95 / 50 < start.max() <= 1 / 50  # 25,000 uniform numbers
    assert pc.parameter_count() == start.size


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (Units(np.array([0]), np.array([1]), np.array([99])), "rows: ids must be 0 to"),
        (Units(np.array([0]), np.array([2]), np.array([0])), r"rows: expected shape \(2,\)"),
        (Units(np.array([], int), np.array([], int), np.array([], int)), "rows: no ids"),
    ],
)
def test_units_that_do_not_fit_are_refused_before_the_engine_sees_them(units, message):
    pc, model, _, _ = made()
    with pytest.raises(ValueError, match=message):
        model.hidden(units)
    assert pc.parameter_count()


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_words": 0, "n_ngrams": 3, "n_embed": 2},
        {"n_words": 3, "n_ngrams": -1, "n_embed": 2},
        {"n_words": 3, "n_ngrams": 2_000_000_000, "n_embed": 2},
    ],
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match=r"expected|more than"):
        Subword(dy.ParameterCollection(), **sizes)
