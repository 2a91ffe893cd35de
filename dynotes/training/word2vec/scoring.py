"""Scores of word vectors on tests: analogies, word similarity, BATS.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)

Nothing here needs the engine.
"""

from __future__ import annotations

import math
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
from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings.evaluation import (
    METHODS,
    SectionScore,
    analogy_accuracy,
    similarity_scores,
    total,
)
from dynotes.training.run_folder import finite

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
