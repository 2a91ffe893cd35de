"""T67: adjacent n-grams: every segmentation, stretches and chunks, thinning, reversal."""

from collections import Counter

import numpy as np
import pytest

from dynotes.corpora import ngram_stream
from dynotes.corpora.ngram_inventory import NgramInventory
from dynotes.corpora.ngram_stream import ngram_chunks
from dynotes.corpora.token_stream import chunks, window_pairs
from dynotes.corpora.vocabulary import Vocabulary
from tests.corpora.test_ngram_inventory import LINES, encoded, random_lines
from tests.reference import ngrams as ref


def inventory_of(lines, words=None, sizes=(4, 6, 5)):
    alphabet, ids, ends = encoded(lines)
    if words is None:
        return NgramInventory.build(ids, ends, alphabet, sizes=sizes), ids, ends
    return NgramInventory(alphabet, Vocabulary(words, counts=[1] * len(words))), ids, ends


def stream(inventory, ids, ends, **options):
    options = {"keep": np.ones(len(inventory)), "size": 5, "seed": 1, **options}
    return list(ngram_chunks(ids, ends, inventory, **options))


def pairs(inventory, found):
    words = inventory.ngrams.words
    return Counter((words[a], words[b]) for c in found for a, b in zip(c.left, c.right))


@pytest.mark.parametrize("lines", [LINES, random_lines(4, 12)[:3] + ["abcabcab"]])
def test_pairs_are_the_neighbours_of_every_segmentation(lines):
    lines = [line[:12] for line in lines]  # 2^11 segmentations
    inventory, ids, ends = inventory_of(lines)
    found = pairs(inventory, stream(inventory, ids, ends))
    assert found == sum((ref.side_by_side(x, inventory.ngrams.words) for x in lines), Counter())
    assert found


@pytest.mark.parametrize("block", [3, 8, 1 << 14])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_chunks_and_blocks_change_no_pair(monkeypatch, block, size):
    lines = random_lines(5)
    inventory, ids, ends = inventory_of(lines)
    expected = stream(inventory, ids, ends)
    monkeypatch.setattr(ngram_stream, "BLOCK", block)
    found = stream(inventory, ids, ends, size=size)
    for name in ("left", "right"):
        parts = [np.concatenate([getattr(c, name) for c in some]) for some in (found, expected)]
        np.testing.assert_array_equal(*parts)
    assert [c.begin for c in found[1:]] == [c.end for c in found[:-1]]
    assert (found[0].begin, found[-1].end) == (0, len(ids))


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 100])
def test_stretches_share_out_the_pairs_of_a_thinned_text(monkeypatch, cut):
    monkeypatch.setattr(ngram_stream, "BLOCK", 8)
    inventory, ids, ends = inventory_of(random_lines(6))
    keep = np.linspace(0.2, 0.9, len(inventory))
    whole = pairs(inventory, stream(inventory, ids, ends, keep=keep, epoch=2))
    parts = [
        pairs(inventory, stream(inventory, ids, ends, keep=keep, epoch=2, begin=low, end=high))
        for low, high in ((0, cut), (cut, len(ids)))
    ]
    assert parts[0] + parts[1] == whole


def test_occurrences_are_kept_with_their_probability():
    """Both of a pair are kept with p q; 6000 pairs, four standard errors."""
    inventory, ids, ends = inventory_of(["ab"] * 6000, ["a", "b"])
    found = stream(inventory, ids, ends, keep=[0.5, 0.7], size=10**6)
    count = sum(len(c.left) for c in found)
    assert abs(count - 6000 * 0.35) < 4 * np.sqrt(6000 * 0.35 * 0.65)
    assert not stream(inventory, ids, ends, keep=[0.0, 1.0], size=10**6)[0].left.size
    other = stream(inventory, ids, ends, keep=[0.5, 0.7], size=10**6, seed=2)
    assert sum(len(c.left) for c in other) != count


def test_an_occurrence_is_kept_or_lost_on_both_of_its_sides():
    """Of a line xay, (x, a) and (a, y) are there together or not at all."""
    inventory, ids, ends = inventory_of(["xay"] * 500, ["x", "a", "y"])
    found = pairs(inventory, stream(inventory, ids, ends, keep=[1, 0.5, 1]))
    assert found[("x", "a")] == found[("a", "y")]
    assert 0 < found[("a", "y")] < 500


def test_reversed_lines_swap_left_and_right():
    lines = random_lines(7)
    inventory, ids, ends = inventory_of(lines)
    turned = [line[::-1] for line in lines]
    words = [word[::-1] for word in inventory.ngrams.words]
    mirror, other_ids, other_ends = inventory_of(turned, words)
    found = pairs(inventory, stream(inventory, ids, ends))
    mirrored = pairs(mirror, stream(mirror, other_ids, other_ends))
    assert {(b[::-1], a[::-1]): n for (a, b), n in mirrored.items()} == found


def test_an_inventory_of_words_gives_the_pairs_of_neighbouring_words():
    """Words that end in a mark, none of them the end of another: T65's positions -1 and +1."""
    rng = np.random.default_rng(8)
    known = ["cat_", "dog_", "a_", "the_", "saw_"]
    sentences = [list(rng.choice(len(known), n)) for n in rng.integers(1, 9, 30)]
    lines = ["".join(known[i] for i in sentence) for sentence in sentences]
    inventory, ids, ends = inventory_of(lines, known)
    found = stream(inventory, ids, ends)
    words, word_ends = np.concatenate(sentences), np.cumsum([len(s) for s in sentences])
    (chunk,) = chunks(
        words.astype(np.int32), word_ends, keep=np.ones(5), window=1, size=10**6, seed=1,
        dynamic=False,
    )  # fmt: skip
    centres, neighbours = window_pairs(chunk, chunk.windows)
    right = neighbours > centres
    expected = Counter(
        (known[a], known[b])
        for a, b in zip(chunk.ids[centres[right]], chunk.ids[neighbours[right]])
    )
    assert pairs(inventory, found) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": [0.5]}, "keep: expected"),
        ({"keep": [1.5] * 15}, "keep: expected"),
        ({"size": 0}, "size: expected"),
        ({"seed": -1}, "seed: expected"),
        ({"end": 10**6}, "end: expected"),
        ({"begin": 5, "end": 3}, "begin: expected"),
    ],
)
def test_bad_settings_are_refused(options, message):
    inventory, ids, ends = inventory_of(random_lines(5))
    with pytest.raises(ValueError, match=message):
        stream(inventory, ids, ends, **options)
