"""Dependency trees as arrays of heads: what is a tree, what crosses, how many trees there are.

    heads (n,): heads[i - 1] is the head of word i, 0 for a root;  a tree: every word reaches 0

Number of trees over n words, any number of roots and exactly one:

    all         (n + 1)^(n - 1)              n^(n - 1)
    projective  C(3n, n) / (2n + 1)          C(3n - 2, n - 1) / n

Note: Topic: Dependency Parsing / Task Description (T68)
Paper: Zmigrod, Vieira & Cotterell 2020 (the root constraint).
Differs: the notes allow several roots, as for conjoined sentences; the treebanks of Universal
    Dependencies hang a conjunct below the first one and have one root, which is the default here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number


class Fault(NamedTuple):
    """Why heads are no tree: what is wrong, and the first word (from 1) it is wrong with."""

    word: int
    message: str


def as_heads(heads: Any) -> np.ndarray:
    """Heads as an (n,) int64 array.

    Raises:
        ValueError: no words, no whole numbers, or another rank.
    """
    array = np.asarray(heads)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(f"heads: expected (n,) integers, found {array.dtype} {array.shape}")
    return array.astype(np.int64)


def on_cycles(heads: Any) -> np.ndarray:
    """The words (from 1, ascending) that lie on a cycle; empty if every word reaches the root.

    After 2^k >= n steps up, a word has either met the root or gone round a cycle.

    Raises:
        ValueError: heads outside 0 .. n.
    """
    up = as_heads(heads)
    if up.min() < 0 or up.max() > up.size:
        raise ValueError(f"heads: expected 0 to {up.size}, found {up.min()} to {up.max()}")
    far = np.concatenate([[0], up])
    for _ in range(up.size.bit_length()):
        far = far[far]
    return np.unique(far[far > 0])


def tree_fault(heads: Any, *, multi_root: bool = False) -> Optional[Fault]:
    """What keeps heads from being a tree, or None.

    Args:
        heads: (n,) integers.
        multi_root: several roots are fine.
    """
    up = as_heads(heads)
    n = up.size
    outside = np.flatnonzero((up < 0) | (up > n))
    if outside.size:
        found = up[outside[0]]
        return Fault(int(outside[0]) + 1, f"head {found} out of range: expected 0 to {n}")
    itself = np.flatnonzero(up == np.arange(1, n + 1))
    if itself.size:
        return Fault(int(itself[0]) + 1, f"word {itself[0] + 1} is its own head")
    roots = np.flatnonzero(up == 0) + 1
    if roots.size == 0:
        return Fault(1, "no root: no word has the head 0")
    cycle = on_cycles(up)
    if cycle.size:
        return Fault(int(cycle[0]), "cycle: " + " -> ".join(map(str, _round(up, int(cycle[0])))))
    if roots.size > 1 and not multi_root:
        found = f"{roots.size} roots (words {', '.join(map(str, roots[:5]))})"
        return Fault(int(roots[1]), f"{found}: expected one, or the option for several roots")
    return None


def _round(heads: np.ndarray, start: int) -> list[int]:
    """The words of the cycle through ``start``, which comes first and last (ten at most)."""
    words = [start, int(heads[start - 1])]
    while words[-1] != start and len(words) < 10:
        words.append(int(heads[words[-1] - 1]))
    return words


def is_tree(heads: Any, *, multi_root: bool = False) -> bool:
    """Every word reaches the root, and exactly one (any number, with ``multi_root``) is a root."""
    return tree_fault(heads, multi_root=multi_root) is None


def check_tree(heads: Any, *, multi_root: bool = False) -> np.ndarray:
    """Heads as an (n,) int64 array, if they are a tree; ValueError with the fault otherwise."""
    fault = tree_fault(heads, multi_root=multi_root)
    if fault is not None:
        raise ValueError(f"heads: {fault.message}")
    return as_heads(heads)


def crossed(heads: Any) -> np.ndarray:
    """Which arcs cross another one, (n,) bool; the arcs of roots come from position 0.

    The arc over the words a .. b is crossed if a word inside has an arc to a place outside.  The
    outermost place that any word of a range has an arc to comes from a table of maxima over all
    ranges of 2^k words: n log n numbers, and no loop over words.

    Raises:
        ValueError: no tree.
    """
    up = check_tree(heads, multi_root=True)
    words = np.arange(1, up.size + 1)
    low, high = np.minimum(up, words), np.maximum(up, words)
    left, right = np.arange(up.size + 1), np.arange(up.size + 1)
    np.minimum.at(left, high, low)
    np.maximum.at(right, low, high)
    leftmost, rightmost = -_range_max(-left, low, high), _range_max(right, low, high)
    return (high - low > 1) & ((leftmost < low) | (rightmost > high))


def _range_max(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Maxima of values[low + 1 : high]; any value where that is empty."""
    level = np.log2(np.maximum(high - low - 1, 1)).astype(np.int64)
    table = [values]
    for k in range(int(level.max())):
        table.append(np.maximum(table[k][: -(1 << k)], table[k][1 << k :]))
    found = np.empty_like(low)
    for k, maxima in enumerate(table):
        here = level == k
        first = np.minimum(low[here] + 1, len(maxima) - 1)
        last = np.clip(high[here] - (1 << k), 0, len(maxima) - 1)
        found[here] = np.maximum(maxima[first], maxima[last])
    return found


def is_projective(heads: Any) -> bool:
    """No arc crosses another one (the arcs of roots included); ValueError if it is no tree."""
    return not bool(crossed(heads).any())


def nonprojective(heads: Any) -> np.ndarray:
    """Which arcs span a word that is no descendant of their head, (n,) bool.

    A tree has such an arc exactly if it has crossing ones, but fewer: of two that cross, often
    one alone is to blame.  Needs (n + 1)^2 numbers.

    Raises:
        ValueError: no tree.
    """
    up = np.concatenate([[0], check_tree(heads, multi_root=True)])
    words = np.arange(up.size)
    below = np.zeros((up.size, up.size), dtype=np.int32)  # [k, h]: word k hangs below h
    ancestor = words
    while ancestor.any():
        ancestor = up[ancestor]
        below[words, ancestor] = 1
    count = below.cumsum(axis=0, dtype=np.int32)
    low, high = np.minimum(up, words)[1:], np.maximum(up, words)[1:]
    found = count[high - 1, up[1:]] - count[low, up[1:]]
    return found != high - low - 1


def count_trees(n: int, *, multi_root: bool = False, projective: bool = False) -> int:
    """The number of dependency trees over n words, exactly: 1, 2, 9, 64, ... by default."""
    n = whole_number("n", n)
    if projective and multi_root:
        return math.comb(3 * n, n) // (2 * n + 1)
    if projective:
        return math.comb(3 * n - 2, n - 1) // n
    return (n + 1) ** (n - 1) if multi_root else n ** (n - 1)
