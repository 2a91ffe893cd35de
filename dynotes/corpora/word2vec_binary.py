"""Word vectors in word2vec's binary format: a header ``V D``, then word, blank, D float32.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

Numbers are little-endian.  The released code ends each entry by a newline, gensim does not: both
are read, the newline is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import open_bytes
from dynotes.corpora.word2vec_rows import Rows, parse_header

MAX_WORD = 10_000  # bytes
BUFFER = 1 << 20  # bytes, more than a word
LONGEST_HEADER = 100


def read_binary(path: PathLike, limit: int) -> tuple[list[str], np.ndarray]:
    """Words and (V, D) float32 vectors of a binary file.

    Args:
        path: plain or gzip.
        limit: read no more words.

    Raises:
        InputError: with the number of the entry that is wrong, from 1.
    """

    def error(number: int, message: str) -> InputError:
        return InputError(path, f"entry {number + 1}: {message}")

    with open_bytes(path) as stream:
        header = parse_header(path, stream.readline(LONGEST_HEADER))
        length = 4 * header.size
        rows = Rows(path, header, limit=limit, row_bytes=length + 2, place=error)
        bits = rows.matrix.view(np.uint8).data.cast("B")
        data, at = b"", 0
        for number in range(rows.n_words):
            blank = data.find(b" ", at, at + MAX_WORD)
            if blank < 0 or blank + length >= len(data):
                data, at = data[at:] + stream.read(BUFFER + length), 0
                blank = data.find(b" ", 0, MAX_WORD)
                _check_entry(rows, number, header.n_words, data, blank, length)
            word = data[at:blank].lstrip(b"\n")
            try:
                rows.add_word(word.decode("utf-8"))
            except UnicodeDecodeError:
                raise error(number, f"the word {word[:40]!r} is not UTF-8") from None
            at = blank + 1 + length
            bits[number * length : (number + 1) * length] = data[blank + 1 : at]
        if limit > rows.n_words and (data[at:] + stream.read(2)).strip(b"\n"):
            raise error(rows.n_words, f"more than the {header.n_words} words of the header")
    return rows.finished()


def _check_entry(
    rows: Rows, number: int, n_words: int, data: bytes, blank: int, length: int
) -> None:
    if blank < 0 and len(data) > MAX_WORD:
        raise rows.error(number, f"no blank in {MAX_WORD} bytes, so no word")
    if blank < 0 or blank + length >= len(data):
        found = "is cut off" if data.strip(b"\n") else "is missing"
        raise rows.error(number, f"{found}: the header promises {n_words}")


def write_binary(file: BinaryIO, words: Sequence[str], matrix: np.ndarray) -> None:
    """Write the header and the entries; the words are without white space."""
    n_words, size = matrix.shape
    file.write(b"%d %d\n" % (n_words, size))
    a_block = max(1, BUFFER // (4 * size))
    for start in range(0, n_words, a_block):
        rows = matrix[start : start + a_block].astype("<f4")
        entries = zip(words[start : start + a_block], rows)
        file.write(b"".join(b"%b %b\n" % (word.encode(), row.tobytes()) for word, row in entries))
