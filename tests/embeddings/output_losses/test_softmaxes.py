"""T53, T54: full and hierarchical softmax: probabilities against loops, sums, gradients."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.graph.arrays import read
from tests.embeddings.output_losses.layer import COLUMNS, WORDS, layer, some
from tests.embeddings.tables import COUNTS, V, flat, gradients
from tests.helpers import assert_gradients, asymmetric

slots = pytest.mark.parametrize("slots", [1, 3])
kinds = pytest.mark.parametrize("kind", [FullSoftmaxLoss, HierarchicalSoftmaxLoss])


def made(kind, slots=1):
    return layer(kind, slots, rows=V - (kind is HierarchicalSoftmaxLoss))


def probability(one, word, column, slot):
    """P(word | column), by a loop over words or over the word's questions."""
    h, S = one.h[:, column], one.loss.n_slots
    if isinstance(one.loss, FullSoftmaxLoss):
        scores = [one.u[w * S + slot] @ h for w in range(V)]
        return np.exp(scores[word]) / np.exp(scores).sum()
    tree, found = one.loss.tree, 1.0
    for place in range(tree.starts[word], tree.starts[word + 1]):
        yes = 1 / (1 + np.exp(-(one.u[tree.nodes[place] * S + slot] @ h)))
        found *= 1 - yes if tree.bits[place] else yes
    return found


@kinds
@slots
def test_the_loss_is_minus_the_log_probability(kind, slots):
    one = made(kind, slots)
    expected = [
        -np.log(probability(one, word, COLUMNS[p], one.slots[p])) for p, word in enumerate(WORDS)
    ]
    H = dy.parameter(one.H)
    np.testing.assert_allclose(flat(one.loss.losses(H, some(one))), expected, rtol=1e-5)
    assert one.loss.loss(H, some(one)).value() == pytest.approx(sum(expected), rel=1e-5)


@kinds
@slots
def test_probabilities_of_all_words_are_those_of_the_losses_and_sum_to_one(kind, slots):
    one = made(kind, slots)
    for slot in range(slots):
        found = np.exp(read(one.loss.log_probs(dy.parameter(one.H), slot))[..., 0])
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
        expected = [[probability(one, w, c, slot) for c in range(4)] for w in range(V)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@kinds
@slots
def test_gradients_are_those_of_finite_differences(kind, slots):
    one = made(kind, slots)
    tables = [one.H, one.loss.outputs]
    assert_gradients(lambda: one.loss.loss(dy.parameter(one.H), some(one)), tables)
    assert_gradients(lambda: asymmetric(one.loss.losses(dy.parameter(one.H), some(one))), tables)


@kinds
@slots
def test_factors_scale_the_gradient_of_each_row_and_not_the_loss(kind, slots):
    one = made(kind, slots)
    factors = [np.linspace(2, 0.1, len(one.u), dtype=np.float32)]
    plain = one.loss.loss(dy.parameter(one.H), some(one))
    before = gradients([one.loss.outputs], plain)[0]
    scaled = one.loss.loss(dy.parameter(one.H), some(one), None, factors)
    assert plain.value() == scaled.value()
    found = gradients([one.loss.outputs], scaled)[0]
    np.testing.assert_allclose(found, before * factors[0][:, None], rtol=1e-5, atol=1e-7)


@kinds
def test_a_batch_is_its_predictions_one_by_one(kind):
    one = made(kind, 3)

    def losses(which):
        return flat(one.loss.losses(dy.parameter(one.H), some(one, which)))

    singles = [losses(slice(p, p + 1))[0] for p in range(5)]
    np.testing.assert_allclose(losses(slice(None)), singles, rtol=1e-5)


@slots
def test_masses_of_the_tree_count_the_questions(slots):
    one = made(HierarchicalSoftmaxLoss, slots)
    held, (((rows, mass),),) = one.loss.masses(some(one), None, 4)
    lengths = [len(one.loss.tree.code(word)) for word in WORDS]
    expected = [sum(n for n, c in zip(lengths, COLUMNS) if c == column) for column in range(4)]
    np.testing.assert_array_equal(held, expected)
    assert mass.sum() == sum(lengths)
    root = (V - 2) * slots
    assert mass[(rows >= root) & (rows < root + slots)].sum() == 5  # the root is asked every time


@slots
def test_masses_of_the_full_softmax_are_the_words_and_their_shares_of_the_text(slots):
    one = made(FullSoftmaxLoss, slots)
    held, (parts,) = one.loss.masses(some(one), None, 4)
    rows = np.zeros(V * slots)
    for places, mass in parts:
        rows[places] += mass
    expected = np.zeros(V * slots)
    for p, word in enumerate(WORDS):
        expected[word * slots + one.slots[p]] += 1
        expected[np.arange(V) * slots + one.slots[p]] += np.array(COUNTS) / sum(COUNTS)
    np.testing.assert_allclose(rows, expected)
    np.testing.assert_array_equal(held, np.bincount(COLUMNS, minlength=4))


def test_a_vocabulary_of_one_word_has_no_tree():
    with pytest.raises(ValueError, match="a tree needs two words at least, found 1"):
        HierarchicalSoftmaxLoss(dy.ParameterCollection(), counts=[3], n_embed=2)


def test_a_slot_that_is_not_there_is_refused():
    one = made(HierarchicalSoftmaxLoss, 3)
    with pytest.raises(ValueError, match="slot: expected 0 to 2, found 3"):
        one.loss.log_probs(dy.parameter(one.H), 3)
