"""T35: log-space sums against scipy and 60-digit decimals; no NaN in value or gradient."""

import dynet as dy
import numpy as np
import pytest
from scipy import special

from dynotes.graph import log_space as ls
from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.log_space import NEG_INF
from dynotes.graph.shapes import ShapeError
from tests.helpers import assert_gradients, asymmetric
from tests.reference import distributions as ref


def parameter(values):
    pc = dy.ParameterCollection()
    values = np.asarray(values, dtype=float)
    return pc, pc.add_parameters(values.shape, init=values)


def gradient(e, p):
    loss = dy.sum_batches(dy.sum_elems(e))
    loss.forward()
    loss.backward()
    return parameter_array(p, gradient=True)


WIDE = np.random.default_rng(3).uniform(-1e3, 1e3, (5, 4))
NARROW = np.random.default_rng(4).normal(size=(5, 4))


@pytest.mark.parametrize("x", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_array_sum_equals_scipy(x, axis):
    np.testing.assert_allclose(ls.logsumexp_array(x, axis), special.logsumexp(x, axis), rtol=1e-12)


@pytest.mark.parametrize("x", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("batch", [1, 4])
def test_list_sum_equals_scipy(x, batch):
    xs = [feed(row[None, :batch], batched=True) for row in x]
    expected = special.logsumexp(x[:, :batch], axis=0)
    np.testing.assert_allclose(read(ls.logsumexp(xs))[0], expected, rtol=1e-5)


@pytest.mark.parametrize("x", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_axis_sum_of_a_matrix_equals_scipy(x, axis, turned):
    x = x.T if turned else x
    found = read(ls.logsumexp_dim(feed(x), axis))
    np.testing.assert_allclose(found[:, 0], special.logsumexp(x, axis), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_axis_sum_of_a_batch_of_matrices_equals_scipy(batch, axis):
    x = np.random.default_rng(5).normal(size=(4, 3, batch)) * 10
    found = read(ls.logsumexp_dim(feed(x, batched=True), axis))
    np.testing.assert_allclose(found, special.logsumexp(x, axis), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 3), (3, 1), (1, 1)])
def test_axis_sum_of_edge_shapes_has_the_other_axis(shape):
    x = np.random.default_rng(6).normal(size=shape)
    expected = np.atleast_1d(special.logsumexp(x, 0))
    np.testing.assert_allclose(read(ls.logsumexp_dim(feed(x)))[:, 0], expected, rtol=1e-5)


def test_the_plain_decimal_sum_agrees_with_both():
    column = WIDE[:, 0] / 10
    expected = ref.log_sum(column)
    assert float(ls.logsumexp_array(column)) == pytest.approx(expected, rel=1e-12)
    assert ls.logsumexp_dim(feed(column)).value() == pytest.approx(expected, rel=1e-5)


def test_gradient_of_the_list_sum_is_softmax():
    pc, p = parameter(NARROW[:, 0])
    found = gradient(ls.logsumexp([p[i] for i in range(5)]), p)
    np.testing.assert_allclose(found, ref.softmax(NARROW[:, 0]), rtol=1e-5)
    assert len(pc.parameters_list()) == 1


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_gradient_of_the_axis_sum_is_softmax(scale):
    pc, p = parameter(NARROW * scale)
    found = gradient(ls.logsumexp_dim(p), p)
    np.testing.assert_allclose(found, ref.softmax_columns(NARROW * scale), rtol=2e-4, atol=1e-6)
    assert len(pc.parameters_list()) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_gradient_of_the_axis_sum_passes_central_differences(axis):
    _, p = parameter(NARROW)
    keep = np.ones(NARROW.shape, bool)
    keep[1, 2] = keep[0, 0] = False
    assert_gradients(lambda: asymmetric(ls.logsumexp_dim(p, axis)), [p])
    assert_gradients(lambda: asymmetric(ls.logsumexp_dim(p, axis, keep)), [p])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_masked_axis_sum_is_the_sum_of_what_is_kept(axis):
    keep = np.random.default_rng(7).random((5, 4, 2)) < 0.6
    keep[0, :, :] = keep[:, 0, :] = True
    x = np.random.default_rng(8).normal(size=(5, 4, 2))
    expected = special.logsumexp(np.where(keep, x, -np.inf), axis)
    found = read(ls.logsumexp_dim(feed(x, batched=True), axis, keep))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(ls.logsumexp_array(x, axis, keep), expected, rtol=1e-12)


def test_a_mask_with_a_batch_axis_spreads_an_unbatched_vector():
    x, keep = NARROW[:, 0], np.array([[True, False]] * 4 + [[True, True]])
    found = read(ls.logsumexp_dim(feed(x), 0, keep))
    np.testing.assert_allclose(found, [[special.logsumexp(x), x[4]]], rtol=1e-5)


@pytest.mark.parametrize("keep", [[True, False, True], [[1, 1], [0, 1], [1, 0]]])
def test_a_masked_list_sum_is_the_sum_of_what_is_kept(keep):
    keep = np.array(keep, bool)
    x = NARROW[:3, :2]
    xs = [feed(row[None, :], batched=True) for row in x]
    kept = np.broadcast_to(keep.reshape(3, -1), x.shape)
    expected = special.logsumexp(np.where(kept, x, -np.inf), 0)
    np.testing.assert_allclose(read(ls.logsumexp(xs, keep))[0], expected, rtol=1e-5)


def test_an_entry_of_batch_one_may_come_first_under_a_batched_mask():
    xs = [feed(np.array([0.5])), feed(NARROW[:1, :3], batched=True)]
    keep = np.array([[True, False, True], [True, True, False]])
    both = [np.full(3, 0.5), NARROW[0, :3]]
    expected = special.logsumexp(np.where(keep, both, -np.inf), 0)
    np.testing.assert_allclose(read(ls.logsumexp(xs, keep))[0], expected, rtol=1e-5)


def test_a_masked_list_of_vectors_is_masked_as_whole_entries():
    xs = [feed(NARROW[:, i : i + 2], batched=True) for i in range(2)]
    keep = np.array([[True, False], [True, True]])
    found = read(ls.logsumexp(xs, keep))
    both = special.logsumexp([NARROW[:, 0], NARROW[:, 1]], 0)
    np.testing.assert_allclose(found, np.stack([both, NARROW[:, 2]], 1), rtol=1e-5)


def test_an_axis_with_nothing_kept_gives_the_chosen_zero_and_no_gradient():
    _, p = parameter(NARROW)
    keep = np.ones(NARROW.shape, bool)
    keep[:, 1] = False
    e = ls.logsumexp_dim(p, 0, keep)
    assert read(e)[1, 0] == NEG_INF
    found = gradient(e, p)
    assert np.isfinite(found).all()
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found[:, 0], ref.softmax(NARROW[:, 0]), rtol=1e-5)


@pytest.mark.parametrize("keep", [np.zeros(3, bool), np.zeros((3, 1), bool)])
def test_a_list_with_nothing_kept_gives_the_chosen_zero_and_no_gradient(keep):
    _, p = parameter(NARROW[0])
    e = ls.logsumexp([p[0], p[1], p[2]], keep)
    assert e.value() == NEG_INF
    assert (gradient(e + p[3], p) == [0, 0, 0, 1]).all()


def test_arrays_with_nothing_kept_give_exactly_the_chosen_zero():
    assert ls.logsumexp_array(NARROW[0], keep=np.zeros(4, bool)) == NEG_INF
    assert ls.logsumexp_array([-np.inf, -np.inf]) == NEG_INF


def test_scores_that_hold_the_chosen_zero_lose_no_digits():
    x = np.array([NEG_INF, 1000.0, 999.0, NEG_INF])
    _, p = parameter(x)
    e = ls.logsumexp_dim(p)
    assert e.value() == pytest.approx(special.logsumexp(x[1:3]), rel=1e-7)
    np.testing.assert_allclose(gradient(e, p), ref.softmax(x), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("form", ["list", "axis"])
def test_sums_of_nothing_but_zeros_stay_finite_in_value_and_gradient(form):
    _, p = parameter([NEG_INF] * 3)
    e = ls.logsumexp_dim(p) if form == "axis" else ls.logsumexp([p[0], p[1], p[2]])
    assert e.value() == pytest.approx(NEG_INF)
    assert np.isfinite(gradient(e, p)).all()


def test_hidden_entries_are_the_chosen_zero_and_get_no_gradient():
    _, p = parameter(NARROW[0])
    e = ls.hide(p, np.array([True, False, True, False]))
    np.testing.assert_allclose(read(e)[:, 0], [NARROW[0, 0], NEG_INF, NARROW[0, 2], NEG_INF], 1e-6)
    assert (gradient(e, p) == [1, 0, 1, 0]).all()


def test_hiding_nothing_adds_no_node():
    x = feed(NARROW)
    assert ls.hide(x, np.ones(NARROW.shape, bool)) is x


@pytest.mark.parametrize("keep", [None, [True, False, True, True, True]])
def test_log_mean_exp_is_the_log_of_the_mean(keep):
    rows = NARROW if keep is None else NARROW[np.array(keep)]
    expected = np.log(np.exp(rows).mean(0))
    kept = None if keep is None else np.array(keep)
    xs = [feed(row[None, :], batched=True) for row in NARROW]
    np.testing.assert_allclose(read(ls.log_mean_exp(xs, kept))[0], expected, rtol=1e-4, atol=1e-6)
    array_keep = None if keep is None else kept[:, None]
    found = ls.log_mean_exp_array(NARROW, 0, array_keep)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_log_mean_exp_divides_by_what_each_batch_entry_keeps():
    keep = np.array([[True, True], [True, False], [False, False]])
    xs = [feed(row[None, :2], batched=True) for row in NARROW[:3]]
    expected = [np.log(np.exp(NARROW[:2, 0]).mean()), NARROW[0, 1]]
    np.testing.assert_allclose(read(ls.log_mean_exp(xs, keep))[0], expected, rtol=1e-5)


GAPS = np.concatenate([-np.logspace(-6, 1.9, 40), -np.array([np.log(2) - 1e-6, np.log(2) + 1e-6])])


def test_array_log1mexp_equals_sixty_digits():
    expected = [ref.log1mexp(x) for x in GAPS]
    np.testing.assert_allclose(ls.log1mexp_array(GAPS), expected, rtol=1e-10)


def test_graph_log1mexp_equals_sixty_digits_on_both_sides_of_the_switch():
    x = GAPS.astype(np.float32)
    expected = [ref.log1mexp(v) for v in x]
    found = read(ls.log1mexp(feed(x[None, :], batched=True)))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_log1mexp_gradient_is_minus_exp_over_one_minus_exp():
    x = np.array([-1e-5, -0.1, -0.69, -np.log(2), -0.7, -3.0, -40.0])
    _, p = parameter(x)
    found = gradient(ls.log1mexp(p), p)
    np.testing.assert_allclose(found, np.exp(x) / np.expm1(x), rtol=1e-5)


def test_log1mexp_of_zero_or_more_is_the_chosen_zero_without_gradient():
    _, p = parameter([0.0, 1e-3, 5.0, -1.0])
    e = ls.log1mexp(p)
    assert (read(e)[:3, 0] == NEG_INF).all()
    found = gradient(e, p)
    assert (found[:3] == 0).all()
    assert np.isfinite(found).all()
    assert ls.log1mexp_array(0.0) == NEG_INF


def test_log_diff_exp_is_the_log_of_the_difference():
    a, b = np.array([0.0, 2.0, -700.0]), np.array([-1e-3, -50.0, -701.0])
    expected = [x + ref.log1mexp(y - x) for x, y in zip(a, b)]
    np.testing.assert_allclose(ls.log_diff_exp_array(a, b), expected, rtol=1e-10)
    np.testing.assert_allclose(read(ls.log_diff_exp(feed(a), feed(b)))[:, 0], expected, rtol=1e-4)


def test_log_diff_exp_of_equals_is_the_chosen_zero():
    assert ls.log_diff_exp_array(3.0, 3.0) == pytest.approx(NEG_INF)
    assert ls.log_diff_exp(feed([3.0]), feed([3.0])).value() == pytest.approx(NEG_INF)


# --- one node a batch ----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [WIDE, NARROW, WIDE / 20], ids=["wide", "narrow", "between"])
@pytest.mark.parametrize("visible", [0, 4, [0, 4, 2, 2]])
def test_batch_sum_equals_sixty_digits_at_any_visible_row(x, visible):
    found = ls.logsumexp_batch(feed(x, batched=True), visible)
    assert found.dim() == ((1,), 4)
    expected = [ref.log_sum(column) for column in x.T]
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-6, atol=2e-7 * np.abs(x).max())


def test_batch_sum_of_one_row_is_that_row():
    np.testing.assert_allclose(read(ls.logsumexp_batch(feed(WIDE[:1], batched=True))), WIDE[:1])


def test_a_visible_row_keeps_the_digits_beside_hidden_ones():
    x = np.array([[NEG_INF, 1.5, NEG_INF, 0.25], [2.0, NEG_INF, NEG_INF, -1.0]]).T
    found = read(ls.logsumexp_batch(feed(x, batched=True), [1, 0]))[0]
    expected = [ref.log_sum([1.5, 0.25]), ref.log_sum([2.0, -1.0])]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_columns_hidden_altogether_give_about_the_chosen_zero():
    found = read(ls.logsumexp_batch(feed(np.full((3, 2), NEG_INF), batched=True)))
    np.testing.assert_allclose(found, np.full((1, 2), NEG_INF), rtol=1e-6)


@pytest.mark.parametrize("visible", [1, [1, 3, 4, 1]])
def test_gradient_of_the_batch_sum_is_softmax_and_exactly_zero_at_hidden_rows(visible):
    _, p = parameter(NARROW)
    hidden = np.zeros(NARROW.shape, bool)
    hidden[0] = hidden[2, 3] = True
    columns = dy.reshape(dy.cmult(p, feed(~hidden)) + feed(NEG_INF * hidden), (5,), 4)
    found = gradient(ls.logsumexp_batch(columns, visible), p)
    kept = np.where(hidden, NEG_INF, NARROW)
    np.testing.assert_allclose(found, ref.softmax_columns(kept), rtol=1e-5, atol=1e-7)
    assert (found[hidden] == 0).all()


def test_batch_sum_passes_central_differences():
    _, p = parameter(NARROW)
    columns = [3, 0, 1, 4]
    assert_gradients(lambda: asymmetric(ls.logsumexp_batch(dy.reshape(p, (5,), 4), columns)), [p])


SPREAD = np.concatenate([[0.0], np.logspace(-6, 4, 41), -np.logspace(-6, 4, 41), [NEG_INF, 1e9]])


def test_softplus_equals_sixty_digits():
    found = read(ls.softplus(feed(SPREAD)))[:, 0]
    expected = [x if x > 100 else ref.log_sum([0.0, x]) for x in SPREAD]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1.2e-7)


