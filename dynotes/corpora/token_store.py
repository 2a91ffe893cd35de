"""A text file as memory-mapped word ids without its rare words, made in one pass and kept.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781

The tokens are counted and written as ids in the order of their first occurrence in one reading of
the text; a pass over those ids sorts them by frequency and leaves the rare ones out, which vanish
from the text, so that their neighbours become neighbours of each other.  The folder of the ids is
used again as long as the text and the settings are the same.  Memory grows with the number of
different words, not with the text.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from array import array
from collections import defaultdict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_open, atomic_write
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, PathLike, whole_number
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.lm_corpus import normalise
from dynotes.corpora.vocabulary import Vocabulary

FORMAT = "dynotes-tokens-1"
IDS, ENDS, ABOUT = "ids.int32", "ends.int64", "tokens.json"
UNITS = ("words", "characters", "spaced characters")
SPACE = "\u2581"  # the end of a word in a text of characters; white space ends words in many files
CHUNK = 1 << 16  # tokens that are Python objects, or ids in memory, at the same time


class TokenText(NamedTuple):
    """A text without its rare words, as ids.

    vocabulary: with counts, the most frequent word first; no unknown word, no end of sentence.
    ids: (N,) int32, a read-only memory map.
    sentence_ends: (S,) int64, a read-only memory map; line s of the file is
        ids[sentence_ends[s-1] : sentence_ends[s]].
    dropped: how many tokens were left out.
    digest: SHA-256 of the file.
    """

    vocabulary: Vocabulary
    ids: np.ndarray
    sentence_ends: np.ndarray
    dropped: int
    digest: str


def store_tokens(
    path: PathLike,
    folder: PathLike,
    *,
    min_count: int = 5,
    max_size: Optional[int] = None,
    lower: bool = False,
    units: str = "words",
) -> TokenText:
    """The ids of a text file, taken from the folder if they are there, made otherwise.

    They are there if the folder was made with the same settings from a file of the same size and
    time of change, or of the same size and digest.

    Args:
        path: plain or gzip text, a sentence a line, tokens separated by white space.
        folder: made if need be; holds one text.
        min_count: rarer words are left out.
        max_size: keep only so many words, the most frequent ones; None keeps all.
        lower: in lower case.
        units: what has an id: "words"; "characters", of the words of a line put together; or
            "spaced characters", the same with SPACE behind each word.

    Raises:
        InputError: no text, no word that is frequent enough, a file that changes meanwhile, or a
            folder that cannot be made.
    """
    whole_number("min_count", min_count)
    if max_size is not None:
        whole_number("max_size", max_size)
    if units not in UNITS:
        raise ValueError(f"units: expected one of {', '.join(UNITS)}, found {units!r}")
    folder = Path(folder)
    settings: dict[str, Any] = {"min_count": min_count, "max_size": max_size}
    settings.update(lower=bool(lower), units=units)
    stored = _open_stored(path, folder, settings)
    if stored is not None:
        return stored
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(folder / ABOUT)  # no description is ever beside ids of another text
    except OSError as e:
        raise InputError(folder, e.strerror or str(e)) from None
    before = _state(path)
    about = _encode(path, folder, min_count, max_size, lower, units)
    about.update(format=FORMAT, settings=settings, sha256=digest_of(path), **before)
    if _state(path) != before:
        raise InputError(path, "changed while it was read")
    atomic_write(folder / ABOUT, json.dumps(about, ensure_ascii=False).encode() + b"\n")
    return _opened(folder, about)


def _state(path: PathLike) -> dict[str, int]:
    try:
        found = os.stat(path)
    except OSError as e:
        raise InputError(path, e.strerror or str(e)) from None
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _open_stored(path: PathLike, folder: Path, settings: dict[str, Any]) -> Optional[TokenText]:
    """What the folder holds, if it is this text with these settings."""
    state = _state(path)
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        if about["format"] != FORMAT or about["settings"] != settings:
            return None
        if about["size"] != state["size"]:
            return None
        if about["mtime_ns"] != state["mtime_ns"] and about["sha256"] != digest_of(path):
            return None
        return _opened(folder, about)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _opened(folder: Path, about: dict[str, Any]) -> TokenText:
    """The memory maps; ValueError if they are not as long as the description says."""
    ids = np.memmap(folder / IDS, np.int32, mode="r")
    ends = np.memmap(folder / ENDS, np.int64, mode="r")
    vocabulary = Vocabulary.from_json(about["vocabulary"])
    expected = (about["n_tokens"], about["n_sentences"])
    if (len(ids), len(ends)) != expected:
        raise ValueError(f"expected {expected} tokens and sentences, found {len(ids)}, {len(ends)}")
    return TokenText(vocabulary, ids, ends, about["dropped"], about["sha256"])


def _encode(
    path: PathLike,
    folder: Path,
    min_count: int,
    max_size: Optional[int],
    lower: bool,
    units: str,
) -> dict[str, Any]:
    """Write ids and ends; returns what there is to say about them."""
    with contextlib.ExitStack() as stack:
        raw_ids = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        raw_ends = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        counts = _first_pass(path, lower, units, raw_ids, raw_ends)
        if max(counts.values()) < min_count:
            most = max(counts, key=lambda word: counts[word])
            found = f"the most frequent, {most!r}, is there {counts[most]} times"
            raise InputError(path, f"no word occurs {min_count} times: {found}")
        vocabulary = Vocabulary.build(
            counts, min_count=min_count, max_size=max_size, unk=None, eos=None
        )
        new = vocabulary.lookup(list(counts))
        ids = stack.enter_context(atomic_open(folder / IDS))
        ends = stack.enter_context(atomic_open(folder / ENDS))
        n_sentences = _second_pass(new, raw_ids, raw_ends, ids, ends)
    n_tokens = sum(counts[word] for word in vocabulary.words)
    return {
        "vocabulary": vocabulary.to_json(),
        "n_tokens": n_tokens,
        "n_sentences": n_sentences,
        "dropped": sum(counts.values()) - n_tokens,
    }


def _first_pass(
    path: PathLike, lower: bool, units: str, ids: BinaryIO, ends: BinaryIO
) -> dict[str, int]:
    """Write ids in the order of first occurrence, and the place after each line; count."""
    table: defaultdict[str, int] = defaultdict()
    table.default_factory = table.__len__
    counts = np.zeros(0, np.int64)
    tokens: list[str] = []
    places, done = array("q"), 0

    def flush() -> None:
        nonlocal counts, done
        chunk = np.fromiter(map(table.__getitem__, tokens), np.int32, len(tokens))
        ids.write(chunk.data)
        ends.write(memoryview(places))
        grown = np.bincount(chunk, minlength=len(table))
        grown[: len(counts)] += counts
        counts, done = grown, done + len(tokens)
        tokens.clear()
        del places[:]

    for line in read_tokens(path):
        words = normalise(line, lower=True) if lower else line
        tokens += words if units == "words" else _characters(words, units)
        places.append(done + len(tokens))
        if len(tokens) >= CHUNK:
            flush()
    flush()
    return dict(zip(table, counts.tolist()))


def _characters(words: list[str], units: str) -> str:
    if units == "characters":
        return "".join(words)
    return "".join(word + SPACE for word in words)


def _second_pass(
    new: np.ndarray, raw_ids: BinaryIO, raw_ends: BinaryIO, ids: BinaryIO, ends: BinaryIO
) -> int:
    """Translate ids, leaving out those that are -1 in ``new``; returns the number of lines."""
    raw_ids.seek(0)
    raw_ends.seek(0)
    n_lines, read, kept = 0, 0, 0
    places = np.zeros(0, np.int64)
    while block := raw_ids.read(4 * CHUNK):
        chunk = new[np.frombuffer(block, np.int32)]
        before = np.concatenate(([0], np.cumsum(chunk >= 0))) + kept
        ids.write(chunk[chunk >= 0].data)
        # the lines that end in this chunk: some may have been read with the chunk before
        while not places.size or places[-1] <= read + len(chunk):
            more = np.frombuffer(raw_ends.read(8 * CHUNK), np.int64)
            if not more.size:
                break
            places = np.concatenate((places, more))
        here = int(np.searchsorted(places, read + len(chunk), side="right"))
        ends.write(before[places[:here] - read].astype(np.int64).data)
        places, n_lines = places[here:], n_lines + here
        read, kept = read + len(chunk), int(before[-1])
    return n_lines
