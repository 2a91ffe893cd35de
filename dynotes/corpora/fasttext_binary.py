"""Vectors of words and n-grams in fastText's own .bin format, version 12.

    magic, version | sizes and settings | words with counts | input table | output table

The input table has a row for each word and each bucket.  Of buckets without a vector nothing is
written: the rows are holes in the file, which read as zeros, and of which most disks keep the
large ones for nothing.  On reading, rows of zeros get no vector again.  Numbers are little-endian.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606 (the released code)
Differs: the format has no sum: a reader takes the mean of the units.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.char_ngrams import check_lengths
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.subword_vectors import SubwordVectors
from dynotes.corpora.word2vec_rows import first_not_finite
from dynotes.corpora.word_vectors import SEPARATORS

MAGIC, VERSION = 793712314, 12
HEADER, DICTIONARY, ENTRY, MATRIX = "<2i12id", "<3i2q", "<qb", "<?2q"
LOSSES = {"hierarchical": 1, "negative-sampling": 2, "softmax": 3}
CBOW, SKIP_GRAM = 1, 2
BUFFER = 1 << 22  # bytes


@dataclass(frozen=True)
class FastTextFile:
    """What a .bin file holds.

    vectors: the input table, as a mean.
    counts: (V,) int64, how often each word occurs.
    outputs: (n, D) float32 output vectors, or None.
    window, epochs, min_count, negatives, loss, cbow, subsample: how they were trained.
    """

    vectors: SubwordVectors
    counts: np.ndarray
    outputs: Optional[np.ndarray] = None
    window: int = 5
    epochs: int = 5
    min_count: int = 5
    negatives: int = 5
    loss: str = "negative-sampling"
    cbow: bool = False
    subsample: float = 1e-4


def is_fasttext(path: PathLike) -> bool:
    """Whether a file begins like one of fastText's."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == struct.pack("<i", MAGIC)
    except OSError as e:
        raise InputError(path, e.strerror or str(e)) from None


def write_fasttext(path: PathLike, model: FastTextFile) -> None:
    """Write a .bin file; one that is there is replaced as a whole or not at all.

    Raises:
        InputError: a word that the format cannot hold or that is there twice, other numbers of
            words and counts, or numbers that are not finite.
        OSError: the folder is missing, the disk is full, ...
    """
    vectors, counts = model.vectors, model.counts
    _check_words(path, vectors.words)
    if counts.shape != (len(vectors.words),):
        raise InputError(path, f"expected a count a word, found {counts.shape}")
    bad = first_not_finite(vectors.table)
    if bad is not None:
        raise InputError(path, f"row {bad + 1} of the table is not finite")
    size = vectors.table.shape[1]
    outputs = np.zeros((0, size), np.float32) if model.outputs is None else model.outputs
    with atomic_open(path) as file:
        file.write(_header(model))
        n_words = len(counts)
        file.write(struct.pack(DICTIONARY, n_words, n_words, 0, int(counts.sum()), -1))
        for word, count in zip(vectors.words, counts.tolist()):
            file.write(word.encode() + b"\0" + struct.pack(ENTRY, count, 0))
        file.write(struct.pack(MATRIX, False, n_words + _n_buckets(vectors), size))
        _write_rows(file, vectors.table[:n_words])
        _write_buckets(file, vectors, n_words)
        file.write(struct.pack(MATRIX, False, *outputs.shape))
        _write_rows(file, outputs)


def _n_buckets(vectors: SubwordVectors) -> int:
    """Rows for n-grams: none without n-grams, as the released code and gensim have it."""
    return vectors.n_buckets if vectors.maxn else 0


def _header(model: FastTextFile) -> bytes:
    vectors = model.vectors
    return struct.pack(
        HEADER,
        *(MAGIC, VERSION, vectors.table.shape[1], model.window, model.epochs, model.min_count),
        *(model.negatives, 1, LOSSES[model.loss], CBOW if model.cbow else SKIP_GRAM),
        *(_n_buckets(vectors), vectors.minn, vectors.maxn, 100, model.subsample),
    )


def _check_words(path: PathLike, words: Sequence[str]) -> None:
    numbers: dict[str, int] = {}
    for number, word in enumerate(words, start=1):
        if not word or any(separator in word for separator in SEPARATORS):
            raise InputError(path, f"entry {number}: fastText's format cannot hold {word!r}")
        if numbers.setdefault(word, number) != number:
            where = f"first in entry {numbers[word]}"
            raise InputError(path, f"entry {number}: the word {word!r} is there twice, {where}")


