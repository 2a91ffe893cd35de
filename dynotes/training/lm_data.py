"""The texts of a language-model run as ids, their vocabulary, and a fingerprint of the files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.lines import read_lines
from dynotes.corpora.lm_corpus import LmText, build_vocabulary, read_lm_text
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training.lm_config import LmConfig

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class LmFiles:
    """Paths of the three texts; a fixed word list instead of counting the training text."""

    train: Path
    dev: Path
    test: Optional[Path] = None
    vocabulary: Optional[Path] = None

    def named(self) -> dict[str, Optional[str]]:
        """Absolute paths as text, for config.json."""
        parts = ("train", "dev", "test", "vocabulary")
        return {n: str(p.resolve()) if (p := getattr(self, n)) else None for n in parts}

    @classmethod
    def from_named(cls, names: Mapping[str, Optional[str]]) -> LmFiles:
        """The inverse of :meth:`named`; ValueError without a training or development text."""
        paths = {name: Path(value) if value else None for name, value in names.items()}
        train, dev = paths.pop("train"), paths.pop("dev")
        if train is None or dev is None:
            raise ValueError("it names no training or development text")
        return cls(train, dev, **paths)


@dataclass(frozen=True)
class LmData:
    """Texts by part ("train", "dev", "test"), and what the ids mean."""

    vocabulary: Vocabulary
    texts: Mapping[str, LmText]
    eos_id: int


def load_data(files: LmFiles, config: LmConfig, vocabulary: Optional[Vocabulary] = None) -> LmData:
    """Read the texts.

    Args:
        files: their paths.
        config: vocabulary settings.
        vocabulary: a given one (resumed runs); None builds or loads it.

    Raises:
        InputError: naming file and line of what is wrong.
    """
    if vocabulary is None and files.vocabulary is not None:
        vocabulary = word_list(files.vocabulary)
        ids = read_lm_text(files.train, vocabulary, lower=config.lower, numbers=config.numbers).ids
        vocabulary = by_frequency(vocabulary, np.bincount(ids, minlength=len(vocabulary)))
    if vocabulary is None:
        vocabulary = build_vocabulary(
            files.train,
            min_count=config.min_count,
            max_size=config.max_vocabulary or None,
            lower=config.lower,
            numbers=config.numbers,
        )
    if vocabulary.eos_id is None:
        raise InputError(files.vocabulary or files.train, "the vocabulary has no end of sentence")
    texts = {
        part: read_lm_text(path, vocabulary, lower=config.lower, numbers=config.numbers)
        for part in PARTS
        if (path := getattr(files, part)) is not None
    }
    return LmData(vocabulary, texts, vocabulary.eos_id)


def word_list(path: Path) -> Vocabulary:
    """A vocabulary from a text file of one word a line; ``<eos>`` is added if it is not there."""
    words: dict[str, None] = {}
    for line, text in read_lines(path):
        word = text.strip()
        if word in words:
            raise InputError(path, f"the word {word!r} stands there twice", line)
        if len(word.split()) > 1:
            raise InputError(path, f"expected one word, found {word!r}", line)
        if word:
            words[word] = None
    if not words:
        raise InputError(path, "no words")
    unk = "<unk>" if "<unk>" in words else None
    return Vocabulary.from_words(dict.fromkeys(("<eos>", *words)), unk=unk, eos="<eos>")


def by_frequency(vocabulary: Vocabulary, counts: np.ndarray) -> Vocabulary:
    """The same words with these counts, the most frequent first, ties in the given order."""
    order = np.argsort(-counts, kind="stable")
    return Vocabulary(
        [vocabulary.words[i] for i in order],
        unk=vocabulary.unk,
        eos=vocabulary.eos,
        counts=counts[order].tolist(),
    )


def fingerprint(files: LmFiles) -> dict[str, str]:
    """SHA-256 of every file, to notice that a resumed run would read another text."""
    sums = {}
    for name, path in files.named().items():
        if path is None:
            continue
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        except OSError as error:
            raise InputError(path, str(error.strerror).lower()) from None
        sums[name] = digest.hexdigest()
    return sums
