"""Lines of a text file, plain or gzip, of any size, in constant memory.

Note: Tips in Training / Truncated Backprop (T16)

UTF-8 only.  A line ends at a newline; a carriage return before it and a byte-order mark at the
start of the file are dropped.  Whatever is no text is refused with the number of the line.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Callable, NoReturn, Optional, cast

from dynotes.corpora.errors import InputError, PathLike

MAX_LINE = 10_000_000  # bytes: more is a binary file, or text that was never cut into lines
BUFFER = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
MARK = "\ufeff"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: PathLike) -> Iterator[tuple[int, str]]:
    """The lines of a file, one at a time.

    Args:
        path: plain text or gzip (told by its first bytes, not by its name).

    Yields:
        (number of the line from 1, its text without the line end).

    Raises:
        InputError: missing or unreadable file, folder, no UTF-8, NUL bytes, truncated or corrupt
            gzip, or a line of more than MAX_LINE bytes; with the number of the line.
    """
    for number, text in read_whole_lines(path):
        if number == 1:
            text = text.removeprefix(MARK)
        if text.endswith("\n"):
            text = text[:-2] if text.endswith("\r\n") else text[:-1]
        yield number, text


def read_whole_lines(path: PathLike) -> Iterator[tuple[int, str]]:
    """As `read_lines`, but nothing is dropped: put together, the texts are the file.

    Yields:
        (number of the line from 1, its text with the line end, the mark of the file in the first).
    """
    for number, raw in enumerate(_raw_lines(path), start=1):
        if len(raw) > MAX_LINE:
            hint = "is it text? cut it into lines first, for example with: fold -s -w 10000"
            raise InputError(path, f"line of more than {MAX_LINE} bytes ({hint})", number)
        if b"\0" in raw:
            _refuse(path, number, raw, "NUL byte: a binary file?")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as e:
            found = f"byte 0x{raw[e.start]:02x} at byte {e.start + 1} of the line"
            _refuse(path, number, raw, f"not UTF-8: {found}")
        yield number, text


def read_tokens(path: PathLike) -> Iterator[list[str]]:
    """The tokens of each line, cut at white space; a blank line gives an empty list.

    Raises:
        InputError: as `read_lines`; and "no text" if the whole file holds no token.
    """
    empty = True
    for _, text in read_lines(path):
        tokens = text.split()
        empty = empty and not tokens
        yield tokens
    if empty:
        raise InputError(path, "no text")


def _refuse(path: PathLike, number: int, raw: bytes, message: str) -> NoReturn:
    if number == 1 and raw.startswith(UTF16_MARKS):
        message = "UTF-16 text: convert it to UTF-8 first"
    raise InputError(path, message, number)


def unpacked_digest(path: PathLike) -> str:
    """SHA-256 of the bytes of a file, unpacked if it is gzip, as hexadecimal digits.

    Raises:
        InputError: unreadable file, truncated or corrupt gzip.
    """
    digest = hashlib.sha256()
    with open_bytes(path) as stream:
        while block := stream.read(BUFFER):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def open_bytes(path: PathLike) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if it is gzip, for readers of binary files.

    Raises:
        InputError: unreadable file, truncated or corrupt gzip, while the block reads it.
    """
    with _told_as_input_error(path, lambda: None), _open_bytes(path) as stream:
        yield stream


def _raw_lines(path: PathLike) -> Iterator[bytes]:
    """Lines as bytes, each cut off one byte after MAX_LINE."""
    number = 0
    with _told_as_input_error(path, lambda: number + 1), _open_bytes(path) as stream:
        while raw := stream.readline(MAX_LINE + 1):
            number += 1
            yield raw


@contextlib.contextmanager
def _told_as_input_error(path: PathLike, line: Callable[[], Optional[int]]) -> Iterator[None]:
    """Errors of the system and of gzip as InputError, with the line that could not be read."""
    try:
        yield
    except EOFError:
        raise InputError(path, "truncated gzip file", line()) from None
    except (gzip.BadGzipFile, zlib.error) as e:
        raise InputError(path, f"corrupt gzip file: {e}", line()) from None
    except OSError as e:
        first = line() in (None, 1)
        raise InputError(path, e.strerror or str(e), None if first else line()) from None


@contextlib.contextmanager
def _open_bytes(path: PathLike) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if it is gzip."""
    with open(path, "rb", buffering=BUFFER) as plain:
        if cast(io.BufferedReader, plain).peek(2)[:2] == GZIP_MAGIC:
            with gzip.GzipFile(fileobj=plain) as packed:
                yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), BUFFER))
        elif os.fspath(path).endswith(".gz"):
            raise InputError(path, "not a gzip file, though its name ends in .gz")
        else:
            yield plain
