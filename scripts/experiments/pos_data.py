"""Words and their part-of-speech tags from CoNLL-U files, and the texts that vectors learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.lines import read_lines

COLUMNS, FORM, TAG = 10, 1, 3
TEXTS = {  # name: below the data folder
    "brown": "embed_corpus/brown_tokens.txt",
    "wikitext2": "wikitext2/train.txt",
}
PARTS = ("train", "dev", "test")


class Tagged(NamedTuple):
    """Sentences with a tag a word."""

    words: list[list[str]]
    tags: list[list[str]]

    @property
    def size(self) -> int:
        """Words in all."""
        return sum(map(len, self.words))


def read_tagged(path: Path) -> Tagged:
    """The words and UPOS tags of a CoNLL-U file, plain or .gz.

    Ranges of words (1-2) and empty nodes (1.1) are left out.

    Raises:
        InputError: a line that has not ten columns, or no sentence at all.
    """
    found = Tagged([], [])
    sentence: list[tuple[str, str]] = []
    for number, line in read_lines(path):
        if line.startswith("#"):
            continue
        if not line.strip():
            _close(found, sentence)
            continue
        fields = line.split("\t")
        if len(fields) != COLUMNS:
            raise InputError(path, f"expected {COLUMNS} columns, found {len(fields)}", number)
        if fields[0].isdigit():
            sentence.append((fields[FORM].replace(" ", "\u00a0"), fields[TAG]))
    _close(found, sentence)
    if not found.words:
        raise InputError(path, "no sentences")
    return found


def _close(found: Tagged, sentence: list[tuple[str, str]]) -> None:
    if sentence:
        words, tags = zip(*sentence)
        found.words.append(list(words))
        found.tags.append(list(tags))
        sentence.clear()


def treebank(folder: Path, name: str) -> dict[str, Path]:
    """The files of a treebank by part.

    Raises:
        InputError: no such folder, or no file of a part in it.
    """
    if not (folder / name).is_dir():
        raise InputError(folder / name, "no such folder of a treebank")
    files = {}
    for part in PARTS:
        here = sorted((folder / name).glob(f"*-{part}.conllu*"))
        if not here:
            raise InputError(folder / name, f"no file *-{part}.conllu")
        files[part] = here[0]
    return files


def real_data(option: Optional[Path]) -> Path:
    """The data folder; InputError where there is none."""
    folder = data_dir(option)
    if folder is None:
        raise InputError("data", "no data folder: name it by --data-dir or DYNOTES_DATA")
    return folder


def lines_of(text: str, folder: Path) -> Iterator[str]:
    """The lines of one of the TEXTS, or of a file."""
    path = folder / TEXTS[text] if text in TEXTS else Path(text)
    packed = path.with_name(path.name + ".gz")
    return (line for _, line in read_lines(path if path.is_file() else existing_file(packed)))


def write_text(path: Path, parts: Iterable[Iterable[str]]) -> Path:
    """A file of the lines of all parts, one part after another."""
    with atomic_open(path) as stream:
        for part in parts:
            for line in part:
                stream.write(line.encode() + b"\n")
    return path


def lowered(tagged: Tagged) -> Tagged:
    """The same in lower case."""
    return Tagged([[word.lower() for word in words] for words in tagged.words], tagged.tags)


def majority_tags(tagged: Tagged, least: int = 1) -> dict[str, str]:
    """The most frequent tag of each word that occurs so often; of equal ones the first seen."""
    counts: dict[str, dict[str, int]] = {}
    for words, tags in zip(tagged.words, tagged.tags):
        for word, tag in zip(words, tags):
            of_word = counts.setdefault(word, {})
            of_word[tag] = of_word.get(tag, 0) + 1
    return {
        word: max(of_word, key=lambda tag: of_word[tag])
        for word, of_word in counts.items()
        if sum(of_word.values()) >= least
    }


def word_rows(words: list[str], rows: dict[str, int], unknown: int) -> np.ndarray:
    """The row of each word, of its lower case if only that is known, or of the unknown word."""
    return np.array([rows.get(w, rows.get(w.lower(), unknown)) for w in words], np.int64)
