"""Test sets of word vectors: analogies, graded similarities, and the folders of BATS.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013a, sec. 4.1 (questions-words); Gladkova, Drozd & Matsuoka 2016 (BATS)

    a : b = c : d        answers to "a is to b as c is to what" are the words d

Nothing here lower-cases: that is a choice of the evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines

SYNTACTIC = "gram"  # how the sections of questions-words about grammar begin


class Question(NamedTuple):
    """a : b = c : d, where BATS knows several right words b and d; else they are one."""

    a: str
    b: tuple[str, ...]
    c: str
    d: tuple[str, ...]


class AnalogySection(NamedTuple):
    """Questions about one relation.

    name: as the file has it.
    group: "semantic" or "syntactic" for questions-words, the folder for BATS, else "".
    """

    name: str
    group: str
    questions: list[Question]


class SimilarityTest(NamedTuple):
    """Pairs of words and how similar people find them.

    pairs: P pairs.
    gold: (P,) float64.
    """

    pairs: list[tuple[str, str]]
    gold: np.ndarray


def read_analogies(path: PathLike) -> list[AnalogySection]:
    """Questions ``a b c d``, one a line, below headings ``: name``.

    Raises:
        InputError: not four words, a question before the first heading, or no question at all;
            with the number of the line.
    """
    sections: list[AnalogySection] = []
    for number, line in _content(path):
        if line.startswith(":"):
            name = line[1:].strip()
            if not name:
                raise InputError(path, "a heading without a name", number)
            sections.append(AnalogySection(name, "", []))
            continue
        words = line.split()
        if len(words) != 4:
            raise InputError(path, f"expected four words a b c d, found {len(words)}", number)
        if not sections:
            raise InputError(path, "expected a heading ': name' before the questions", number)
        a, b, c, d = words
        sections[-1].questions.append(Question(a, (b,), c, (d,)))
    if not any(section.questions for section in sections):
        raise InputError(path, "no questions")
    if any(section.name.startswith(SYNTACTIC) for section in sections):
        sections = [section._replace(group=_group(section.name)) for section in sections]
    return sections


def _group(name: str) -> str:
    return "syntactic" if name.startswith(SYNTACTIC) else "semantic"


def read_similarity(path: PathLike) -> SimilarityTest:
    """Two words and a number a line, between tabs or blanks; lines that begin with # are skipped.

    Raises:
        InputError: other columns, no finite number, or no pair; with the number of the line.
    """
    pairs, gold = [], []
    for number, line in _content(path):
        if line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t" if "\t" in line else None)]
        if len(fields) != 3 or not all(fields):
            found = f"expected two words and a number, found {len(fields)} columns"
            raise InputError(path, found, number)
        try:
            value = float(fields[2])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(path, f"{fields[2]!r} is not a number", number)
        pairs.append((fields[0], fields[1]))
        gold.append(value)
    if not pairs:
        raise InputError(path, "no pairs")
    return SimilarityTest(pairs, np.array(gold))


def read_bats(folder: PathLike) -> list[AnalogySection]:
    """The relations of BATS: every pair of a file is an example for every other one.

    Args:
        folder: with a file ``*.txt`` a relation, in folders that are its groups.  A line holds a
            word, a tab, and the right words, separated by ``/``.

    Raises:
        InputError: no such folder or no files in it, or a line of another form.
    """
    if not Path(folder).is_dir():
        raise InputError(folder, "no such folder")
    files = sorted(Path(folder).rglob("*.txt"))
    if not files:
        raise InputError(folder, "no files *.txt of pairs")
    sections = []
    for path in files:
        pairs = _read_pairs(path)
        questions = [
            Question(*p, *q) for i, p in enumerate(pairs) for j, q in enumerate(pairs) if i != j
        ]
        group = "" if path.parent == Path(folder) else path.parent.name
        sections.append(AnalogySection(path.stem, group, questions))
    return sections


def _read_pairs(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    pairs = []
    for number, line in _content(path):
        word, _, right = line.partition("\t")
        answers = tuple(dict.fromkeys(filter(None, map(str.strip, right.split("/")))))
        if not word.strip() or not answers:
            raise InputError(path, "expected a word, a tab, and right words between /", number)
        pairs.append((word.strip(), answers))
    if len(pairs) < 2:
        raise InputError(path, f"expected pairs to compare, found {len(pairs)}")
    return pairs


def _content(path: PathLike) -> Iterator[tuple[int, str]]:
    """The lines that are not blank."""
    return ((number, line) for number, line in read_lines(path) if line.strip())
