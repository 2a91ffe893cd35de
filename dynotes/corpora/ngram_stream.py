"""The adjacent n-grams of a text: what ends at a boundary, and what begins there.

    positives = {(a, b): a in V ends at p, b in V begins at p}     p between characters of a line

These are the pairs that stand side by side in some segmentation of the line into n-grams.

The text is cut into blocks.  Which occurrences of n-grams are kept (see `subsample_keep`) depends
on the seed, the epoch and the number of the block alone, so the pairs of an epoch are the same
however many workers share it, wherever a run was interrupted, and however it is cut into chunks.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Oshikiri 2017, EMNLP, D17-1080, window 1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.ngram_inventory import NgramInventory, check_lines, room_of

BLOCK = 1 << 14  # places of one random generator; another number would give other draws


class NgramChunk(NamedTuple):
    """The pairs around the boundaries begin .. end-1, in the order of the text.

    left, right: (P,) int32, the n-gram that ends at a boundary, and one that begins there.  P may
        be 0.
    begin, end: a run that was stopped after this chunk goes on with ``begin=end``.
    """

    left: np.ndarray
    right: np.ndarray
    begin: int
    end: int


class _Blocks(NamedTuple):
    """The blocks of a text under one draw."""

    ids: np.ndarray
    line_ends: np.ndarray
    inventory: NgramInventory
    keep: np.ndarray
    seed: int
    epoch: int

    def starting(self, number: int) -> np.ndarray:
        """The kept n-grams from each place of a block on, (m, N)."""
        begin, end = number * BLOCK, min((number + 1) * BLOCK, len(self.ids))
        longest = self.inventory.longest
        ids = np.array(self.ids[begin : end + longest - 1])
        found = self.inventory.starting(ids, room_of(self.line_ends, begin, end))
        rng = np.random.default_rng([self.seed, self.epoch, number])
        drawn = rng.random(found.shape, dtype=np.float32)
        return np.where((found >= 0) & (drawn < self.keep[found]), found, -1)

    def ending(self, number: int, before: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """The kept n-grams that end at each boundary of a block, (m, N); none at a line's start.

        Args:
            before: (N, N), the n-grams from each of the last places of the block before on.
            begins: (m, N), those of this block.
        """
        m, longest = begins.shape
        around, lengths = np.concatenate((before, begins)), np.arange(1, longest + 1)
        places = np.arange(longest, longest + m)
        ends = around[places[:, None] - lengths, lengths - 1]
        first = number * BLOCK
        room = room_of(self.line_ends, max(0, first - 1), first + m)
        starts = np.concatenate(([True], room[:-1] == 1)) if first == 0 else room[:-1] == 1
        ends[starts] = -1
        return ends


def ngram_chunks(
    ids: np.ndarray,
    line_ends: np.ndarray,
    inventory: NgramInventory,
    *,
    keep: np.ndarray,
    size: int,
    seed: int,
    epoch: int = 0,
    begin: int = 0,
    end: Optional[int] = None,
) -> Iterator[NgramChunk]:
    """The pairs of a stretch of a text, those of some boundaries at a time.

    Args:
        ids, line_ends: as of `count_ngrams`.
        inventory: of the same characters.
        keep: (V,) probability to keep an occurrence of each n-gram, see `subsample_keep`.
        size: boundaries a chunk; the last of a block has fewer.
        seed, epoch: what the draws depend on.
        begin, end: the stretch of boundaries, boundary p being before character p; None for all.

    Raises:
        ValueError: sizes that do not fit together.
    """
    check_lines(ids, line_ends)
    end = len(ids) if end is None else whole_number("end", end, 0, len(ids))
    begin = whole_number("begin", begin, 0, end)
    keep = np.asarray(keep, np.float32)
    if keep.shape != (len(inventory),) or not ((keep >= 0) & (keep <= 1)).all():
        expected = f"({len(inventory)},) numbers from 0 to 1"
        raise ValueError(f"keep: expected {expected}, found shape {keep.shape}")
    low = {"size": (size, 1), "seed": (seed, 0), "epoch": (epoch, 0)}
    size, seed, epoch = (whole_number(name, *args) for name, args in low.items())
    blocks = _Blocks(ids, line_ends, inventory, keep, seed, epoch)
    return _chunks(blocks, size, begin, end)


def _chunks(blocks: _Blocks, size: int, begin: int, end: int) -> Iterator[NgramChunk]:
    longest, number = blocks.inventory.longest, begin // BLOCK
    before = np.full((longest, longest), -1, np.int32)
    if number > 0:
        before = blocks.starting(number - 1)[-longest:]
    while begin < end:
        start = number * BLOCK
        begins = blocks.starting(number)
        ends = blocks.ending(number, before, begins)
        while begin < min(end, start + BLOCK):
            stop = min(begin + size, start + BLOCK, end)
            rows = slice(begin - start, stop - start)
            left, right = adjacent(ends[rows], begins[rows])
            yield NgramChunk(left, right, begin, stop)
            begin = stop
        before, number = begins[-longest:], number + 1


def adjacent(ends: np.ndarray, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (what ends, what begins) at a boundary, (P,) each, from (m, N) each; -1 for nothing."""
    rows, i, j = np.nonzero((ends >= 0)[:, :, None] & (begins >= 0)[:, None, :])
    return ends[rows, i], begins[rows, j]
