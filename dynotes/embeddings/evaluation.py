"""How well word vectors answer analogies and grade similarities.

    3CosAdd   argmax_d  cos(d, b) - cos(d, a) + cos(d, c)
    3CosMul   argmax_d  s(d, b) s(d, c) / (s(d, a) + 0.001)        s = (cos + 1) / 2
    rho       Pearson correlation of the ranks of cosines and gold, equal values sharing a mean rank

d is none of a, b and c.  Scores that differ by no more than float32 resolves are a tie, which the
more frequent word wins: so the answer does not depend on how a product of matrices is cut up.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov, Yih & Zweig 2013 (3CosAdd); Levy & Goldberg 2014, CoNLL, eq. 4 (3CosMul)
Differs: gensim adds 1e-6 instead of the paper's 0.001 to the denominator of 3CosMul.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.word_tests import AnalogySection, Question, SimilarityTest
from dynotes.corpora.word_vectors import WordVectors

METHODS = ("add", "mul")
MUL_EPSILON = 0.001
TIE = 1e-6  # of scores, relative to 1 + |score|
SCORES = 1 << 23  # floats of a batch


class SectionScore(NamedTuple):
    """Answers to the questions of a section.

    right: the best word was among the right ones.
    answered: questions of which a, b, c and a right word were known.
    skipped: the others.
    """

    name: str
    group: str
    right: int
    answered: int
    skipped: int


class SimilarityScore(NamedTuple):
    """Agreement with a similarity test.

    spearman: rho over the known pairs; nan if they or their cosines do not differ.
    pairs: how many were known.
    left_out: how many were not.
    """

    spearman: float
    pairs: int
    left_out: int


class _Space(NamedTuple):
    """Vectors of length 1 of the most frequent words, and the rows of the words.

    rows: form of a word (itself, or in lower case) -> the first row that has it.
    forms: (V,) that row for each row; order sorts them.
    lower: whether a form is the lower case.
    """

    unit: np.ndarray
    rows: dict[str, int]
    forms: np.ndarray
    order: np.ndarray
    lower: bool

    def row(self, word: str) -> int:
        """The row of a word, -1 if it is unknown."""
        return self.rows.get(word.lower() if self.lower else word, -1)


def _space(vectors: WordVectors, restrict_vocab: Optional[int], lower: bool) -> _Space:
    if restrict_vocab is not None:
        whole_number("restrict_vocab", restrict_vocab)
    words, matrix = vectors.words[:restrict_vocab], vectors.matrix[:restrict_vocab]
    if not words or matrix.ndim != 2 or len(matrix) != len(words):
        raise ValueError(f"expected a vector a word, found {len(words)} and {matrix.shape}")
    rows: dict[str, int] = {}
    named = [word.lower() for word in words] if lower else words
    forms = np.array([rows.setdefault(word, row) for row, word in enumerate(named)], np.int64)
    return _Space(_unit(matrix), rows, forms, np.argsort(forms, kind="stable"), lower)


def _unit(matrix: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays, its cosines are 0."""
    matrix = np.asarray(matrix, np.float32)
    matrix = matrix / np.maximum(np.abs(matrix).max(axis=1, keepdims=True), np.float32(1e-37))
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.float32(1e-37))


