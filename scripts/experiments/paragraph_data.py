"""Labelled sentences of a data folder: Subj, MR and TREC.

    sentcls/subj/subj.all.gz          10,000 sentences of plots and reviews, 2 classes
    sentcls/mr/rt-polarity.all.gz     10,662 sentences of reviews, 2 classes
    sentcls/trec/TREC.*.all           5,452 questions to train, 500 to test, 6 classes

A line is a label and a sentence; the files are in Latin-1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError
from dynotes.corpora.lines import open_bytes

FILES = {
    "subj": ("subj/subj.all.gz",),
    "mr": ("mr/rt-polarity.all.gz",),
    "trec": ("trec/TREC.train.all", "trec/TREC.test.all"),
}


class Sentences(NamedTuple):
    """Sentences in lower case with the numbers of their classes; the last n_test are for testing.

    n_test: 0 where the set has no split of its own.
    """

    lines: list[str]
    labels: list[int]
    n_test: int


def read_sentences(folder: Path, name: str) -> Sentences:
    """A set of ``FILES``.

    Raises:
        InputError: a file that is not there, or a line without a label and a sentence.
    """
    parts = [_read(folder / "sentcls" / path) for path in FILES[name]]
    pairs = [pair for part in parts for pair in part]
    n_test = len(parts[1]) if len(parts) > 1 else 0
    return Sentences([line for _, line in pairs], [label for label, _ in pairs], n_test)


def _read(path: Path) -> list[tuple[int, str]]:
    with open_bytes(path) as file:
        rows = file.read().decode("latin-1").split("\n")
    found = []
    for number, row in enumerate(rows, start=1):
        label, _, sentence = row.strip().partition(" ")
        if label and not (label.isdigit() and sentence.strip()):
            raise InputError(path, f"expected a label and a sentence, found {row[:40]!r}", number)
        if label:
            found.append((int(label), " ".join(sentence.lower().split())))
    if not found:
        raise InputError(path, "no sentences")
    return found


def write_shuffled(path: Path, lines: Sequence[str]) -> list[int]:
    """Write lines in an order that tells nothing of their classes; which line went where.

    The files are sorted by class: read in that order, every vector would bear the marks of what
    the tables were when its class was trained, and a classifier would find them.

    Returns:
        Line i of the file is ``lines[order[i]]``; the order is always the same.
    """
    order = list(range(len(lines)))
    random.Random(5).shuffle(order)
    atomic_write(path, "".join(lines[i] + "\n" for i in order).encode())
    return order
