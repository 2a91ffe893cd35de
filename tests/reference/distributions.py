"""Distributions from their definitions: plain loops, float64, no engine."""

import math
from decimal import Decimal, localcontext

import numpy as np


def softmax(scores):
    """softmax of one column of scores."""
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    total = math.fsum(weights)
    return [w / total for w in weights]


def softmax_columns(scores):
    """softmax of every column of (V, N)."""
    return np.array([softmax(column) for column in np.asarray(scores, float).T]).T


def log_sum(scores):
    """log of the sum of exp, in decimal arithmetic without any shift."""
    with localcontext() as context:
        context.prec = 60
        return float(sum((Decimal(float(s)).exp() for s in scores), Decimal(0)).ln())


def log1mexp(x):
    """log(1 - exp x) with 60 digits, for x < 0."""
    with localcontext() as context:
        context.prec = 60
        return float((1 - Decimal(float(x)).exp()).ln())


def entropy(p):
    """-sum p log p of one distribution, terms of p = 0 left out."""
    return -math.fsum(a * math.log(a) for a in p if a > 0)


def cross_entropy(p, q):
    """-sum p log q of two distributions."""
    return -math.fsum(a * math.log(b) for a, b in zip(p, q) if a > 0)


def kl(p, q):
    """sum p log(p/q) of two distributions."""
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


def smoothed(n_words, word, epsilon):
    """(1 - epsilon) one-hot + epsilon / V."""
    return [(1 - epsilon) * (i == word) + epsilon / n_words for i in range(n_words)]


def unigram_perplexity(train, text):
    """exp of the mean of -log(count in train / size of train) over the tokens of a text."""
    counts = {}
    for word in train:
        counts[word] = counts.get(word, 0) + 1
    return math.exp(math.fsum(-math.log(counts[w] / len(train)) for w in text) / len(text))
