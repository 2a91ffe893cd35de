"""Several processes train private copies of one model and merge them every k steps.

    theta <- theta_0 + rate / N * sum_i (theta_i - theta_0)

theta_0 is the last merged point, theta_i what worker i made of it.  rate = 1 averages the
parameters (local SGD); rate = N applies the steps of all workers, the progress an epoch has with
one process.  Workers share nothing but one anonymous memory map of float32 slots and meet at
barriers, and every worker adds the slots in the same order, so all end with the same bits and a
run with N workers is as repeatable as one with a single process.

Note: Tips in Training / Truncated Backprop (T14)
Paper: McDonald, Hall & Mann 2010 (iterative parameter mixing); Stich 2019 (local SGD)
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Optional

import numpy as np

from dynotes.graph.shapes import check_size

CHUNK = 1 << 16  # floats merged at a time, small enough for the second-level cache
MESSAGE_BYTES = 2000
TOTALS = 8


class WorkerError(RuntimeError):
    """Another worker failed; the message is its own."""


class Workers:
    """N processes around one shared memory map; with N = 1 nothing is forked or copied.

    Args:
        processes: N >= 1.
        views: flat float32 arrays onto the parameters themselves; equal in all workers.
        rate: 0 < rate <= N, see the module's equation.
    """

    def __init__(self, processes: int, views: Sequence[np.ndarray], rate: float = 1.0) -> None:
        self.processes = check_size("processes", processes, high=256)
        if not 0 < rate <= processes:
            raise ValueError(f"merge rate: expected 0 < rate <= {processes}, found {rate}")
        self.rank, self.rate, self._views = 0, float(rate), list(views)
        self._children: list[int] = []
        self._parent = os.getpid()
        if processes == 1:
            return
        for view in self._views:
            if view.dtype != np.float32 or view.ndim != 1 or not view.flags.writeable:
                raise ValueError("views: expected flat writeable float32 arrays")
        size = sum(view.size for view in self._views)
        self._arrived = _shared(processes, np.int64)
        self._failed = _shared(1, np.int64)
        self._message = _shared(MESSAGE_BYTES, np.uint8)
        self._totals = _shared(processes * TOTALS, np.float64).reshape(processes, TOTALS)
        self._slots = _shared(processes * size, np.float32).reshape(processes, size)
        self._base = np.concatenate(self._views)

    @property
    def lead(self) -> bool:
        """True in the process that logs, saves and prints."""
        return self.rank == 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Workers]:
        """Fork the workers; the body runs in each of them, children exit at its end."""
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
            for pid in self._children:
                os.waitpid(pid, 0)
            self._children = []

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
                raise WorkerError(bytes(self._message).rstrip(b"\0").decode("utf-8", "replace"))
            time.sleep(0.0002)
            waited += 1
            if waited % 2000 == 0:
                self._check_alive()

    def merge(self) -> None:
        """Merge the parameters of all workers; afterwards they are bit-equal everywhere."""
        if self.processes == 1:
            return
        self._scatter(self._slots[self.rank])
        self.barrier()
        keep, share = 1.0 - self.rate, self.rate / self.processes
        offset = 0
        for view in self._views:
            for first in range(0, view.size, CHUNK):
                part = view[first : first + CHUNK]
                at = slice(offset + first, offset + first + part.size)
                np.add(self._slots[0, at], self._slots[1, at], out=part)
                for slot in self._slots[2:, at]:
                    part += slot
                part *= np.float32(share)
                if keep:
                    part += np.float32(keep) * self._base[at]
                self._base[at] = part
            offset += view.size
        self.barrier()

    def adopt(self) -> None:
        """Give every worker the lead's parameters, and take them as the last merged point."""
        if self.processes == 1:
            return
        if self.lead:
            self._scatter(self._slots[0])
        self.barrier()
        self._base[:] = self._slots[0]
        offset = 0
        for view in self._views:
            view[:] = self._base[offset : offset + view.size]
            offset += view.size
        self.barrier()

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

    def _scatter(self, slot: np.ndarray) -> None:
        offset = 0
        for view in self._views:
            slot[offset : offset + view.size] = view
            offset += view.size

    def _fail(self, message: str) -> None:
        if not self._failed[0]:
            text = message.encode("utf-8", "replace")[:MESSAGE_BYTES]
            self._message[: len(text)] = np.frombuffer(text, np.uint8)
            self._failed[0] = 1

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


def _shared(count: int, dtype: type) -> np.ndarray:
    """Zeros in memory that survives fork as one and the same."""
    size = max(1, count) * np.dtype(dtype).itemsize
    buffer: Optional[mmap.mmap] = mmap.mmap(-1, size)
    return np.frombuffer(buffer, dtype=dtype, count=count)
