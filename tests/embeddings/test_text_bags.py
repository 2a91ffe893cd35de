"""T58: bags of rows: shares, masses, stretches of lists."""

import numpy as np
import pytest

from dynotes.embeddings.text_bags import stretches, text_bags

ROWS, ENDS = [4, 9, 4, 2, 9, 9, 4, 2], [3, 4, 8]


def matrix(bags):
    A = np.zeros(len(bags.words) * bags.n_texts)
    A[bags.cells] = bags.shares
    return A.reshape(bags.n_texts, -1).T


def test_a_column_holds_the_shares_of_the_rows_of_a_text():
    bags = text_bags(ROWS, ENDS)
    assert bags.words.tolist() == [2, 4, 9]
    expected = [[0, 1, 1 / 4], [2 / 3, 0, 1 / 4], [1 / 3, 0, 2 / 4]]
    np.testing.assert_allclose(matrix(bags), expected, rtol=1e-6)
    assert bags.shares.dtype == np.float32


def test_cells_ascend_without_repetition():
    assert (np.diff(text_bags(ROWS, ENDS).cells) > 0).all()


@pytest.mark.parametrize(
    ("rows", "ends", "message"),
    [
        ([], [], "rows: no ids"),
        ([1, 2], [1, 3], "ends: expected places up to 2"),
        ([1, 2], [1, 1, 2], "one row a text"),
        ([1, -2], [2], "rows: ids must be"),
        ([1.5, 2], [2], "rows: expected integers"),
    ],
)
def test_texts_that_do_not_fit_are_refused(rows, ends, message):
    with pytest.raises(ValueError, match=message):
        text_bags(rows, ends)


def test_stretches_are_the_chosen_lists_one_after_the_other():
    lists = [[5, 6], [], [7], [8, 9, 1]]
    values, ends = np.concatenate(lists), np.cumsum([len(x) for x in lists])
    for which in ([3, 0, 0, 2], [1, 1], [2], [0, 1, 2, 3]):
        places, found = stretches(ends, np.array(which))
        assert values[places].tolist() == [v for k in which for v in lists[k]]
        assert found.tolist() == np.cumsum([len(lists[k]) for k in which]).tolist()
