"""Labelled texts, a line each: ``__label__a __label__b the words of the text``.

A token that begins with the prefix is a label, wherever in the line it stands; all others are
words.  Blank lines are passed over.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759 (the format of the released code)
Differs: the released code passes over lines without a label, here they are an error unless they
    are only to be predicted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines

PREFIX = "__label__"
MARKS = re.compile(r"([.!?,'/()])")


class TextStyle(NamedTuple):
    """How the words of a text are read.

    prefix: what a label begins with.
    lower: words, not labels, in lower case.
    marks: each of . ! ? , ' / ( ) is a word of its own, as in the tutorial of the released code.
    """

    prefix: str = PREFIX
    lower: bool = False
    marks: bool = False


PLAIN = TextStyle()


class LabelledText(NamedTuple):
    """A line of a file.

    number: of the line, from 1.
    labels: without the prefix, each once, in the order of the line.
    words: all other tokens; there may be none.
    """

    number: int
    labels: list[str]
    words: list[str]


def read_labelled(path: PathLike, style: TextStyle = PLAIN) -> Iterator[LabelledText]:
    """The lines of a file that have at least one label each, one at a time.

    Args:
        path: plain text or gzip.
        style: how labels and words are told.

    Raises:
        InputError: with the line that has no label or a label without a name; a file without any
            text; and as `read_lines`.
    """
    found = False
    for number, line in read_lines(path):
        labels, words = split_labels(line, style)
        if not labels and not words:
            continue
        found = True
        if not labels:
            hint = f"expected a token that begins with {style.prefix}"
            raise InputError(path, f"no label ({hint})", number)
        if "" in labels:
            raise InputError(path, f"a label without a name, {style.prefix!r} alone", number)
        yield LabelledText(number, labels, words)
    if not found:
        raise InputError(path, "no text")


def split_labels(line: str, style: TextStyle = PLAIN) -> tuple[list[str], list[str]]:
    """The labels of a line, without the prefix and each once, and its words.

    Raises:
        ValueError: an empty prefix, which would make a label of every word.
    """
    if not style.prefix:
        raise ValueError("prefix: expected a text that is not empty")
    tokens = line.split()
    labels = [token[len(style.prefix) :] for token in tokens if token.startswith(style.prefix)]
    words = [token for token in tokens if not token.startswith(style.prefix)] if labels else tokens
    if style.lower or style.marks:
        text = " ".join(words)
        text = text.lower() if style.lower else text
        words = (MARKS.sub(r" \1 ", text) if style.marks else text).split()
    return list(dict.fromkeys(labels)), words
