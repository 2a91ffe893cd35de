"""T59: sentences and the places in them."""

import numpy as np
import pytest

from dynotes.embeddings.slots import Slots, id_slots, text_slots


def plain(slots):
    return [np.asarray(column).tolist() for column in slots]


def test_sentences_of_ids_become_distinct_words_and_rows():
    found = id_slots([[7, 2, 7], [3]])
    assert plain(found) == [[2, 3, 7], [2, 0, 2, 1], [3, 1], [0, 1, 2, 3]]
    assert found.targets.tolist() == [7, 2, 7, 3]


def test_one_place_a_sentence_can_be_asked_for():
    found = id_slots([[7, 2, 7], [3], [2, 3]], [1, 0, 1])
    assert found.places.tolist() == [1, 3, 5]
    assert found.targets.tolist() == [2, 3, 3]


def test_a_stretch_of_text_is_cut_where_its_sentences_end():
    ids, sentences = np.array([5, 9, 5, 1, 9, 9]), np.array([3, 3, 4, 7, 7, 7])
    found = text_slots(ids, sentences, 1, 4)
    assert found.lengths.tolist() == [2, 1, 3]
    assert found.words[found.rows].tolist() == ids.tolist()
    assert found.targets.tolist() == [9, 5, 1, 9]


@pytest.mark.parametrize(
    ("sentences", "places", "message"),
    [
        ([], None, "at least one, found none"),
        ([[1], []], None, "sentence 1: no ids"),
        ([[1], [2]], [0], "expected 2, one a sentence, found 1"),
        ([[1, 2]], [2], "place in sentence 0: ids must be 0 to 1, found 2"),
        ([[-1]], None, "sentence 0: ids must be"),
    ],
)
def test_bad_sentences_are_refused(sentences, places, message):
    with pytest.raises(ValueError, match=message):
        id_slots(sentences, places)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": np.array([0, 9])}, "words: ids must be 0 to 8, found 0 to 9"),
        ({"rows": np.array([0, 2])}, "rows: ids must be 0 to 1"),
        ({"places": np.array([2])}, "places: ids must be 0 to 1"),
        ({"lengths": np.array([1])}, "lengths: expected a sum of 2, found 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, message):
    good = Slots(np.array([0, 8]), np.array([0, 1]), np.array([2]), np.array([1]))
    assert good.checked(9) is good
    with pytest.raises(ValueError, match=message):
        good._replace(**change).checked(9)
