"""Vectors of words and of hashed n-grams, and the vector of any word from them.

    known word      1/|G_w| (v_w + sum_{g in G_w, g != w} z_g)      (mean; or the sum)
    unknown word    1/n (z_{g_1} + ... + z_{g_n})                   its n n-grams alone

A bucket that no word of the vocabulary has was never trained: its vector is 0.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606, section 3.2
Differs: buckets that were never trained keep their random start in the released code, and so add
    noise to the vectors of unknown words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dynotes.corpora.char_ngrams import NgramLists, ngram_buckets
from dynotes.corpora.word_vectors import WordVectors

BLOCK = 1 << 11  # words whose units' vectors are in memory at the same time


@dataclass(frozen=True)
class SubwordVectors:
    """Vectors of V words and of the n-grams in some of the buckets.

    words: V different words, the most frequent first.
    table: (V + B, D) float32, the words' own rows, then those of the buckets.
    buckets: (B,) whole numbers, ascending.
    n_buckets: what hashes are taken modulo; all ``buckets`` are less.  0 if there are no n-grams.
    minn, maxn: lengths of n-grams; maxn = 0: none.
    mean: a word is the mean of its units, else their sum.

    Raises:
        ValueError: sizes that do not fit together.
    """

    words: list[str]
    table: np.ndarray
    buckets: np.ndarray
    n_buckets: int
    minn: int
    maxn: int
    mean: bool = True

    def __post_init__(self) -> None:
        rows = len(self.words) + len(self.buckets)
        if self.table.ndim != 2 or len(self.table) != rows or not self.table.size:
            raise ValueError(f"table: expected ({rows}, D) numbers, found {self.table.shape}")
        ascending = self.buckets.ndim == 1 and (np.diff(self.buckets, prepend=-1) > 0).all()
        if not ascending or self.buckets.max(initial=-1) >= self.n_buckets:
            raise ValueError(f"buckets: expected ascending numbers below {self.n_buckets}")

    def known(self) -> WordVectors:
        """The vectors of all words of the vocabulary."""
        return WordVectors(list(self.words), self._of(self.words, np.arange(len(self.words))))

    def of(self, words: Sequence[str]) -> np.ndarray:
        """The vectors of any words, known or not, (n, D) float32.

        Raises:
            ValueError: an unknown word without n-grams of the lengths.
        """
        ids = {word: row for row, word in enumerate(self.words)}
        own = np.array([ids.get(word, -1) for word in words], np.int64)
        lists = self._ngrams(words)
        empty = np.flatnonzero((own < 0) & (np.diff(lists.starts) == 0))
        if len(empty):
            raise ValueError(
                f"{words[empty[0]]!r} is not among the {len(self.words)} words and has no n-grams"
            )
        return self._of(words, own)

    def extended(self, words: Iterable[str]) -> tuple[WordVectors, list[str]]:
        """The vectors of the vocabulary, and behind them those of other words.

        Args:
            words: words that need a vector; left out is an unknown one none of whose n-grams
                has one.

        Returns:
            The vectors, and the unknown words among them in their order.
        """
        vectors, known = self.known(), set(self.words)
        unknown = [word for word in dict.fromkeys(words) if word not in known]
        lists = self._ngrams(unknown)
        trained = np.isin(lists.buckets, self.buckets)
        counts = np.diff(np.append(0, np.cumsum(trained))[lists.starts])
        unknown = [word for word, n in zip(unknown, counts.tolist()) if n]
        more = self._of(unknown, np.full(len(unknown), -1, np.int64))
        return WordVectors(vectors.words + unknown, np.concatenate([vectors.matrix, more])), unknown

    def _ngrams(self, words: Sequence[str]) -> NgramLists:
        size = max(1, self.n_buckets)
        return ngram_buckets(words, minn=self.minn, maxn=self.maxn, buckets=size)

    def _of(self, words: Sequence[str], own: np.ndarray) -> np.ndarray:
        """Vectors of words whose own rows are given, -1 for none."""
        found = np.empty((len(words), self.table.shape[1]), np.float32)
        for i in range(0, len(words), BLOCK):
            found[i : i + BLOCK] = self._block(words[i : i + BLOCK], own[i : i + BLOCK])
        return found

    def _block(self, words: Sequence[str], own: np.ndarray) -> np.ndarray:
        lists = self._ngrams(words)
        ngrams = np.zeros((len(words), self.table.shape[1]))
        places = np.searchsorted(self.buckets, lists.buckets)
        there = np.append(self.buckets, -1)[places] == lists.buckets
        word = np.repeat(np.arange(len(words)), np.diff(lists.starts))[there]
        if len(word):
            first = np.flatnonzero(np.diff(word, prepend=-1))
            rows = self.table[len(self.words) + places[there]]
            ngrams[word[first]] = np.add.reduceat(rows, first, axis=0, dtype=np.float64)
        has_row = own >= 0
        ngrams[has_row] += self.table[own[has_row]]
        units = np.diff(lists.starts) + has_row
        return ngrams / units[:, None] if self.mean else ngrams
