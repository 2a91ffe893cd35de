"""Sides of random hyperplanes as bits: how often they agree, packing them, counting differences.

    b_i(x) = [r_i . x > 0],  r_i ~ N(0, I)         P(b_i(x) = b_i(y)) = 1 - theta(x, y) / pi
    E[Hamming distance of n bits] = n theta / pi
    AND over K bits, OR over L tables:             P(candidate) = 1 - (1 - p^K)^L
    inner product: x' = (x, sqrt(M^2 - |x|^2)), q' = (q, 0):   cos(x', q') = x . q / (M |q|)

Note: Tips in Training / Locality Sensitive Hashing (T24)
Paper: Charikar 2002, section 3 (hyperplanes); Indyk & Motwani 1998 (tables); Neyshabur & Srebro
    2015 (Simple-LSH for inner products, there with M = 1); Shrivastava & Li 2014.
Renamed: the notes' "01string" is a code, 64 bits to an unsigned word.
Differs: the notes hash for cosine only; a softmax ranks words by inner product.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.tips.lsh_vectors import blocks

WORD_BITS = 64
MAX_PROBES = 2**16
# masks of every second bit, pair of bits and half byte
_ODD, _PAIRS, _NIBBLES = (
    np.uint64(n) for n in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F)
)


def collision_probability(cosine: Any) -> Any:
    """1 - theta / pi: how often a random hyperplane has both vectors on the same side.

    Args:
        cosine: of the angle theta between them, in [-1, 1] (rounding errors are cut off).

    Returns:
        The same shape, in [0, 1].

    Raises:
        ValueError: a NaN, or further outside than rounding goes.
    """
    c = np.asarray(cosine, dtype=np.float64)
    if not (np.abs(c) <= 1.0 + 1e-6).all():
        raise ValueError("cosine: expected numbers from -1 to 1")
    return 1.0 - np.arccos(np.clip(c, -1.0, 1.0)) / math.pi


def candidate_probability(p: Any, *, bits: int, tables: int = 1, radius: int = 0) -> Any:
    """How often a point is found in a bucket that is looked into.

        1 - (1 - F)^L,     F = sum_{i <= radius} C(K, i) (1 - p)^i p^(K - i)  (= p^K at radius 0)

    Args:
        p: probability that one bit agrees, ``collision_probability``.
        bits: K, bits of a table's code.
        tables: L, independent tables.
        radius: buckets whose codes differ from the query's in at most so many bits.

    Returns:
        The shape of p, in [0, 1].

    Raises:
        ValueError: p outside [0, 1], or sizes below 1.
    """
    bits, tables = whole_number("bits", bits), whole_number("tables", tables)
    whole_number("radius", radius, 0, bits)
    p = np.asarray(p, dtype=np.float64)
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("p: expected probabilities")
    terms = (math.comb(bits, i) * (1.0 - p) ** i * p ** (bits - i) for i in range(radius + 1))
    one_table = np.minimum(sum(terms), 1.0)
    with np.errstate(divide="ignore"):  # a sure find: log 0, and 1 - exp(-inf) = 1
        return -np.expm1(tables * np.log1p(-one_table))


def n_words(bits: int) -> int:
    """How many 64-bit words hold a code of so many bits."""
    return -(-bits // WORD_BITS)


def pack(sides: np.ndarray) -> np.ndarray:
    """Bits as words: bit i of word w is entry 64 w + i; what is left of the last word is 0.

    Args:
        sides: (..., n) bool.

    Returns:
        (..., W) uint64, W = ceil(n / 64).
    """
    sides = np.asarray(sides)
    if sides.dtype != np.bool_ or sides.ndim < 1 or not sides.shape[-1]:
        raise ValueError(f"sides: expected bools, found {sides.dtype} of shape {sides.shape}")
    lead = sides.shape[:-1]
    packed = np.zeros((*lead, 8 * n_words(sides.shape[-1])), np.uint8)
    used = -(-sides.shape[-1] // 8)
    packed[..., :used] = np.packbits(sides, axis=-1, bitorder="little")
    return packed.view("<u8").astype(np.uint64)


def added_popcount(words: np.ndarray) -> np.ndarray:
    """Number of ones of every uint64: neighbouring counts are added in ever wider fields."""
    x = np.asarray(words, dtype=np.uint64)
    x = x - ((x >> np.uint64(1)) & _ODD)
    x = (x & _PAIRS) + ((x >> np.uint64(2)) & _PAIRS)
    x = (x + (x >> np.uint64(4))) & _NIBBLES
    for shift in (8, 16, 32):
        x = x + (x >> np.uint64(shift))
    return (x & np.uint64(127)).astype(np.uint8)


# numpy >= 2.0 has an instruction of the processor for it
popcount = getattr(np, "bitwise_count", added_popcount)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many bits differ, between all pairs of codes.

    Args:
        a: (Q, W) uint64.
        b: (N, W) uint64.

    Returns:
        (Q, N) int32.
    """
    if a.dtype != np.uint64 or b.dtype != np.uint64 or a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"codes: expected uint64 matrices, found {a.dtype} and {b.dtype}")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"codes: expected {a.shape[1]} words each, found {b.shape[1]}")
    total = np.zeros((len(a), len(b)), np.int32)
    for w in range(a.shape[1]):
        total += popcount(a[:, w, None] ^ b[None, :, w])
    return total


