"""What vectors of n-grams know of words: a part-of-speech probe, and words among neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pos_data

from dynotes.corpora.word_vectors import WordVectors

RIDGES = (0.01, 0.1, 1.0, 10.0)
CLASSES = ("ADJ", "ADV", "NOUN", "PROPN", "VERB")
TOP = 10


def longest_matches(lines: Iterable[str], inventory: Sequence[str]) -> Iterator[list[str]]:
    """Each line cut from left to right into the longest n-grams of an inventory.

    A character that begins none is a unit of its own.
    """
    known, longest = set(inventory), max(map(len, inventory))
    for line in lines:
        units, i = [], 0
        while i < len(line):
            n = next((n for n in range(longest, 1, -1) if line[i : i + n] in known), 1)
            units.append(line[i : i + n])
            i += n
        yield units


def tags(files: Sequence[Path], least: int) -> dict[str, str]:
    """The UPOS that each lower-cased word has most often in CoNLL-U files, if it is an open class.

    Args:
        least: words that are rarer there have no tag.
    """
    together = pos_data.Tagged([], [])
    for file in files:
        words, found_tags = pos_data.lowered(pos_data.read_tagged(file))
        together.words.extend(words)
        together.tags.extend(found_tags)
    found = pos_data.majority_tags(together, least)
    return {word: tag for word, tag in found.items() if tag in CLASSES}


def pos_accuracy(
    vectors: WordVectors, words: Sequence[str], gold: Mapping[str, str], seed: int
) -> float:
    """Share of right tags of held-out words by a linear probe on vectors of length 1.

    Ridge regression to one column a class on 60 % of the words; 20 % choose the ridge, and the
    accuracy is that on the last 20 %.

    Args:
        vectors: of all these words.
        words: what to split; gold: their tags.
        seed: of the split.
    """
    row = {word: i for i, word in enumerate(vectors.words)}
    X = unit(vectors.matrix[[row[word] for word in words]])
    X = np.hstack((X, np.ones((len(X), 1))))
    y = np.array([CLASSES.index(gold[word]) for word in words])
    order = np.random.default_rng(seed).permutation(len(words))
    cuts = np.array_split(order, 5)
    fit, dev, test = np.concatenate(cuts[:3]), cuts[3], cuts[4]
    Y = np.eye(len(CLASSES))[y[fit]]
    best = (-1.0, 0.0)
    for ridge in RIDGES:
        gram = X[fit].T @ X[fit] + ridge * np.eye(X.shape[1])
        W = np.linalg.solve(gram, X[fit].T @ Y)
        right = [float(((X[some] @ W).argmax(axis=1) == y[some]).mean()) for some in (dev, test)]
        best = max(best, (right[0], right[1]), key=lambda scores: scores[0])
    return best[1]


def words_near(vectors: WordVectors, asked: Sequence[str], real: set[str]) -> dict[str, Any]:
    """The share of real words among the TOP nearest n-grams of some words, and among all.

    Only units of two characters or more count, on both sides.
    """
    rows = [i for i, word in enumerate(vectors.words) if len(word) > 1]
    units = [vectors.words[i] for i in rows]
    X, place = unit(vectors.matrix[rows]), {word: i for i, word in enumerate(units)}
    is_word = np.array([word in real for word in units])
    mine = np.array([place[word] for word in asked])
    scores = X[mine] @ X.T
    scores[np.arange(len(mine)), mine] = -np.inf
    near = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    return {"near": float(is_word[near].mean()), "all": float(is_word.mean())}


def unit(matrix: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.maximum(norms, 1e-30)
