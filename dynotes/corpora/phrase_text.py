"""A text file with its phrases as single tokens, first_second.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, section 4
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional, cast

import numpy as np

from dynotes.corpora.atomic import atomic_open, atomic_write
from dynotes.corpora.errors import InputError, PathLike, whole_number
from dynotes.corpora.lines import read_lines
from dynotes.corpora.phrase_types import PhraseTypes
from dynotes.corpora.phrases import Phrases, find_phrases, join_phrases
from dynotes.corpora.token_store import TokenText, store_tokens

JOINER = "_"


class Phrase(NamedTuple):
    """Two tokens that became one, text first + JOINER + second.

    together: how often they are neighbours; score: see `dynotes.corpora.phrases`; kind: its type.
    """

    text: str
    first: str
    second: str
    together: int
    score: float
    kind: str


def write_phrases(
    path: PathLike,
    out: PathLike,
    *,
    threshold: float,
    discount: float = 5.0,
    min_count: int = 5,
    passes: int = 1,
    lower: bool = False,
    types: Optional[PhraseTypes] = None,
) -> list[Phrase]:
    """Write a text with its phrases joined; the file appears whole or not at all.

    Args:
        path: plain or gzip text, a sentence a line.
        out: the text to write, packed if its name ends in .gz; lines stay lines.
        threshold, discount, min_count: see `find_phrases`.
        passes: each joins the pairs of the one before; more than one finds longer phrases.
        lower: in lower case.
        types: of the phrases; None: of all OTHER.

    Returns:
        The phrases of all passes, of each pass the best first.

    Raises:
        InputError: no text, or out is the text itself.
        OSError: the folder of out is missing, the disk is full, ...
    """
    whole_number("passes", passes)
    if os.path.exists(out) and os.path.samefile(path, out):
        raise InputError(out, "is the text itself; write to another file")
    found: list[Phrase] = []
    with tempfile.TemporaryDirectory(dir=Path(out).resolve().parent, prefix=".phrases-") as folder:
        source = path
        for number in range(passes):
            text = store_tokens(source, Path(folder) / "tokens", min_count=1, lower=lower)
            counts = np.asarray(text.vocabulary.counts)
            phrases = find_phrases(
                text.ids,
                text.sentence_ends,
                counts,
                threshold=threshold,
                discount=discount,
                min_count=min_count,
            )
            found += _named(text, phrases, types or PhraseTypes({}, {}))
            target = out if number + 1 == passes else Path(folder) / f"{number}.txt"
            _write(target, text, phrases)
            source = target
    return found


def _named(text: TokenText, phrases: Phrases, types: PhraseTypes) -> list[Phrase]:
    rows = phrases.rows(np.lexsort((phrases.second, phrases.first, -phrases.scores)))
    return [
        Phrase(first + JOINER + second, first, second, n, score, types.of(first, second))
        for first, second, n, score in zip(
            text.vocabulary.decode(rows.first),
            text.vocabulary.decode(rows.second),
            rows.counts.tolist(),
            rows.scores.tolist(),
        )
    ]


def _write(path: PathLike, text: TokenText, phrases: Phrases) -> None:
    words = list(text.vocabulary.words)
    size = len(words)
    words += [words[a] + JOINER + words[b] for a, b in zip(phrases.first, phrases.second)]
    new_ids = np.arange(size, len(words))
    stretches = join_phrases(text.ids, text.sentence_ends, phrases, new_ids)
    with atomic_open(path) as file:
        if not os.fspath(path).endswith(".gz"):
            _write_lines(file, words, stretches)
            return
        with gzip.GzipFile(
            filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0
        ) as zipped:
            _write_lines(cast(BinaryIO, zipped), words, stretches)


def _write_lines(
    file: BinaryIO, words: Sequence[str], stretches: Iterable[tuple[np.ndarray, np.ndarray]]
) -> None:
    for ids, ends in stretches:
        tokens = [words[i] for i in ids.tolist()]
        bounds = [0, *ends.tolist()]
        lines = (" ".join(tokens[low:high]) for low, high in zip(bounds, bounds[1:]))
        file.write("".join(line + "\n" for line in lines).encode())


def write_phrase_list(path: PathLike, phrases: Iterable[Phrase]) -> None:
    """Write phrases as lines of text, first, second, count, score and type, tabs between."""
    rows = (p._replace(score=float(f"{p.score:.6g}")) for p in phrases)
    atomic_write(path, "".join("\t".join(map(str, row)) + "\n" for row in rows).encode())


def read_phrase_list(path: PathLike) -> list[Phrase]:
    """What `write_phrase_list` wrote.

    Raises:
        InputError: unreadable, or a line that is none; with its number.
    """
    found = []
    for number, line in read_lines(path):
        parts = line.split("\t")
        try:
            text, first, second, count, score, kind = parts
            found.append(Phrase(text, first, second, int(count), float(score), kind))
        except ValueError:
            columns = "phrase, first, second, count, score, type"
            raise InputError(path, f"expected {columns}, found {line[:60]!r}", number) from None
    return found
