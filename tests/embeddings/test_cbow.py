"""T53, T54: CBOW: losses against loops, roles swapped it is skip-gram."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.damped_rows import StepFactors
from dynotes.embeddings.pairs import SharedNoise, id_bags, id_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.graph.arrays import read
from tests.embeddings.tables import V, arrays, cbow, gradients, made
from tests.helpers import assert_gradients, asymmetric
from tests.reference import word2vec as ref

WINDOWS, TARGETS = [[1, 2, 1], [0], [5, 6, 3, 2]], [0, 4, 4]
NEGATIVES = np.array([[1, 3, 6], [4, 4, 0]])
NOISE = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 1.0]))
both = pytest.mark.parametrize("mean", [True, False])


def bags():
    return id_bags(WINDOWS, TARGETS)


def hidden(v, mean):
    return [v[w].mean(axis=0) if mean else v[w].sum(axis=0) for w in WINDOWS]


@both
def test_the_hidden_vector_is_the_mean_or_the_sum_of_the_window(mean):
    pc, model, v, _ = cbow(mean=mean)
    np.testing.assert_allclose(read(model.hidden(bags())).T, hidden(v, mean), rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@both
def test_the_full_softmax_is_its_definition(mean):
    pc, model, v, u = cbow(mean=mean)
    expected = [ref.nll(h, u, o) for h, o in zip(hidden(v, mean), TARGETS)]
    np.testing.assert_allclose(read(model.nll(bags()))[0], expected, rtol=1e-5)
    assert pc.parameter_count()


@both
def test_private_negative_sampling_is_its_definition(mean):
    pc, model, v, u = cbow(mean=mean)
    found = read(model.negative_sampling(bags(), NEGATIVES))[0]
    expected = [
        ref.contrast(h, u, o, words) for h, o, words in zip(hidden(v, mean), TARGETS, NEGATIVES.T)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


@both
def test_shared_negative_sampling_is_its_definition(mean):
    pc, model, v, u = cbow(mean=mean)
    expected = sum(
        ref.contrast(h, u, o, ())
        + sum(w * ref.softplus(u[n] @ h) for n, w in zip(NOISE.words, NOISE.weights))
        for h, o in zip(hidden(v, mean), TARGETS)
    )
    found = model.shared_negative_sampling(bags(), NOISE).value()
    assert found == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count()


@both
@pytest.mark.parametrize("name", ["scores", "nll", "private", "shared"])
def test_with_one_context_word_it_is_skip_gram_with_that_word_as_the_centre(name, mean):
    v, u = arrays(2)
    some, targets = [3, 0, 3], [1, 1, 6]
    pc, bag_model = made(Cbow, v, u, mean=mean)
    pc_too, pair_model = made(SkipGram, v, u)
    inputs = (id_bags([[c] for c in some], targets), id_pairs(some, targets))
    found = []
    for model, examples in zip((bag_model, pair_model), inputs):
        loss = {
            "scores": lambda m, x: asymmetric(m.scores(x)),
            "nll": lambda m, x: asymmetric(m.nll(x)),
            "private": lambda m, x: asymmetric(m.negative_sampling(x, NEGATIVES)),
            "shared": lambda m, x: m.shared_negative_sampling(x, NOISE),
        }[name](model, examples)
        found.append([loss.value(), *gradients(model, loss)])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count() == pc_too.parameter_count()


def losses(model, factors=None):
    return {
        "hidden": lambda: asymmetric(model.hidden(bags(), factors)),
        "nll": lambda: asymmetric(model.nll(bags(), factors)),
        "private": lambda: asymmetric(model.negative_sampling(bags(), NEGATIVES, factors)),
        "shared": lambda: model.shared_negative_sampling(bags(), NOISE, factors),
    }


@both
@pytest.mark.parametrize("name", ["hidden", "nll", "private", "shared"])
def test_gradients_are_those_of_finite_differences(name, mean):
    pc, model, _, _ = cbow(mean=mean)
    tables = [model.inputs] if name == "hidden" else [model.inputs, model.outputs]
    assert_gradients(losses(model)[name], tables)
    assert pc.parameter_count()


@pytest.mark.parametrize("name", ["nll", "private", "shared"])
def test_factors_scale_the_gradient_of_each_row_and_not_the_loss(name):
    pc, model, _, _ = cbow()
    factors = StepFactors(V)
    factors.inputs[:], factors.outputs[:] = np.linspace(0.1, 1, V), np.linspace(2, 1, V)
    plain, scaled = losses(model)[name](), losses(model, factors)[name]()
    assert plain.value() == scaled.value()
    before, after = gradients(model, plain), gradients(model, scaled)
    np.testing.assert_allclose(after[0], before[0] * factors.inputs[:, None], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(after[1], before[1] * factors.outputs[:, None], rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


def test_the_order_of_a_window_does_not_matter():
    pc, model, _, _ = cbow()
    turned = id_bags([w[::-1] for w in WINDOWS], TARGETS)
    np.testing.assert_array_equal(read(model.nll(bags())), read(model.nll(turned)))
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.nll(id_bags([[V]], [0])), f"words: ids must be 0 to {V - 1}"),
        (lambda m: m.nll(id_bags([[0]], [V])), f"targets: ids must be 0 to {V - 1}"),
        (lambda m: m.negative_sampling(bags(), NEGATIVES[:, :2]), "negatives: expected shape"),
        (
            lambda m: m.shared_negative_sampling(bags(), SharedNoise(np.array([V]), np.ones(1))),
            "noise words: ids must be",
        ),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    pc, model, _, _ = cbow()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert pc.parameter_count()


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="table"):
        Cbow(dy.ParameterCollection(), n_words=0, n_embed=3)
