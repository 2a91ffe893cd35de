"""A labelled text of any size as memory-mapped bags of rows, made once and kept in a folder.

Two passes over the text: the first counts words and labels, the second writes the bags; then the
buckets that were used get their rows.  Memory grows with the different words and n-grams, not
with the text.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_open, atomic_write
from dynotes.corpora.char_ngrams import END_OF_SENTENCE
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, PathLike, whole_number
from dynotes.corpora.labelled_text import PLAIN, LabelledText, TextStyle, read_labelled
from dynotes.corpora.text_features import TextFeatures
from dynotes.corpora.vocabulary import Vocabulary

FORMAT = "dynotes-labelled-1"
ABOUT, USED = "examples.json", "buckets.int64"
FILES = {"rows": np.int32, "row_ends": np.int64, "labels": np.int32, "label_ends": np.int64}
LINES = 1 << 12  # lines in memory at the same time
ROWS = 1 << 20  # rows in memory at the same time


class LabelledExamples(NamedTuple):
    """S texts with their labels.

    features: what the rows stand for.
    labels: vocabulary with counts, the most frequent label first.
    rows, row_ends: text s is rows[row_ends[s-1] : row_ends[s]]; int32 and int64 memory maps.
    label_ids, label_ends: the same for its labels.
    n_words: words of all texts, "</s>" and labels not counted.
    digest: SHA-256 of the file.
    """

    features: TextFeatures
    labels: Vocabulary
    rows: np.ndarray
    row_ends: np.ndarray
    label_ids: np.ndarray
    label_ends: np.ndarray
    n_words: int
    digest: str


def store_examples(
    path: PathLike,
    folder: PathLike,
    *,
    min_count: int = 1,
    n: int = 1,
    minn: int = 0,
    maxn: int = 0,
    buckets: int = 2_000_000,
    style: TextStyle = PLAIN,
    more_words: Sequence[str] = (),
) -> LabelledExamples:
    """The examples of a file, taken from the folder if it has those of this text and settings.

    Args:
        path, style: see `read_labelled`.
        folder: made if need be; holds one text.
        min_count: rarer words have no row.
        n, minn, maxn, buckets: see `TextFeatures`.
        more_words: words that have a row although the text may lack them.

    Raises:
        InputError: see `read_labelled`; a file that changes meanwhile; a folder that cannot be
            made.
    """
    whole_number("min_count", min_count)
    folder, digest = Path(folder), digest_of(path)
    sizes: dict[str, Any] = {"n": n, "minn": minn, "maxn": maxn, "buckets": buckets}
    more = hashlib.sha256("\n".join(more_words).encode()).hexdigest()
    settings = {**sizes, **style._asdict(), "min_count": min_count, "more_words": more}
    stored = _open_stored(folder, settings, digest)
    if stored is not None:
        return stored
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(folder / ABOUT)  # no description is ever beside examples of another text
    except OSError as error:
        raise InputError(folder, error.strerror or str(error)) from None
    words, labels, n_words = _count(path, style)
    vocabulary = _vocabulary(words, min_count, more_words)
    label_table = Vocabulary.build(labels, unk=None, eos=None)
    features = TextFeatures(vocabulary, **sizes)
    _write(read_labelled(path, style), folder, features, label_table)
    if digest_of(path) != digest:
        raise InputError(path, "changed while it was read")
    _renumber(folder, len(vocabulary), buckets)
    about = {"format": FORMAT, "settings": settings, "sha256": digest, "n_words": n_words}
    about.update(vocabulary=vocabulary.to_json(), labels=label_table.to_json())
    atomic_write(folder / ABOUT, json.dumps(about, ensure_ascii=False).encode() + b"\n")
    return _opened(folder, about)


def _count(path: PathLike, style: TextStyle) -> tuple[Counter[str], Counter[str], int]:
    """How often each word and label occurs, "</s>" once a line; and the words in all."""
    words: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    lines = 0
    for text in read_labelled(path, style):
        words.update(text.words)
        labels.update(text.labels)
        lines += 1
    n_words = sum(words.values())
    words[END_OF_SENTENCE] += lines
    return words, labels, n_words


def _vocabulary(words: Counter[str], min_count: int, more: Sequence[str]) -> Vocabulary:
    """The frequent words, and behind them those that are named beside."""
    base = Vocabulary.build(words, min_count=min_count, unk=None, eos=END_OF_SENTENCE)
    added = [word for word in more if word not in base]
    if not added:
        return base
    every = [*base.words, *added]
    return Vocabulary(every, eos=END_OF_SENTENCE, counts=[words[word] for word in every])


def _write(
    texts: Iterator[LabelledText], folder: Path, features: TextFeatures, labels: Vocabulary
) -> None:
    """The four files, with codes in the place of rows."""
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(atomic_open(_file(folder, name))) for name in FILES}
        rows_before = labels_before = 0
        for block in _blocks(texts):
            bag = features.codes([text.words for text in block])
            ids = labels.encode([label for text in block for label in text.labels])
            ends = np.cumsum([len(text.labels) for text in block])
            arrays = (bag.rows, bag.ends + rows_before, ids, ends + labels_before)
            for (name, dtype), values in zip(FILES.items(), arrays):
                files[name].write(values.astype(dtype).data)
            rows_before += len(bag.rows)
            labels_before += len(ids)


def _blocks(texts: Iterator[LabelledText]) -> Iterator[list[LabelledText]]:
    block: list[LabelledText] = []
    for text in texts:
        block.append(text)
        if len(block) == LINES:
            yield block
            block = []
    if block:
        yield block


def _renumber(folder: Path, V: int, buckets: int) -> None:
    """Codes become rows, in place: nothing describes the file yet."""
    codes = np.memmap(_file(folder, "rows"), np.int32, mode="r+")
    seen = np.zeros(buckets, bool)
    spans = range(0, len(codes), ROWS)
    for i in spans:
        part = codes[i : i + ROWS]
        seen[part[part >= V] - V] = True
    used = np.flatnonzero(seen)
    for i in spans:
        part = codes[i : i + ROWS]
        ngrams = part >= V
        part[ngrams] = V + np.searchsorted(used, part[ngrams] - V)
    codes.flush()
    atomic_write(folder / USED, used.astype(np.int64).tobytes())


def _open_stored(folder: Path, settings: dict[str, Any], digest: str) -> Optional[LabelledExamples]:
    """What the folder holds, if it is this text with these settings."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        same = (about["format"], about["settings"], about["sha256"]) == (FORMAT, settings, digest)
        return _opened(folder, about) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _opened(folder: Path, about: dict[str, Any]) -> LabelledExamples:
    """The memory maps; ValueError if their lengths do not fit together."""
    maps = {name: np.memmap(_file(folder, name), d, mode="r") for name, d in FILES.items()}
    for values, ends in (("rows", "row_ends"), ("labels", "label_ends")):
        if len(maps["row_ends"]) != len(maps[ends]) or int(maps[ends][-1]) != len(maps[values]):
            raise ValueError(f"{folder}: {values} and {ends} do not fit together")
    settings = {name: about["settings"][name] for name in ("n", "minn", "maxn", "buckets")}
    features = TextFeatures(
        Vocabulary.from_json(about["vocabulary"]),
        **settings,
        used=np.fromfile(folder / USED, np.int64),
    )
    labels = Vocabulary.from_json(about["labels"])
    rows, row_ends, ids, label_ends = (maps[name] for name in FILES)
    n_words, digest = about["n_words"], about["sha256"]
    return LabelledExamples(features, labels, rows, row_ends, ids, label_ends, n_words, digest)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.{np.dtype(FILES[name]).name}"
