"""T64: the tensor indexing model: low rank is dense, its special cases, a planted one is found."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.composition_baselines import additive, multiplicative
from dynotes.embeddings.tensor_indexing import DIAGONALS, TensorIndexing, squared_error
from dynotes.graph.arrays import feed, read
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, asymmetric, set_value

D, B = 4, 3
KINDS = [(2, d) for d in DIAGONALS] + [(None, d) for d in DIAGONALS] + [(1, "none")]
every = pytest.mark.parametrize(("rank", "diag"), KINDS)


def vectors(seed=0, count=B, size=D):
    """Two matrices of column vectors, (size, count)."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(size, count)).astype(np.float32) for _ in "xy"]


def made(seed=1, **spec):
    """(collection, model) with parameters that are all different from 0."""
    pc = dy.ParameterCollection()
    model = TensorIndexing(pc, **{"n_embed": D, "rank": 2, **spec})
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.5, p.shape()).astype(np.float32))
    return pc, model


def arrays(model, kind=0):
    """The parameters of a type by letter."""
    found = model.types[kind]._asdict().items()
    return {name: p.as_array().astype(float) for name, p in found if p is not None}


def composed(model, x, y, **options):
    return read(model(feed(x, batched=True), feed(y, batched=True), **options))


def by_definition(model, x, y, kind=0):
    """z_i = x^T (U_i^T V_i + diag(a_i)) y + (M x)_i + (N y)_i in loops, (D, B)."""
    p, z = arrays(model, kind), np.zeros((D, x.shape[1]))
    for b in range(x.shape[1]):
        for i in range(D):
            if model.rank is None:
                W = p["W"][i * D : (i + 1) * D]
            else:
                rows = slice(i * model.rank, (i + 1) * model.rank)
                W = p["U"][rows].T @ p["V"][rows]
            a = {"identity": np.eye(D)[i], "unit": np.ones(D), "none": np.zeros(D)}.get(model.diag)
            W = W + np.diag(p["A"][i] if a is None else a)
            z[i, b] = x[:, b] @ W @ y[:, b] + p["M"][i] @ x[:, b] + p["N"][i] @ y[:, b]
    return z


@every
def test_it_is_its_definition(rank, diag):
    pc, model = made(rank=rank, diag=diag)
    x, y = vectors()
    np.testing.assert_allclose(
        composed(model, x, y), by_definition(model, x, y), rtol=2e-5, atol=1e-5
    )
    assert pc.parameter_count()


@every
def test_it_is_the_biaffine_form_of_its_dense_arrays(rank, diag):
    """[x; 1]^T B_i [y; 1] with the blocks W_i, M's row i and N's row i."""
    pc, model = made(rank=rank, diag=diag)
    x, y = vectors()
    W, M, N = model.dense()
    form = np.zeros((D, D + 1, D + 1))
    form[:, :D, :D], form[:, :D, D], form[:, D, :D] = W, M, N
    one = np.ones((1, B))
    expected = np.einsum("jb,ijk,kb->ib", np.vstack((x, one)), form, np.vstack((y, one)))
    np.testing.assert_allclose(composed(model, x, y), expected, rtol=2e-5, atol=1e-5)
    assert pc.parameter_count()


@pytest.mark.parametrize("diag", DIAGONALS)
def test_low_rank_is_full_rank_with_the_dense_forms_built_from_it(diag):
    pc, low = made(rank=2, diag=diag)
    other, full = made(rank=None, diag="none")
    W, M, N = low.dense()
    own = full.types[0]
    for p, value in ((own.W, W.reshape(D * D, D)), (own.M, M), (own.N, N)):
        set_value(p, value)
    x, y = vectors()
    np.testing.assert_allclose(composed(full, x, y), composed(low, x, y), rtol=2e-5, atol=1e-5)
    for found, expected in zip(full.dense(), low.dense()):
        np.testing.assert_array_equal(found, expected)
    assert pc.parameter_count()
    assert other.parameter_count()


def zeroed(**spec):
    pc, model = made(**spec)
    for p in named_parameters(pc).values():
        set_value(p, np.zeros(p.shape(), np.float32))
    return pc, model


def test_with_nothing_but_the_identity_diagonal_it_multiplies():
    pc, model = zeroed(diag="identity")
    x, y = vectors()
    np.testing.assert_allclose(composed(model, x, y), x * y, rtol=1e-6)
    assert pc.parameter_count()


