"""T54: pairs and bags as arrays."""

import numpy as np
import pytest

from dynotes.embeddings.pairs import Pairs, id_bags, id_pairs, text_bags, text_pairs

TEXT = np.array([4, 2, 4, 9, 2])
CENTRES, CONTEXTS = np.array([0, 1, 1, 3, 3]), np.array([1, 0, 2, 2, 4])


def ids_of(pairs):
    return pairs.words[pairs.centres].tolist(), pairs.words[pairs.contexts].tolist()


def test_pairs_of_a_text_are_the_words_at_the_places():
    pairs = text_pairs(TEXT, CENTRES, CONTEXTS)
    assert pairs.words.tolist() == [2, 4, 9]
    assert ids_of(pairs) == ([4, 2, 2, 9, 9], [2, 4, 4, 4, 2])


def test_pairs_of_ids_are_these_ids():
    assert ids_of(id_pairs([5, 1, 5], [1, 1, 3])) == ([5, 1, 5], [1, 1, 3])


def test_a_centre_predicts_its_context():
    found = id_pairs([5, 1, 5], [1, 1, 3])
    assert found.predictions.words.tolist() == [1, 1, 3]
    assert found.words[found.predictions.columns].tolist() == [5, 1, 5]


def test_a_bag_predicts_its_target():
    found = id_bags([[1, 1, 2], [2]], [4, 3]).predictions
    assert found.words.tolist() == [4, 3]
    assert found.columns.tolist() == [0, 1]


def dense(bags, mean, size=2):
    """A of all words and bags, from the blocks."""
    rows, A = bags.blocks(size, mean)
    found = np.zeros((len(bags.words), len(rows) * size))
    for block, words in enumerate(rows):
        np.add.at(found[:, block * size : (block + 1) * size], words, A[:, :, block])
    return found[:, : len(bags.targets)]


def test_bags_of_a_text_hold_every_window_and_leave_centres_without_one_out():
    bags = text_bags(TEXT, CENTRES, CONTEXTS)
    assert bags.targets.tolist() == [4, 2, 9]
    np.testing.assert_array_equal(dense(bags, False), [[1, 0, 1], [0, 2, 1], [0, 0, 0]])


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_blocks_of_any_size_hold_the_same_shares(size):
    bags = id_bags([[1, 1, 2], [2], [5, 1], [3, 3]], [0, 3, 1, 1])
    np.testing.assert_allclose(dense(bags, True, size), dense(bags, True), rtol=1e-6)
    assert bags.blocks(size, True).rows.shape[0] == -(-4 // size)


def test_the_shares_of_a_bag_sum_to_one_and_count_repeated_words():
    bags = id_bags([[1, 1, 2], [2]], [0, 3])
    np.testing.assert_allclose(dense(bags, True), [[2 / 3, 0], [1 / 3, 1]], rtol=1e-6)


@pytest.mark.parametrize("mean", [False, True])
def test_input_shares_are_the_losses_of_the_bags_shared_out_among_their_words(mean):
    bags, losses = text_bags(TEXT, CENTRES, CONTEXTS), np.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(
        bags.input_shares(mean, losses), dense(bags, mean) @ losses, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: id_pairs([], []), "centres: no ids"),
        (lambda: id_pairs([1, 2], [1]), "contexts: expected shape"),
        (lambda: id_pairs([1.5], [1]), "centres: expected integers"),
        (lambda: id_bags([[1], []], [1, 2]), "window 1: no ids"),
        (lambda: id_bags([[1]], [1, 2]), "targets: expected shape"),
        (lambda: text_bags(TEXT, CENTRES[:0], CONTEXTS[:0]), "expected at least one pair"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pairs_tuple_is_plain_arrays():
    assert Pairs._fields == ("words", "centres", "contexts")
