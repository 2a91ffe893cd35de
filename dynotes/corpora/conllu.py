"""Treebanks in CoNLL-U, read and written without losing a byte, a sentence at a time.

A sentence keeps its lines as they are in the file: comments, multi-word tokens (3-4), empty nodes
(8.1), FEATS, DEPS, MISC, line ends and all.  Only `ConlluSentence.with_tree` changes two columns.

Note: Topic: Dependency Parsing / Task Description (T68)
Paper: Nivre et al. 2016, 2020 (Universal Dependencies; https://universaldependencies.org/format).
Differs: the library `conllu` reads the values of single columns and comments here, but it does
    not cut files into sentences nor lines into columns: it strips the ends of lines, also cuts
    at two spaces (a form may hold them), accepts any number of columns, drops comments without
    a value and knows no line numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NoReturn, Optional

import numpy as np
from conllu.exceptions import ParseException
from conllu.parser import parse_comment_line, parse_id_value, parse_int_value

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import MARK, read_tokens, read_whole_lines
from dynotes.corpora.trees import tree_fault

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
HEAD, LABEL = COLUMNS.index("HEAD"), COLUMNS.index("DEPREL")


class ConlluSentence:
    """One sentence of a treebank; immutable.  Made by `read_conllu` or `read_plain`.

    Args:
        lines: all its lines with their ends, the blank line that closes it and any blank lines
            beyond included.
        words: which of the lines are words (neither multi-word tokens nor empty nodes).
        heads: (n,) the heads of the words, 0 for a root; None if they were not read.
        number: the number of the first line in the file.
    """

    __slots__ = ("heads", "lines", "number", "words")

    def __init__(
        self,
        lines: Sequence[str],
        words: Sequence[int],
        heads: Optional[np.ndarray] = None,
        number: int = 1,
    ) -> None:
        self.lines, self.words = tuple(lines), tuple(words)
        self.heads, self.number = heads, number

    def __len__(self) -> int:
        return len(self.words)

    def column(self, name: str) -> list[str]:
        """The values of one of the COLUMNS, such as ``"FORM"``, for the n words."""
        place = COLUMNS.index(name)
        return [_cells(self.lines[i])[place] for i in self.words]

    @property
    def forms(self) -> list[str]:
        """The n words."""
        return self.column("FORM")

    @property
    def labels(self) -> list[str]:
        """The n labels of the arcs, as they stand in the file."""
        return self.column("DEPREL")

    @property
    def comments(self) -> dict[str, Optional[str]]:
        """The comments of the form ``# key = value``, such as sent_id and text."""
        texts = (line.lstrip(MARK) for line in self.lines)
        return {k: v for t in texts if t.startswith("#") for k, v in parse_comment_line(t)}

    def text(self) -> str:
        """The sentence as it stands in the file, byte for byte once it is UTF-8 again."""
        return "".join(self.lines)

    def with_tree(self, heads: Any, labels: Sequence[str]) -> ConlluSentence:
        """The same sentence with other heads and labels, fit to be written.

        All else is kept, DEPS too; but a byte-order mark at the front goes, and exactly one blank
        line closes the sentence: readers of CoNLL-U want both.

        Args:
            heads: (n,) integers from 0 to n.
            labels: n texts without a tab or a line end.

        Raises:
            ValueError: another number of heads or labels, a head or a label that cannot be.
        """
        array = np.asarray(heads)
        if array.shape != (len(self),) or array.dtype.kind not in "iu" or len(labels) != len(self):
            raise ValueError(
                f"expected {len(self)} heads and labels, found {array.dtype} {array.shape} "
                f"and {len(labels)}"
            )
        if array.min() < 0 or array.max() > len(self):
            raise ValueError(
                f"heads: expected 0 to {len(self)}, found {array.min()} to {array.max()}"
            )
        lines = list(self.lines)
        for i, head, label in zip(self.words, array.tolist(), labels):
            if not label or "\t" in label or label.splitlines() != [label]:
                raise ValueError(f"labels: expected a text on one line, found {label!r}")
            cells = lines[i].split("\t")
            cells[HEAD], cells[LABEL] = str(head), label
            lines[i] = "\t".join(cells)
        return ConlluSentence(*_closed(lines, self.words), array.astype(np.int64), self.number)


def _closed(lines: list[str], words: Sequence[int]) -> tuple[list[str], list[int]]:
    """The lines without mark and blank lines, and one blank line at the end; where words are."""
    first, last = 0, len(lines)
    while not lines[first].strip("\r\n" + MARK):
        first += 1
    while not lines[last - 1].strip("\r\n"):
        last -= 1
    body = lines[first:last]
    body[0] = body[0].lstrip(MARK)
    end = "\r\n" if body[0].endswith("\r\n") else "\n"
    body[-1] = body[-1].rstrip("\r\n") + end
    return [*body, end], [i - first for i in words]


