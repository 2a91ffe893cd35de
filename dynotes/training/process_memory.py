"""Reading this process's own memory without ever touching an address that is not there.

DyNet's Python objects hold pointers to C++ objects that its Python interface does not show (values,
gradients, optimizer moments).  Everything here looks an address up in the table of mappings before
it is dereferenced, so a wrong guess answers None instead of killing the process.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORD = ctypes.sizeof(ctypes.c_void_p)
FIRST_FIELD = 2 * WORD  # after a Python object's reference count and type
MAPPINGS = Path("/proc/self/maps")


class OwnMemory:
    """The readable and writable anonymous memory of this process at the moment of construction.

    Files, devices (where a GPU's memory would show) and read-only pages are left out.  On a system
    without a table of mappings there is none, and every question is answered with None.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        lines = MAPPINGS.read_text().splitlines() if MAPPINGS.exists() else []
        for line in lines:
            span, mode, _, _, _, *path = line.split(maxsplit=5)
            if not mode.startswith("rw") or not _anonymous(path):
                continue
            start, stop = (int(part, 16) for part in span.split("-"))
            if self._stops and self._stops[-1] == start:
                self._stops[-1] = stop
            else:
                self._starts.append(start)
                self._stops.append(stop)

    def holds(self, address: int, size: int) -> bool:
        """Whether all bytes [address, address + size) may be read and written."""
        i = bisect_right(self._starts, address) - 1
        return i >= 0 and size > 0 and address + size <= self._stops[i]

    def word(self, address: int) -> int | None:
        """The pointer-sized word at an address, or None where there is no memory."""
        if address % WORD or not self.holds(address, WORD):
            return None
        return ctypes.c_size_t.from_address(address).value

    def floats(self, address: int | None, count: int, owner: Any = None) -> np.ndarray | None:
        """A writable float32 view, (count,), of memory; None where there is none.

        Args:
            address: of the first number; None is passed through.
            count: how many numbers.
            owner: kept alive as long as the view.
        """
        if address is None or address % 4 or not self.holds(address, 4 * count):
            return None
        memory: Any = (ctypes.c_float * count).from_address(address)
        memory.owner = owner
        return np.frombuffer(memory, dtype=np.float32)

    def fields(self, obj: Any) -> Iterator[tuple[int, int]]:
        """(offset, word) of every field of a Python extension object."""
        for offset in range(FIRST_FIELD, type(obj).__basicsize__, WORD):
            word = self.word(id(obj) + offset)
            if word is not None:
                yield offset, word


def _anonymous(path: list[str]) -> bool:
    """True for the heap and for anonymous mappings, private or shared between processes."""
    return not path or path[0].startswith(("[heap]", "[anon", "/dev/zero"))
