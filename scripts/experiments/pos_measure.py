"""A treebank as word ids and tags, and the accuracy of a probe on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pos_data

from dynotes.corpora.errors import InputError
from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.training.word2vec.sources import find_vectors


class Bank(NamedTuple):
    """A treebank: parts by name, the tags of the training part, and the data folder."""

    parts: dict[str, pos_data.Tagged]
    tags: list[str]
    folder: Path


def read_bank(data: Optional[Path], name: str, test: bool) -> Bank:
    """The parts of a treebank; the test part only if it is asked for."""
    folder = pos_data.real_data(data)
    files = pos_data.treebank(folder, name)
    parts = {
        part: pos_data.read_tagged(path) for part, path in files.items() if test or part != "test"
    }
    tags = sorted({tag for sentence in parts["train"].tags for tag in sentence})
    for part, tagged in parts.items():
        unknown = {tag for sentence in tagged.tags for tag in sentence} - set(tags)
        if unknown:
            raise InputError(files[part], f"tags that training has not: {sorted(unknown)}")
    return Bank(parts, tags, folder)


def make_text(path: Path, texts: Sequence[str], bank: Bank) -> Path:
    """One file of the texts, in their order; the one that is there stays."""
    if path.is_file():
        return path
    treebank = (" ".join(words) for words in bank.parts["train"].words)
    parts = [treebank if t == "treebank" else pos_data.lines_of(t, bank.folder) for t in texts]
    return pos_data.write_text(path, parts)


def probe(run: Path, bank: Bank, radius: int, epochs: int, seed: int) -> dict[str, Any]:
    """Accuracies of a classifier on the vectors of a run, by part of the treebank.

    "dev", "test": of all words; "dev_new_words", ...: of those that have a vector and are not among
    the words of the training part.  "unknown": share of the words of dev without a vector.
    """
    from pos_classifier import Probe

    vectors = read_vectors(find_vectors(run))
    sets = {part: examples_of(bank, part, vectors, radius) for part in bank.parts}
    classifier = Probe(vectors, radius, len(bank.tags))
    rng = np.random.default_rng(seed)
    dev, epoch = classifier.fit(sets["train"], sets["dev"], epochs, rng)
    here, unknown = len(vectors.words), sets["dev"].rows[radius] == len(vectors.words)
    found: dict[str, Any] = {"dev": dev, "epoch": epoch, "unknown": float(unknown.mean())}
    seen = {word for words in bank.parts["train"].words for word in words}
    for part in sets.keys() - {"train"}:
        right, rows = classifier.right(sets[part]), sets[part].rows[radius]
        words = [word for sentence in bank.parts[part].words for word in sentence]
        new = np.array([word not in seen for word in words]) & (rows != here)
        found[part] = float(right.mean())
        found[f"{part}_new_words"] = float(right[new].mean()) if new.any() else float("nan")
    return found


def examples_of(bank: Bank, part: str, vectors: WordVectors, radius: int) -> Any:
    """The words of a part as rows of the vectors, with the ids of their tags."""
    from pos_classifier import examples

    rows = {word: row for row, word in enumerate(vectors.words)}
    ids = {tag: i for i, tag in enumerate(bank.tags)}
    tagged = bank.parts[part]
    sentences = [pos_data.word_rows(words, rows, len(rows)) for words in tagged.words]
    tags = np.array([ids[tag] for sentence in tagged.tags for tag in sentence])
    return examples(sentences, tags, radius, len(rows) + 1)
