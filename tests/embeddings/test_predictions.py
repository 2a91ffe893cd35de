"""T53: predictions as arrays, and their rows in tables with slots."""

import numpy as np
import pytest

from dynotes.embeddings.predictions import predicted


def test_predictions_hold_each_word_once():
    found = predicted([0, 0, 2], [5, 3, 5])
    assert found.outputs.tolist() == [3, 5]
    assert found.words.tolist() == [5, 3, 5]


def test_without_slots_the_rows_of_a_table_are_its_words():
    rows, where = predicted([0, 0, 2], [5, 3, 5]).table_rows(1)
    assert rows[where].tolist() == [5, 3, 5]


def test_with_slots_a_row_is_that_of_the_word_and_its_slot():
    rows, where = predicted([0, 0, 2, 1], [5, 3, 5, 5], [1, 0, 2, 1]).table_rows(4)
    assert rows[where].tolist() == [21, 12, 22, 21]
    assert rows.tolist() == [12, 21, 22]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: predicted([], []), "words: no ids"),
        (lambda: predicted([0], [1, 2]), "columns: expected shape"),
        (lambda: predicted([0, 0], [1, 2], [1]), "slots: expected shape"),
        (lambda: predicted([0], [1], [2]).table_rows(2), "slots: ids must be 0 to 1"),
        (lambda: predicted([0], [1], [2]).table_rows(1), "slots: ids must be 0 to 0"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_no_slots_are_slot_zero_of_several():
    rows, where = predicted([0, 1], [5, 3]).table_rows(2)
    assert rows[where].tolist() == [10, 6]
    assert np.all(predicted([0], [5]).of_slots() == 0)
