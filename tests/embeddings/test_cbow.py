"""T53, T54: CBOW: hidden vectors against loops; roles swapped it is skip-gram."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.negatives import SharedNoise
from dynotes.embeddings.pairs import id_bags, id_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.graph.arrays import read
from tests.embeddings.tables import D, V, arrays, encoder, gradients, output
from tests.helpers import assert_gradients, asymmetric

WINDOWS, TARGETS = [[1, 2, 1], [0], [5, 6, 3, 2]], [0, 4, 4]
NOISE = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 3.0]))
LOSSES = [FullSoftmaxLoss, HierarchicalSoftmaxLoss, NegativeSamplingLoss, NceLoss]
both = pytest.mark.parametrize("mean", [True, False])


def bags():
    return id_bags(WINDOWS, TARGETS)


def cbow(**options):
    v, _ = arrays()
    return (*encoder(Cbow, v, **options), v)


@both
def test_the_hidden_vector_is_the_mean_or_the_sum_of_the_window(mean):
    pc, model, v = cbow(mean=mean)
    expected = [v[w].mean(axis=0) if mean else v[w].sum(axis=0) for w in WINDOWS]
    found = read(model.hidden(bags()))[..., 0].T
    np.testing.assert_allclose(found[:3], expected, rtol=1e-5, atol=1e-6)
    assert not found[3:].any()
    assert len(found) == model.n_hidden(bags())
    assert pc.parameter_count()


@both
def test_bags_of_several_blocks_are_those_of_one(mean):
    """Seed 4: a hundred bags of up to seven words, against loops."""
    rng = np.random.default_rng(4)
    windows = [rng.integers(0, V, rng.integers(1, 8)).tolist() for _ in range(100)]
    pc, model, v = cbow(mean=mean)
    found = read(model.hidden(id_bags(windows, [0] * 100)))[..., 0].T
    expected = [v[w].mean(axis=0) if mean else v[w].sum(axis=0) for w in windows]
    np.testing.assert_allclose(found[:100], expected, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@both
@pytest.mark.parametrize("kind", LOSSES)
def test_with_one_context_word_it_is_skip_gram_with_that_word_as_the_centre(kind, mean):
    """Loss and gradients of both tables, for every output loss."""
    v, u = arrays(2)
    words, targets = [3, 0, 3], [1, 1, 6]
    rows = V - (kind is HierarchicalSoftmaxLoss)
    found = []
    for model, examples in (
        (encoder(Cbow, v, mean=mean), id_bags([[c] for c in words], targets)),
        (encoder(SkipGram, v), id_pairs(words, targets)),
    ):
        pc, loss = output(kind, u[:rows])
        total = loss.loss(model[1].hidden(examples), examples.predictions, NOISE)
        found.append([total.value(), *gradients([model[1].inputs, loss.outputs], total)])
        assert pc.parameter_count()
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@both
def test_gradients_are_those_of_finite_differences(mean):
    pc, model, _ = cbow(mean=mean)
    assert_gradients(lambda: asymmetric(model.hidden(bags())), [model.inputs])
    assert pc.parameter_count()


def test_factors_scale_the_gradient_of_each_row_and_not_the_value():
    pc, model, _ = cbow()
    factors = np.linspace(0.1, 1, V, dtype=np.float32)
    plain, scaled = model.hidden(bags()), model.hidden(bags(), [factors])
    np.testing.assert_array_equal(read(plain), read(scaled))
    (before,), (after,) = (gradients([model.inputs], asymmetric(e)) for e in (plain, scaled))
    np.testing.assert_allclose(after, before * factors[:, None], rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


@both
def test_a_row_takes_part_in_the_losses_of_its_bags_with_its_share(mean):
    """By loops over the bags, which have 4, 1 and 7 losses."""
    pc, model, _ = cbow(mean=mean)
    losses, expected = np.zeros(model.n_hidden(bags())), np.zeros(V)
    losses[:3] = [4.0, 1.0, 7.0]
    for window, n in zip(WINDOWS, losses):
        for word in window:
            expected[word] += n / len(window) if mean else n
    (((rows, masses),),) = model.masses(bags(), losses)
    np.testing.assert_allclose(masses, expected[rows], rtol=1e-6)
    assert pc.parameter_count()


def test_the_order_of_a_window_does_not_matter():
    pc, model, _ = cbow()
    turned = id_bags([w[::-1] for w in WINDOWS], TARGETS)
    np.testing.assert_array_equal(read(model.hidden(bags())), read(model.hidden(turned)))
    assert pc.parameter_count()


def test_a_word_outside_of_the_vocabulary_is_refused():
    pc, model, _ = cbow()
    with pytest.raises(ValueError, match=f"words: ids must be 0 to {V - 1}"):
        model.hidden(id_bags([[V]], [0]))
    assert pc.parameter_count()


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="table"):
        Cbow(dy.ParameterCollection(), n_words=0, n_embed=D)
