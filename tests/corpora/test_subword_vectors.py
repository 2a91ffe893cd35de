"""Vectors of any word: known ones with their own row, unknown ones from n-grams alone."""

import dataclasses

import numpy as np
import pytest

from dynotes.corpora import subword_vectors as module
from dynotes.corpora.char_ngrams import char_ngrams
from dynotes.corpora.fnv1a import fnv1a
from tests.corpora.subword_data import WORDS, made

both = pytest.mark.parametrize("mean", [True, False])


def by_loops(vectors, word):
    """The vector of a word and its number of units, one unit after another."""
    row_of = {int(bucket): len(vectors.words) + i for i, bucket in enumerate(vectors.buckets)}
    h, n = np.zeros(vectors.table.shape[1]), 0
    if word in vectors.words:
        h, n = h + vectors.table[vectors.words.index(word)], 1
    for hashed in fnv1a(char_ngrams(word, minn=vectors.minn, maxn=vectors.maxn)):
        row = row_of.get(int(hashed) % vectors.n_buckets)
        if row is not None:
            h += vectors.table[row]
        n += 1
    return h / n if vectors.mean else h


@both
@pytest.mark.parametrize("n_buckets", [2_000_000, 300, 5])
@pytest.mark.parametrize("block", [1, 3, 1000])
def test_any_word_is_what_loops_make_of_its_units(monkeypatch, mean, n_buckets, block):
    monkeypatch.setattr(module, "BLOCK", block)
    vectors = made(mean=mean, n_buckets=n_buckets)
    words = [*WORDS, "bananas", "other", "q", "語", "ban"]
    found = vectors.of(words)
    assert found.dtype == np.float32
    expected = [by_loops(vectors, word) for word in words]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(vectors.known().matrix, found[: len(WORDS)])
    assert vectors.known().words == WORDS


def test_an_unknown_word_has_nothing_but_its_ngrams():
    vectors = made()
    before = vectors.of(["banan", "banana"])
    vectors.table[: len(WORDS)] += 1
    after = vectors.of(["banan", "banana"])
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


def test_ngrams_that_no_word_of_the_vocabulary_has_are_zeros():
    vectors = made(n_buckets=2_000_000)
    assert not vectors.of(["xyz"]).any()
    known, half = vectors.of(["the", "thex"])
    assert np.abs(half).max() > 0
    assert not np.array_equal(known, half)


def test_without_ngrams_words_are_their_rows_and_unknown_words_have_none():
    vectors = made(maxn=0)
    np.testing.assert_array_equal(vectors.of(WORDS), vectors.table)
    with pytest.raises(ValueError, match="'new' is not among the 7 words and has no n-grams"):
        vectors.of(["the", "new"])


def test_a_word_too_short_for_any_ngram_has_no_vector():
    with pytest.raises(ValueError, match="'q' is not among"):
        made(minn=4, maxn=4).of(["q"])


def test_extended_vectors_hold_unknown_words_behind_the_vocabulary():
    vectors = made(minn=4, maxn=4, n_buckets=2_000_000)
    found, unknown = vectors.extended(["then", "bananas", "q", "thens", "bananas"])
    assert unknown == ["bananas", "thens"]  # q has no n-grams
    assert vectors.extended(["zzzz", "bananazzzz"])[1] == ["bananazzzz"]  # none that was trained
    assert found.words == [*WORDS, "bananas", "thens"]
    np.testing.assert_array_equal(found.matrix[-2:], vectors.of(unknown))
    np.testing.assert_array_equal(found.matrix[:-2], vectors.known().matrix)


def test_nothing_unknown_adds_nothing():
    vectors = made()
    found, unknown = vectors.extended(["the"])
    assert (unknown, found.words) == ([], WORDS)
    assert vectors.of([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": WORDS[1:]}, r"table: expected \(\d+, D\) numbers"),
        ({"table": np.zeros(5, np.float32)}, r"table: expected \(\d+, D\) numbers"),
        ({"n_buckets": 200}, "buckets: expected ascending numbers below 200"),
        ({"buckets": "reversed"}, "buckets: expected ascending numbers below 300"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    vectors = made()
    if change.get("buckets") == "reversed":
        change = {"buckets": vectors.buckets[::-1]}
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(vectors, **change)
