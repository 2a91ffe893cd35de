"""Phrases of two words: pairs of neighbours that occur together more often than their words say.

    score(a, b) = (#(ab) - delta) / (#(a) #(b)) N > threshold        N tokens in the text

and every such pair becomes one token, from left to right: of a b c with the phrases (a, b) and
(b, c) the first wins.  Passes over the joined text find longer phrases.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, eq. 6 (there without N); Zhao, Liu & Sun 2015, AAAI
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.key_counts import KeyCounts, is_at
from dynotes.corpora.ngram_inventory import check_lines

TOKENS = 1 << 20  # counted or joined at a time


class Phrases(NamedTuple):
    """R pairs of words, ascending by (first, second).

    first, second: (R,) int64 ids.
    counts: (R,) how often each pair of neighbours is there.
    scores: (R,) see above.
    """

    first: np.ndarray
    second: np.ndarray
    counts: np.ndarray
    scores: np.ndarray

    def rows(self, which: Any) -> Phrases:
        """Some of them."""
        return Phrases(*(column[which] for column in self))


def find_phrases(
    ids: np.ndarray,
    sentence_ends: np.ndarray,
    counts: Any,
    *,
    threshold: float,
    discount: float = 5.0,
    min_count: int = 5,
) -> Phrases:
    """The phrases of a text.

    Args:
        ids: (N,) ids of words, a memory map or an array.
        sentence_ends: (S,) ascending, the place after each sentence; the last is N.
        counts: (V,) how often each word occurs.
        threshold: what a score must exceed.
        discount: delta, against pairs of rare words.
        min_count: rarer words and pairs make no phrase.

    Raises:
        ValueError: numbers out of bounds, or sentences that do not fit the text.
    """
    check_lines(ids, sentence_ends)
    whole_number("min_count", min_count)
    for name, value in (("threshold", threshold), ("discount", discount)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name}: expected a number >= 0, found {value!r}")
    counts = np.asarray(counts, np.int64)
    size, table = len(counts), KeyCounts()
    frequent = counts >= min_count
    for begin in range(0, len(ids) - 1, TOKENS):
        part = np.array(ids[begin : begin + TOKENS + 1], np.int64)
        together = _together(sentence_ends, begin, begin + len(part))
        first, second = part[:-1], part[1:]
        here = together & frequent[first] & frequent[second]
        table.add(first[here] * size + second[here])
    first, second = table.keys // size, table.keys % size
    scores = (table.counts - discount) / (counts[first] * counts[second].astype(float)) * len(ids)
    found = Phrases(first, second, table.counts, scores)
    return found.rows((scores > threshold) & (table.counts >= min_count))


def _together(sentence_ends: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Whether each token begin .. end-2 has its neighbour to the right in its own sentence."""
    same = np.ones(end - begin - 1, bool)
    low, high = np.searchsorted(sentence_ends, (begin + 1, end - 1), side="left")
    stops = np.asarray(sentence_ends[low : high + 1])
    same[stops[stops < end] - begin - 1] = False
    return same


def join_phrases(
    ids: np.ndarray,
    sentence_ends: np.ndarray,
    phrases: Phrases,
    new_ids: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The text with phrases as tokens, some sentences at a time.

    Args:
        ids, sentence_ends: as of `find_phrases`.
        phrases: from `find_phrases`.
        new_ids: (R,) the id of each phrase.

    Yields:
        (ids, the places after the sentences) of a stretch of whole sentences.
    """
    check_lines(ids, sentence_ends)
    if len(new_ids) != len(phrases.first):
        raise ValueError(f"new_ids: expected {len(phrases.first)}, found {len(new_ids)}")
    size = int(max(np.max(ids), phrases.second.max(initial=0))) + 1
    keys, low, begin = phrases.first * size + phrases.second, 0, 0
    while low < len(sentence_ends):
        high = int(np.searchsorted(sentence_ends, begin + TOKENS, side="right"))
        high = max(high, low + 1)
        ends = np.asarray(sentence_ends[low:high])
        part = np.array(ids[begin : ends[-1]], np.int64)
        yield _joined(part, ends - begin, keys, np.asarray(new_ids), size)
        low, begin = high, int(ends[-1])


def _joined(
    ids: np.ndarray, ends: np.ndarray, keys: np.ndarray, new_ids: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    if len(ids) < 2 or not len(keys):
        return ids, ends
    pairs = ids[:-1] * size + ids[1:]
    rows = np.searchsorted(keys, pairs)
    phrase = is_at(keys, rows, pairs) & _together(ends, 0, len(ids))
    # of a run of pairs that overlap the first, the third, ... are joined
    place = np.arange(len(phrase))
    starts = np.where(phrase & ~np.concatenate(([False], phrase[:-1])), place, 0)
    taken = phrase & ((place - np.maximum.accumulate(starts)) % 2 == 0)
    joined = ids.copy()
    joined[:-1][taken] = new_ids[rows[taken]]
    left = np.ones(len(ids), bool)
    left[1:][taken] = False
    return joined[left], np.concatenate(([0], np.cumsum(left)))[ends]
