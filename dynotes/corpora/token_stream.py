"""A corpus of any size as chunks of subsampled tokens, and the pairs of their windows.

    P(keep w) = min(1, (sqrt(f/t) + 1) t/f)        f = share of w in the corpus
    pairs of a centre i:  all j != i of its sentence with |i - j| <= b_i,    b_i ~ U{1, ..., c}

The corpus is cut into blocks.  What is kept of a block, and the windows of its tokens, depend on
the seed, the epoch and the number of the block alone.  So the pairs of an epoch are the same
however many workers share it, wherever a run was interrupted, and however it is cut into chunks;
a place in the corpus is one whole number, the tokens before it.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54, T56)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, eq. 5 (formula="paper"); the formula above is that
    of the code that its authors released.
Differs: windows reach over the edges of a chunk, as far as the sentence goes: the released code
    and gensim cut a sentence after 1,000 and 10,000 words, and lose the pairs across the cut.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number

BLOCK = 1 << 14  # tokens of one random generator; another number would give other draws
FORMULAS = ("released", "paper")


class Chunk(NamedTuple):
    """Some kept tokens in the order of the text; the centres lie between their neighbours.

    ids: (n,) int32, the centres and up to `window` tokens of the same sentence on each side.
    sentences: (n,) int64, number of the sentence of each.
    first: the centres are the len(windows) tokens from this one on.
    windows: (m,) int32, half width of the window of each centre.
    begin, end: the centres are what was kept of the tokens begin .. end-1 of the corpus; a run
        that was stopped after this chunk goes on with ``chunks(..., begin=end)``.
    """

    ids: np.ndarray
    sentences: np.ndarray
    first: int
    windows: np.ndarray
    begin: int
    end: int

    @property
    def centres(self) -> np.ndarray:
        """(m,) int32, ids of the centres."""
        return self.ids[self.first : self.first + len(self.windows)]


class _Kept(NamedTuple):
    """What is kept of some blocks: a row a token."""

    where: np.ndarray
    ids: np.ndarray
    sentences: np.ndarray
    windows: np.ndarray

    def rows(self, low: int, high: Optional[int] = None) -> _Kept:
        return _Kept(*(column[low:high] for column in self))


class _Blocks(NamedTuple):
    """The blocks of a corpus under one draw."""

    ids: np.ndarray
    sentence_ends: np.ndarray
    keep: np.ndarray
    window: int
    dynamic: bool
    seed: int
    epoch: int

    def kept(self, number: int) -> _Kept:
        begin, end = number * BLOCK, min((number + 1) * BLOCK, len(self.ids))
        rng = np.random.default_rng([self.seed, self.epoch, number])
        ids = np.array(self.ids[begin:end])
        if ids.size and not 0 <= ids.min() <= ids.max() < len(self.keep):
            found = f"{ids.min()} to {ids.max()}"
            raise ValueError(f"ids must be 0 to {len(self.keep) - 1}, found {found}")
        rows = np.flatnonzero(rng.random(len(ids), dtype=np.float32) < self.keep[ids])
        windows = np.full(len(rows), self.window, np.int32)
        if self.dynamic:
            windows = rng.integers(1, self.window, len(rows), np.int32, endpoint=True)
        sentences = self._sentences(begin, end)[rows]
        _forget(self.ids)
        _forget(self.sentence_ends)
        return _Kept(rows + begin, ids[rows], sentences, windows)

    def up_to(self, number: int, place: int) -> _Kept:
        """The blocks before a number, from `window` kept tokens before a place on."""
        parts: list[_Kept] = []
        before = 0
        while number > 0 and (not parts or before < self.window):
            number -= 1
            parts.insert(0, self.kept(number))
            before += int(np.searchsorted(parts[0].where, place))
        return _joined(parts)

    def continued(self, kept: _Kept, number: int, rows: int, end: int) -> tuple[_Kept, int]:
        """More blocks behind, until there are so many rows, or `window` of them from end on."""
        parts = [kept]
        have, before = len(kept.where), int(np.searchsorted(kept.where, end))
        while number < len(self) and have < rows and have - before < self.window:
            part = self.kept(number)
            have += len(part.where)
            before += int(np.searchsorted(part.where, end))
            parts, number = [*parts, part], number + 1
        return (kept if len(parts) == 1 else _joined(parts)), number

    def _sentences(self, begin: int, end: int) -> np.ndarray:
        """Number of the sentence of each token of a block."""
        low, high = np.searchsorted(self.sentence_ends, (begin, end - 1), side="right")
        ends = np.minimum(self.sentence_ends[low : high + 1], end)
        return np.repeat(np.arange(low, high + 1), np.diff(ends, prepend=begin))

    def __len__(self) -> int:
        return -(-len(self.ids) // BLOCK)


def subsample_keep(
    counts: Any, threshold: Optional[float], *, formula: str = "released"
) -> np.ndarray:
    """Probability with which a token of each word is kept, (V,) float64.

    Args:
        counts: (V,) occurrences of the words.
        threshold: t, the share above which a word is thinned out; None or 0 keeps everything.
        formula: "released", min(1, (sqrt(f/t) + 1) t/f); "paper", min(1, sqrt(t/f)).

    Raises:
        ValueError: no words, negative counts, a threshold outside of [0, 1], another formula.
    """
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 1 or not counts.size or not (counts >= 0).all() or not counts.sum():
        raise ValueError(f"counts: expected (V,) numbers >= 0, not all 0, found {counts}")
    if formula not in FORMULAS:
        raise ValueError(f"formula: expected one of {', '.join(FORMULAS)}, found {formula!r}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold: expected a number from 0 to 1, found {threshold!r}")
    if not threshold:
        return np.ones(len(counts))
    ratio = np.full(len(counts), np.inf)  # t/f
    np.divide(threshold * counts.sum(), counts, out=ratio, where=counts > 0)
    root = np.sqrt(ratio)
    return np.minimum(1.0, root + ratio if formula == "released" else root)


def token_ranges(n_tokens: int, workers: int) -> list[tuple[int, int]]:
    """The places (begin, end) of equally long stretches of a corpus, one a worker."""
    n_tokens, workers = (
        whole_number("n_tokens", n_tokens, 0, 2**62),
        whole_number("workers", workers),
    )
    cuts = [n_tokens * k // workers for k in range(workers + 1)]
    return list(zip(cuts, cuts[1:]))


def chunks(
    ids: np.ndarray,
    sentence_ends: np.ndarray,
    *,
    keep: np.ndarray,
    window: int,
    size: int,
    seed: int,
    epoch: int = 0,
    dynamic: bool = True,
    begin: int = 0,
    end: Optional[int] = None,
) -> Iterator[Chunk]:
    """The kept tokens of a stretch of a corpus, as centres of `size` windows at a time.

    Args:
        ids: (N,) integers, a memory map or an array.
        sentence_ends: (S,) ascending, the place after each sentence; the last is N.
        keep: (V,) probability to keep a token of each word, see `subsample_keep`.
        window: c, the widest half window.
        size: centres a chunk; the last has fewer.
        seed, epoch: what the draws depend on.
        dynamic: half widths uniform on 1 .. c; False: all c.
        begin, end: the stretch, None for the end of the corpus.  Stretches that cover the corpus
            once give its centres, with the same pairs, once.

    Raises:
        ValueError: sizes that do not fit together, or an id that ``keep`` lacks.
    """
    n_tokens = len(ids)
    end = n_tokens if end is None else whole_number("end", end, 0, n_tokens)
    begin = whole_number("begin", begin, 0, end)
    if not n_tokens or not len(sentence_ends) or int(sentence_ends[-1]) != n_tokens:
        found = int(sentence_ends[-1]) if len(sentence_ends) else None
        raise ValueError(f"sentence_ends: expected the last to be {n_tokens} > 0, found {found}")
    keep = np.asarray(keep, np.float32)
    if keep.ndim != 1 or not ((keep >= 0) & (keep <= 1)).all():
        raise ValueError(f"keep: expected (V,) numbers from 0 to 1, found shape {keep.shape}")
    low = {"window": (window, 1), "size": (size, 1), "seed": (seed, 0), "epoch": (epoch, 0)}
    window, size, seed, epoch = (whole_number(name, *args) for name, args in low.items())
    blocks = _Blocks(ids, sentence_ends, keep, window, dynamic, seed, epoch)
    return _chunks(blocks, size, begin, end)


def _chunks(blocks: _Blocks, size: int, begin: int, end: int) -> Iterator[Chunk]:
    if begin == end:
        return
    window, following = blocks.window, begin // BLOCK + 1
    kept = blocks.up_to(following, begin)
    first = int(np.searchsorted(kept.where, begin))
    while begin < end:
        kept, first = kept.rows(max(0, first - window)), min(first, window)
        kept, following = blocks.continued(kept, following, first + size + window, end)
        stop = int(np.searchsorted(kept.where, end))
        last = min(first + size, stop)
        if last == first:
            return
        place = end if last == stop else int(kept.where[last - 1]) + 1
        yield _cut(kept, first, last, window, begin, place)
        first, begin = last, place


def _cut(kept: _Kept, first: int, last: int, window: int, begin: int, end: int) -> Chunk:
    """Rows first .. last-1 as centres, with their neighbours of the same sentence."""
    sentences = kept.sentences[max(0, first - window) : last + window]
    edge = min(first, window)
    low = int(np.searchsorted(sentences, sentences[edge]))
    high = int(np.searchsorted(sentences, sentences[edge + last - first - 1], side="right"))
    start = first - edge
    ids = kept.ids[start + low : start + high]
    windows = kept.windows[first:last]
    return Chunk(ids, sentences[low:high], edge - low, windows, begin, end)


def _joined(parts: list[_Kept]) -> _Kept:
    return _Kept(*(np.concatenate(columns) for columns in zip(*parts)))


def window_pairs(chunk: Chunk, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a centre and a neighbour in its window and sentence.

    Args:
        chunk: from `chunks`.
        windows: (m,) half width of the window of each centre, usually ``chunk.windows``.

    Returns:
        Rows of ``chunk.ids``, (P,) each: of the centres, ascending, and of their neighbours,
        ascending for each centre.  P may be 0.

    Raises:
        ValueError: not one width >= 0 for each centre.
    """
    windows = np.asarray(windows)
    if windows.shape != chunk.windows.shape or (windows.size and windows.min() < 0):
        raise ValueError(f"windows: expected {chunk.windows.shape} widths >= 0, found {windows}")
    centres = np.arange(chunk.first, chunk.first + len(windows))
    starts = np.flatnonzero(np.diff(chunk.sentences, prepend=-1))
    bounds = np.append(starts, len(chunk.ids))
    sentence = np.searchsorted(bounds, centres, side="right")
    low = np.maximum(bounds[sentence - 1], centres - windows)
    high = np.minimum(bounds[sentence], centres + windows + 1)
    counts = high - low - 1
    before = np.cumsum(counts) - counts
    rows = np.repeat(centres, counts)
    neighbours = np.arange(len(rows)) - np.repeat(before - low, counts)
    neighbours += neighbours >= rows
    return rows, neighbours


def _forget(array: np.ndarray) -> None:
    """Give the pages of a memory map back: they would count as memory of the process."""
    base = array.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