def _write_rows(file: BinaryIO, rows: np.ndarray) -> None:
    a_block = max(1, BUFFER // (4 * rows.shape[1]))
    for start in range(0, len(rows), a_block):
        file.write(np.ascontiguousarray(rows[start : start + a_block], "<f4").data)


def _write_buckets(file: BinaryIO, vectors: SubwordVectors, n_words: int) -> None:
    """Runs of neighbouring buckets, each at its place."""
    begin, row_bytes = file.tell(), 4 * vectors.table.shape[1]
    firsts = np.flatnonzero(np.diff(vectors.buckets.astype(np.int64), prepend=-2) != 1)
    ends = np.append(firsts[1:], len(vectors.buckets)).tolist()
    for first, end in zip(firsts.tolist(), ends):
        file.seek(begin + int(vectors.buckets[first]) * row_bytes)
        _write_rows(file, vectors.table[n_words + first : n_words + end])
    file.seek(begin + _n_buckets(vectors) * row_bytes)


def read_fasttext(path: PathLike) -> FastTextFile:
    """Read a .bin file of word vectors; rows of zeros among the buckets are left out.

    Raises:
        InputError: another file, one of another version, cut off or longer than it says, a
            classifier, compressed vectors, a word that is not UTF-8 or there twice, or numbers
            that are not finite.
    """
    try:
        with open(path, "rb") as file:
            return _Reader(path, file).model()
    except OSError as e:
        raise InputError(path, e.strerror or str(e)) from None


class _Reader:
    """Reads the parts of a file one after another."""

    def __init__(self, path: PathLike, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.left = os.fstat(file.fileno()).st_size

    def model(self) -> FastTextFile:
        magic, version, size, *rest = self._unpack(HEADER)
        if magic != MAGIC:
            raise InputError(self.path, "not a file of fastText")
        if version != VERSION:
            raise InputError(self.path, f"expected version {VERSION}, found {version}")
        window, epochs, min_count, negatives, _, loss, kind, n_buckets, minn, maxn, _, t = rest
        if kind not in (CBOW, SKIP_GRAM) or loss not in LOSSES.values():
            raise InputError(self.path, "a classifier, no word vectors")
        if size < 1 or n_buckets < 0:
            raise InputError(self.path, f"damaged: {size} dimensions, {n_buckets} buckets")
        try:
            check_lengths(minn, maxn)
        except ValueError as error:
            raise InputError(self.path, f"n-grams of these lengths are unknown: {error}") from None
        words, counts = self._words()
        table, buckets = self._input(len(words), n_buckets, size)
        outputs = self._output(size)
        if self.left:
            raise InputError(self.path, f"{self.left} bytes too many")
        return FastTextFile(
            SubwordVectors(words, table, buckets, n_buckets, minn, maxn),
            counts,
            outputs if len(outputs) else None,
            window,
            epochs,
            min_count,
            negatives,
            next(name for name, number in LOSSES.items() if number == loss),
            kind == CBOW,
            t,
        )

    def _words(self) -> tuple[list[str], np.ndarray]:
        n_entries, n_words, n_labels, _, pruned = self._unpack(DICTIONARY)
        if n_labels:
            raise InputError(self.path, f"a classifier of {n_labels} labels, no word vectors")
        if pruned > 0:
            raise InputError(self.path, "compressed vectors cannot be read")
        if n_entries != n_words or not 0 < n_words <= self.left:
            raise InputError(self.path, f"damaged: {n_words} words in {n_entries} entries")
        words: dict[str, int] = {}
        for number in range(1, n_words + 1):
            word = self._word(number)
            if word in words:
                raise InputError(self.path, f"entry {number}: the word {word!r} is there twice")
            words[word], _ = self._unpack(ENTRY)
        return list(words), np.fromiter(words.values(), np.int64, n_words)

    def _word(self, number: int) -> str:
        letters = bytearray()
        while (letter := self._bytes(1)) != b"\0":
            letters += letter
        try:
            return letters.decode()
        except UnicodeDecodeError:
            found = bytes(letters[:40])
            raise InputError(self.path, f"entry {number}: {found!r} is not UTF-8") from None

    def _input(self, n_words: int, n_buckets: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the words and of the buckets that have one, and these buckets."""
        n_rows = self._matrix(size)
        if n_rows != n_words + n_buckets:
            expected = f"{n_words} words and {n_buckets} buckets"
            raise InputError(self.path, f"{n_rows} rows for {expected}")
        rows = self._rows(n_rows, size)
        kept = np.ones(n_rows, bool)
        a_block = max(1, BUFFER // (4 * size))
        for start in range(n_words, n_rows, a_block):
            kept[start : start + a_block] = rows[start : start + a_block].any(axis=1)
        return np.array(rows[kept], np.float32), np.flatnonzero(kept[n_words:])

    def _output(self, size: int) -> np.ndarray:
        return np.array(self._rows(self._matrix(size), size), np.float32)

    def _matrix(self, size: int) -> int:
        """The number of rows of the matrix that follows."""
        compressed, n_rows, found = self._unpack(MATRIX)
        if compressed:
            raise InputError(self.path, "compressed vectors cannot be read")
        if found != size or n_rows < 0:
            raise InputError(
                self.path, f"damaged: a matrix ({n_rows}, {found}) of {size}-d vectors"
            )
        return int(n_rows)

    def _rows(self, n: int, size: int) -> np.ndarray:
        """A map of the rows that follow."""
        self._take(4 * n * size)
        if n == 0:
            return np.zeros((0, size), "<f4")
        at = self.file.tell()
        rows = np.memmap(self.file, "<f4", "r", at, (n, size))
        self.file.seek(at + 4 * n * size)
        if first_not_finite(rows) is not None:
            raise InputError(self.path, "a vector is not finite")
        return rows

    def _unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))

    def _bytes(self, n: int) -> bytes:
        self._take(n)
        return self.file.read(n)

    def _take(self, n: int) -> None:
        """So many bytes more are read; InputError if the file has fewer."""
        if n > self.left:
            raise InputError(self.path, f"cut off: {n - self.left} bytes are missing")
        self.left -= n
