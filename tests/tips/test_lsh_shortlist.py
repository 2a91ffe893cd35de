"""T24: the softmax over a shortlist against loops, the full softmax and central differences."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.tips.lsh import HyperplaneLSH
from dynotes.tips.lsh_shortlist import shortlist_log_probs, shortlist_nll, shortlist_scores
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import lsh as reference

V, H = 9, 4
LIST = [5, 0, 7, 2]
LISTS = np.array([[5, 1, 8], [0, 5, 2], [7, 3, 6], [2, 8, 0]])  # a column each
kinds = pytest.mark.parametrize("kind", ["lookup", "parameters"])
biases = pytest.mark.parametrize("biased", [True, False], ids=["bias", "no bias"])


def tables(kind, biased, seed=0):
    """(collection, table, bias or None, their values in numpy)."""
    rng, pc = np.random.default_rng(seed), dy.ParameterCollection()
    make = pc.add_lookup_parameters if kind == "lookup" else pc.add_parameters
    table = make((V, H))
    bias = make((V, 1) if kind == "lookup" else (V,)) if biased else None
    for p in (table, bias):
        if p is not None:
            set_value(p, rng.normal(size=p.shape()))
    P = parameter_array(table).astype(float)
    b = parameter_array(bias).astype(float).ravel() if biased else np.zeros(V)
    return pc, table, bias, P, b


def hidden(n, seed=1):
    return np.random.default_rng(seed).normal(size=(H, n))


@kinds
@biases
@pytest.mark.parametrize("n", [1, 3])
def test_one_list_for_all_columns_is_the_softmax_of_its_words(kind, biased, n):
    _pc, table, bias, P, b = tables(kind, biased)
    h = hidden(n)
    found = shortlist_log_probs(feed(h, batched=True), LIST, table, bias)
    assert found.dim() == ((4,), n)
    expected = [reference.shortlist_log_probs(P, b, column, LIST) for column in h.T]
    np.testing.assert_allclose(read(found).T, expected, rtol=1e-5, atol=1e-6)


@kinds
@biases
def test_a_list_for_each_column_is_the_softmax_of_its_words(kind, biased):
    _pc, table, bias, P, b = tables(kind, biased)
    h = hidden(3)
    found = shortlist_log_probs(feed(h, batched=True), LISTS, table, bias)
    expected = [
        reference.shortlist_log_probs(P, b, column, words) for column, words in zip(h.T, LISTS.T)
    ]
    np.testing.assert_allclose(read(found).T, expected, rtol=1e-5, atol=1e-6)


@kinds
@pytest.mark.parametrize("words", [LIST, np.array(LIST)[:, None].repeat(3, 1)], ids=["one", "each"])
def test_scores_are_those_of_the_full_table(kind, words):
    _pc, table, bias, P, b = tables(kind, True)
    h = hidden(3)
    found = read(shortlist_scores(feed(h, batched=True), words, table, bias))
    np.testing.assert_allclose(found, (P @ h + b[:, None])[LIST], rtol=1e-5, atol=1e-6)


def full_layer():
    pc = dy.ParameterCollection()
    full = FullSoftmax(pc, n_words=V, n_hidden=H)
    set_value(full.b, np.random.default_rng(2).normal(size=V))
    return pc, full


def test_a_list_of_all_words_is_the_full_softmax():
    _pc, full = full_layer()
    h, words = feed(hidden(3), batched=True), np.random.default_rng(3).permutation(V)
    expected = read(full.log_probs(h))
    found = read(shortlist_log_probs(h, words, full.P, full.b))
    np.testing.assert_allclose(found, expected[words], rtol=1e-5)
    nll = read(shortlist_nll(h, words, [4, 8, 0], full.P, full.b))
    np.testing.assert_allclose(nll, read(full.nll(h, [4, 8, 0])), rtol=1e-5)


def test_it_is_the_full_softmax_given_that_the_word_is_listed():
    _pc, full = full_layer()
    h = feed(hidden(3), batched=True)
    p = np.exp(read(full.log_probs(h)))[LIST]
    found = np.exp(read(shortlist_log_probs(h, LIST, full.P, full.b)))
    np.testing.assert_allclose(found, p / p.sum(axis=0), rtol=1e-5)


@kinds
@pytest.mark.parametrize("words", [LIST, LISTS], ids=["one", "each"])
def test_nll_is_minus_the_log_probability_of_the_target(kind, words):
    _pc, table, bias, _, _ = tables(kind, True)
    h, targets = feed(hidden(3), batched=True), [[2, 5, 0]]
    found = shortlist_nll(h, words, targets, table, bias)
    assert found.dim() == ((1,), 3)
    columns = np.asarray(words).reshape(4, -1).repeat(3 if words is LIST else 1, axis=1)
    where = [columns[:, c].tolist().index(word) for c, word in enumerate(targets[0])]
    expected = -read(shortlist_log_probs(h, words, table, bias))[where, range(3)]
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5)


def test_a_batch_is_its_columns_one_by_one():
    _pc, table, bias, _, _ = tables("lookup", True)
    h, targets = hidden(3), [2, 8, 8]
    together = read(shortlist_nll(feed(h, batched=True), LISTS, targets, table, bias))[0]
    singles = [
        shortlist_nll(feed(h[:, c]), LISTS[:, c], targets[c : c + 1], table, bias).value()
        for c in range(3)
    ]
    np.testing.assert_allclose(together, singles, rtol=1e-5)


@kinds
@biases
@pytest.mark.parametrize("words", [LIST, LISTS], ids=["one", "each"])
def test_gradients_pass_central_differences(kind, biased, words):
    pc, table, bias, _, _ = tables(kind, biased)
    x = pc.add_parameters((H, 3), init=hidden(3))

    def build():
        h = dy.concatenate_to_batch([dy.pick(x, c, 1) for c in range(3)])
        nll = shortlist_nll(h, words, [2, 5, 0], table, bias)
        return asymmetric(nll) + asymmetric(shortlist_log_probs(h, words, table, bias)) * 0.1

    assert_gradients(build, [table, x] + ([bias] if biased else []), entries=20)


@kinds
def test_only_listed_words_get_a_gradient(kind):
    _pc, table, bias, _, _ = tables(kind, True)
    dy.sum_batches(
        shortlist_nll(feed(hidden(2), batched=True), LIST, [0, 7], table, bias)
    ).backward()
    for p in (table, bias):
        touched = np.abs(parameter_array(p, gradient=True)).reshape(V, -1).max(axis=1) > 0
        assert sorted(np.flatnonzero(touched)) == sorted(LIST)


def test_an_index_of_rows_and_biases_lists_the_most_probable_words():
    """The rows (v_i, b_i) are searched with (h, 1) for the largest inner product."""
    _pc, full = full_layer()
    rows = np.column_stack([parameter_array(full.P), parameter_array(full.b)])
    index = HyperplaneLSH(H + 1, 16, 1, inner_product=True)
    index.build(rows)
    h = hidden(5)
    queries = np.vstack([h, np.ones(5)]).T
    words = index.query(queries, 4, rerank=V).ids.T
    x = feed(h, batched=True)
    log_p = read(full.log_probs(x))
    np.testing.assert_array_equal(words, np.argsort(-log_p, axis=0)[:4])
    found = read(shortlist_nll(x, words, words[0], full.P, full.b))[0]
    share = np.exp(np.take_along_axis(log_p, words, axis=0)).sum(axis=0)
    np.testing.assert_allclose(found, -log_p.max(axis=0) + np.log(share), rtol=1e-4, atol=1e-6)


@kinds
@pytest.mark.parametrize(
    ("shortlist", "message"),
    [
        ([], "shortlist: no ids"),
        ([0, V], f"shortlist: ids must be 0 to {V - 1}, found 0 to {V}"),
        ([-1, 2], "shortlist: ids must be 0 to 8, found -1 to 2"),
        ([1.0, 2.0], "shortlist: expected integers"),
        ([3, 1, 3], "shortlist: word 3 is listed twice"),
        ([[1, 2, 4], [0, 2, 3]], "shortlist: word 2 is listed twice"),
        ([[1, 2]], r"shortlist: expected \(n,\) or \(n, 3\), found \(1, 2\)"),
        ([[[1, 2, 3]]], r"shortlist: expected \(n,\) or \(n, 3\)"),
    ],
)
def test_what_is_no_shortlist_is_refused(kind, shortlist, message):
    _pc, table, _, _, _ = tables(kind, False)
    with pytest.raises(ValueError, match=message):
        shortlist_scores(feed(hidden(3), batched=True), shortlist, table)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([5, 5, 1], "targets: the word of column 2 is not in its shortlist"),
        ([5, 0], "ids: expected 3, one a column, found 2"),
        ([5, 0, V], "ids must be 0 to 8"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    _pc, table, _, _, _ = tables("lookup", False)
    with pytest.raises(ValueError, match=message):
        shortlist_nll(feed(hidden(3), batched=True), LIST, targets, table)


def test_sizes_that_do_not_fit_are_refused():
    pc, table, _, _, _ = tables("parameters", False)
    h = feed(hidden(3), batched=True)
    with pytest.raises(ValueError, match=r"h: expected \(4,\)x\*, found \(5,\)x1"):
        shortlist_scores(feed(np.ones(5)), LIST, table)
    with pytest.raises(ValueError, match=r"bias: expected \(9,\)x1, found \(8,\)x1"):
        shortlist_scores(h, LIST, table, pc.add_parameters((V - 1,)))
    with pytest.raises(ValueError, match=r"table: expected \(\*, \*\)x1, found \(9,\)x1"):
        shortlist_scores(h, LIST, pc.add_parameters((V,)))
    with pytest.raises(ValueError, match="table: expected parameters, found inputTensor"):
        shortlist_scores(h, LIST, h)
