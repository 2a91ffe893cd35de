"""Character n-grams: fastText's lists and buckets, a whole vocabulary as word by word."""

import numpy as np
import pytest

from dynotes.corpora import char_ngrams as module
from dynotes.corpora.char_ngrams import char_ngrams, ngram_buckets
from dynotes.corpora.fnv1a import fnv1a

# word, minn, maxn, n-grams, their buckets of 2,000,000: gensim 4.4.0,
# gensim.models.fasttext_inner.compute_ngrams_bytes and ft_hash_bytes
KNOWN = [
    ("a", 3, 6, ["<a>"], [1087600]),
    (
        *("cat", 3, 6, ["<ca", "<cat", "<cat>", "cat", "cat>", "at>"]),
        [916747, 1988973, 1428137, 289031, 1127995, 351106],
    ),
    (
        *("where", 3, 3, ["<wh", "whe", "her", "ere", "re>"]),
        [167652, 420941, 1473420, 1529033, 867498],
    ),
    (
        *("Straße", 5, 6, ["<Stra", "<Straß", "Straß", "Straße", "traße", "traße>", "raße>"]),
        [1416569, 1669635, 623629, 1373880, 90303, 1020947, 1151573],
    ),
    (
        *("日本語", 3, 6, ["<日本", "<日本語", "<日本語>", "日本語", "日本語>", "本語>"]),
        [758587, 4581, 524609, 35559, 928923, 1674355],
    ),
    (
        *("a😀b", 2, 3, ["<a", "<a😀", "a😀", "a😀b", "😀b", "😀b>", "b>"]),
        [1008750, 623103, 1589937, 1986729, 1981406, 813856, 1146561],
    ),
    ("ab", 1, 2, ["<a", "a", "ab", "b", "b>"], [1008750, 2220, 271946, 335077, 1146561]),
    ("é", 1, 6, ["<é", "<é>", "é", "é>"], [36627, 806231, 1043777, 1996781]),
]


def of_word(lists, i):
    return lists.buckets[lists.starts[i] : lists.starts[i + 1]].tolist()


@pytest.mark.parametrize(("word", "minn", "maxn", "ngrams", "buckets"), KNOWN)
def test_ngrams_and_buckets_are_those_of_fasttext(word, minn, maxn, ngrams, buckets):
    assert char_ngrams(word, minn=minn, maxn=maxn) == ngrams
    assert of_word(ngram_buckets([word], minn=minn, maxn=maxn), 0) == buckets


@pytest.mark.parametrize(("minn", "maxn"), [(3, 6), (1, 1), (1, 20), (4, 4)])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_a_vocabulary_is_hashed_as_its_ngrams_one_by_one(monkeypatch, minn, maxn, block):
    monkeypatch.setattr(module, "BLOCK", block)
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("ab<>é語😀"), rng.integers(0, 12))) for _ in range(60)]
    words[5] = "</s>"
    lists = ngram_buckets(words, minn=minn, maxn=maxn, buckets=1000)
    for i, word in enumerate(words):
        ngrams = char_ngrams(word, minn=minn, maxn=maxn)
        assert of_word(lists, i) == [int(h) % 1000 for h in fnv1a(ngrams)]
    assert (lists.buckets.dtype, lists.starts.dtype) == (np.int32, np.int64)
    assert len(lists.buckets) == lists.starts[-1]


def test_repeated_ngrams_count_as_often_as_they_occur():
    assert char_ngrams("banana", minn=3, maxn=3) == ["<ba", "ban", "ana", "nan", "ana", "na>"]


def test_the_marks_alone_are_no_ngrams_and_the_end_of_a_sentence_has_none():
    assert char_ngrams("<>", minn=1, maxn=1) == ["<", ">"]  # those inside are characters
    assert char_ngrams("", minn=1, maxn=3) == ["<>"]
    assert char_ngrams("</s>", minn=1, maxn=6) == []
    assert ngram_buckets(["</s>", "a"]).starts.tolist() == [0, 0, 1]


def test_without_lengths_no_word_has_ngrams():
    assert char_ngrams("where", maxn=0) == []
    lists = ngram_buckets(["where", "a"], maxn=0)
    assert (lists.buckets.tolist(), lists.starts.tolist()) == ([], [0, 0, 0])


@pytest.mark.parametrize("maxn", [0, 6])
def test_no_words_have_no_ngrams(maxn):
    lists = ngram_buckets([], maxn=maxn)
    assert (lists.buckets.tolist(), lists.starts.tolist()) == ([], [0])


def test_all_ngrams_collide_in_one_bucket():
    assert of_word(ngram_buckets(["where"], buckets=1), 0) == [0] * 14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minn": 0}, "minn: expected a whole number from 1 to 6, found 0"),
        ({"minn": 7}, "minn: expected a whole number from 1 to 6, found 7"),
        ({"maxn": -1}, "maxn: expected a whole number"),
        ({"buckets": 0}, "buckets: expected a whole number"),
    ],
)
def test_lengths_that_are_no_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ngram_buckets(["a"], **options)


def test_one_word_is_no_list_of_words_and_surrogates_are_refused():
    with pytest.raises(ValueError, match="expected a list of words, found 'cat'"):
        ngram_buckets("cat")
    with pytest.raises(ValueError, match="surrogates not allowed"):
        ngram_buckets(["\ud800"])
