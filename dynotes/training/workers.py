"""Several processes compute one gradient: each its own columns of the batch, summed every update.

    g = sum_i g_i,    g_i the gradient of worker i's columns        then every worker updates alike

Every worker has a private engine with the whole model.  They share one anonymous memory map of
float32 slots and meet at barriers; each adds the slots in the same order, so gradients, trainers
and parameters stay equal to the bit in all of them, a run is as repeatable as one with a single
process, and it computes what one process would compute, up to the rounding of the sum.

Note: Tips in Training / Truncated Backprop (T14)
Paper: Chen et al. 2016, arXiv:1604.00981 (synchronous stochastic gradient descent)
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dynotes.graph.shapes import check_size

CHUNK = 1 << 16  # floats added at a time, small enough for the second-level cache
MESSAGE_BYTES = 2000
TOTALS = 8


class WorkerError(RuntimeError):
    """Another worker failed; the message is its own."""


class Workers:
    """N processes around one shared memory map; with N = 1 nothing is forked or shared.

    Args:
        processes: N >= 1.
    """

    def __init__(self, processes: int) -> None:
        self.processes = check_size("processes", processes, high=256)
        self.rank = 0
        self._children: list[int] = []
        self._parent = os.getpid()
        self._arrived = shared_array((processes,), np.int64)
        self._failed = shared_array((1,), np.int64)
        self._message = shared_array((MESSAGE_BYTES,), np.uint8)
        self._totals = shared_array((processes, TOTALS), np.float64)

    @property
    def lead(self) -> bool:
        """True in the process that logs, saves and prints."""
        return self.rank == 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Workers]:
        """Fork the workers; the body runs in each of them, children exit at its end.

        Raises:
            WorkerError: in the lead, if another worker failed or vanished.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        for rank in range(1, self.processes):
            pid = os.fork()
            if pid == 0:
                self.rank, self._children = rank, []
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the lead decides
                break
            self._children.append(pid)
        status = 0
        try:
            yield self
        except BaseException as error:
            status = 1
            if self.processes > 1 and not isinstance(error, WorkerError):
                self._fail("".join(traceback.format_exception_only(type(error), error)).strip())
            if self.rank == 0:
                raise
        finally:
            if self.rank != 0:
                os._exit(status)
            failed = [pid for pid in self._children if os.waitpid(pid, 0)[1]]
            self._children = []
            if failed and status == 0:
                self._fail(f"worker process {failed[0]} ended unexpectedly")
                raise WorkerError(self._reason())

    def barrier(self) -> None:
        """Wait until every worker is here.

        Raises:
            WorkerError: another worker failed or vanished.
        """
        if self.processes == 1:
            return
        self._arrived[self.rank] += 1
        goal, waited = self._arrived[self.rank], 0
        while int(self._arrived.min()) < goal:
            if self._failed[0]:
                raise WorkerError(self._reason())
            time.sleep(0.0002)
            waited += 1
            if waited % 2000 == 0:
                self._check_alive()

    def total(self, *values: float) -> tuple[float, ...]:
        """Sums over the workers, the same in each; at most 8 values."""
        if len(values) > TOTALS:
            raise ValueError(f"expected at most {TOTALS} values, found {len(values)}")
        if self.processes == 1:
            return tuple(float(v) for v in values)
        self._totals[self.rank, : len(values)] = values
        self.barrier()
        sums = self._totals[:, : len(values)].sum(axis=0)
        self.barrier()
        return tuple(float(v) for v in sums)

    def from_lead(self, value: float) -> float:
        """The lead's value, in every worker."""
        return self.total(value if self.lead else 0.0)[0]

    def _fail(self, message: str) -> None:
        if not self._failed[0]:
            text = message.encode("utf-8", "replace")[:MESSAGE_BYTES]
            self._message[: len(text)] = np.frombuffer(text, np.uint8)
            self._failed[0] = 1

    def _reason(self) -> str:
        return bytes(self._message).rstrip(b"\0").decode("utf-8", "replace")

    def _check_alive(self) -> None:
        if self.rank != 0:
            if os.getppid() != self._parent:
                os._exit(1)
            return
        for pid in self._children:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                self._children.remove(pid)
                self._fail(f"worker process {pid} ended unexpectedly")
                return


class GradientSum:
    """Adds up the gradients of all workers in place, between backward() and update().

    Args:
        workers: who takes part; made, like this object, before they fork.
        dense: flat float32 views on the gradients of parameters.
        tables: (V, n) float32 views on the gradients of lookup tables, by name.
    """

    def __init__(
        self, workers: Workers, dense: Sequence[np.ndarray], tables: Mapping[str, np.ndarray]
    ) -> None:
        for view in (*dense, *tables.values()):
            if view.dtype != np.float32 or not view.flags.writeable:
                raise ValueError("expected writeable float32 views")
        self._workers, self._dense, self._tables = workers, list(dense), dict(tables)
        size = sum(v.size for v in (*dense, *tables.values())) if workers.processes > 1 else 0
        self._slots = shared_array((workers.processes, size), np.float32)

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Every view becomes the sum over the workers.

        Args:
            rows: the distinct rows of each table that any worker looked up, the same in each.
        """
        if self._workers.processes == 1:
            return
        parts: list[tuple[np.ndarray, Any]] = [(view, slice(None)) for view in self._dense]
        parts += [(table, rows[name]) for name, table in self._tables.items()]
        at, own = 0, self._slots[self._workers.rank]
        spans = []
        for view, which in parts:
            values = view[which]
            own[at : at + values.size] = values.reshape(-1)
            spans.append((view, which, at, values.shape))
            at += values.size
        self._workers.barrier()
        for view, which, first, shape in spans:
            if view.ndim == 1:
                self._add_dense(view, first)
            else:
                stop = first + int(np.prod(shape))
                view[which] = self._slots[:, first:stop].sum(axis=0).reshape(shape)
        self._workers.barrier()

    def _add_dense(self, view: np.ndarray, offset: int) -> None:
        for first in range(0, view.size, CHUNK):
            part = view[first : first + CHUNK]
            at = slice(offset + first, offset + first + part.size)
            np.add(self._slots[0, at], self._slots[1, at], out=part)
            for slot in self._slots[2:, at]:
                part += slot


def shared_array(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros in memory that survives fork as one and the same; pages are taken when touched."""
    count = int(np.prod(shape))
    buffer = mmap.mmap(-1, max(1, count) * np.dtype(dtype).itemsize)
    return np.frombuffer(buffer, dtype=dtype, count=count).reshape(shape)
