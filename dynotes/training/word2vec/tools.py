"""What is done with trained word vectors: evaluate, neighbours, analogy, convert.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

Nothing here needs the engine.  Each function gives the JSON summary that its command prints.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.subword_vectors import SubwordVectors
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.word_tests import (
    AnalogySection,
    SimilarityTest,
    read_analogies,
    read_bats,
    read_similarity,
)
from dynotes.corpora.word_vectors import WordVectors, write_vectors
from dynotes.embeddings.evaluation import (
    METHODS,
    SectionScore,
    analogy_accuracy,
    complete_analogy,
    neighbours,
    similarity_scores,
    total,
)
from dynotes.training.run_folder import finite
from dynotes.training.word2vec.sources import convert_to_fasttext, read_source

FASTTEXT = "fasttext"
SUFFIXES = {".txt": "text", ".vec": "text", ".bin": "binary", ".npy": "npy"}
PUBLISHED = (
    "EN-WS-353-ALL.txt",
    "EN-WS-353-SIM.txt",
    "EN-WS-353-REL.txt",
    "EN-SIMLEX-999.txt",
    "EN-MEN-TR-3k.txt",
    "EN-RW-STANFORD.txt",
)


class WordTestFiles(NamedTuple):
    """Files to evaluate with; bats is a folder or None."""

    analogies: list[Path]
    similarity: list[Path]
    bats: Optional[Path]


def toy_tests() -> WordTestFiles:
    """The tests of the bundled toy language."""
    folder = toy_dir()
    return WordTestFiles([folder / "analogies.txt"], [folder / "similarity.tsv"], None)


def published_tests(folder: Optional[PathLike]) -> WordTestFiles:
    """The published English tests that a data folder has in ``word_eval``.

    Raises:
        InputError: no data folder, or none of them is there.
    """
    if folder is None:
        raise InputError("word_eval", "no data folder: name it by --data-dir or DYNOTES_DATA")
    tests = Path(folder) / "word_eval"
    questions, bats = tests / "questions-words.txt", tests / "BATS_3.0"
    found = WordTestFiles(
        [questions] if questions.is_file() else [],
        [tests / name for name in PUBLISHED if (tests / name).is_file()],
        bats if bats.is_dir() else None,
    )
    if not any(found):
        raise InputError(tests, "none of the published tests is there")
    return found


def evaluate_vectors(
    vectors: WordVectors,
    tests: WordTestFiles,
    *,
    methods: Sequence[str] = METHODS,
    restrict_vocab: Optional[int] = None,
    lower: bool = False,
    subwords: Optional[SubwordVectors] = None,
) -> dict[str, Any]:
    """Scores of vectors on all tests.

    Args:
        vectors: the most frequent word first.
        tests: from `toy_tests`, `published_tests`, or of one's own files.
        methods: of answering analogies, some of "add", "mul".
        restrict_vocab, lower: see `analogy_accuracy`.
        subwords: what the vectors are made of; similarity is then tested a second time, with
            vectors from n-grams for all words that are not among the vectors.

    Returns:
        "metrics": "analogy_accuracy" of all files together (3CosAdd; "analogy_accuracy_mul" for
        3CosMul), "similarity_spearman" (the mean of the files), "bats_accuracy"; None where no
        question or pair was known.  "analogies", "similarity", "bats": the same by file, group
        and section, with what was skipped or left out.  "similarity_from_ngrams" and its metric
        "similarity_spearman_from_ngrams": that second time.

    Raises:
        InputError: a test that cannot be read.
        ValueError: no test, or another method.
    """
    if not any(tests):
        raise ValueError("tests: expected at least one, found none")
    options: dict[str, Any] = {"restrict_vocab": restrict_vocab, "lower": lower}
    files = {path.name: read_analogies(path) for path in tests.analogies}
    bats = {tests.bats.name: read_bats(tests.bats)} if tests.bats else {}
    graded = {path.name: read_similarity(path) for path in tests.similarity}
    metrics: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for key, name, some in (("analogies", "analogy", files), ("bats", "bats", bats)):
        for method in methods if some else ():
            accuracy, by_file = _answered(vectors, some, method, options)
            metrics[f"{name}_accuracy" + ("" if method == "add" else f"_{method}")] = accuracy
            details.setdefault(key, {})[method] = by_file
    if graded:
        _grade("similarity", dict.fromkeys(graded, vectors), graded, options, metrics, details)
    if graded and subwords is not None:
        every = {file: _with_unknown(subwords, test, lower) for file, test in graded.items()}
        options["restrict_vocab"] = None
        _grade("similarity_from_ngrams", every, graded, options, metrics, details)
    return finite({"metrics": metrics, **details})


def _grade(
    key: str,
    vectors: Mapping[str, WordVectors],
    tests: Mapping[str, SimilarityTest],
    options: Mapping[str, Any],
    metrics: dict[str, Any],
    details: dict[str, Any],
) -> None:
    """Add the scores of vectors on similarity tests, and their mean."""
    scores = {
        file: similarity_scores(vectors[file], test, **options) for file, test in tests.items()
    }
    mean = sum(score.spearman for score in scores.values()) / len(scores)
    metrics[key.replace("similarity", "similarity_spearman")] = round(mean, 4)
    details[key] = {file: _rounded(score._asdict()) for file, score in scores.items()}


def _with_unknown(subwords: SubwordVectors, test: SimilarityTest, lower: bool) -> WordVectors:
    """The vectors of the vocabulary, and of all words of a test that it lacks."""
    known = {word.lower() for word in subwords.words} if lower else set(subwords.words)
    asked = (word for pair in test.pairs for word in pair)
    return subwords.extended(w for w in asked if (w.lower() if lower else w) not in known)[0]


def _answered(
    vectors: WordVectors,
    files: Mapping[str, list[AnalogySection]],
    method: str,
    options: Mapping[str, Any],
) -> tuple[float, dict[str, Any]]:
    """The accuracy on some files together, and the counts of each."""
    scores = {
        file: analogy_accuracy(vectors, sections, method=method, **options)
        for file, sections in files.items()
    }
    every = [score for sections in scores.values() for score in sections]
    return _accuracy(total(every)), {file: _counts(some) for file, some in scores.items()}


def _counts(scores: Sequence[SectionScore]) -> dict[str, Any]:
    """Counts in all, by group and by section."""
    groups = {score.group: None for score in scores if score.group}
    in_group = {name: total([s for s in scores if s.group == name]) for name in groups}
    return {
        **_count(total(scores)),
        "groups": {name: _count(score) for name, score in in_group.items()},
        "sections": {score.name: _count(score) for score in scores},
    }


def _count(score: SectionScore) -> dict[str, Any]:
    numbers = {"right": score.right, "answered": score.answered, "skipped": score.skipped}
    return {"accuracy": _accuracy(score), **numbers}


def _accuracy(score: SectionScore) -> float:
    return round(score.right / score.answered, 4) if score.answered else math.nan


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}


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
