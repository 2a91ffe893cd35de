"""What the classifier sees of a text: a bag of rows of one table, of words and of hashed n-grams.

    bag = {words} + {n-grams of words} + {n-grams of characters}
    row of word w = its id          row of an n-gram = V + place of its bucket among those in use

A line ends with the word "</s>", so a line without words has a bag too, and n-grams know where it
begins to end.  A word out of the vocabulary has no row of its own, but is part of n-grams.

The released code has a row for every bucket; here a bucket has one only if the training text used
it.  All others would keep the small random vectors that they began with, and are left out.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, section 2.2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynotes.corpora.char_ngrams import END_OF_SENTENCE, check_lengths, ngram_buckets
from dynotes.corpora.errors import whole_number
from dynotes.corpora.fnv1a import fnv1a
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_ngrams import word_ngrams

MAX_CODES = 2**31 - 1  # codes are held with 32 bits


class Bag(NamedTuple):
    """The rows of S lines, one line after the other.

    rows: (F,) int64; ends: (S,) int64, the place after each line.
    """

    rows: np.ndarray
    ends: np.ndarray


class TextFeatures:
    """Turns lines of words into bags.

    Args:
        vocabulary: V words with "</s>" among them, without a word for unknown ones.
        n: the longest n-gram of words; 1: words alone.
        minn, maxn: characters of the n-grams inside a word; maxn = 0: none.
        buckets: of the n-grams of both kinds.
        used: (K,) different buckets, ascending, that have a row.

    Raises:
        ValueError: a vocabulary or sizes that do not fit.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        n: int = 1,
        minn: int = 0,
        maxn: int = 0,
        buckets: int = 2_000_000,
        used: Sequence[int] | np.ndarray = (),
    ) -> None:
        if END_OF_SENTENCE not in vocabulary or vocabulary.unk is not None:
            raise ValueError(f"vocabulary: expected {END_OF_SENTENCE} and no unknown word in it")
        whole_number("n", n, 1, 1000)
        check_lengths(minn, maxn)
        whole_number("buckets", buckets, 1, MAX_CODES - len(vocabulary))
        self.vocabulary, self.n, self.minn, self.maxn = vocabulary, n, minn, maxn
        self.buckets, self.used = buckets, np.asarray(used, np.int64)
        ascending = (np.diff(self.used) > 0).all()
        if not ascending or (self.used.size and not 0 <= self.used[0] <= self.used[-1] < buckets):
            raise ValueError(f"used: expected ascending buckets below {buckets}")
        words = list(vocabulary.words)
        self._hashes = fnv1a(words) if n > 1 else None
        self._chars = self._characters(words) if maxn else None

    @property
    def n_rows(self) -> int:
        """V + K."""
        return len(self.vocabulary) + len(self.used)

    def bag(self, lines: Sequence[Sequence[str]]) -> Bag:
        """The bags of some lines of words, without what has no row; none of them is empty."""
        codes, ends = self.codes(lines)
        rows, there = self.rows(codes)
        kept = np.concatenate(([0], np.cumsum(there)))
        return Bag(rows[there], kept[ends])

    def codes(self, lines: Sequence[Sequence[str]]) -> Bag:
        """As `bag`, with V + bucket for every n-gram, whether it has a row or not."""
        tokens = [word for line in lines for word in (*line, END_OF_SENTENCE)]
        sizes = np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines))
        ends, line_of = np.cumsum(sizes), np.repeat(np.arange(len(lines)), sizes)
        ids = self.vocabulary.lookup(tokens).astype(np.int64)
        known = ids >= 0
        parts = [(line_of[known], ids[known])]
        unknown = dict.fromkeys(tokens[i] for i in np.flatnonzero(~known).tolist())
        place = {word: k for k, word in enumerate(unknown)}
        others = np.array([place[tokens[i]] for i in np.flatnonzero(~known).tolist()], np.int64)
        V = len(self.vocabulary)
        if self._hashes is not None and len(lines):
            hashes = np.empty(len(tokens), np.uint32)
            hashes[known] = self._hashes[ids[known]]
            hashes[~known] = fnv1a(list(unknown))[others]
            where, found = word_ngrams(hashes, ends, self.n, self.buckets)
            parts.append((where, V + found))
        if self._chars is not None:
            parts.append(_pick(self._chars, line_of[known], ids[known], V))
            parts.append(_pick(self._characters(list(unknown)), line_of[~known], others, V))
        where, found = (np.concatenate(column) for column in zip(*parts))
        order = np.argsort(where, kind="stable")
        return Bag(found[order], np.cumsum(np.bincount(where, minlength=len(lines))))

    def rows(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The row of each code, (F,), and whether it has one, (F,) bool."""
        V = len(self.vocabulary)
        place = np.searchsorted(self.used, codes - V)
        used = np.append(self.used, -1)  # beyond the end is no bucket
        word = codes < V
        return np.where(word, codes, V + place), word | (used[place] == codes - V)

    def _characters(self, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        return ngram_buckets(words, minn=self.minn, maxn=self.maxn, buckets=self.buckets)


def _pick(
    lists: tuple[np.ndarray, np.ndarray], line_of: np.ndarray, words: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """(line, first + bucket) of every n-gram of some words, from the lists of all."""
    buckets, starts = lists
    counts = (starts[1:] - starts[:-1])[words]
    before = np.cumsum(counts) - counts
    places = np.arange(counts.sum()) + np.repeat(starts[words] - before, counts)
    return np.repeat(line_of, counts), first + buckets[places].astype(np.int64)
