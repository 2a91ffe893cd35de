"""What the text and the binary format of word2vec share: the header, and rows being read."""

from __future__ import annotations

import os
import re
from typing import Callable, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import GZIP_MAGIC, UTF16_MARKS

HEADER = re.compile(rb"[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n?")
PACKED = 1032  # no gzip file unpacks to more than so many times its size
FINITE_ROWS = 4096


class Header(NamedTuple):
    """The first line: number of words and of dimensions."""

    n_words: int
    size: int


def parse_header(path: PathLike, line: bytes) -> Header:
    """The header of a file of vectors.

    Raises:
        InputError: not two whole numbers above 0.
    """
    match = HEADER.fullmatch(line)
    if match is None:
        if not line:
            raise InputError(path, "empty file")
        found = line[:40].decode("utf-8", "replace").strip()
        message = f"expected a header with the number of words and of dimensions, found {found!r}"
        if line.startswith(UTF16_MARKS):
            message = "UTF-16 text: convert it to UTF-8 first"
        elif len(line.split()) > 2:
            message += " (vectors without a header? put one in front)"
        raise InputError(path, message, 1)
    n_words, size = map(int, match.groups())
    if not n_words or not size:
        raise InputError(path, f"a header of {n_words} words of {size} dimensions", 1)
    return Header(n_words, size)


class Rows:
    """Words and vectors of a file of which the header, not yet to be trusted, is known.

    Args:
        path, header: of the file.
        limit: read no more words.
        row_bytes: what an entry takes at least, so that a wrong header reserves no memory.
        place: message and number of the line for the error of an entry, numbered from 0.
    """

    def __init__(
        self,
        path: PathLike,
        header: Header,
        *,
        limit: int,
        row_bytes: int,
        place: Callable[[int, str], InputError],
    ) -> None:
        self.error = place
        self.n_words = min(header.n_words, limit)
        room = _unpacked_bytes(path) // row_bytes
        if room == 0:
            raise InputError(path, f"too short for one vector of {header.size} dimensions", 1)
        self.matrix = np.empty((min(self.n_words, room), header.size), "<f4")
        self.numbers: dict[str, int] = {}

    def add_word(self, word: str) -> None:
        """Take the word of the next entry.

        Raises:
            InputError: no word, or one that was there before.
        """
        number = len(self.numbers)
        if not word:
            raise self.error(number, "no word before the numbers")
        if self.numbers.setdefault(word, number) != number:
            first = self.error(self.numbers[word], "")
            where = first.message.rstrip(": ") if first.line is None else f"line {first.line}"
            raise self.error(number, f"the word {word!r} is there twice, first in {where}")

    def finished(self) -> tuple[list[str], np.ndarray]:
        """Words and their (V, D) float32 matrix.

        Raises:
            InputError: a vector that is not finite.
        """
        matrix = self.matrix.astype(np.float32, copy=False)
        words = list(self.numbers)
        bad = first_not_finite(matrix)
        if bad is not None:
            raise self.error(bad, f"the vector of {words[bad]!r} is not finite")
        return words, matrix


def first_not_finite(matrix: np.ndarray) -> Optional[int]:
    """Number of the first row with a NaN or an infinity, or None."""
    for start in range(0, len(matrix), FINITE_ROWS):
        good = np.isfinite(matrix[start : start + FINITE_ROWS]).all(axis=1)
        if not good.all():
            return start + int(good.argmin())
    return None


def _unpacked_bytes(path: PathLike) -> int:
    """No fewer bytes than the file has when it is unpacked."""
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return os.path.getsize(path) * (PACKED if packed else 1)
