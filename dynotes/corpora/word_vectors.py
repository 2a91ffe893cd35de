"""Files of word vectors: word2vec's text and binary formats, and a pair of .npy and .json.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

The first two are those of the released code, which gensim and most other tools read and write.
The pair ``x.npy`` (matrix) and ``x.words.json`` (words, and a checksum of the matrix) holds any
word, can be mapped into memory, and is read fastest.  All three keep every bit of a float32.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple, Optional, cast

import numpy as np

from dynotes.corpora.atomic import atomic_open, atomic_write
from dynotes.corpora.errors import InputError, PathLike, whole_number
from dynotes.corpora.lines import open_bytes
from dynotes.corpora.word2vec_binary import LONGEST_HEADER, read_binary, write_binary
from dynotes.corpora.word2vec_rows import first_not_finite, parse_header
from dynotes.corpora.word2vec_text import read_text, write_text

FORMATS = ("text", "binary", "npy")
WORDS_FORMAT = "dynotes-words-1"
NPY_MAGIC = b"\x93NUMPY"
SAMPLE = 1 << 16
BLANKS = b"\t\n\r"
CONTROL = bytes(i for i in range(32) if i not in BLANKS)
SEPARATORS = (" ", "\t", "\n", "\v", "\f", "\r", "\0")


class WordVectors(NamedTuple):
    """Words, the most frequent first, and their vectors.

    words: V different words.
    matrix: (V, D) float32.
    """

    words: list[str]
    matrix: np.ndarray


def read_vectors(path: PathLike, *, limit: Optional[int] = None) -> WordVectors:
    """Read a file of vectors of any of the FORMATS; which one is told by its content.

    Args:
        path: text or binary, plain or gzip; or the .npy of a pair.
        limit: only the first words; None reads all.

    Raises:
        InputError: with the line or the entry that is wrong: no or another header, a word twice,
            numbers that are missing, too many, not finite or none, a file that is cut off, bytes
            that are not UTF-8.
    """
    if limit is not None:
        whole_number("limit", limit)
    top = sys.maxsize if limit is None else limit
    with open_bytes(path) as stream:
        line = stream.readline(LONGEST_HEADER)
        sample = stream.read(SAMPLE)
    if line.startswith(NPY_MAGIC):
        return WordVectors(*_read_pair(path, top))
    line = line[3:] if line.startswith(b"\xef\xbb\xbf") else line
    parse_header(path, line)
    return WordVectors(*(read_text if _is_text(sample) else read_binary)(path, top))


def _is_text(sample: bytes) -> bool:
    """Whether the entries are text: (nearly) no control bytes; UTF-8, or numbers in a line.

    One byte in twenty of a file of floats is a control byte.
    """
    if 100 * (len(sample) - len(sample.translate(None, CONTROL))) > len(sample):
        return False
    try:
        sample[: sample.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        numbers = sample.partition(b"\n")[0].partition(b" ")[2].split()
        return bool(numbers) and all(part.strip(b"+-.0123456789eEnaif") == b"" for part in numbers)
    return True


def write_vectors(path: PathLike, vectors: WordVectors, *, format: str) -> None:
    """Write vectors; a file that is there is replaced as a whole or not at all.

    Args:
        path: a name in .gz packs text and binary; npy needs a name in .npy.
        vectors: what to write.
        format: "text", "binary" or "npy".

    Raises:
        InputError: no vectors, other numbers of words and vectors, a word twice, numbers that
            are not finite, or a word that the format cannot hold; with the number of the entry.
        OSError: the folder is missing, the disk is full, ...
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}, found {format!r}")
    words, matrix = vectors.words, _checked(path, vectors)
    if format == "npy":
        _write_pair(path, words, matrix)
        return
    for number, word in enumerate(words, start=1):
        if any(separator in word for separator in SEPARATORS):
            message = f"entry {number}: word2vec's {format} format has no place for white space"
            raise InputError(path, f"{message}, found {word!r}; use npy")
    write = write_text if format == "text" else write_binary
    with atomic_open(path) as file:
        if os.fspath(path).endswith(".gz"):
            with gzip.GzipFile(
                filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0
            ) as packed:
                write(cast(BinaryIO, packed), words, matrix)
        else:
            write(file, words, matrix)