def test_with_nothing_but_the_unit_diagonal_every_coordinate_is_the_inner_product():
    pc, model = zeroed(diag="unit")
    x, y = vectors()
    expected = np.tile((x * y).sum(axis=0), (D, 1))
    np.testing.assert_allclose(composed(model, x, y), expected, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@pytest.mark.parametrize("rank", [2, None])
@pytest.mark.parametrize("diag", ["none", "learned"])
def test_a_new_model_adds(rank, diag):
    pc = dy.ParameterCollection()
    model = TensorIndexing(pc, n_embed=D, rank=rank, diag=diag)
    x, y = vectors()
    np.testing.assert_allclose(composed(model, x, y), x + y, rtol=1e-6)


def test_the_baselines_add_and_multiply():
    x, y = vectors()
    pair = [feed(v, batched=True) for v in (x, y)]
    np.testing.assert_array_equal(read(additive(*pair)), x + y)
    np.testing.assert_array_equal(read(multiplicative(*pair)), x * y)


def test_the_order_of_the_words_matters_unless_all_is_symmetric():
    pc, model = made(rank=None)
    x, y = vectors()
    assert np.abs(composed(model, x, y) - composed(model, y, x)).max() > 0.1
    own = model.types[0]
    W = own.W.as_array().reshape(D, D, D)
    set_value(own.W, (W + W.transpose(0, 2, 1)).reshape(D * D, D))
    set_value(own.N, own.M.as_array())
    dy.renew_cg()
    np.testing.assert_allclose(composed(model, x, y), composed(model, y, x), rtol=1e-4, atol=1e-5)
    assert pc.parameter_count()


def test_each_type_has_parameters_of_its_own():
    pc, model = made(types=2, diag="learned")
    x, y = vectors()
    for kind in (0, 1):
        np.testing.assert_allclose(
            composed(model, x, y, kind=kind), by_definition(model, x, y, kind), rtol=2e-5, atol=1e-5
        )
    asymmetric(model(*(feed(v, batched=True) for v in (x, y)), kind=1)).backward()
    for own, reached in zip(model.types, (False, True)):
        assert all(bool(p.grad_as_array().any()) == reached for p in own if p is not None)
    assert pc.parameter_count()


@every
def test_a_batch_is_its_phrases_one_by_one(rank, diag):
    pc, model = made(rank=rank, diag=diag)
    x, y = vectors()
    together = composed(model, x, y)
    for b in range(B):
        single = composed(model, x[:, b : b + 1], y[:, b : b + 1])
        np.testing.assert_allclose(single[:, 0], together[:, b], rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@every
def test_gradients_are_those_of_finite_differences(rank, diag):
    pc, model = made(rank=rank, diag=diag)
    x, y = vectors()
    z = np.random.default_rng(5).normal(size=(D, B))

    def loss():
        f = model(*(feed(v, batched=True) for v in (x, y)))
        weights = dy.inputTensorTranspose([1.0, 0.3, -0.6], dim=(1,), batch_size=B)
        error = dy.cmult(squared_error(feed(z, batched=True), f), weights)
        return dy.sum_batches(error) + model.penalty() * 0.1

    assert_gradients(loss, list(named_parameters(pc).values()))


def test_the_squared_error_and_the_penalty_are_sums_of_squares():
    pc, model = made(types=2, diag="learned")
    x, y = vectors()
    found = read(squared_error(feed(x, batched=True), feed(y, batched=True)))[0]
    np.testing.assert_allclose(found, ((x - y) ** 2).sum(axis=0), rtol=1e-5)
    for kind in (0, 1):
        expected = sum((a**2).sum() for a in arrays(model, kind).values())
        assert model.penalty(kind=kind).value() == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count()


def test_a_planted_model_is_recovered():
    """400 phrases of rank 1, D = 3: 1200 steps of Adam bring the MSE below 1e-4 of |z|^2."""
    pc = dy.ParameterCollection()
    planted = TensorIndexing(pc, n_embed=3, rank=1)
    rng = np.random.default_rng(7)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.7, p.shape()).astype(np.float32))
    x, y = vectors(8, 400, 3)
    z = composed(planted, x, y)
    other = dy.ParameterCollection()
    dy.reset_random_seed(2)
    model = TensorIndexing(other, n_embed=3, rank=1)
    trainer = dy.AdamTrainer(other, 0.02)

    def mse():
        dy.renew_cg()
        f = model(*(feed(v, batched=True) for v in (x, y)))
        return dy.sum_batches(squared_error(feed(z, batched=True), f)) / 400.0

    first = mse().value()
    for step in range(1200):
        trainer.learning_rate = 0.02 * (1 - step / 1200)
        mse().backward()
        trainer.update()
    assert mse().value() < 1e-4 * min(first, (z**2).sum(axis=0).mean())
    W, _, _ = model.dense()
    np.testing.assert_allclose(W, planted.dense().W, atol=0.02)
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"n_embed": 0}, "n_embed: expected 1 to"),
        ({"rank": 0}, "rank: expected 1 to"),
        ({"diag": "half"}, "diag: expected one of identity, unit"),
        ({"types": 0}, "types: expected 1 to"),
        ({"n_embed": 2000, "rank": None}, "W: "),
    ],
)
def test_bad_settings_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        TensorIndexing(dy.ParameterCollection(), **{"n_embed": D, **spec})


def test_wrong_vectors_and_types_are_refused():
    pc, model = made()
    x, y = (feed(v, batched=True) for v in vectors())
    with pytest.raises(ValueError, match="y: expected"):
        model(x, feed(np.ones((D, 2)), batched=True))
    with pytest.raises(ValueError, match="x: expected"):
        model(feed(np.ones((D + 1, B)), batched=True), y)
    with pytest.raises(ValueError, match="kind: expected 0 to 0, found 1"):
        model(x, y, kind=1)
    with pytest.raises(ValueError, match="f: expected"):
        squared_error(x, feed(np.ones((D, 2)), batched=True))
    assert pc.parameter_count()
