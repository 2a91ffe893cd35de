"""The units of words, as rows of one table: a row of the word's own, and one for each n-gram.

    G_w = {w} and the character n-grams of "<" w ">"        row of w: w     row of g: V + place(g)

place(g) is the place of g's bucket among the buckets that some word of the vocabulary has.  No
step ever reads another bucket, so the table has no rows for them: two million buckets cost what
the n-grams of the vocabulary cost.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606, section 3.2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynotes.corpora.char_ngrams import ngram_buckets
from dynotes.graph.shapes import check_ids


class VocabularyUnits(NamedTuple):
    """The units of all V words: those of word w are rows[starts[w] : starts[w + 1]].

    rows: (N,) int64, the word's own row first, then its n-grams in the order of the word.
    starts: (V + 1,) int64.
    buckets: (B,) int32, ascending: row V + i of the table is that of bucket buckets[i].
    """

    rows: np.ndarray
    starts: np.ndarray
    buckets: np.ndarray


class Units(NamedTuple):
    """The units of u different words; words of equally many units stand together.

    words: (u,) ids, by their numbers of units, then ascending.
    sizes: (u,) numbers of units, ascending, from 1 on.
    rows: (n,) rows of the table, n the sum of the sizes; those of a word stand together.
    """

    words: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray


def vocabulary_units(
    words: Sequence[str], *, minn: int = 3, maxn: int = 6, buckets: int = 2_000_000
) -> VocabularyUnits:
    """The units of a vocabulary; arguments as of `ngram_buckets`."""
    lists = ngram_buckets(words, minn=minn, maxn=maxn, buckets=buckets)
    used, places = np.unique(lists.buckets, return_inverse=True)
    n_words = len(words)
    starts = lists.starts + np.arange(n_words + 1)
    rows = np.empty(starts[-1], np.int64)
    own = np.zeros(len(rows), bool)
    own[starts[:-1]] = True
    rows[own], rows[~own] = np.arange(n_words), n_words + places
    return VocabularyUnits(rows, starts, used)


def units_of(vocabulary: VocabularyUnits, words: np.ndarray) -> tuple[Units, np.ndarray]:
    """The units of some words.

    Args:
        vocabulary: of `vocabulary_units`.
        words: (u,) different ids.

    Returns:
        The units, and the place of each of ``words`` in them, (u,).
    """
    words = check_ids("words", words, len(vocabulary.starts) - 1, (None,))
    sizes = np.diff(vocabulary.starts)[words]
    order = np.lexsort((words, sizes))
    words, sizes = words[order], sizes[order]
    before = np.cumsum(sizes) - sizes
    at = np.repeat(vocabulary.starts[words] - before, sizes) + np.arange(sizes.sum())
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return Units(words, sizes, vocabulary.rows[at]), places
