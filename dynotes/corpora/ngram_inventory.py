"""The most frequent character n-grams of a text, counted exactly or with a bounded error.

    V = union over n = 1 .. N of the K_n most frequent n-grams of length n
    lossy:  after each block of 1/eps places, an n-gram seen f times since it came into the table in
            block b_0 is dropped if f + (b_0 - 1) <= b;     true - eps T <= f <= true

with T the characters of the text and b the blocks so far.  The exact count keeps every different
n-gram in memory, the lossy one about 1/eps log(eps T) of each length.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Oshikiri 2017, EMNLP, D17-1080; Manku & Motwani 2002 (lossy counting)
Differs: a bucket of lossy counting is 1/eps places of the text, for n-grams of every length; the
    ends of lines leave a little fewer n-grams than that, so the bound holds all the more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.key_counts import KeyCounts, is_at
from dynotes.corpora.vocabulary import Vocabulary

PLACES = 1 << 20  # of the text counted at a time, unless lossy counting asks for others
WIDEST = 2**63 - 1


class NgramCounts(NamedTuple):
    """Different n-grams of one length.

    keys: ascending, see `ngram_keys`.
    counts: how often each was seen, too low by `error` at most; what is missing occurs `error`
        times at most.
    error: 0 after exact counting.
    """

    keys: np.ndarray
    counts: np.ndarray
    error: int


def ngram_keys(ids: np.ndarray, longest: int, alphabet: int) -> Iterator[tuple[int, np.ndarray]]:
    """(n, keys) for n = 1 .. longest: a key tells the n characters from a place on.

    Args:
        ids: (m,) ids of characters, in 0 .. alphabet-1.
        longest: N.
        alphabet: A; keys are sum_k ids[p + k] A^(n-1-k), or bytes where these do not fit 63 bits.

    Yields:
        n, and (m - n + 1,) keys (none if m < n).
    """
    wide, keys = np.asarray(ids, np.int64), np.zeros(len(ids) + 1, np.int64)
    for n in range(1, longest + 1):
        if n > len(wide):
            yield n, _no_keys(n, alphabet)
        elif alphabet**n <= WIDEST:
            keys = keys[:-1] * alphabet + wide[n - 1 :]
            yield n, keys
        else:
            rows = np.lib.stride_tricks.sliding_window_view(wide.astype(">u4"), n)
            yield n, np.ascontiguousarray(rows).view(f"S{4 * n}").ravel()


def _no_keys(n: int, alphabet: int) -> np.ndarray:
    return np.zeros(0, np.int64 if alphabet**n <= WIDEST else f"S{4 * n}")


def count_ngrams(
    ids: np.ndarray,
    line_ends: np.ndarray,
    *,
    longest: int,
    alphabet: int,
    epsilon: Optional[float] = None,
) -> list[NgramCounts]:
    """All n-grams inside the lines of a text.

    Args:
        ids: (T,) ids of characters, a memory map or an array.
        line_ends: (S,) ascending, the place after each line; the last is T.
        longest: N.
        alphabet: A, how many characters there are.
        epsilon: 0 < eps < 1 counts lossily with an error of eps T at most; None counts exactly.

    Returns:
        The counts of the lengths 1 .. N.

    Raises:
        ValueError: an epsilon out of bounds, or lines that do not fit the text.
    """
    longest, alphabet = whole_number("longest", longest), whole_number("alphabet", alphabet)
    if epsilon is not None and not 0 < epsilon < 1:
        raise ValueError(f"epsilon: expected 0 < epsilon < 1, found {epsilon!r}")
    check_lines(ids, line_ends)
    size = PLACES if epsilon is None else math.ceil(1 / epsilon)
    tables = [KeyCounts(_no_keys(n, alphabet).dtype) for n in range(1, longest + 1)]
    for begin in range(0, len(ids), size):
        end = min(begin + size, len(ids))
        room = room_of(line_ends, begin, end)
        for n, keys in ngram_keys(ids[begin : end + longest - 1], longest, alphabet):
            here = keys[: end - begin]
            tables[n - 1].add(here[room[: len(here)] >= n])
        if epsilon is not None and end - begin == size:
            for table in tables:
                table.forget()
    error = 0 if epsilon is None else math.floor(len(ids) / size)
    return [NgramCounts(table.keys, table.counts, error) for table in tables]


def check_lines(ids: np.ndarray, line_ends: np.ndarray) -> None:
    """ValueError unless the last line ends where a text that is not empty ends."""
    last = int(line_ends[-1]) if len(line_ends) else None
    if not len(ids) or last != len(ids):
        raise ValueError(f"line_ends: expected the last to be {len(ids)} > 0, found {last}")


def room_of(line_ends: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Characters that are left of the line from each place begin .. end-1 on, (end - begin,)."""
    places = np.arange(begin, end)
    low, high = np.searchsorted(line_ends, (begin, end - 1), side="right")
    ends = np.asarray(line_ends[low : high + 1])
    return ends[np.searchsorted(ends, places, side="right")] - places