def _checked(path: PathLike, vectors: WordVectors) -> np.ndarray:
    """The matrix as float32, if it fits the words."""
    words, matrix = vectors.words, np.asarray(vectors.matrix)
    if matrix.dtype.kind != "f" or matrix.ndim != 2 or len(matrix) != len(words):
        found = f"{len(words)} words and a {matrix.dtype} matrix {matrix.shape}"
        raise InputError(path, f"expected a vector a word, found {found}")
    if not matrix.size:
        raise InputError(path, f"nothing to write: vectors of the shape {matrix.shape}")
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(matrix, np.float32)
    bad = first_not_finite(matrix)
    if bad is not None:
        raise InputError(path, f"entry {bad + 1}: the vector of {words[bad]!r} is not finite")
    _check_words(path, words)
    return matrix


def _check_words(path: PathLike, words: Sequence[Any]) -> None:
    numbers: dict[str, int] = {}
    for number, word in enumerate(words, start=1):
        if not isinstance(word, str) or not word:
            raise InputError(path, f"entry {number}: expected a word, found {word!r}")
        if numbers.setdefault(word, number) != number:
            where = f"first in entry {numbers[word]}"
            raise InputError(path, f"entry {number}: the word {word!r} is there twice, {where}")
        try:
            word.encode()
        except UnicodeEncodeError:
            message = f"entry {number}: {word!r} cannot be written as UTF-8"
            raise InputError(path, message) from None


def _words_path(path: PathLike) -> str:
    return os.fspath(path)[: -len(".npy")] + ".words.json"


def _write_pair(path: PathLike, words: Sequence[str], matrix: np.ndarray) -> None:
    if not os.fspath(path).endswith(".npy"):
        raise InputError(path, "the npy format needs a name that ends in .npy")
    about = {"format": WORDS_FORMAT, "crc32": _checksum(matrix), "words": list(words)}
    with atomic_open(path) as file:
        np.save(file, matrix.astype("<f4", copy=False), allow_pickle=False)
        atomic_write(_words_path(path), json.dumps(about, ensure_ascii=False).encode() + b"\n")


def _read_pair(path: PathLike, limit: int) -> tuple[list[str], np.ndarray]:
    if not os.fspath(path).endswith(".npy"):
        raise InputError(path, "an npy file whose name does not end in .npy has no words beside it")
    words, crc32 = _read_words(_words_path(path))
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise InputError(path, f"not a npy file: {e}") from None
    if matrix.ndim != 2 or not matrix.size or matrix.dtype != np.dtype("<f4"):
        found = f"{matrix.shape} {matrix.dtype}"
        raise InputError(path, f"expected a (V, D) float32 matrix, found {found}")
    if len(matrix) != len(words) or _checksum(matrix) != crc32:
        raise InputError(path, f"another matrix than the one of {_words_path(path)}")
    rows = np.array(matrix[:limit], np.float32, order="C")
    bad = first_not_finite(rows)
    if bad is not None:
        raise InputError(path, f"entry {bad + 1}: the vector of {words[bad]!r} is not finite")
    return words[:limit], rows


def _read_words(path: str) -> tuple[list[str], int]:
    try:
        with open(path, "rb") as file:
            about = json.loads(file.read())
    except OSError as e:
        raise InputError(path, f"the words of the .npy: {e.strerror}") from None
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"not JSON: {e}", getattr(e, "lineno", None)) from None
    if not isinstance(about, dict) or about.get("format") != WORDS_FORMAT:
        raise InputError(path, f"expected a {WORDS_FORMAT}")
    words, crc32 = about.get("words"), about.get("crc32")
    if not isinstance(words, list) or not isinstance(crc32, int):
        raise InputError(path, "expected a list of words and a crc32")
    _check_words(path, words)
    return words, crc32


def _checksum(matrix: np.ndarray) -> int:
    """CRC-32 of the little-endian rows, some at a time."""
    crc32, a_block = 0, max(1, (1 << 20) // matrix.shape[1])
    for start in range(0, len(matrix), a_block):
        rows = np.ascontiguousarray(matrix[start : start + a_block], "<f4")
        crc32 = zlib.crc32(rows.view(np.uint8).data, crc32)
    return crc32
