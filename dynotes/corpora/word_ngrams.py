"""Hashed n-grams of words: a number of a bucket for every run of 2 to n words of a line.

    h_1 = s(w_i),    h_k = 116049371 h_{k-1} + s(w_{i+k-1})   mod 2^64,    bucket = h_k mod B

with s(w) the 32-bit hash of a word read as a signed number and widened to 64 bits, as the
released code does.  Different n-grams may share a bucket.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, section 2.2 (the hashing trick)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynotes.corpora.errors import whole_number

FACTOR = np.uint64(116049371)
MAX_BUCKETS = 2**31 - 1


def word_ngrams(hashes: Any, ends: Any, n: int, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of all n-grams of 2 to n words that do not cross the end of a line.

    Args:
        hashes: (T,) uint32, of the words of all lines one after the other, see `fnv1a`.
        ends: (S,), the place after each line; the last is T.
        n: the longest n-gram, in words; 1 gives none.
        buckets: B.

    Returns:
        (P,) the line of each n-gram, from 0, and (P,) its bucket, both int64: the bigrams in
        the order of the text, then the trigrams, ...

    Raises:
        ValueError: no unsigned 32-bit numbers, ends that do not fit, or sizes below 1.
    """
    hashes, ends = np.asarray(hashes), np.asarray(ends)
    whole_number("n", n)
    whole_number("buckets", buckets, 1, MAX_BUCKETS)
    if hashes.dtype != np.uint32 or hashes.ndim != 1:
        raise ValueError(f"hashes: expected (T,) uint32, found {hashes.shape} {hashes.dtype}")
    sizes = np.diff(ends, prepend=0)
    if not ends.size or ends[-1] != len(hashes) or (sizes < 0).any():
        raise ValueError(f"ends: expected ascending places up to {len(hashes)}, found {ends}")
    lines = np.repeat(np.arange(len(ends)), sizes)
    widened = hashes.view(np.int32).astype(np.int64).view(np.uint64)
    last = np.repeat(ends, sizes)
    starts, rolled = np.arange(len(hashes)), widened
    found_lines, found = [lines[:0]], [np.zeros(0, np.int64)]
    for k in range(1, n):
        inside = starts + k < last[starts]
        starts = starts[inside]
        rolled = rolled[inside] * FACTOR + widened[starts + k]
        found_lines.append(lines[starts])
        found.append((rolled % np.uint64(buckets)).astype(np.int64))
    return np.concatenate(found_lines), np.concatenate(found)
