"""What is near a sum of word vectors, and how it fits the text that they were learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.token_store import TokenText
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings.composition import compose, nearest_contexts, nearest_words
from dynotes.embeddings.evaluation import spearman
from dynotes.training.model_file import read_arrays
from dynotes.training.run_folder import RunFolder


class Space(NamedTuple):
    """Input and output vectors of the same words."""

    inputs: WordVectors
    contexts: WordVectors


def read_space(run: Path) -> Space:
    """The vectors of a run of skip-gram; InputError if it is not one with a vector a word."""
    file = RunFolder(run).model
    arrays, meta = read_arrays(file)
    words = list(Vocabulary.from_json(meta["vocabulary"]).words)
    found = []
    for name in ("V", "U"):
        tables = [array for key, array in arrays.items() if key.rsplit("/", 1)[-1] == name]
        if len(tables) != 1 or len(tables[0]) != len(words):
            raise InputError(file, f"expected one table {name} with a vector a word")
        found.append(WordVectors(words, tables[0]))
    return Space(*found)


def described(space: Space, pair: Sequence[str], top: int) -> dict[str, Any]:
    """Nearest contexts of both words and of their sum, and the nearest words of the sum."""

    def contexts(words: Sequence[str]) -> str:
        near = nearest_contexts(space.contexts, compose(space.inputs, words), top=top)
        return " ".join(word for word, _ in near)

    near = nearest_words(space.inputs, compose(space.inputs, pair), leave_out=pair, top=top)
    return {
        "sum": " + ".join(pair),
        "contexts of the sum": contexts(pair),
        **{f"contexts of word {i}": contexts([word]) for i, word in enumerate(pair, start=1)},
        "words near the sum": " ".join(word for word, _ in near),
    }


def context_counts(text: TokenText, words: np.ndarray, window: int) -> np.ndarray:
    """How often each word of the vocabulary stands in a window around each of `words`, (n, V)."""
    n_words = len(text.vocabulary)
    of_word = np.full(n_words, -1)
    of_word[words] = np.arange(len(words))
    ids = np.array(text.ids)
    lengths = np.diff(text.sentence_ends, prepend=0)
    sentences = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.zeros(len(words) * n_words, np.int64)
    for offset in range(1, window + 1):
        same = sentences[offset:] == sentences[:-offset]
        left, right = ids[:-offset][same], ids[offset:][same]
        for centre, context in ((left, right), (right, left)):
            rows = of_word[centre]
            cells = rows[rows >= 0] * n_words + context[rows >= 0]
            counts += np.bincount(cells, minlength=len(counts))
    return counts.reshape(len(words), n_words)


def auc(high: np.ndarray, low: np.ndarray) -> float:
    """The chance that one of the first scores is above one of the second."""
    order = np.sort(low)
    below = np.searchsorted(order, high, side="left")
    not_above = np.searchsorted(order, high, side="right")
    return float((below + not_above).mean() / 2 / len(low))


def compared(space: Space, counts: np.ndarray, a: int, b: int, rows: np.ndarray) -> dict[str, Any]:
    """How scores of a sum tell contexts of both words from those of one, and information.

    Args:
        space: vectors.
        counts: of `context_counts`.
        a, b: which of its rows.
        rows: (n,) the words of the counts.

    Returns:
        auc of the scores of the sum, of a and of b; Spearman's rho of the scores of the sum with
        PMI(c, a) + PMI(c, b), over the contexts of both.
    """
    both = (counts[a] > 0) & (counts[b] > 0)
    one = (counts[a] > 0) ^ (counts[b] > 0)
    U, V = space.contexts.matrix, space.inputs.matrix
    vectors = {"sum": V[rows[a]] + V[rows[b]], "first": V[rows[a]], "second": V[rows[b]]}
    scores = {name: U @ v for name, v in vectors.items()}
    found = {name: auc(s[both], s[one]) for name, s in scores.items()}
    share = counts.sum(axis=0)[both] / counts.sum()
    log_p = [np.log(counts[i][both] / counts[i].sum()) for i in (a, b)]
    found["rho"] = spearman(scores["sum"][both], log_p[0] + log_p[1] - 2 * np.log(share))
    return found


def sample_of_pairs(
    space: Space, text: TokenText, pairs: int, ranks: tuple[int, int], window: int, seed: int
) -> list[dict[str, Any]]:
    """`compared` for pairs of different words drawn among the ranks.

    A pair is left out if all its contexts, or none, were seen with both words.
    """
    rng = np.random.default_rng(seed)
    low, high = ranks[0], min(ranks[1], len(text.vocabulary))
    if high - low < 2 * pairs:
        raise ValueError(f"--pairs: {2 * pairs} words wanted, ranks {low} to {high} have fewer")
    rows = low + rng.choice(high - low, 2 * pairs, replace=False)
    counts = context_counts(text, rows, window)
    seen = counts > 0
    found = [
        compared(space, counts, a, b, rows)
        for a, b in zip(range(0, 2 * pairs, 2), range(1, 2 * pairs, 2))
        if (seen[a] & seen[b]).any() and (seen[a] ^ seen[b]).any()
    ]
    if not found:
        raise ValueError("no pair of words has contexts of both and contexts of one of them")
    return found
