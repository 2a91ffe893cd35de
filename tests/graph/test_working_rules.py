"""T34: linear and nll are one node each, equal the formula, and check before DyNet crashes."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.graph.shapes import ShapeError
from dynotes.graph.working_rules import flat_ids, linear, missing_ops, nll
from tests.helpers import assert_gradients, asymmetric
from tests.reference.distributions import softmax

RNG = np.random.default_rng(0)
W, B, X = RNG.normal(size=(3, 4)), RNG.normal(size=3), RNG.normal(size=(4, 5))


@pytest.mark.parametrize("batch", [1, 5])
def test_linear_is_w_x_plus_b_in_every_batch_entry(batch):
    x = feed(X[:, :batch], batched=True)
    np.testing.assert_allclose(
        read(linear(feed(B), feed(W), x)), W @ X[:, :batch] + B[:, None], rtol=1e-5
    )
    np.testing.assert_allclose(read(linear(None, feed(W), x)), W @ X[:, :batch], rtol=1e-5)


def test_linear_adds_the_bias_to_every_column_of_a_matrix():
    found = read(linear(feed(B), feed(W), feed(X)))[..., 0]
    np.testing.assert_allclose(found, W @ X + B[:, None], rtol=1e-5)


def test_linear_passes_central_differences():
    pc = dy.ParameterCollection()
    b, w = pc.add_parameters((3,), init=B), pc.add_parameters((3, 4), init=W)
    assert_gradients(lambda: asymmetric(linear(b, w, feed(X, batched=True))), [b, w])


@pytest.mark.parametrize(
    ("b", "w", "x", "message"),
    [
        (B, W, X[:3], "x: expected 4 rows"),
        (B[:2], W, X, r"b: expected \(3,\)"),
        (B, W[:, :, None] * np.ones((1, 1, 2)), X, "W: expected"),
        (B, W, X[:, :, None] * np.ones((1, 1, 2)), "x: expected"),
    ],
)
def test_sizes_that_do_not_fit_leave_the_graph_usable(b, w, x, message):
    good = linear(feed(B), feed(W), feed(X))
    with pytest.raises(ShapeError, match=message):
        linear(feed(b), feed(w), feed(x))
    np.testing.assert_allclose(read(good)[..., 0], W @ X + B[:, None], rtol=1e-5)


@pytest.mark.parametrize("ids", [[0, 2, 1, 1, 0, 2], [[0, 2, 1], [1, 0, 2]]])
def test_nll_is_minus_log_softmax_of_the_id(ids):
    scores = np.random.default_rng(1).normal(size=(3, 6))
    expected = [-np.log(softmax(s)[i]) for s, i in zip(scores.T, np.ravel(ids))]
    found = read(nll(feed(scores, batched=True), ids))
    assert found.shape == (1, 6)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_nll_of_one_column_and_of_one_word():
    assert nll(feed(np.array([0.0, 0.0])), [1]).value() == pytest.approx(np.log(2))
    assert nll(feed(np.array([7.0])), [0]).value() == 0


def test_nll_of_extreme_scores_is_finite():
    scores = feed(np.array([1e4, -1e4, 0.0]))
    assert nll(scores, [1]).value() == pytest.approx(2e4)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 1], "expected 6, one a column, found 2"),
        ([3] * 6, "ids must be 0 to 2"),
        ([], "no ids"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        nll(feed(np.ones((3, 6)), batched=True), ids)


def test_flat_ids_are_time_major_python_ints():
    flat = flat_ids(np.array([[1, 2], [3, 4]]), 5)
    assert flat == [1, 2, 3, 4]
    assert all(type(i) is int for i in flat)


def test_missing_operations_are_named():
    assert missing_ops("tanh", "no_such_operation") == ["no_such_operation"]
