"""Columns for truncated backprop: nothing lost, nothing twice, nothing leaked."""

from collections import Counter
from itertools import repeat

import numpy as np
import pytest

from dynotes.corpora.bptt import columns, partial_shuffle, restore, segments

START = 999
SIZES = [(1, 1), (1, 3), (2, 5), (5, 4), (6, 3), (7, 3), (9, 4), (10, 4), (20, 20), (101, 7)]


def stream(n):
    """Distinct ids, so that a position is known by its id."""
    return np.arange(1, n + 1, dtype=np.int32)


def reference(ids, batch_size):
    """{(t, b): (input, target)} by the definition, one column after the other."""
    n = -(-len(ids) // batch_size)
    cells, before = {}, START
    for at, word in enumerate(ids.tolist()):
        cells[at % n, at // n] = (before, word)
        before = word
    return n, cells


@pytest.mark.parametrize(("n_ids", "batch_size"), SIZES)
def test_columns_are_what_the_definition_says(n_ids, batch_size):
    cut = columns(stream(n_ids), batch_size, START)
    n, cells = reference(stream(n_ids), batch_size)
    assert cut.inputs.shape == cut.targets.shape == cut.keep.shape == (n, batch_size)
    for t in range(n):
        for b in range(batch_size):
            found = (cut.inputs[t, b], cut.targets[t, b])
            assert found == cells.get((t, b), (0, 0))
            assert cut.keep[t, b] == ((t, b) in cells)


@pytest.mark.parametrize(("n_ids", "batch_size"), SIZES)
@pytest.mark.parametrize("length", [1, 2, 3, 1000])
def test_every_token_is_predicted_exactly_once(n_ids, batch_size, length):
    cut = columns(stream(n_ids), batch_size, START)
    seen = Counter()
    for part in segments(cut, length):
        keep = np.ones(part.targets.shape, bool) if part.keep is None else part.keep
        seen.update(part.targets[keep].tolist())
        assert not part.targets[~keep].any()
        assert not part.inputs[~keep].any()
    assert seen == Counter(stream(n_ids).tolist())


@pytest.mark.parametrize("n_ids", [1, 2, 3, 10, 97, 240])
def test_the_stream_is_restored_whatever_the_batch_size(n_ids):
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 50, n_ids, dtype=np.int32)
    for batch_size in range(1, n_ids + 3):
        back = restore(columns(ids, batch_size, START))
        assert back.dtype == np.int32
        assert back.tolist() == ids.tolist()


def test_each_token_is_predicted_from_the_same_input_whatever_the_batch_size():
    rng = np.random.default_rng(4)
    ids = rng.integers(0, 9, 83)

    def pairs(batch_size):
        cut = columns(ids, batch_size, START)
        return Counter(zip(cut.inputs[cut.keep].tolist(), cut.targets[cut.keep].tolist()))

    assert all(pairs(batch_size) == pairs(1) for batch_size in range(2, 90))


def test_no_target_is_read_before_it_is_predicted():
    cut = columns(stream(101), 7, START)
    for part in segments(cut, 4):
        for t in range(len(part.targets)):
            for b in range(7):
                assert part.targets[t, b] not in part.inputs[: t + 1, b] or not part.targets[t, b]
    inputs = np.where(cut.inputs == START, 0, cut.inputs)
    assert (cut.targets - inputs)[cut.keep].tolist() == [1] * 101


def test_segments_follow_each_other_without_a_gap():
    cut = columns(stream(100), 6, START)
    parts = list(segments(cut, 4))
    assert [part.start for part in parts] == [0, 4, 8, 12, 16]
    assert [len(part.targets) for part in parts] == [4, 4, 4, 4, 1]
    for before, after in zip(parts[:-1], parts[1:]):
        real = after.targets[0] > 0
        assert after.inputs[0, real].tolist() == before.targets[-1, real].tolist()
    joined = np.concatenate([part.inputs for part in parts])
    assert joined.tolist() == cut.inputs.tolist()


def test_a_column_begins_with_the_last_token_of_the_one_before():
    cut = columns(stream(24), 4, START)
    assert cut.inputs[0, 0] == START
    assert cut.inputs[0, 1:].tolist() == cut.targets[-1, :-1].tolist()


def test_padding_stands_only_at_the_end_of_the_last_columns():
    keep = columns(stream(21), 8, START).keep  # n = 3: the eighth column is empty
    assert keep.sum(axis=0).tolist() == [3] * 7 + [0]
    keep = columns(stream(10), 4, START).keep
    assert keep.T.ravel().tolist() == [True] * 10 + [False] * 2


def test_keep_is_given_only_where_something_is_padded():
    parts = list(segments(columns(stream(11), 4, START), 1))
    assert [part.keep is None for part in parts] == [True, True, False]
    assert all(part.keep is None for part in segments(columns(stream(12), 4, START), 2))


def test_lengths_may_vary_and_the_last_one_is_cut_to_fit():
    cut = columns(stream(20), 2, START)
    assert [len(part.targets) for part in segments(cut, [3, 1, 4, 9, 5])] == [3, 1, 4, 2]
    assert [len(part.targets) for part in segments(cut, repeat(4))] == [4, 4, 2]
    with pytest.raises(ValueError, match="the lengths end at row 5 of 10"):
        list(segments(cut, (5,)))


def test_rows_may_overlap():
    cut = columns(stream(20), 2, START)
    assert cut.rows(2, 5).targets.tolist() == cut.targets[2:5].tolist()
    assert cut.rows(3, 6).inputs.tolist() == cut.inputs[3:6].tolist()


def test_a_memory_map_is_not_loaded(tmp_path):
    stream(1000).tofile(tmp_path / "ids")
    ids = np.memmap(tmp_path / "ids", np.int32, mode="r")
    cut = columns(ids, 7, START)
    assert np.shares_memory(cut.ids, ids)
    assert restore(cut).tolist() == stream(1000).tolist()


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.uint32])
def test_ids_of_other_integer_types_give_int32(dtype):
    part = columns(stream(10).astype(dtype), 3, START).rows(0, 4)
    assert (part.inputs.dtype, part.targets.dtype) == (np.int32, np.int32)
    assert part.inputs[0].tolist() == [START, 4, 8]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: columns([], 1, 0), r"found \(0,\)"),
        (lambda: columns([[1]], 1, 0), r"found \(1, 1\)"),
        (lambda: columns([1.0], 1, 0), "float64"),
        (lambda: columns([2**31], 1, 0), "less than 2"),
        (lambda: columns([1], 0, 0), "batch_size: .* found 0"),
        (lambda: columns([1], 1, -1), "start_id: .* found -1"),
        (lambda: columns([1], 1, None), "start_id: .* found None"),
        (lambda: segments(columns([1], 1, 0), 0), "length: .* found 0"),
        (lambda: list(segments(columns([1], 1, 0), [0])), "length: .* found 0"),
        (lambda: columns([1, 2], 1, 0).rows(1, 3), "within 0 to 2, found 1 to 3"),
        (lambda: columns([1, 2], 1, 0).rows(1, 1), "found 1 to 1"),
        (lambda: partial_shuffle([], 1, np.random.default_rng(1)), "found"),
        (lambda: partial_shuffle([1], 0, np.random.default_rng(1)), "batch_size"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("n_ids", "batch_size"), SIZES)
def test_partial_shuffle_rotates_each_column_and_loses_nothing(n_ids, batch_size):
    ids = stream(n_ids)
    shuffled = partial_shuffle(ids, batch_size, np.random.default_rng(5))
    assert ids.tolist() == stream(n_ids).tolist()
    assert shuffled.dtype == ids.dtype
    old, new = columns(ids, batch_size, START), columns(shuffled, batch_size, START)
    for b in range(batch_size):
        before, after = old.targets[old.keep[:, b], b], new.targets[new.keep[:, b], b]
        k = int(np.flatnonzero(before == after[0])[0]) if len(after) else 0
        assert after.tolist() == before[k:].tolist() + before[:k].tolist()


def test_partial_shuffle_draws_every_rotation_equally_often_and_columns_apart():
    rng = np.random.default_rng(6)
    draws = [partial_shuffle(stream(10), 2, rng)[[0, 5]] for _ in range(2000)]
    first, second = np.array(draws).T
    table = np.zeros((5, 5))
    np.add.at(table, (first - 1, second - 6), 1)
    # chi-square of 25 equal cells: mean 24, standard deviation 6.9; |z| < 5
    statistic = ((table - 80) ** 2 / 80).sum()
    assert abs(statistic - 24) < 5 * 6.9
