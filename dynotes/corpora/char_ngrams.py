"""The character n-grams of a word, and their rows in a table of hashed n-grams.

    G_w = all stretches of minn to maxn characters of "<" w ">"        row of g = FNV-1a(g) mod B

in the order of the code that the authors released: by first character, the shorter ones first.
"<" and ">" alone are none.  A character is one of UTF-8, not a byte.  The end of a sentence,
"</s>", has none.  A vocabulary's n-grams are lists of unequal lengths, held one after another.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606, section 3.2
Differs: the paper adds "<w>" to G_w whatever its length; here, as in the released code, it is among
    the n-grams if it is short enough, and every known word has a row of its own beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.fnv1a import OFFSET, absorbed

END_OF_SENTENCE = "</s>"
MAX_BUCKETS = 2**31 - 1
BLOCK = 1 << 14  # words whose n-grams of all lengths are in memory at the same time


class NgramLists(NamedTuple):
    """The n-grams of n words: those of word i are buckets[starts[i] : starts[i + 1]].

    buckets: (N,) int32, 0 .. B-1; n-grams that share a bucket cannot be told apart.
    starts: (n + 1,) int64, ascending from 0 to N.
    """

    buckets: np.ndarray
    starts: np.ndarray


def char_ngrams(word: str, *, minn: int = 3, maxn: int = 6) -> list[str]:
    """The n-grams of a word, repeated ones as often as they occur.

    Args:
        word: without its marks.
        minn, maxn: 1 <= minn <= maxn characters; maxn = 0: none, whatever minn is.
    """
    check_lengths(minn, maxn)
    if word == END_OF_SENTENCE:
        return []
    marked = f"<{word}>"
    found = []
    for i in range(len(marked)):
        for j in range(i + minn, min(i + maxn, len(marked)) + 1):
            if j - i > 1 or 0 < i < len(marked) - 1:
                found.append(marked[i:j])
    return found


def ngram_buckets(
    words: Sequence[str], *, minn: int = 3, maxn: int = 6, buckets: int = 2_000_000
) -> NgramLists:
    """The buckets of the n-grams of many words, in the order of `char_ngrams`.

    Args:
        words: n words.
        minn, maxn: as of `char_ngrams`.
        buckets: B.

    Raises:
        ValueError: lengths that are no range, no bucket, a string instead of several, or one that
            UTF-8 cannot hold.
    """
    check_lengths(minn, maxn)
    whole_number("buckets", buckets, 1, MAX_BUCKETS)
    if isinstance(words, (str, bytes)):
        raise ValueError(f"words: expected a list of words, found {words!r}")
    blocks = [words[i : i + BLOCK] for i in range(0, len(words), BLOCK)] if maxn else []
    parts = [_hashes(block, minn, maxn) for block in blocks]
    counts = np.concatenate([np.zeros(0 if maxn else len(words), np.int64)] + [c for _, c in parts])
    hashes = np.concatenate([np.zeros(0, np.uint32)] + [h for h, _ in parts])
    starts = np.concatenate(([0], np.cumsum(counts)))
    return NgramLists((hashes % np.uint32(buckets)).astype(np.int32), starts)


def check_lengths(minn: int, maxn: int) -> None:
    """ValueError unless 1 <= minn <= maxn, or maxn is 0."""
    if whole_number("maxn", maxn, 0, 1000):
        whole_number("minn", minn, 1, maxn)


def _hashes(words: Sequence[str], minn: int, maxn: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the n-grams of some words, one after another, and how many each word has."""
    marked = ["" if word == END_OF_SENTENCE else f"<{word}>" for word in words]
    data = np.frombuffer("".join(marked).encode(), np.uint8)
    sizes = np.fromiter(map(len, marked), np.int64, len(marked))
    places = np.flatnonzero((data & 0xC0) != 0x80)  # of the first byte of each character
    bytes_of = np.diff(np.append(places, len(data)))
    word = np.repeat(np.arange(len(marked)), sizes)
    left = np.cumsum(sizes)[word] - np.arange(len(word))  # characters from this one on
    inner = (left > 1) & (left < sizes[word])

    found = np.empty((len(word), maxn - minn + 1), np.uint32)
    there = np.zeros(found.shape, bool)
    hashes = np.full(len(word), OFFSET)
    for n in range(1, maxn + 1):
        starts = np.flatnonzero(left >= n)  # characters with n - 1 more behind them
        last = starts + n - 1
        for k in range(int(bytes_of[last].max(initial=0))):
            wide = bytes_of[last] > k
            at = starts[wide]
            hashes[at] = absorbed(hashes[at], data[places[last[wide]] + k])
        if n >= minn:
            found[:, n - minn] = hashes
            there[:, n - minn] = inner if n == 1 else left >= n
    return found[there], np.bincount(word, weights=there.sum(axis=1), minlength=len(words)).astype(
        np.int64
    )
