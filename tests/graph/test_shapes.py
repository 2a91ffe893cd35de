"""T34: sizes and ids are checked, with found and expected value, before DyNet sees them."""

import numpy as np
import pytest

from dynotes.graph import shapes
from dynotes.graph.arrays import feed


@pytest.mark.parametrize(
    ("shape", "batch", "text"),
    [((3,), 2, "(3,)x2"), ((3, 4), 1, "(3, 4)x1"), ((None, 4), None, "(*, 4)x*"), ((), 1, "()x1")],
)
def test_shapes_are_described_in_one_notation(shape, batch, text):
    assert shapes.describe(shape, batch) == text


@pytest.mark.parametrize(
    ("array", "shape", "sizes"),
    [
        (np.ones(3), (3,), (3,)),
        (np.ones(3), (None,), (3,)),
        (np.ones(3), (3, 1), (3, 1)),
        (np.ones((3, 1)), (3,), (3,)),
        (np.ones((3, 1)), (None, None), (3, 1)),
        (np.ones((3, 2)), (3, None), (3, 2)),
        (np.ones((1, 1)), (1,), (1,)),
    ],
)
def test_sizes_are_returned_with_a_trailing_one_added_or_dropped(array, shape, sizes):
    assert shapes.expect("x", feed(array), shape) == (sizes, 1)


def test_the_batch_size_is_returned():
    assert shapes.expect("x", feed(np.ones((3, 5)), batched=True), (3,), 5) == ((3,), 5)


@pytest.mark.parametrize(
    ("shape", "batch", "message"),
    [
        ((4,), None, r"x: expected \(4,\)x\*, found \(3, 2\)x5"),
        ((3,), None, r"expected \(3,\)x\*"),
        ((2, 3), None, r"expected \(2, 3\)x\*"),
        ((3, 2, 2), None, r"expected \(3, 2, 2\)x\*"),
        ((3, 2), 4, r"expected \(3, 2\)x4, found \(3, 2\)x5"),
    ],
)
def test_a_wrong_shape_names_both_shapes(shape, batch, message):
    with pytest.raises(shapes.ShapeError, match=message):
        shapes.expect("x", feed(np.ones((3, 2, 5)), batched=True), shape, batch)


@pytest.mark.parametrize("bad", [None, 1.0, np.ones(3), [1.0]])
def test_what_is_no_expression_is_a_type_error(bad):
    with pytest.raises(TypeError, match="weights: expected a DyNet Expression, found"):
        shapes.expect("weights", bad, (None,))


def test_a_shape_error_is_a_value_error():
    assert issubclass(shapes.ShapeError, ValueError)


@pytest.mark.parametrize("value", [1, np.int64(1), 2**31 - 1])
def test_whole_numbers_are_sizes(value):
    size = shapes.check_size("n", value)
    assert size == value
    assert type(size) is int


@pytest.mark.parametrize("value", [0, -1, 2**31, 1.0, "1", None, True, np.float32(2)])
def test_other_values_are_no_sizes(value):
    with pytest.raises(ValueError, match="n: expected"):
        shapes.check_size("n", value)


def test_the_range_of_a_size_can_be_given():
    assert shapes.check_size("n", 0, low=0) == 0
    with pytest.raises(ValueError, match="n: expected 1 to 3, found 4"):
        shapes.check_size("n", 4, 1, 3)


def test_dimensions_must_fit_into_32_bits():
    assert shapes.check_dims("W", [3, np.int32(4)]) == (3, 4)
    for bad in ([], [3, 0], [3, -4], [2**16, 2**16]):
        with pytest.raises(ValueError, match="W"):
            shapes.check_dims("W", bad)


@pytest.mark.parametrize("p", [0, 0.0, 0.5, np.float32(0.25)])
def test_rates_below_one_are_taken(p):
    assert shapes.check_rate("p", p) == p


@pytest.mark.parametrize("p", [1, 1.0, -0.1, 2, float("nan"), None, "0.5", True])
def test_other_rates_are_refused(p):
    with pytest.raises(ValueError, match="p: expected a rate"):
        shapes.check_rate("p", p)


@pytest.mark.parametrize("ids", [[0, 4], (1,), np.array([[0, 1], [2, 3]], np.uint8), 3])
def test_ids_in_range_come_back_as_an_array(ids):
    np.testing.assert_array_equal(shapes.check_ids("ids", ids, 5), np.asarray(ids))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "no ids"),
        ([0, 5], "ids must be 0 to 4, found 0 to 5"),
        ([-1, 2], "found -1 to 2"),
        ([1.0], "expected integers, found float64"),
        ([True], "expected integers, found bool"),
        (["a"], "expected integers"),
    ],
)
def test_wrong_ids_are_refused_with_what_was_found(ids, message):
    with pytest.raises(ValueError, match=message):
        shapes.check_ids("ids", ids, 5)


def test_the_shape_of_ids_can_be_given():
    assert shapes.check_ids("ids", [[1, 2]], 5, (None, 2)).shape == (1, 2)
    with pytest.raises(ValueError, match=r"expected shape \(None, 3\), found \(1, 2\)"):
        shapes.check_ids("ids", [[1, 2]], 5, (None, 3))
    with pytest.raises(ValueError, match="expected shape"):
        shapes.check_ids("ids", [1, 2], 5, (None, 2))
