"""Writing a file so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

from dynotes.corpora.errors import InputError, PathLike


@contextlib.contextmanager
def atomic_open(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file to write into; it takes the place of ``path`` when the block ends well.

    The bytes go to a temporary file in the same folder, are forced to the disk, and the file is
    renamed.  If anything fails, full disk and Ctrl-C included, ``path`` stays as it was and the
    temporary file is removed.  A symbolic link stays a link; the mode of an existing file is kept.

    Raises:
        InputError: ``path`` exists and is no regular file (a rename would replace a device).
        OSError: the folder is missing, the disk is full, ...
    """
    target = os.path.realpath(path)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise InputError(path, "not a regular file, so nothing is written there")
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    _sync_folder(os.path.dirname(target))


def atomic_write(path: PathLike, data: bytes) -> None:
    """Make ``data`` the content of ``path``, or leave ``path`` untouched: see `atomic_open`."""
    with atomic_open(path) as file:
        file.write(data)


def _sync_folder(folder: str) -> None:
    """Force the rename itself to the disk, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