class NgramInventory:
    """The n-grams that have a vector, and where they occur.

    Args:
        alphabet: the characters of the text.
        ngrams: V n-grams of these characters with their counts, the most frequent first.

    Raises:
        ValueError: an n-gram with a character that the alphabet lacks.
    """

    def __init__(self, alphabet: Vocabulary, ngrams: Vocabulary) -> None:
        self.alphabet, self.ngrams = alphabet, ngrams
        self.longest = max(map(len, ngrams.words))
        self._keys: list[np.ndarray] = []
        self._ids: list[np.ndarray] = []
        for n in range(1, self.longest + 1):
            ids = np.array([i for i, word in enumerate(ngrams.words) if len(word) == n], np.int32)
            chars = alphabet.encode([c for i in ids.tolist() for c in ngrams.words[i]])
            keys = _keys_of(chars.reshape(-1, n), len(alphabet))
            order = np.argsort(keys, kind="stable")
            self._keys.append(keys[order])
            self._ids.append(ids[order])

    @classmethod
    def build(
        cls,
        ids: np.ndarray,
        line_ends: np.ndarray,
        alphabet: Vocabulary,
        *,
        sizes: Sequence[int],
        min_count: int = 1,
        epsilon: Optional[float] = None,
    ) -> NgramInventory:
        """The most frequent n-grams of a text.

        Args:
            ids, line_ends, epsilon: as of `count_ngrams`.
            alphabet: what the ids mean.
            sizes: K_1, ..., K_N; 0 leaves a length out.
            min_count: n-grams that are not known to occur so often are left out.

        Raises:
            ValueError: no or negative sizes, no n-gram that is frequent enough.
        """
        sizes = [whole_number("sizes", size, 0) for size in sizes]
        whole_number("min_count", min_count)
        if not any(sizes):
            raise ValueError(f"sizes: expected a number of n-grams a length, found {sizes}")
        found = count_ngrams(
            ids, line_ends, longest=len(sizes), alphabet=len(alphabet), epsilon=epsilon
        )
        counts: dict[str, int] = {}
        for n, (size, one) in enumerate(zip(sizes, found), start=1):
            order = np.argsort(-one.counts, kind="stable")  # ties in the order of the keys
            order = order[one.counts[order] >= min_count][:size]
            chars = _chars_of(one.keys[order], n, len(alphabet))
            for word, count in zip(_words_of(chars, alphabet), one.counts[order].tolist()):
                counts[word] = count
        if not counts:
            raise ValueError(f"no n-gram occurs {min_count} times")
        return cls(alphabet, Vocabulary.build(counts, unk=None, eos=None))

    def starting(self, ids: np.ndarray, room: np.ndarray) -> np.ndarray:
        """The n-gram of each length from each place on, (m, N) int32; -1 where there is none.

        Args:
            ids: (m + N - 1,) or fewer ids of characters: those from the first place on.
            room: (m,), how far each place is from the end of its line.
        """
        found = np.full((len(room), self.longest), -1, np.int32)
        for n, keys in ngram_keys(ids, self.longest, len(self.alphabet)):
            keys = keys[: len(room)]
            table = self._keys[n - 1]
            rows = np.searchsorted(table, keys)
            here = np.flatnonzero(is_at(table, rows, keys) & (room[: len(keys)] >= n))
            found[here, n - 1] = self._ids[n - 1][rows[here]]
        return found

    def __len__(self) -> int:
        return len(self.ngrams)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` turns into an equal inventory."""
        return {"alphabet": self.alphabet.to_json(), "ngrams": self.ngrams.to_json()}

    @classmethod
    def from_json(cls, value: Any) -> NgramInventory:
        """The inventory that gave `to_json`; ValueError for anything else."""
        if not isinstance(value, dict) or set(value) != {"alphabet", "ngrams"}:
            raise ValueError("expected an inventory: a table of alphabet and ngrams")
        return cls(Vocabulary.from_json(value["alphabet"]), Vocabulary.from_json(value["ngrams"]))


def _keys_of(chars: np.ndarray, alphabet: int) -> np.ndarray:
    """Keys of n-grams given as rows of ids, (K, n)."""
    n = chars.shape[1]
    if not len(chars):
        return _no_keys(n, alphabet)
    if alphabet**n <= WIDEST:
        powers = [alphabet ** (n - 1 - k) for k in range(n)]
        return chars.astype(np.int64) @ np.array(powers, np.int64)
    return np.ascontiguousarray(chars.astype(">u4")).view(f"S{4 * n}").ravel()


def _chars_of(keys: np.ndarray, n: int, alphabet: int) -> np.ndarray:
    """The rows of ids, (K, n), of keys."""
    if keys.dtype.kind == "S":
        return np.frombuffer(keys.tobytes(), ">u4").reshape(-1, n).astype(np.int64)
    powers = [alphabet ** (n - 1 - k) for k in range(n)]
    return keys[:, None] // np.array(powers, np.int64) % alphabet


def _words_of(chars: np.ndarray, alphabet: Vocabulary) -> list[str]:
    return ["".join(alphabet.decode(row)) for row in chars]
