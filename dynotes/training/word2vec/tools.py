"""What is done with trained word vectors: evaluate, neighbours, analogy, convert.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

Nothing here needs the engine.  Each function gives the JSON summary that its command prints.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Optional

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.word_vectors import WordVectors, write_vectors
from dynotes.embeddings.evaluation import (
    METHODS,
    complete_analogy,
    neighbours,
)
from dynotes.training.word2vec.scoring import WordTestFiles, evaluate_vectors
from dynotes.training.word2vec.sources import convert_to_fasttext, read_source

FASTTEXT = "fasttext"
SUFFIXES = {".txt": "text", ".vec": "text", ".bin": "binary", ".npy": "npy"}


def run_evaluation(
    path: PathLike,
    tests: WordTestFiles,
    *,
    methods: Sequence[str] = METHODS,
    restrict_vocab: Optional[int] = None,
    lower: bool = False,
) -> dict[str, Any]:
    """`evaluate_vectors` on a file of vectors or the folder of a run."""
    began = time.perf_counter()
    _, vectors, subwords = read_source(path)
    options: dict[str, Any] = {"restrict_vocab": restrict_vocab, "lower": lower}
    scores = evaluate_vectors(vectors, tests, methods=methods, subwords=subwords, **options)
    return {**_about(path, vectors, began), **options, **scores}


def run_neighbours(
    path: PathLike, words: Sequence[str], *, top: int = 10, restrict_vocab: Optional[int] = None
) -> dict[str, Any]:
    """The nearest words of each word, with cosines.

    Raises:
        InputError: a word that is not in the file.
    """
    began = time.perf_counter()
    vectors, unknown, candidates = _with_words(path, words, restrict_vocab)
    found = {
        word: _listed(neighbours(vectors, word, top=top, restrict_vocab=candidates))
        for word in words
    }
    about = _about(path, vectors, began, len(unknown))
    return {**about, "from_ngrams": unknown, "neighbours": found}


def run_analogy(
    path: PathLike,
    a: str,
    b: str,
    c: str,
    *,
    method: str = "add",
    top: int = 10,
    restrict_vocab: Optional[int] = None,
) -> dict[str, Any]:
    """The best words d of a : b = c : d, with scores.

    Raises:
        InputError: a word that is not in the file.
    """
    began = time.perf_counter()
    vectors, unknown, candidates = _with_words(path, (a, b, c), restrict_vocab)
    found = complete_analogy(vectors, a, b, c, method=method, top=top, restrict_vocab=candidates)
    asked = {"analogy": [a, b, c], "method": method, "answers": _listed(found)}
    return {**_about(path, vectors, began, len(unknown)), **asked, "from_ngrams": unknown}


def run_conversion(
    source: PathLike, target: PathLike, *, format: Optional[str] = None, limit: Optional[int] = None
) -> dict[str, Any]:
    """Write vectors in another format, by default the one that the name of the target tells.

    Args:
        source: a file of vectors or the folder of a run.
        target: replaced as a whole, and only after the source was read.
        format: "text", "binary", "npy", or "fasttext", which keeps the n-grams of a run of the
            subword model; None: of .txt and .vec, .bin, .npy, before any .gz.
        limit: only the first words; not for "fasttext".

    Raises:
        InputError: a source that cannot be read, a name that tells no format, or a word that the
            format cannot hold.
    """
    began = time.perf_counter()
    format = format or format_of(target)
    if format == FASTTEXT:
        if limit is not None:
            raise InputError(target, "format fasttext has all words: no limit")
        vectors = convert_to_fasttext(source, target)
    else:
        _, (words, matrix), _ = read_source(source, limit=limit)
        vectors = WordVectors(words[:limit], matrix[:limit])
        write_vectors(target, vectors, format=format)
    return {**_about(source, vectors, began), "written": os.fspath(target), "format": format}


def format_of(path: PathLike) -> str:
    """The format of vectors that a name tells; InputError if it tells none."""
    name = os.path.basename(os.fspath(path))
    suffix = os.path.splitext(name[:-3] if name.endswith(".gz") else name)[1]
    if suffix not in SUFFIXES:
        raise InputError(path, f"the name tells no format; end it in {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def _with_words(
    path: PathLike, words: Sequence[str], restrict_vocab: Optional[int]
) -> tuple[WordVectors, list[str], int]:
    """Vectors that have all the words, those of them made from n-grams, how many can be answers."""
    file, vectors, subwords = read_source(path)
    candidates = min(restrict_vocab or len(vectors.words), len(vectors.words))
    unknown: list[str] = []
    if subwords is not None:
        vectors, unknown = subwords.extended(words)
    missing = set(words).difference(vectors.words)
    for word in words:
        if word in missing:
            found = f"{word!r} is not among its {candidates} words"
            raise InputError(file, found + (", nor are its n-grams known" if subwords else ""))
    return vectors, unknown, candidates


def _listed(found: Sequence[tuple[str, float]]) -> list[list[Any]]:
    return [[word, round(score, 4)] for word, score in found]


def _about(path: PathLike, vectors: WordVectors, began: float, unknown: int = 0) -> dict[str, Any]:
    """What every summary says; so many of the words are not in the vocabulary."""
    n_words, size = len(vectors.words) - unknown, vectors.matrix.shape[1]
    seconds = round(time.perf_counter() - began, 2)
    about = {"task": "word2vec", "model": os.fspath(path), "words": n_words}
    return {**about, "dimensions": size, "seconds": seconds}
