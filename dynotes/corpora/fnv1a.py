"""32-bit FNV-1a of strings, as fastText computes it.

    h_0 = 2166136261        h_k = 16777619 (h_{k-1} xor s(b_k))   mod 2^32

over the UTF-8 bytes b_k, where s reads a byte as a signed one and widens it to 32 bits: from 128
on, its upper 24 bits are ones.  Plain FNV-1a has zeros there, so the two agree on ASCII alone.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606, section 3.2; Fowler, Noll & Vo (the hash)
Differs: the signed bytes are those of the code that the authors released.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

OFFSET, PRIME = np.uint32(2166136261), np.uint32(16777619)


def fnv1a(strings: Sequence[str]) -> np.ndarray:
    """The hash of each string, (n,) uint32.

    Raises:
        ValueError: a string instead of several, or one that UTF-8 cannot hold.
    """
    if isinstance(strings, (str, bytes)):
        raise ValueError(f"strings: expected a list of strings, found {strings!r}")
    encoded = [string.encode() for string in strings]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    # the longest first: those with a k-th byte stand in front
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    shorter = np.searchsorted(np.sort(lengths), np.arange(lengths.max(initial=0)), side="right")
    data = np.frombuffer(b"".join(encoded), np.uint8)
    hashes = np.full(len(encoded), OFFSET)
    for k, n in enumerate((len(encoded) - shorter).tolist()):
        hashes[:n] = absorbed(hashes[:n], data[starts[:n] + k])
    found = np.empty_like(hashes)
    found[order] = hashes
    return found


def absorbed(hashes: np.ndarray, data: np.ndarray) -> np.ndarray:
    """The hashes (n,) uint32 after one more byte (n,) uint8 each."""
    signed = data.astype(np.uint8).view(np.int8).astype(np.int32).view(np.uint32)
    return (hashes ^ signed) * PRIME
