"""Small vectors of words and n-grams."""

import numpy as np

from dynotes.corpora.char_ngrams import ngram_buckets
from dynotes.corpora.subword_vectors import SubwordVectors

WORDS = ["banana", "an", "the", "then", "日本語", "</s>", "ban"]


def made(words=WORDS, size=4, n_buckets=300, minn=2, maxn=4, mean=True, seed=0):
    """Vectors of the words and of all their n-grams."""
    lists = ngram_buckets(words, minn=min(minn, maxn) or 1, maxn=maxn, buckets=n_buckets or 1)
    used = np.unique(lists.buckets)
    rows = np.random.default_rng(seed).normal(0, 0.7, (len(words) + len(used), size))
    table = rows.astype(np.float32)
    return SubwordVectors(list(words), table, used, n_buckets, minn, maxn, mean)
