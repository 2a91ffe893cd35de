"""T66: the continuous window: its definition, CBOW as the tied case, order and borders."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cwindow import CWindow
from dynotes.embeddings.windows import id_windows
from dynotes.graph.arrays import feed, read
from tests.embeddings.tables import D, V, arrays
from tests.helpers import assert_gradients, asymmetric, set_value

WINDOW = 2
GRID = np.array([[V, 1, 2, 5], [V, 4, 2, 0], [3, 4, 6, 5], [0, 4, V, V]])  # (slots, windows)
FULL = np.array([[1, 5, 0], [2, 5, 6], [1, 2, 3], [4, 0, 3]])  # no empty slot


def cwindow(seed=0, window=WINDOW, n_embed=D):
    """(collection, model, input vectors with the padding's below)."""
    pc = dy.ParameterCollection()
    model = CWindow(pc, n_words=V, n_embed=n_embed, window=window)
    v = arrays(seed, n_words=V + 1, n_embed=n_embed)[0]
    set_value(model.inputs, v)
    return pc, model, v


def joined(v, grid):
    """(2cD, N) by a loop over windows and slots."""
    return np.array([[x for word in column for x in v[word]] for column in grid.T]).T


def test_the_hidden_vector_is_the_vectors_of_the_slots_one_below_another():
    pc, model, v = cwindow()
    found = model.hidden(id_windows(GRID))
    assert found.dim() == ((model.size, model.n_hidden(id_windows(GRID))), 1)
    np.testing.assert_allclose(read(found)[..., 0], joined(v, GRID), rtol=1e-6)
    assert pc.parameter_count() == (V + 1) * D


@pytest.mark.parametrize(("window", "n_embed"), [(1, 1), (1, 3), (2, 1)])
def test_one_slot_a_side_one_dimension_and_one_word_work(window, n_embed):
    pc, model, v = cwindow(window=window, n_embed=n_embed)
    grid = np.full((2 * window, 1), 3)
    found = read(model.hidden(id_windows(grid))).reshape(-1)
    np.testing.assert_allclose(found, np.tile(v[3], 2 * window), rtol=1e-6)
    assert pc.parameter_count()


def scores_and_gradients(table, H, outputs):
    """Scores U H, and the gradients of a scalar of them in the input table and in U."""
    pc = dy.ParameterCollection()
    U = pc.parameters_from_numpy(outputs)
    scores = U * H
    asymmetric(scores).backward()
    found = read(scores)[..., 0], np.array(table.grad_as_array()), np.array(U.grad_as_array())
    table.scale_gradient(0.0)
    return found


def test_equal_output_blocks_divided_by_their_number_are_cbow_with_the_mean():
    """Scores, gradients of the input table, and of an output vector summed over its blocks."""
    pc, model, _ = cwindow()
    u = arrays(3)[1]
    blocks = np.tile(u, 2 * WINDOW) / (2 * WINDOW)
    found = scores_and_gradients(model.inputs, model.hidden(id_windows(FULL)), blocks)
    dy.renew_cg()
    X = dy.reshape(dy.lookup_batch(model.inputs, range(V + 1)), (D, V + 1))
    A = np.zeros((V + 1, FULL.shape[1]))
    for column, window in enumerate(FULL.T):
        for word in window:
            A[word, column] += 1 / len(window)
    scores, dv, du = scores_and_gradients(model.inputs, X * feed(A), u)
    np.testing.assert_allclose(found[0], scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], dv, rtol=1e-5, atol=1e-6)
    summed = found[2].reshape(V, 2 * WINDOW, D).sum(axis=1) / (2 * WINDOW)
    np.testing.assert_allclose(summed, du, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_the_order_of_a_window_counts_unless_the_blocks_are_equal():
    pc, model, _ = cwindow()
    one, other = np.array([[1], [2], [4], [0]]), np.array([[2], [1], [4], [0]])
    U = arrays(3, n_embed=2 * WINDOW * D)[1]
    found = [U @ read(model.hidden(id_windows(g)))[..., 0] for g in (one, other)]
    assert np.abs(found[0] - found[1]).min() > 1e-3
    equal = np.tile(arrays(3)[1], 2 * WINDOW)
    found = [equal @ read(model.hidden(id_windows(g)))[..., 0] for g in (one, other)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_an_empty_slot_holds_the_padding_vector_which_learns():
    pc, model, v = cwindow()
    hidden = model.hidden(id_windows(GRID[:, :1]))
    np.testing.assert_allclose(read(hidden)[: 2 * D, 0, 0], np.tile(v[V], 2), rtol=1e-6)
    asymmetric(hidden).backward()
    assert np.abs(model.inputs.grad_as_array()[model.padding]).max() > 0
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, model, _ = cwindow()
    assert_gradients(lambda: asymmetric(dy.tanh(model.hidden(id_windows(GRID)))), [model.inputs])
    assert pc.parameter_count()


def test_factors_scale_the_gradient_of_each_row_and_not_the_vectors():
    pc, model, _ = cwindow()
    factors = np.linspace(0.1, 1, V + 1).astype(np.float32)
    plain, scaled = (model.hidden(id_windows(GRID), f) for f in (None, [factors]))
    np.testing.assert_array_equal(read(plain), read(scaled))
    asymmetric(plain).backward()
    before = np.array(model.inputs.grad_as_array())
    model.inputs.scale_gradient(0.0)
    asymmetric(scaled).backward()
    np.testing.assert_allclose(model.inputs.grad_as_array(), before * factors[:, None], rtol=1e-5)
    assert pc.parameter_count()


def test_a_row_takes_part_in_the_losses_of_its_windows_2c_times_a_slot():
    pc, model, _ = cwindow()
    losses = np.array([1.0, 6.0, 2.0, 3.0])
    (((ids, masses),),) = model.masses(id_windows(GRID), losses)
    expected = dict.fromkeys(range(V + 1), 0.0)
    for column, window in enumerate(GRID.T):
        for word in window:
            expected[int(word)] += 2 * WINDOW * losses[column]
    assert dict(zip(ids.tolist(), masses.tolist())) == {w: n for w, n in expected.items() if n}
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.hidden(id_windows(np.full((4, 1), V + 1))), f"words: ids must be 0 to {V}"),
        (lambda m: m.hidden(id_windows(np.zeros((2, 3), int))), r"expected shape \(4, None\)"),
        (
            lambda m: m.hidden(id_windows(GRID)._replace(rows=np.full((4, 1), 99))),
            "rows: ids must be 0 to",
        ),
    ],
)
def test_bad_windows_are_refused_before_the_engine_sees_them(call, message):
    pc, model, _ = cwindow()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((0, 3, 2), "table"), ((3, 0, 2), "table"), ((3, 3, 0), "window"), ((3, 2**20, 2**12), "hid")],
)
def test_impossible_sizes_are_refused(sizes, message):
    n_words, n_embed, window = sizes
    with pytest.raises(ValueError, match=message):
        CWindow(dy.ParameterCollection(), n_words=n_words, n_embed=n_embed, window=window)
