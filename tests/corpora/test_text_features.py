"""T58: what the classifier sees of a text."""

import numpy as np
import pytest

from dynotes.corpora.char_ngrams import char_ngrams
from dynotes.corpora.text_features import TextFeatures
from dynotes.corpora.vocabulary import Vocabulary
from tests.reference import fasttext as ref

WORDS = ["</s>", "the", "cat", "sat", "naïve"]
LINES = [["the", "cat", "sat"], [], ["dog", "naïve", "cat", "zoé"], ["the", "the"]]
V, B = len(WORDS), 97


def features(**options):
    return TextFeatures(Vocabulary(WORDS, eos="</s>"), **{"buckets": B, **options})


def expected(line, n=1, minn=0, maxn=0):
    """Codes of a line by loops."""
    words = [*line, "</s>"]
    codes = [WORDS.index(w) for w in words if w in WORDS]
    codes += [V + b for b in ref.ngram_buckets(words, n, B)]
    if maxn:
        grams = [g for w in words for g in char_ngrams(w, minn=minn, maxn=maxn)]
        codes += [V + ref.hash_of(g) % B for g in grams]
    return sorted(codes)


def per_line(bag):
    return [sorted(part.tolist()) for part in np.split(bag.rows, bag.ends[:-1])]


SETTINGS = [{}, {"n": 2}, {"n": 4}, {"minn": 2, "maxn": 3}, {"n": 3, "minn": 1, "maxn": 5}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_codes_of_a_line_are_those_of_loops(settings):
    found = per_line(features(**settings).codes(LINES))
    assert found == [expected(line, **settings) for line in LINES]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_many_lines_are_as_one_by_one(settings):
    one = features(**settings)
    assert per_line(one.bag(LINES)) == [per_line(one.bag([line]))[0] for line in LINES]


def test_a_bag_has_the_rows_of_used_buckets_alone():
    settings = {"n": 2, "minn": 2, "maxn": 3}
    codes = expected(LINES[2], **settings)
    some = sorted({c - V for c in codes if c >= V})[::2]
    rows = per_line(features(**settings, used=some).bag([LINES[2]]))[0]
    assert rows == sorted(
        c if c < V else V + some.index(c - V) for c in codes if c < V or c - V in some
    )
    assert features(used=some).n_rows == V + len(some)


def test_an_empty_line_has_the_row_of_its_end():
    assert per_line(features(n=3, minn=2, maxn=3).bag([[]])) == [[0]]


def test_no_lines_are_no_rows():
    bag = features(n=2, maxn=3, minn=3).bag([])
    assert (len(bag.rows), len(bag.ends)) == (0, 0)


def test_the_order_of_words_matters_to_bigrams_and_not_to_words():
    every, turned = [["the", "cat", "sat"]], [["cat", "sat", "the"]]
    assert per_line(features().codes(every)) == per_line(features().codes(turned))
    assert per_line(features(n=2).codes(every)) != per_line(features(n=2).codes(turned))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n: expected a whole number from 1"),
        ({"buckets": 0}, "buckets: expected a whole number from 1"),
        ({"buckets": 2**31 - 1}, "buckets: expected a whole number from 1"),
        ({"minn": 3, "maxn": 2}, "minn: expected a whole number from 1 to 2"),
        ({"used": [3, 3]}, "used: expected ascending buckets below 97"),
        ({"used": [97]}, "used: expected ascending buckets below 97"),
        ({"used": [-1]}, "used: expected ascending buckets below 97"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        features(**options)


def test_a_vocabulary_without_the_end_of_a_line_is_refused():
    with pytest.raises(ValueError, match="vocabulary: expected </s>"):
        TextFeatures(Vocabulary(["a", "b"]))