def analogy_accuracy(
    vectors: WordVectors,
    sections: Sequence[AnalogySection],
    *,
    method: str = "add",
    restrict_vocab: Optional[int] = None,
    lower: bool = False,
) -> list[SectionScore]:
    """Answer the questions of each section.

    Args:
        vectors: the most frequent word first.
        sections: see `read_analogies` and `read_bats`; of several words b the first known counts.
        method: "add" or "mul".
        restrict_vocab: only the first words are known and can be answers; None: all.
        lower: words are the same if they are in lower case; the first of them is the word asked.

    Returns:
        A score a section, in their order.  A question whose right words are all among a, b and c
        is answered wrongly.

    Raises:
        ValueError: another method, or vectors that do not fit their words.
    """
    _check_method(method)
    space = _space(vectors, restrict_vocab, lower)
    scores = []
    for section in sections:
        known = list(filter(None, (_known(space, question) for question in section.questions)))
        right = 0
        batch = max(1, SCORES // len(space.unit))
        for start in range(0, len(known), batch):
            some = known[start : start + batch]
            best = _best(space, np.array([rows for rows, _ in some]), method)
            right += sum(one in answers for one, (_, answers) in zip(best.tolist(), some))
        skipped = len(section.questions) - len(known)
        scores.append(SectionScore(section.name, section.group, right, len(known), skipped))
    return scores


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")


def _known(
    space: _Space, question: Question
) -> Optional[tuple[tuple[int, int, int], frozenset[int]]]:
    """Rows of a, b, c and of the right words; None if one of them is unknown."""
    a, c = space.row(question.a), space.row(question.c)
    b = next((row for row in map(space.row, question.b) if row >= 0), -1)
    d = frozenset(row for row in map(space.row, question.d) if row >= 0)
    return None if min(a, b, c) < 0 or not d else ((a, b, c), d)


def _best(space: _Space, asked: np.ndarray, method: str) -> np.ndarray:
    """The form of the best word for each row a, b, c of ``asked`` (Q, 3); -1 if none is left."""
    scores = _scores(space, asked, method)
    best = _winner(scores)
    return np.where(np.isfinite(scores[np.arange(len(best)), best]), space.forms[best], -1)


def _winner(scores: np.ndarray) -> np.ndarray:
    """The first column that holds, or ties with, the largest score of each row."""
    top = scores.max(axis=-1, keepdims=True)
    return (scores >= top - TIE * (1 + np.abs(top))).argmax(axis=-1)


def _scores(space: _Space, asked: np.ndarray, method: str) -> np.ndarray:
    """Scores of all words as d, (Q, V), -inf for a, b and c; one product for all questions."""
    words, where = np.unique(asked, return_inverse=True)
    cosines = space.unit[words] @ space.unit.T
    a, b, c = where.reshape(asked.shape).T
    if method == "add":
        scores = cosines[b] - cosines[a]
        scores += cosines[c]
    else:
        shifted = np.maximum((cosines + 1) / 2, 0)
        scores = shifted[b] * shifted[c]
        scores /= (shifted + np.float32(MUL_EPSILON))[a]
    for column in asked.T:
        scores[_same_form(space, column)] = -np.inf
    return scores


def _same_form(space: _Space, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(question, word) of all words that have the form of the row asked in each question."""
    forms = space.forms[space.order]
    low = np.searchsorted(forms, rows)
    counts = np.searchsorted(forms, rows, side="right") - low
    question = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(question)) - np.repeat(np.cumsum(counts) - counts, counts)
    return question, space.order[np.repeat(low, counts) + within]


def total(scores: Sequence[SectionScore], name: str = "total") -> SectionScore:
    """The sum of some scores."""
    right, answered, skipped = (sum(column) for column in list(zip(*scores))[2:] or [()] * 3)
    return SectionScore(name, "", right, answered, skipped)


def similarity_scores(
    vectors: WordVectors,
    test: SimilarityTest,
    *,
    restrict_vocab: Optional[int] = None,
    lower: bool = False,
) -> SimilarityScore:
    """Spearman's rho of the cosines of the known pairs with their gold values.

    Args:
        vectors, restrict_vocab, lower: as for `analogy_accuracy`.
        test: see `read_similarity`; pairs with an unknown word are left out.

    Raises:
        ValueError: vectors that do not fit their words.
    """
    space = _space(vectors, restrict_vocab, lower)
    rows = np.array([(space.row(a), space.row(b)) for a, b in test.pairs], np.int64).reshape(-1, 2)
    known = (rows >= 0).all(axis=1)
    first, second = space.unit[rows[known, 0]], space.unit[rows[known, 1]]
    cosines = np.einsum("pd,pd->p", first, second, dtype=np.float64)
    rho = spearman(np.round(cosines, 7), test.gold[known])
    return SimilarityScore(rho, int(known.sum()), int((~known).sum()))


def spearman(x: Any, y: Any) -> float:
    """Spearman's rank correlation of (N,) and (N,) numbers; nan if either is constant, or N < 2.

    Raises:
        ValueError: not two lists of equally many finite numbers.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not np.isfinite([x, y]).all():
        raise ValueError(f"expected two lists of finite numbers, found {x.shape} and {y.shape}")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    a, b = (ranks - ranks.mean() for ranks in (_ranks(x), _ranks(y)))
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def _ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def neighbours(
    vectors: WordVectors, word: str, *, top: int = 10, restrict_vocab: Optional[int] = None
) -> list[tuple[str, float]]:
    """The words with the largest cosines to a word, itself left out, and these cosines.

    Args:
        vectors, restrict_vocab: as for `analogy_accuracy`; ``word`` may be any of the vectors.
        top: how many.

    Raises:
        ValueError: an unknown word.
    """
    space = _space(vectors, None, False)
    row = _asked(space, word)
    scores = (space.unit @ space.unit[row])[:restrict_vocab]
    return list(_first(vectors.words, scores, {row}, whole_number("top", top)))


def complete_analogy(
    vectors: WordVectors,
    a: str,
    b: str,
    c: str,
    *,
    method: str = "add",
    top: int = 10,
    restrict_vocab: Optional[int] = None,
) -> list[tuple[str, float]]:
    """The best words d of a : b = c : d, with their scores (3CosAdd or 3CosMul).

    Args:
        vectors, method, restrict_vocab: as for `analogy_accuracy`; a, b and c may be any words.
        top: how many.

    Raises:
        ValueError: an unknown word, or another method.
    """
    _check_method(method)
    space = _space(vectors, None, False)
    rows = [_asked(space, word) for word in (a, b, c)]
    scores = _scores(space, np.array([rows]), method)[0, :restrict_vocab]
    return list(_first(vectors.words, scores, set(rows), whole_number("top", top)))


def _asked(space: _Space, word: str) -> int:
    row = space.row(word)
    if row < 0:
        raise ValueError(f"{word!r} is not among the {len(space.unit)} words")
    return row


def _first(
    words: Sequence[str], scores: np.ndarray, left_out: set[int], top: int
) -> Iterator[tuple[str, float]]:
    """The best words in order, the more frequent one first where there is a tie."""
    left = np.ones(len(scores), bool)
    left[[row for row in left_out if row < len(scores)]] = False
    rows = np.flatnonzero(left)
    if top < len(rows):
        least = np.partition(scores[rows], -top)[-top]
        rows = rows[scores[rows] >= least - TIE * (1 + abs(least))]
    for _ in range(min(top, len(rows))):
        best = int(_winner(scores[rows]))
        yield words[rows[best]], float(scores[rows[best]])
        rows = np.delete(rows, best)
