"""Word vectors as text: a header ``V D``, then a line a word, its D numbers behind it.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

Numbers are written with 9 digits, which give back every bit of a float32.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import BinaryIO, Callable, Optional

import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines
from dynotes.corpora.word2vec_rows import Rows, parse_header

NUMBERS = 1 << 18  # numbers that are text at the same time


def read_text(path: PathLike, limit: int) -> tuple[list[str], np.ndarray]:
    """Words and (V, D) float32 vectors of a text file.

    Args:
        path: plain or gzip.
        limit: read no more words.

    Raises:
        InputError: with the number of the line that is wrong.
    """
    lines = read_lines(path)
    header = parse_header(path, next(lines, (1, ""))[1].encode())
    size = header.size

    def error(number: int, message: str) -> InputError:
        return InputError(path, message, number + 2)

    rows = Rows(path, header, limit=limit, row_bytes=2 * size + 1, place=error)
    block: list[str] = []
    done, a_block = 0, max(1, NUMBERS // size)
    for number, (_, line) in enumerate(lines):
        if number >= rows.n_words:
            if limit <= rows.n_words:
                break
            if line.strip():
                raise error(number, f"more than the {header.n_words} words of the header")
            continue
        word, _, numbers = line.partition(" ")
        found = len(numbers.split())
        if found != size:
            raise error(number, _wrong_row(line, found, size))
        rows.add_word(word)
        block.append(numbers)
        if len(block) == a_block:
            rows.matrix[done : done + len(block)] = _parsed(block, size, done, error)
            done, block = done + len(block), []
    rows.matrix[done : done + len(block)] = _parsed(block, size, done, error)
    read = len(rows.numbers)
    if read < rows.n_words:
        message = f"the file ends after {read} of the {header.n_words} words of the header"
        raise error(read, message)
    return rows.finished()


def _wrong_row(line: str, found: int, size: int) -> str:
    if not line.strip():
        return f"expected a word and {size} numbers, found a blank line"
    hint = " (a word with a space?)" if found == size + 1 else ""
    return f"expected a word and {size} numbers, found a word and {found}{hint}"


def _parsed(
    block: list[str], size: int, done: int, error: Callable[[int, str], InputError]
) -> np.ndarray:
    """The numbers of some lines, (n, size); the line that holds something else is named."""
    values = _numbers(" ".join(block), size * len(block))
    if values is not None:
        return values.reshape(-1, size)
    wrong = (
        error(done + i, f"{part[:40]!r} is not a number")
        for i, line in enumerate(block)
        for part in line.split()
        if _numbers(part, 1) is None
    )
    raise next(wrong)


def _numbers(text: str, count: int) -> Optional[np.ndarray]:
    """So many numbers between blanks, or None if they are not just that."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text.encode("ascii", "replace").decode(), np.float32, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    return values if len(values) == count else None


def write_text(file: BinaryIO, words: Sequence[str], matrix: np.ndarray) -> None:
    """Write the header and a line a word; the words are without white space."""
    n_words, size = matrix.shape
    file.write(b"%d %d\n" % (n_words, size))
    form = " %.9g" * size + "\n"
    a_block = max(1, NUMBERS // size)
    for start in range(0, n_words, a_block):
        rows = matrix[start : start + a_block].tolist()
        some = words[start : start + a_block]
        lines = [word + form % tuple(row) for word, row in zip(some, rows)]
        file.write("".join(lines).encode("utf-8"))