def test_softplus_gradient_is_the_sigmoid_at_exactly_zero_too():
    _, p = parameter(SPREAD)
    found = gradient(ls.softplus(p), p)
    np.testing.assert_allclose(found, special.expit(SPREAD), rtol=2e-6, atol=1e-30)
    assert found[0] == 0.5
    assert found[-2] == 0


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1,)])
@pytest.mark.parametrize("batch", [1, 4])
def test_softplus_keeps_the_shape_and_works_entry_by_entry(shape, batch):
    x = np.random.default_rng(7).normal(size=(*shape, batch)) * 3
    found = ls.softplus(feed(x, batched=True))
    assert found.dim() == (shape, batch)
    np.testing.assert_allclose(read(found), np.logaddexp(0, x), rtol=1e-5)


def test_softplus_gradients_of_a_batch_pass_central_differences():
    _, p = parameter(NARROW)
    assert_gradients(lambda: asymmetric(ls.softplus(dy.reshape(p, (5,), 4))), [p])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ls.logsumexp_batch(x, 4), "visible: ids must be 0 to 3, found 4"),
        (lambda x: ls.logsumexp_batch(x, [0, 1]), "visible: expected 1 or 1 ids, found 2"),
        (lambda x: ls.logsumexp_batch(x, 0.0), "visible: expected integers"),
        (lambda x: ls.logsumexp_batch(feed(NARROW)), r"x: expected \(\*,\)x\*, found \(5, 4\)x1"),
        (lambda x: ls.logsumexp([]), "at least one"),
        (lambda x: ls.logsumexp([x, feed(np.ones(3))]), r"entry 1: expected \(4,\)"),
        (lambda x: ls.logsumexp([x, x], np.ones(3, bool)), r"expected bool \(2,\)"),
        (lambda x: ls.logsumexp([x, x], np.ones(2)), "found float64"),
        (lambda x: ls.hide(x, np.ones(3, bool)), r"expected bool \(4,\)"),
        (lambda x: ls.hide(x, np.ones(4, int)), "found int64"),
        (lambda x: ls.log1mexp_array([0.5]), "values <= 0, found 0.5"),
        (lambda x: ls.logsumexp_array([]), "expected numbers"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(feed(NARROW[0]))


@pytest.mark.parametrize(("shape", "axis"), [((2, 2, 2), 0), ((3,), 1), ((3, 2), 2)])
def test_an_axis_that_is_not_there_is_a_shape_error(shape, axis):
    with pytest.raises(ShapeError, match="expected a vector or a matrix"):
        ls.logsumexp_dim(feed(np.ones(shape)), axis)


def test_a_batch_of_another_size_is_a_shape_error():
    xs = [feed(np.ones((1, 2)), batched=True), feed(np.ones((1, 3)), batched=True)]
    with pytest.raises(ShapeError, match="entry 1: expected batch 2 or 1, found 3"):
        ls.logsumexp(xs)
