"""The error of every reader of files, and the checks of a whole number and of a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional, Union

PathLike = Union[str, "os.PathLike[str]"]


class InputError(ValueError):
    """A file that cannot be used, told in one line: ``path:line: message`` or ``path: message``.

    Args:
        path: the file (or folder) as the user named it.
        message: what is wrong, with the found and the expected value.
        line: number of the offending line, from 1; None if it concerns the whole file.
    """

    def __init__(self, path: PathLike, message: str, line: Optional[int] = None) -> None:
        super().__init__(path, message, line)
        self.path = os.fspath(path)
        self.message = message
        self.line = line

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return " ".join(f"{place}: {self.message}".splitlines())


def whole_number(name: str, value: Any, low: int = 1, high: int = 2**31 - 1) -> int:
    """``value`` as an int if it is a whole number in [low, high]; ValueError otherwise."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, found {value!r}")
    return int(value)


def existing_file(path: Path) -> Path:
    """The path, if there is a file; InputError otherwise."""
    if not path.exists():
        raise InputError(path, "no such file")
    if not path.is_file():
        raise InputError(path, "not a file")
    return path