def _cells(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t")


def read_conllu(
    path: PathLike, *, trees: bool = True, multi_root: bool = False
) -> Iterator[ConlluSentence]:
    """The sentences of a CoNLL-U file, plain or gzip, of any size, one at a time.

    Their texts put together are the file.  Blank lines beyond the one that closes a sentence
    belong to that sentence, those at the start of the file to the first one.

    Args:
        path: the file.
        trees: read the heads and insist on trees; False leaves HEAD alone (text to be parsed).
        multi_root: several words of a sentence may have the head 0.

    Raises:
        InputError: with the line: another number of columns, an empty column, ids that do not
            count 1, 2, ..., a range or an empty node out of place, a sentence without words, a
            comment behind a word; a head that is no number, out of range or on a cycle, no root
            or several; what `read_lines` raises; or a file without a sentence.
    """
    found = False
    for block in _blocks(path):
        found = True
        yield block.sentence(trees, multi_root)
    if not found:
        raise InputError(path, "no sentence")


def read_plain(path: PathLike) -> Iterator[ConlluSentence]:
    """Sentences from plain text, one a line, its words between white space; blank lines go.

    Each becomes a sentence of CoNLL-U with a comment ``# text``, its forms and ``_`` elsewhere.

    Raises:
        InputError: as `read_tokens`.
    """
    for number, words in enumerate(read_tokens(path), start=1):
        if words:
            rest = "\t_" * (len(COLUMNS) - 2)
            rows = [f"{i}\t{word}{rest}\n" for i, word in enumerate(words, start=1)]
            lines = [f"# text = {' '.join(words)}\n", *rows, "\n"]
            yield ConlluSentence(lines, range(1, len(words) + 1), number=number)


def write_conllu(sentences: Iterable[ConlluSentence], file: BinaryIO) -> int:
    """Write sentences one after the other; returns how many."""
    count = 0
    for sentence in sentences:
        file.write(sentence.text().encode("utf-8"))
        count += 1
    return count


def _blocks(path: PathLike) -> Iterator[_Block]:
    """The file cut behind its blank lines."""
    block = _Block(path, 1)
    for number, line in read_whole_lines(path):
        text = line.rstrip("\r\n")
        if number == 1:
            text = text.removeprefix(MARK)
        if text and block.closed:
            yield block
            block = _Block(path, number)
        block.add(line, text)
    if block.started:
        yield block


class _Block:
    """The lines of one sentence while they are read, and where in their counting they are."""

    def __init__(self, path: PathLike, number: int) -> None:
        self.path, self.number = path, number
        self.lines: list[str] = []
        self.words: list[int] = []
        self.heads: list[str] = []
        self.started = self.closed = False
        self.node = 0  # the last empty node behind the last word
        self.range_end, self.range_line = 0, 0  # of the last multi-word token

    def refuse(self, message: str, line: Optional[int] = None) -> NoReturn:
        """Raise the error at a line of the block; without one, at the line just added."""
        at = len(self.lines) - 1 if line is None else line
        raise InputError(self.path, message, self.number + at)

    def add(self, line: str, text: str) -> None:
        """Take a line; ``text`` is the line without mark and end."""
        self.lines.append(line)
        if not text:
            self.closed = self.started
        elif text.startswith("#"):
            if self.words:
                self.refuse("a comment behind a word: is a blank line missing before it?")
            self.started = True
        else:
            self.started = True
            self.row(text.split("\t"))

    def row(self, cells: list[str]) -> None:
        if len(cells) != len(COLUMNS):
            hint = "" if len(cells) > 1 else " (cut by tabs, not by spaces)"
            self.refuse(f"expected {len(COLUMNS)} columns{hint}, found {len(cells)}")
        if "" in cells:
            place = cells.index("")
            self.refuse(f"column {place + 1} ({COLUMNS[place]}) is empty: expected a value or _")
        if cells[0] == str(len(self.words) + 1):
            self.words.append(len(self.lines) - 1)
            self.heads.append(cells[HEAD])
            self.node = 0
        else:
            self.other(cells[0])

    def other(self, text: str) -> None:
        """A row that is not the next word: a multi-word token, an empty node, or a mistake."""
        expected = len(self.words) + 1
        try:
            value = parse_id_value(text)
        except ParseException:
            value = None
        if isinstance(value, tuple) and value[1] == "-":
            if value[0] != expected or value[0] <= self.range_end:
                start = max(expected, self.range_end + 1)
                self.refuse(f"ID {text}: expected a range from {start} on")
            self.range_end, self.range_line = value[2], len(self.lines) - 1
        elif isinstance(value, tuple):
            place = f"{expected - 1}.{self.node + 1}"
            if text != place:
                self.refuse(f"ID {text}: expected {expected}, or {place} for an empty node")
            self.node += 1
        elif isinstance(value, int) and 0 < value < expected:
            hint = " (is a blank line missing before it?)" if value == 1 else ""
            self.refuse(f"ID {text} a second time: expected {expected}{hint}")
        else:
            self.refuse(f"ID {text}: expected {expected}")

    def sentence(self, trees: bool, multi_root: bool) -> ConlluSentence:
        if not self.words:
            self.refuse("a sentence without words")
        if self.range_end > len(self.words):
            found = f"the sentence has {len(self.words)} words"
            self.refuse(f"a range up to word {self.range_end}, but {found}", self.range_line)
        heads = self.tree(multi_root) if trees else None
        return ConlluSentence(self.lines, self.words, heads, self.number)

    def tree(self, multi_root: bool) -> np.ndarray:
        values = []
        for row, text in zip(self.words, self.heads):
            try:
                value = parse_int_value(text)
            except ParseException:
                value = None
            if value is None:
                self.refuse(f"HEAD {text}: expected a number from 0 to {len(self.words)}", row)
            values.append(value)
        fault = tree_fault(values, multi_root=multi_root)
        if fault is not None:
            self.refuse(fault.message, self.words[fault.word - 1])
        return np.array(values, dtype=np.int64)
