"""The Huffman tree of a vocabulary: frequent words near the root, no code the start of another.

    the two lightest trees become one, again and again, until one is left

The code of a word is its way from the root, 0 for the first (lighter) of two subtrees; the mean
length of the codes is the least of all prefix-free codes, and less than 1 bit above the entropy.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Huffman 1952; Mikolov et al. 2013b, arXiv:1310.4546, section 2.1
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np

from dynotes.graph.shapes import check_ids


class HuffmanTree(NamedTuple):
    """Codes of V words through V - 1 inner nodes; the last node is the root.

    starts: (V+1,), word w's way is starts[w] .. starts[w+1]-1 of the arrays below.
    nodes: (L,) inner nodes from the root down.
    bits: (L,) the way taken at each, 0 or 1.
    """

    starts: np.ndarray
    nodes: np.ndarray
    bits: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(V,) bits of each code."""
        return np.diff(self.starts)

    def code(self, word: int) -> str:
        """The code of a word, such as "010"."""
        return "".join(map(str, self.bits[self.starts[word] : self.starts[word + 1]]))

    def ways(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ways of P words, one behind the other: (which of the P words, node, bit), (L,)."""
        lengths = self.lengths[words]
        which = np.repeat(np.arange(len(words)), lengths)
        ends = np.cumsum(lengths)
        places = np.arange(len(which)) - np.repeat(ends - lengths - self.starts[words], lengths)
        return which, self.nodes[places], self.bits[places]


def huffman_tree(counts: Any) -> HuffmanTree:
    """The tree of words that occur so often.

    Args:
        counts: (V,) whole numbers >= 0, V >= 2; equal weights are taken in the order of the words,
            inner nodes after words.

    Raises:
        ValueError: fewer than two words, or numbers that are no counts.
    """
    counts = check_ids("counts", counts, 2**62, (None,))
    n = len(counts)
    if n < 2:
        raise ValueError(f"counts: a tree needs two words at least, found {n}")
    heap = [(count, word) for word, count in enumerate(counts.tolist())]
    heapq.heapify(heap)
    parents, bits = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int8)
    for node in range(n, 2 * n - 1):
        (light, first), (heavy, second) = heapq.heappop(heap), heapq.heappop(heap)
        parents[[first, second]], bits[second] = node, 1
        heapq.heappush(heap, (light + heavy, node))
    return _codes(parents, bits, n)


def _codes(parents: np.ndarray, bits: np.ndarray, n: int) -> HuffmanTree:
    """All ways at once, a level of the tree at a time, from the words up."""
    root = 2 * n - 2
    at, words = np.arange(n), np.arange(n)
    steps: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while len(at):
        steps.append((words, parents[at] - n, bits[at]))
        at, words = parents[at], words
        below = at != root
        at, words = at[below], words[below]
    owners, nodes, ways = (np.concatenate(column) for column in zip(*steps))
    # the last step taken from below is the first from the root: turn each word's steps around
    order = np.argsort(owners[::-1], kind="stable")
    lengths = np.bincount(owners, minlength=n)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return HuffmanTree(starts, nodes[::-1][order], ways[::-1][order])
