"""Additive compositionality: contexts of a sum of word vectors are contexts of every summand.

    softmax(U (v_a + v_b))_c = P(c|a) P(c|b) / sum_c' P(c'|a) P(c'|b)      P(.|w) = softmax(U v_w)

Scores are linear in the vector, so adding vectors multiplies the distributions and normalises
again: a product of experts, exact for the full softmax, of any number of words.  A context has to
suit both words.  At the optimum of negative sampling with noise Q the scores say the same of
pointwise mutual information:

    u_c . (v_a + v_b) = log P(c|a)/Q(c) + log P(c|b)/Q(c) - 2 log K

Note: Topic: Embeddings / word2vec by Mikolov et al (T55)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, section 5; Gittens et al. 2017, ACL
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import dynet as dy
import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.word_vectors import WordVectors
from dynotes.graph.shapes import expect


def context_log_probs(U: dy.Expression, words: Sequence[dy.Expression]) -> dy.Expression:
    """log softmax(U^T sum_w v_w), (V,)xB in nats.

    Args:
        U: (D, V), output vectors in columns.
        words: one or more vectors, (D,)xB each.
    """
    (size, _), _ = expect("U", U, (None, None), 1)
    _check_some(words)
    for i, v in enumerate(words):
        expect(f"words[{i}]", v, (size,))
    return dy.log_softmax(dy.transpose(U) * dy.esum(list(words)))


def product_of_experts(log_probs: Sequence[dy.Expression]) -> dy.Expression:
    """log of the normalised product of distributions, (V,)xB in nats.

    Args:
        log_probs: log P of one or more experts, (V,)xB each; constants added to one change nothing.
    """
    _check_some(log_probs)
    (n_words,), _ = expect("log_probs[0]", log_probs[0], (None,))
    for i, one in enumerate(log_probs[1:], start=1):
        expect(f"log_probs[{i}]", one, (n_words,))
    return dy.log_softmax(dy.esum(list(log_probs)))


def compose(vectors: WordVectors, words: Sequence[str]) -> np.ndarray:
    """The sum of the vectors of some words, (D,) float32.

    Raises:
        ValueError: no words, or an unknown one.
    """
    _check_some(words)
    rows = {word: row for row, word in enumerate(vectors.words)}
    for word in words:
        if word not in rows:
            raise ValueError(f"{word!r} is not among the {len(rows)} words")
    return vectors.matrix[[rows[word] for word in words]].sum(axis=0)


def nearest_contexts(
    contexts: WordVectors, vector: np.ndarray, *, top: int = 10
) -> list[tuple[str, float]]:
    """The words with the largest scores u_c . v, and the scores.

    Args:
        contexts: output vectors.
        vector: (D,), of a word or of `compose`.
        top: how many.
    """
    _check_vector(contexts, vector)
    return _first(contexts.words, contexts.matrix @ vector, (), top)


def nearest_words(
    vectors: WordVectors, vector: np.ndarray, *, leave_out: Collection[str] = (), top: int = 10
) -> list[tuple[str, float]]:
    """The words with the largest cosines to a vector, and the cosines.

    Args:
        vectors: input vectors.
        vector: (D,), of `compose`; not all zeros.
        leave_out: words that are no answers, usually those composed.
        top: how many.
    """
    _check_vector(vectors, vector)
    length = float(np.linalg.norm(vector))
    if not length > 0:
        raise ValueError("vector: all zeros, which are near nothing")
    lengths = np.maximum(np.linalg.norm(vectors.matrix, axis=1), np.float32(1e-30))
    return _first(vectors.words, vectors.matrix @ vector / (lengths * length), leave_out, top)


def _first(
    words: Sequence[str], scores: np.ndarray, leave_out: Collection[str], top: int
) -> list[tuple[str, float]]:
    """The best in order; of equal ones the more frequent first."""
    wanted, found = whole_number("top", top), []
    for row in np.argsort(-scores, kind="stable"):
        if words[row] not in leave_out:
            found.append((words[row], float(scores[row])))
        if len(found) == wanted:
            break
    return found


def _check_some(items: Sequence[object]) -> None:
    if not len(items):
        raise ValueError("expected at least one word, found none")


def _check_vector(vectors: WordVectors, vector: np.ndarray) -> None:
    expected = vectors.matrix.shape[1:]
    if np.shape(vector) != expected:
        raise ValueError(f"vector: expected {expected}, found {np.shape(vector)}")
