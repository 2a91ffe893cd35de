"""Padded rectangles: every sequence once, and the least cost of all partitions."""

import itertools

import numpy as np
import pytest

from dynotes.corpora.rectangles import check_lengths, rectangles

LENGTHS = [3, 1, 7, 3, 2, 7, 1, 1, 12]


def cost(found, step_columns):
    return sum(len(places) * (places.shape[1] + step_columns) for places, _ in found)


@pytest.mark.parametrize("step_columns", [0, 1, 8, 10**6])
@pytest.mark.parametrize("lengths", [LENGTHS, [1], [4, 4, 4]])
def test_every_sequence_stands_once_at_the_beginning_of_a_column(lengths, step_columns):
    starts, seen = np.cumsum(lengths) - lengths, []
    for places, keep in rectangles(lengths, step_columns=step_columns):
        assert keep.any(axis=1).all()
        for column, kept in zip(places.T, keep.T):
            s = int(np.searchsorted(starts, column[0], side="right")) - 1
            seen.append(s)
            n = lengths[s]
            assert column[:n].tolist() == list(range(starts[s], starts[s] + n))
            assert (column[n:] == starts[s] + n - 1).all()
            assert kept.tolist() == [t < n for t in range(len(column))]
    assert sorted(seen) == list(range(len(lengths)))


@pytest.mark.parametrize("step_columns", [0, 1, 3, 8])
@pytest.mark.parametrize("seed", range(4))
def test_no_partition_of_the_sequences_is_cheaper(seed, step_columns):
    """All partitions of 6 sequences into groups, contiguous in length or not."""
    lengths = np.random.default_rng(seed).integers(1, 12, 6)
    least = min(
        sum(
            max(lengths[list(group)]) * (len(group) + step_columns)
            for group in groups
        )
        for groups in (
            [[i for i in range(6) if label[i] == g] for g in set(label)]
            for label in itertools.product(range(6), repeat=6)
            if all(label[i] <= max((-1, *label[:i])) + 1 for i in range(6))
        )
    )  # fmt: skip
    assert cost(rectangles(lengths, step_columns=step_columns), step_columns) == least


def test_without_a_cost_of_steps_nothing_is_padded_and_with_a_great_one_there_is_one_rectangle():
    assert all(keep.all() for _, keep in rectangles(LENGTHS, step_columns=0))
    ((places, keep),) = rectangles(LENGTHS, step_columns=10**6)
    assert places.shape == (12, 9)
    assert keep.sum() == sum(LENGTHS)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([], "expected \\(S,\\) integers"),
        ([[1, 2]], "expected \\(S,\\) integers"),
        ([1.0], "expected \\(S,\\) integers, found float64"),
        ([2, 0], "expected at least 1, found 0"),
    ],
)
def test_lengths_that_are_none_are_refused(lengths, message):
    with pytest.raises(ValueError, match=message):
        rectangles(lengths)


def test_another_sum_is_refused():
    assert check_lengths([1, 2], 3).tolist() == [1, 2]
    with pytest.raises(ValueError, match="expected a sum of 4, found 3"):
        check_lengths([1, 2], 4)
