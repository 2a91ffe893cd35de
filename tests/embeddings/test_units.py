"""Units of words: rows of a compact table that name the right buckets."""

import numpy as np
import pytest

from dynotes.corpora.char_ngrams import char_ngrams
from dynotes.corpora.fnv1a import fnv1a
from dynotes.embeddings.units import units_of, vocabulary_units

WORDS = ["the", "a", "other", "then", "日本語", "</s>"]


def listed(vocabulary, word):
    return vocabulary.rows[vocabulary.starts[word] : vocabulary.starts[word + 1]].tolist()


@pytest.mark.parametrize("buckets", [2_000_000, 11, 1])
def test_the_rows_of_a_word_are_its_own_and_those_of_its_buckets(buckets):
    vocabulary = vocabulary_units(WORDS, minn=2, maxn=4, buckets=buckets)
    for i, word in enumerate(WORDS):
        own, *others = listed(vocabulary, i)
        expected = [int(h) % buckets for h in fnv1a(char_ngrams(word, minn=2, maxn=4))]
        assert own == i
        assert vocabulary.buckets[np.array(others, int) - len(WORDS)].tolist() == expected


def test_only_buckets_of_the_vocabulary_have_rows():
    vocabulary = vocabulary_units(WORDS)
    used = {int(h) % 2_000_000 for word in WORDS for h in fnv1a(char_ngrams(word))}
    assert vocabulary.buckets.tolist() == sorted(used)


def test_words_share_the_rows_of_ngrams_they_have_in_common():
    vocabulary = vocabulary_units(WORDS, minn=3, maxn=3)
    the, then = listed(vocabulary, 0), listed(vocabulary, 3)
    common = {"<th", "the"}
    assert len(set(the) & set(then)) == len(common)
    assert not set(the) & set(listed(vocabulary, 1))


def test_without_ngrams_a_word_is_its_own_row():
    vocabulary = vocabulary_units(WORDS, maxn=0)
    assert vocabulary.rows.tolist() == list(range(len(WORDS)))
    assert not len(vocabulary.buckets)
    units, places = units_of(vocabulary, np.array([1, 3, 4]))
    assert [x.tolist() for x in units] == [[1, 3, 4], [1, 1, 1], [1, 3, 4]]
    assert places.tolist() == [0, 1, 2]


def test_words_of_equally_many_units_stand_together():
    vocabulary = vocabulary_units(WORDS, minn=3, maxn=4)
    words = np.array([4, 2, 0, 5, 1])
    units, places = units_of(vocabulary, words)
    assert units.words[places].tolist() == words.tolist()
    assert units.words.tolist() == [5, 1, 0, 4, 2]
    assert units.sizes.tolist() == [len(listed(vocabulary, w)) for w in units.words]
    assert units.rows.tolist() == [row for w in units.words for row in listed(vocabulary, w)]


def test_unknown_words_and_lengths_that_are_no_range_are_refused():
    vocabulary = vocabulary_units(WORDS)
    with pytest.raises(ValueError, match="words: ids must be 0 to 5, found 6 to 6"):
        units_of(vocabulary, np.array([6]))
    with pytest.raises(ValueError, match="words: no ids"):
        units_of(vocabulary, np.array([], int))
    with pytest.raises(ValueError, match="minn"):
        vocabulary_units(WORDS, minn=5, maxn=4)
