"""T34: numbers go into the graph and come back unchanged at every shape and batch size."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read, scalar


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (3, 1), (1, 3), (2, 3), (2, 3, 4)])
def test_what_is_fed_is_read_back(shape):
    a = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    e = feed(a)
    assert e.dim()[1] == 1
    np.testing.assert_array_equal(read(e), a[..., None])


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3)])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_last_axis_of_a_batched_array_is_the_batch(shape, batch):
    a = np.random.default_rng(1).normal(size=(*shape, batch)).astype(np.float32)
    e = feed(a, batched=True)
    assert e.dim() == (shape, batch)
    np.testing.assert_array_equal(read(e), a)


def test_a_batched_vector_of_numbers_is_one_number_per_entry():
    assert feed([1.0, 2.0, 3.0], batched=True).dim() == ((1,), 3)


def test_a_single_number_is_a_vector_of_one():
    assert feed(2.5).dim() == ((1,), 1)
    assert scalar(feed(2.5)) == 2.5


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_number_type_and_memory_order_is_taken(dtype, order):
    a = np.array([[0, 1, 1], [1, 0, 1]], dtype=dtype, order=order)
    np.testing.assert_array_equal(read(feed(a))[..., 0], a.astype(np.float32))


def test_columns_of_a_batch_are_the_arrays_one_by_one():
    a = np.random.default_rng(2).normal(size=(2, 3, 4)).astype(np.float32)
    together = feed(a, batched=True)
    for b in range(4):
        np.testing.assert_array_equal(read(dy.pick_batch_elem(together, b)), read(feed(a[..., b])))


@pytest.mark.parametrize("bad", [[], np.zeros((2, 0)), ["a"], [None], np.array([1j])])
def test_what_is_not_numbers_is_refused(bad):
    with pytest.raises(ValueError, match="expected numbers"):
        feed(bad)


def test_a_batched_number_without_an_axis_is_refused():
    with pytest.raises(ValueError, match="last axis"):
        feed(1.0, batched=True)


def test_parameter_arrays_are_copies():
    pc = dy.ParameterCollection()
    for p in (pc.add_parameters((2, 3)), pc.add_lookup_parameters((2, 3))):
        before = parameter_array(p)
        before[:] = 7.0
        assert parameter_array(p).dtype == np.float32
        assert (parameter_array(p) != 7.0).all()


def test_parameter_array_reads_the_gradient():
    pc = dy.ParameterCollection()
    p = pc.add_parameters((2, 3))
    loss = dy.sum_elems(p * feed(np.array([1.0, 2.0, 3.0])))
    loss.forward()
    loss.backward()
    np.testing.assert_array_equal(parameter_array(p, gradient=True), [[1, 2, 3], [1, 2, 3]])


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 1)])
def test_a_scalar_that_is_none_is_refused_before_the_engine_aborts(shape):
    with pytest.raises(ValueError, match="loss: expected one number, found"):
        scalar(feed(np.ones(shape)), "loss")


def test_a_batched_scalar_is_refused_as_well():
    with pytest.raises(ValueError, match="x3"):
        scalar(feed(np.ones((1, 3)), batched=True))
