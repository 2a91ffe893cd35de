"""The data preprocessing of truncated backprop: one long stream as B parallel columns.

Note: Tips in Training / Truncated Backprop (T16)
Paper: Press 2019, arXiv:1903.04167 (partial_shuffle)

    n = ceil(N / B)        target[t, b] = w[b n + t]        input[t, b] = w[b n + t - 1]

Column b predicts the b-th stretch of the stream, and reads at first the last token of the
stretch before it (``start_id`` for b = 0).  So every token is predicted exactly once, in its
own context, whatever B is; where B does not divide N, the last columns end in padding.

Differs: the catalogue's floor(N / B), common in language-model code, drops up to B - 1 tokens and
never predicts the first of each column; nothing is dropped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from dynotes.corpora.errors import whole_number


class Segment(NamedTuple):
    """T consecutive rows of the columns.

    start: number of the first row.
    inputs, targets: (T, B) int32, time first; 0 where padded.
    keep: (T, B) bool, False where padded; None if all are real tokens.
    """

    start: int
    inputs: np.ndarray
    targets: np.ndarray
    keep: Optional[np.ndarray]


@dataclass(frozen=True, eq=False)
class Columns:
    """A stream of ids as B columns, made by `columns`.

    Holds no copy: only the rows that are asked for are gathered, so ``ids`` may be a memory map.

    ids: (N,) integers.
    batch_size: B.
    start_id: what the first column reads at first.
    """

    ids: np.ndarray
    batch_size: int
    start_id: int

    def __len__(self) -> int:
        """n, the number of rows."""
        return -(-len(self.ids) // self.batch_size)

    def rows(self, start: int, stop: int) -> Segment:
        """Rows start .. stop-1; they may overlap with others (k1 < k2 in the notes).

        Raises:
            ValueError: not 0 <= start < stop <= n.
        """
        n, size = len(self), len(self.ids)
        if not 0 <= start < stop <= n:
            raise ValueError(f"expected rows within 0 to {n}, found {start} to {stop}")
        where = np.arange(start, stop)[:, None] + n * np.arange(self.batch_size)
        keep = where < size
        if keep.all():
            targets, inputs = self.ids[where], self.ids[where - 1]
        else:
            real = np.where(keep, where, 0)
            targets = np.where(keep, self.ids[real], 0)
            inputs = np.where(keep, self.ids[real - 1], 0)
        if start == 0:
            inputs[0, 0] = self.start_id
        return Segment(
            start,
            inputs.astype(np.int32, copy=False),
            targets.astype(np.int32, copy=False),
            None if keep.all() else keep,
        )

    @property
    def inputs(self) -> np.ndarray:
        """All inputs, (n, B) int32."""
        return self.rows(0, len(self)).inputs

    @property
    def targets(self) -> np.ndarray:
        """All targets, (n, B) int32."""
        return self.rows(0, len(self)).targets

    @property
    def keep(self) -> np.ndarray:
        """(n, B) bool, True for real tokens; exactly N are."""
        keep = self.rows(0, len(self)).keep
        return np.ones((len(self), self.batch_size), bool) if keep is None else keep


def columns(ids: Any, batch_size: int, start_id: int) -> Columns:
    """Cut a stream into ``batch_size`` columns of n = ceil(N / B) rows.

    Args:
        ids: (N,) integers >= 0, N >= 1; may be a memory map.
        batch_size: B >= 1; with B > N some columns are all padding.
        start_id: the id read before the first token, usually ``eos_id``.

    Raises:
        ValueError: another shape or type, no ids, or sizes out of range.
    """
    stream = _check_stream(ids)
    batch_size = whole_number("batch_size", batch_size)
    return Columns(stream, batch_size, whole_number("start_id", start_id, low=0))


def restore(cut: Columns) -> np.ndarray:
    """The stream again, (N,) int32, from the targets of the columns, one after the other."""
    return cut.targets.T[cut.keep.T]


def segments(cut: Columns, length: Union[int, Iterable[int]]) -> Iterator[Segment]:
    """The rows of the columns from first to last, every row in exactly one segment.

    The state after one segment is the state before the next one, column by column.

    Args:
        cut: the columns.
        length: rows of each segment: one number, or one number after the other (random lengths);
            of these as many are taken as needed.  The last segment is cut to fit.

    Raises:
        ValueError: a length < 1, or the lengths end before the rows do.
    """
    if isinstance(length, Iterable):
        return _segments(cut, length)
    return _segments(cut, repeat(whole_number("length", length)))


def _segments(cut: Columns, lengths: Iterable[int]) -> Iterator[Segment]:
    start, n = 0, len(cut)
    for length in lengths:
        stop = min(n, start + whole_number("length", length))
        yield cut.rows(start, stop)
        start = stop
        if start == n:
            return
    raise ValueError(f"the lengths end at row {start} of {n}")


def partial_shuffle(ids: Any, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Rotate the stretch of every column by a random amount: another epoch, nothing lost.

        [w_1 .. w_k w_{k+1} .. w_n]  ->  [w_{k+1} .. w_n w_1 .. w_k]        k uniform in 0 .. n-1

    Only at the joint of a column, and at its start, does a token get a foreign context.

    Args:
        ids: (N,) integers; not changed.
        batch_size: B, the same as for `columns` afterwards.
        rng: draws one k for each column that has a token.

    Returns:
        (N,) ids of the same type, in memory.

    Raises:
        ValueError: as `columns`.
    """
    stream = _check_stream(ids)
    n = -(-len(stream) // whole_number("batch_size", batch_size))
    stretches = [stream[at : at + n] for at in range(0, len(stream), n)]
    return np.concatenate([np.roll(part, -int(rng.integers(len(part)))) for part in stretches])


def _check_stream(ids: Any) -> np.ndarray:
    stream = np.asarray(ids)
    if stream.ndim != 1 or stream.size == 0 or stream.dtype.kind not in "iu":
        raise ValueError(f"ids: expected (N,) integers, found {stream.shape} {stream.dtype}")
    if not np.can_cast(stream.dtype, np.int32) and stream.max() > np.iinfo(np.int32).max:
        raise ValueError(f"ids: expected less than 2**31, found {stream.max()}")
    return stream
