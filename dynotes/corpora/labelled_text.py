"""Labelled texts, a line each: ``__label__a __label__b the words of the text``.

A token that begins with the prefix is a label, wherever in the line it stands; all others are
words.  Blank lines are passed over.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759 (the format of the released code)
Differs: the released code passes over lines without a label, here they are an error unless they
    are only to be predicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines

PREFIX = "__label__"


class LabelledText(NamedTuple):
    """A line of a file.

    number: of the line, from 1.
    labels: without the prefix, each once, in the order of the line.
    words: all other tokens; there may be none.
    """

    number: int
    labels: list[str]
    words: list[str]


def read_labelled(
    path: PathLike, *, prefix: str = PREFIX, lower: bool = False
) -> Iterator[LabelledText]:
    """The lines of a file that have at least one label each, one at a time.

    Args:
        path: plain text or gzip.
        prefix: what a label begins with.
        lower: words, not labels, in lower case.

    Raises:
        InputError: with the line that has no label or a label without a name; a file without any
            text; and as `read_lines`.
    """
    found = False
    for number, line in read_lines(path):
        tokens = line.split()
        if not tokens:
            continue
        found = True
        labels, words = split_labels(tokens, prefix)
        if not labels:
            hint = f"expected a token that begins with {prefix}"
            raise InputError(path, f"no label ({hint})", number)
        if "" in labels:
            raise InputError(path, f"a label without a name, {prefix!r} alone", number)
        yield LabelledText(number, labels, [w.lower() for w in words] if lower else words)
    if not found:
        raise InputError(path, "no text")


def split_labels(tokens: list[str], prefix: str = PREFIX) -> tuple[list[str], list[str]]:
    """The labels among some tokens, without the prefix and each once, and the words.

    Raises:
        ValueError: an empty prefix, which would make a label of every word.
    """
    if not prefix:
        raise ValueError("prefix: expected a text that is not empty")
    labels = [token[len(prefix) :] for token in tokens if token.startswith(prefix)]
    return list(dict.fromkeys(labels)), [t for t in tokens if not t.startswith(prefix)]
