"""What vectors know about grammar and about topics: purity of neighbours, analogies, similarity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.embeddings.evaluation import spearman
from dynotes.training.word2vec.scoring import evaluate_vectors, published_tests
from dynotes.training.word2vec.sources import find_vectors

SIGNS = {  # measure: how it is expected to go with the window
    "tag_purity": -1,
    "syntactic": -1,
    "simlex": -1,
    "semantic": 1,
    "ws_related": 1,
    "men": 1,
    "ws_similar": 0,
}
FILES = {
    "simlex": "EN-SIMLEX-999.txt",
    "ws_similar": "EN-WS-353-SIM.txt",
    "ws_related": "EN-WS-353-REL.txt",
    "men": "EN-MEN-TR-3k.txt",
}
BLOCK = 500  # words compared with all at the same time


def joined_lines(lines: Any, words: int) -> Any:
    """Whole lines put together until one has so many words; 0 leaves them as they are."""
    some: list[str] = []
    length = 0
    for line in lines:
        some.append(line)
        length += len(line.split())
        if length >= words:
            yield " ".join(some)
            some, length = [], 0
    if some:
        yield " ".join(some)


def tag_purity(vectors: WordVectors, tags: Mapping[str, str], nearest: int) -> float:
    """Share of the nearest words of each word that have its tag, words without a tag left out.

    Args:
        vectors: of any words.
        tags: a tag a word.
        nearest: how many of the largest cosines.
    """
    rows = [row for row, word in enumerate(vectors.words) if word in tags]
    if len(rows) <= nearest:
        raise ValueError(f"expected more than {nearest} words with a tag, found {len(rows)}")
    _, ids = np.unique([tags[vectors.words[row]] for row in rows], return_inverse=True)
    unit = vectors.matrix[rows]
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-30)
    same = []
    for begin in range(0, len(rows), BLOCK):
        cosines = unit[begin : begin + BLOCK] @ unit.T
        here = np.arange(len(cosines))
        cosines[here, begin + here] = -np.inf
        near = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
        same.append(ids[near] == ids[begin + here][:, None])
    return float(np.concatenate(same).mean())


def measures(
    run: Path, data: Path, tags: Mapping[str, str], nearest: int
) -> dict[str, Optional[float]]:
    """Every measure of SIGNS for the vectors of a run; None where no question was known."""
    vectors = read_vectors(find_vectors(run))
    tests = published_tests(data)._replace(bats=None)
    scores = evaluate_vectors(vectors, tests, methods=("add",), lower=True)
    groups = scores["analogies"]["add"]["questions-words.txt"]["groups"]
    found = {name: groups[name]["accuracy"] for name in ("syntactic", "semantic")}
    found |= {name: scores["similarity"][file]["spearman"] for name, file in FILES.items()}
    return {"tag_purity": tag_purity(vectors, tags, nearest), **found}


def trends(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spearman's correlation of every measure with the window over all runs, and its sign."""
    rows = []
    for name, sign in SIGNS.items():
        known = [run for run in runs if run[name] is not None]
        rho = spearman([run["window"] for run in known], [run[name] for run in known])
        expected = {-1: "falls", 0: "", 1: "rises"}[sign]
        right = None if sign == 0 else bool(sign * rho > 0)
        rows.append({"measure": name, "expected": expected, "spearman": rho, "right": right})
    return rows
