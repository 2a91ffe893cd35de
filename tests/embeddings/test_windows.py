"""T65, T66: slots of a window, and windows cut from a text, against loops."""

import numpy as np
import pytest

from dynotes.corpora.token_stream import chunks, window_pairs
from dynotes.embeddings.windows import Windows, id_windows, slots, text_windows


def test_slots_are_the_order_of_the_text_without_the_centre():
    offsets = [-3, -2, -1, 1, 2, 3]
    np.testing.assert_array_equal(slots(offsets, 3), np.arange(6))
    np.testing.assert_array_equal(slots([1, -1], 1), [1, 0])


@pytest.mark.parametrize("offsets", [[0], [1, 3], [-3]])
def test_an_offset_that_is_in_no_window_is_refused(offsets):
    with pytest.raises(ValueError, match=f"expected -2 to 2 without 0, found {offsets[-1]}"):
        slots(offsets, 2)


def looped(sentences, window, padding):
    """(grid columns, targets) of every place with a neighbour."""
    grid, targets = [], []
    for words in sentences:
        for t, target in enumerate(words):
            around = [t + o for o in range(-window, window + 1) if o]
            inside = [0 <= i < len(words) for i in around]
            if any(inside):
                grid.append([words[i] if ok else padding for i, ok in zip(around, inside)])
                targets.append(target)
    return np.array(grid).T, targets


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("size", [4, 100])
def test_windows_of_a_text_are_those_of_a_loop_over_its_sentences(window, size):
    rng = np.random.default_rng(0)
    sentences = [rng.integers(0, 9, n).tolist() for n in (5, 1, 2, 12, 1, 3)]
    ids = np.concatenate(sentences).astype(np.int32)
    ends = np.cumsum([len(s) for s in sentences])
    expected, targets = looped(sentences, window, padding=9)
    grids, predicted = [], []
    stream = chunks(
        ids, ends, keep=np.ones(9), window=window, size=size, seed=1, dynamic=False
    )  # fmt: skip
    for chunk in stream:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            continue
        found, predictions = text_windows(chunk.ids, centres, contexts, window=window, padding=9)
        assert (np.diff(found.words) > 0).all()
        grids.append(found.words[found.rows])
        np.testing.assert_array_equal(predictions.columns, np.arange(found.rows.shape[1]))
        predicted += predictions.words.tolist()
    np.testing.assert_array_equal(np.concatenate(grids, axis=1), expected)
    assert predicted == targets


def test_windows_of_ids_hold_each_word_once():
    found = id_windows([[3, 9], [3, 0]])
    assert isinstance(found, Windows)
    np.testing.assert_array_equal(found.words, [0, 3, 9])
    np.testing.assert_array_equal(found.rows, [[1, 2], [1, 0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: id_windows([[1], [2], [3]]), "even number of slots, found 3"),
        (lambda: id_windows([1, 2]), "windows: expected shape"),
        (lambda: slots([1], 0), "window"),
        (
            lambda: text_windows(
                np.arange(3), np.array([], int), np.array([], int), window=2, padding=9
            ),
            "at least one pair",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
