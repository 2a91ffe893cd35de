"""T67: n-grams of a text: exact and lossy counts, the most frequent ones, where they occur."""

from collections import Counter

import numpy as np
import pytest

from dynotes.corpora import ngram_inventory
from dynotes.corpora.ngram_inventory import NgramInventory, count_ngrams, ngram_keys
from dynotes.corpora.vocabulary import Vocabulary
from tests.reference import ngrams as ref

LINES = ["abracadabra", "", "a", "cab", "dabracab", "bb"]


def encoded(lines):
    """(alphabet, ids, places after the lines)."""
    alphabet = Vocabulary.from_words(sorted(set("".join(lines))))
    ends = np.cumsum([len(line) for line in lines])
    return alphabet, alphabet.encode(list("".join(lines))), ends


def random_lines(seed=0, count=60):
    rng = np.random.default_rng(seed)
    letters = np.array(list("aaaabbbccdefgh"))
    return ["".join(rng.choice(letters, n)) for n in rng.integers(0, 40, count)]


def counted(lines, longest, **options):
    """Counters of n-grams, as found, for every length."""
    alphabet, ids, ends = encoded(lines)
    found = count_ngrams(ids, ends, longest=longest, alphabet=len(alphabet), **options)
    whole = NgramInventory.build(ids, ends, alphabet, sizes=[10**6] * longest, **options)
    by_length = [Counter() for _ in range(longest)]
    for word, count in zip(whole.ngrams.words, whole.ngrams.counts.tolist()):
        by_length[len(word) - 1][word] = count
    for one, counter in zip(found, by_length):
        assert sorted(one.counts.tolist()) == sorted(counter.values())
    return by_length, found


@pytest.mark.parametrize("places", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("lines", [LINES, random_lines()], ids=["words", "random"])
def test_exact_counts_are_those_of_slicing_however_the_text_is_cut(monkeypatch, places, lines):
    monkeypatch.setattr(ngram_inventory, "PLACES", places)
    found, tables = counted(lines, 4)
    assert found == [ref.ngrams(lines, n) for n in (1, 2, 3, 4)]
    assert all(table.error == 0 for table in tables)


def test_keys_that_do_not_fit_a_number_count_the_same():
    """20-grams of 9 characters need 63.4 bits."""
    lines = [line * 3 for line in random_lines(1, 20)]
    found, tables = counted(lines, 21)
    assert tables[18].keys.dtype == np.int64
    assert tables[20].keys.dtype.kind == "S"
    assert found[18:] == [ref.ngrams(lines, n) for n in (19, 20, 21)]


def test_keys_of_a_short_text_are_none_for_longer_ngrams():
    assert [len(keys) for _, keys in ngram_keys(np.array([0, 1]), 4, 5)] == [2, 1, 0, 0]


@pytest.mark.parametrize("epsilon", [0.2, 0.05, 0.01])
def test_lossy_counts_are_too_low_by_the_bound_at_most(epsilon):
    lines = random_lines(2, 200)
    total = sum(map(len, lines))
    found, tables = counted(lines, 3, epsilon=epsilon)
    for n, (counts, table) in enumerate(zip(found, tables), start=1):
        true = ref.ngrams(lines, n)
        assert table.error <= epsilon * total
        for word in true:
            assert true[word] - table.error <= counts[word] <= true[word]


def test_lossy_counting_drops_what_is_rare_and_nothing_else():
    lines = random_lines(2, 200)
    found, tables = counted(lines, 3, epsilon=0.01)
    true = ref.ngrams(lines, 3)
    assert 0 < len(found[2]) < len(true)
    assert all(true[word] <= tables[2].error for word in set(true) - set(found[2]))


def test_lossy_counts_of_single_characters_are_those_of_the_paper_item_by_item():
    lines = ["".join(np.random.default_rng(3).choice(list("abcdefghijklmnopqrst"), 997))]
    found, _ = counted(lines, 1, epsilon=1 / 50)
    assert dict(found[0]) == ref.lossy(lines[0], 50)


def test_the_inventory_holds_the_most_frequent_of_each_length_the_most_frequent_first():
    alphabet, ids, ends = encoded(LINES)
    inventory = NgramInventory.build(ids, ends, alphabet, sizes=[2, 3, 0, 1], min_count=2)
    expected = Counter()
    for n, size in ((1, 2), (2, 3), (4, 1)):
        counts = ref.ngrams(LINES, n)
        frequent = [w for w in sorted(counts, key=lambda w: (-counts[w], w)) if counts[w] >= 2]
        expected.update({word: counts[word] for word in frequent[:size]})
    assert dict(zip(inventory.ngrams.words, inventory.ngrams.counts.tolist())) == expected
    assert sorted(inventory.ngrams.counts.tolist(), reverse=True) == list(inventory.ngrams.counts)
    assert (len(inventory), inventory.longest) == (6, 4)


@pytest.mark.parametrize("first", [0, 3, 11])
def test_the_ngrams_from_each_place_on_are_found_inside_their_line(first):
    alphabet, ids, ends = encoded(LINES)
    words = ["a", "ab", "abra", "cab", "bb", "aa", "b"]
    inventory = NgramInventory(alphabet, Vocabulary(words, counts=[1] * len(words)))
    places = np.arange(first, len(ids))
    room = ends[np.searchsorted(ends, places, side="right")] - places
    found = inventory.starting(ids[first:], room)
    text = "".join(LINES)
    for place, left, row in zip(places, room, found):
        for n in range(1, 5):
            word = text[place : place + n]
            known = n <= left and word in words
            assert row[n - 1] == (words.index(word) if known else -1)


def test_an_inventory_survives_json():
    alphabet, ids, ends = encoded(LINES)
    one = NgramInventory.build(ids, ends, alphabet, sizes=[9, 9, 9])
    other = NgramInventory.from_json(one.to_json())
    assert other.ngrams == one.ngrams
    room = np.full(len(ids), 3)
    np.testing.assert_array_equal(other.starting(ids, room), one.starting(ids, room))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [0, 0]}, "sizes: expected a number of n-grams a length"),
        ({"sizes": [5, -1]}, "sizes: expected a whole number from 0"),
        ({"sizes": [5], "min_count": 0}, "min_count: expected a whole number from 1"),
        ({"sizes": [5], "min_count": 99}, "no n-gram occurs 99 times"),
        ({"sizes": [5], "epsilon": 0.0}, "epsilon: expected 0 < epsilon < 1"),
        ({"sizes": [5], "epsilon": 1.0}, "epsilon: expected 0 < epsilon < 1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    alphabet, ids, ends = encoded(LINES)
    with pytest.raises(ValueError, match=message):
        NgramInventory.build(ids, ends, alphabet, **options)


def test_lines_that_do_not_fit_the_text_and_foreign_values_are_refused():
    alphabet, ids, ends = encoded(LINES)
    with pytest.raises(ValueError, match="line_ends: expected the last to be"):
        count_ngrams(ids, ends[:-1], longest=2, alphabet=len(alphabet))
    with pytest.raises(ValueError, match="expected an inventory"):
        NgramInventory.from_json({"ngrams": 1})
    with pytest.raises(ValueError, match="not in the vocabulary"):
        NgramInventory(alphabet, Vocabulary(["az"], counts=[1]))
