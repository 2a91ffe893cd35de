"""T63: words as characters."""

import numpy as np
import pytest

from dynotes.corpora.spelling import UNKNOWN, character_table, spell


def test_words_are_spelled_one_after_another():
    table = character_table(["ab", "ba", "bbő"])
    found = spell(["őb", "a"], table)
    assert [table.words[i] for i in found.characters] == ["ő", "b", "a"]
    assert found.lengths.tolist() == [2, 1]


def test_a_character_counts_once_for_each_time_it_stands_in_a_different_word():
    table = character_table(["aa", "ab"])
    assert dict(zip(table.words, table.counts.tolist())) == {"a": 3, "b": 1, UNKNOWN: 0}


def test_rare_and_new_characters_are_the_unknown_one():
    table = character_table(["aab", "ab", "ax"], min_count=2)
    assert set(table.words) == {"a", "b", UNKNOWN}
    found = spell(["xyb"], table)
    assert found.characters.min() >= 0
    assert [table.words[i] for i in found.characters] == [UNKNOWN, UNKNOWN, "b"]


def test_the_spelling_of_some_words_is_that_of_these_words_alone():
    words = ["the", "a", "of", "where", "b"]
    table = character_table(words)
    for rows in ([3], [4, 0, 2], [0, 0, 1], range(5)):
        found, expected = (
            spell(words, table).of(np.array(rows)),
            spell([words[r] for r in rows], table),
        )
        assert found.characters.tolist() == expected.characters.tolist()
        assert found.lengths.tolist() == expected.lengths.tolist()


@pytest.mark.parametrize("words", [[], ["a", ""]])
def test_no_word_and_an_empty_word_cannot_be_spelled(words):
    with pytest.raises(ValueError, match="at least one, and none of them empty"):
        spell(words, character_table(["a"]))


def test_a_table_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no words to take characters from"):
        character_table([""])
    with pytest.raises(ValueError, match="min_count"):
        character_table(["a"], min_count=0)
