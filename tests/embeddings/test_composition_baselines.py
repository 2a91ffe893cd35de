"""T64: the linear composition: its definition, types, gradients, least squares."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.composition_baselines import LinearComposition, additive, multiplicative
from dynotes.embeddings.tensor_indexing import TensorIndexing, squared_error
from dynotes.graph.arrays import feed, read
from dynotes.training.parameters import named_parameters
from tests.embeddings.test_tensor_indexing import B, D, composed, vectors
from tests.helpers import assert_gradients, asymmetric, set_value


def made(seed=1, **spec):
    pc = dy.ParameterCollection()
    model = LinearComposition(pc, n_embed=D, **spec)
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.5, p.shape()).astype(np.float32))
    return pc, model


def test_it_is_its_definition_with_a_matrix_for_each_type():
    pc, model = made(types=2)
    x, y = vectors()
    for kind in (0, 1):
        expected = model.W[kind].as_array() @ np.vstack((x, y))
        np.testing.assert_allclose(composed(model, x, y, kind=kind), expected, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_a_new_model_adds():
    pc = dy.ParameterCollection()
    x, y = vectors()
    np.testing.assert_allclose(composed(LinearComposition(pc, n_embed=D), x, y), x + y, rtol=1e-6)


def test_it_is_a_tensor_indexing_model_without_forms():
    pc, model = made()
    other = dy.ParameterCollection()
    tim = TensorIndexing(other, n_embed=D, diag="none")  # V begins as 0
    W = model.W[0].as_array()
    set_value(tim.types[0].M, W[:, :D])
    set_value(tim.types[0].N, W[:, D:])
    x, y = vectors()
    np.testing.assert_allclose(composed(model, x, y), composed(tim, x, y), rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, model = made()
    x, y = vectors()

    def loss():
        f = model(*(feed(v, batched=True) for v in (x, y)))
        return asymmetric(f) + model.penalty() * 0.1

    assert_gradients(loss, model.W)
    assert pc.parameter_count()


def test_it_learns_the_ridge_regression():
    """Full steps of Adam end at the closed form to 1e-3."""
    x, y = vectors(3, 60)
    z = np.random.default_rng(4).normal(size=(D, 60))
    pc = dy.ParameterCollection()
    model = LinearComposition(pc, n_embed=D)
    trainer = dy.AdamTrainer(pc, 0.05)
    for step in range(600):
        trainer.learning_rate = 0.05 * (1 - step / 600)
        dy.renew_cg()
        f = model(*(feed(v, batched=True) for v in (x, y)))
        error = dy.sum_batches(squared_error(feed(z, batched=True), f)) / 60.0
        (error + model.penalty() * 0.2).backward()
        trainer.update()
    both = np.vstack((x, y)).astype(float)
    expected = z @ both.T @ np.linalg.inv(both @ both.T + 60 * 0.2 * np.eye(2 * D))
    np.testing.assert_allclose(model.W[0].as_array(), expected, atol=1e-3)


def test_wrong_vectors_settings_and_types_are_refused():
    pc, model = made()
    x, y = (feed(v, batched=True) for v in vectors())
    few = feed(np.ones((D, B - 1)), batched=True)
    for call in (additive, multiplicative, model):
        with pytest.raises(ValueError, match="y: expected"):
            call(x, few)
    with pytest.raises(ValueError, match="kind: expected 0 to 0, found 2"):
        model(x, y, kind=2)
    for spec in ({"n_embed": 0}, {"n_embed": 3, "types": 0}):
        with pytest.raises(ValueError, match="expected 1 to"):
            LinearComposition(pc, **spec)
    assert read(model.penalty()).size == 1