def nearest(a: np.ndarray, b: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes of b that differ least from each of a; of equally near ones the first come first.

    Args:
        a: (Q, W) uint64.
        b: (N, W) uint64.
        depth: how many, 1 to N.

    Returns:
        (Q, depth) int64 rows of b, and (Q, depth) int32 Hamming distances, nearest first.
    """
    count = len(b)
    whole_number("depth", depth, 1, count)
    ids = np.empty((len(a), depth), np.int64)
    distances = np.empty((len(a), depth), np.int32)
    for part in blocks(len(a), count):
        # one number holds distance and row, so that ties have an order
        keys = hamming(a[part], b) * np.int64(count) + np.arange(count)
        if depth < count:
            keys = np.partition(keys, depth - 1, axis=1)[:, :depth]
        keys.sort(axis=1)
        distances[part], ids[part] = np.divmod(keys, count)
    return ids, distances


def buckets(
    keys: np.ndarray, order: np.ndarray, wanted: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """What lies in the buckets of one table.

    Args:
        keys: (N,) uint64, the code of every point.
        order: (N,) that sorts them.
        wanted: (Q, P) codes to look for.

    Yields:
        (query, ids of the points) of every bucket that is not empty.
    """
    first = np.searchsorted(keys, wanted, "left", sorter=order)
    last = np.searchsorted(keys, wanted, "right", sorter=order)
    for q, bucket in zip(*np.nonzero(first < last)):
        yield q, order[first[q, bucket] : last[q, bucket]]


def flips(bits: int, radius: int) -> np.ndarray:
    """All words that flip at most ``radius`` of the first ``bits`` bits, fewest flips first.

    Raises:
        ValueError: more than 64 bits (no such bucket is ever hit), or too many words.
    """
    whole_number("bits of a table that is looked into", bits, 1, WORD_BITS)
    whole_number("radius", radius, 0, bits)
    count = sum(math.comb(bits, i) for i in range(radius + 1))
    if count > MAX_PROBES:
        raise ValueError(
            f"radius: {radius} of {bits} bits is {count} buckets a table, at most {MAX_PROBES}"
        )
    chosen = (c for i in range(radius + 1) for c in itertools.combinations(range(bits), i))
    return np.array([sum(1 << b for b in c) for c in chosen], dtype=np.uint64)


def extend_points(points: np.ndarray, longest: float) -> np.ndarray:
    """x' = (x, sqrt(M^2 - |x|^2)), so that all lengths are M: (N, D) -> (N, D + 1) float64.

    Args:
        points: (N, D).
        longest: M, at least the length of every point.

    Raises:
        ValueError: a point is longer than M.
    """
    x = np.asarray(points, dtype=np.float64)
    left = float(longest) ** 2 - np.einsum("nd,nd->n", x, x)
    if not (left >= -1e-9 * float(longest) ** 2).all():
        raise ValueError(f"longest: a point is longer than {longest}")
    return np.concatenate([x, np.sqrt(np.maximum(left, 0.0))[:, None]], axis=1)


def extend_queries(queries: np.ndarray) -> np.ndarray:
    """q' = (q, 0), so that x' . q' = x . q exactly: (Q, D) -> (Q, D + 1) float64."""
    q = np.asarray(queries, dtype=np.float64)
    return np.concatenate([q, np.zeros((len(q), 1))], axis=1)
