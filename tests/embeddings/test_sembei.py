"""T67: segmentation-free embeddings: the loss by loops, reversal, structured skip-gram."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.negatives import SharedNoise
from dynotes.embeddings.pairs import id_pairs
from dynotes.embeddings.sembei import LEFT, RIGHT, SLOTS, adjacent_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.embeddings.structured_skip_gram import structured_predictions
from tests.embeddings.tables import COUNTS, D, V, arrays, gradients
from tests.helpers import assert_gradients, set_value
from tests.reference import word2vec as ref

A, B = [0, 2, 2, 6, 0], [1, 2, 5, 0, 1]
NOISE = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 1.0]))


def model(loss=NegativeSamplingLoss, seed=0):
    """(collection, encoder, output loss, v, left table, right table)."""
    v, left = arrays(seed)
    right, _ = arrays(seed + 1)
    pc = dy.ParameterCollection()
    encoder = SkipGram(pc, n_words=V, n_embed=D)
    output = loss(pc, counts=COUNTS, n_embed=D, n_slots=SLOTS)
    set_value(encoder.inputs, v)
    tables = np.stack((left, right) if LEFT == 0 else (right, left), axis=1)
    set_value(output.outputs, tables.reshape(V * SLOTS, D))
    return pc, encoder, output, v, left, right


def loss_of(encoder, output, left, right):
    found = adjacent_pairs(left, right)
    return output.loss(encoder.hidden(found.pairs), found.predictions, NOISE)


def test_the_left_ngram_predicts_by_the_right_table_and_the_right_one_by_the_left():
    pc, encoder, output, v, left, right = model()
    expected = 0.0
    for a, b in zip(A, B):
        for centre, context, table in ((a, b, right), (b, a, left)):
            expected += ref.contrast(v[centre], table, context, ())
            expected += sum(
                w * ref.softplus(table[n] @ v[centre]) for n, w in zip(NOISE.words, NOISE.weights)
            )
    assert loss_of(encoder, output, A, B).value() == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count()


def test_the_softmax_of_each_side_is_its_own():
    pc, encoder, output, v, left, right = model(FullSoftmaxLoss)
    expected = sum(ref.nll(v[a], right, b) + ref.nll(v[b], left, a) for a, b in zip(A, B))
    found = adjacent_pairs(A, B)
    loss = output.loss(encoder.hidden(found.pairs), found.predictions)
    assert loss.value() == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count()


def test_a_reversed_text_swaps_the_tables():
    """Loss and gradients of (b, a) with L and R exchanged."""
    pc, encoder, output, *_ = model()
    one = loss_of(encoder, output, A, B)
    value = one.value()
    before = gradients([encoder.inputs, output.outputs], one)
    tables = output.outputs.as_array().reshape(V, SLOTS, D)
    set_value(output.outputs, np.ascontiguousarray(tables[:, ::-1]).reshape(V * SLOTS, D))
    dy.renew_cg()
    other = loss_of(encoder, output, B, A)
    assert other.value() == pytest.approx(value, rel=1e-6)
    after = gradients([encoder.inputs, output.outputs], other)
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)
    turned = before[1].reshape(V, SLOTS, D)[:, ::-1].reshape(V * SLOTS, D)
    np.testing.assert_allclose(after[1], turned, atol=1e-5)
    assert pc.parameter_count()


def test_it_is_structured_skip_gram_with_a_window_of_one():
    """Every word of a sentence predicts its neighbours at the places -1 and +1."""
    words = np.array([3, 1, 4, 1, 5, 2, 6])
    pc, encoder, output, *_ = model()
    centres, contexts, offsets = [], [], []
    for i in range(len(words)):
        for offset in (-1, 1):
            if 0 <= i + offset < len(words):
                centres.append(words[i])
                contexts.append(words[i + offset])
                offsets.append(offset)
    pairs = id_pairs(centres, contexts)
    targets = structured_predictions(pairs, offsets, window=1)
    structured = output.loss(encoder.hidden(pairs), targets, NOISE)
    ours = loss_of(encoder, output, words[:-1], words[1:])
    assert ours.value() == pytest.approx(structured.value(), rel=1e-5)
    tables = [encoder.inputs, output.outputs]
    for one, other in zip(gradients(tables, ours), gradients(tables, structured)):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, encoder, output, *_ = model()
    assert_gradients(lambda: loss_of(encoder, output, A, B), [encoder.inputs, output.outputs])
    assert pc.parameter_count()


def test_pairs_hold_each_ngram_once():
    found = adjacent_pairs([9, 4], [4, 7])
    assert found.pairs.words.tolist() == [4, 7, 9]
    told = [
        (found.pairs.words[c], w, s)
        for c, w, s in zip(
            found.predictions.columns, found.predictions.words, found.predictions.slots
        )
    ]
    assert told == [(9, 4, RIGHT), (4, 7, RIGHT), (4, 9, LEFT), (7, 4, LEFT)]


@pytest.mark.parametrize(("left", "right"), [([], []), ([1], [1, 2]), ([-1], [0]), ([0.5], [1])])
def test_bad_pairs_are_refused(left, right):
    with pytest.raises(ValueError, match=r"centres|contexts"):
        adjacent_pairs(left, right)
