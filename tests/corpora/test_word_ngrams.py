"""T58: hashed n-grams of words: values of the released code, loops, lines."""

import numpy as np
import pytest

from dynotes.corpora.fnv1a import fnv1a
from dynotes.corpora.word_ngrams import word_ngrams
from tests.reference import fasttext as ref

# fasttext-wheel 0.9.2: rows whose mean is get_sentence_vector() of a model with 2,000,000 buckets
KNOWN = {
    "the cat sat </s>": [284411, 979028, 924614, 186896, 329141],
    "Straße naïve 日本語 </s>": [875027, 11312, 1978870, 1857832, 303593],
}
LINES = ["a b c d", "", "x", "été ünï 日本 ß a", "b a"]


def found(lines, n, buckets):
    words = [line.split() for line in lines]
    hashes = fnv1a([w for line in words for w in line])
    return word_ngrams(hashes, np.cumsum([len(line) for line in words]), n, buckets)


@pytest.mark.parametrize("line", KNOWN)
def test_the_buckets_are_those_of_the_released_code(line):
    assert found([line], 3, 2_000_000)[1].tolist() == KNOWN[line]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("buckets", [1, 7, 2**31 - 1])
def test_the_ngrams_of_each_line_are_those_of_a_loop(n, buckets):
    lines, some = found(LINES, n, buckets)
    for k, line in enumerate(LINES):
        assert sorted(some[lines == k]) == sorted(ref.ngram_buckets(line.split(), n, buckets))


def test_no_ngram_crosses_the_end_of_a_line():
    together, apart = found(["a b c"], 3, 10**6)[1], found(["a b", "c"], 3, 10**6)[1]
    assert len(together) == 3
    assert apart.tolist() == together[:1].tolist()


def test_the_order_of_words_matters():
    assert found(["a b"], 2, 10**6)[1].tolist() != found(["b a"], 2, 10**6)[1].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hashes": np.zeros(3, np.int64)}, "hashes: expected"),
        ({"ends": [2]}, "ends: expected ascending places up to 3"),
        ({"ends": [2, 1, 3]}, "ends: expected ascending"),
        ({"ends": []}, "ends: expected ascending"),
        ({"n": 0}, "n: expected a whole number from 1"),
        ({"buckets": 0}, "buckets: expected a whole number from 1"),
    ],
)
def test_bad_input_is_refused(change, message):
    good = {"hashes": np.zeros(3, np.uint32), "ends": [1, 3], "n": 2, "buckets": 5}
    with pytest.raises(ValueError, match=message):
        word_ngrams(**{**good, **change})
