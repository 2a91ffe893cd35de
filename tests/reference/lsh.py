"""Locality sensitive hashing with plain loops: bits, distances, searches, probabilities."""

import itertools
import math


def bits(x, planes):
    """One bit a hyperplane (a column of planes): is x on its positive side?"""
    columns = range(len(planes[0]))
    return [sum(x[d] * planes[d][i] for d in range(len(x))) > 0 for i in columns]


def word_bits(words, count):
    """The first ``count`` bits of unsigned 64-bit words, lowest bit first."""
    return [(int(words[i // 64]) >> (i % 64)) & 1 for i in range(count)]


def ones(number):
    """How many bits of a whole number are 1."""
    return sum((int(number) >> i) & 1 for i in range(64))


def differing(a, b):
    """How many bits of two codes (lists of bits) differ."""
    return sum(one != other for one, other in zip(a, b))


def inner(x, y):
    return sum(float(a) * float(b) for a, b in zip(x, y))


def cosine(x, y):
    return inner(x, y) / math.sqrt(inner(x, x) * inner(y, y))


def angle(x, y):
    return math.acos(max(-1.0, min(1.0, cosine(x, y))))


def best(points, query, k, similarity, among=None):
    """The k most similar points; the lower id first among equals."""
    ids = range(len(points)) if among is None else sorted(among)
    return sorted(ids, key=lambda i: (-similarity(points[i], query), i))[:k]


def nearest_codes(codes, code, depth):
    """The codes that differ least; the lower id first among equals."""
    return sorted(range(len(codes)), key=lambda i: (differing(codes[i], code), i))[:depth]


def in_buckets(tables, code_of_tables, radius):
    """Ids whose code differs in at most ``radius`` bits in any table: tables[t][i] is a code."""
    return sorted(
        {
            i
            for codes, code in zip(tables, code_of_tables)
            for i in range(len(codes))
            if differing(codes[i], code) <= radius
        }
    )


def found_probability(p, bits_of_table, tables, radius):
    """Sum over all patterns of agreeing (1) and differing (0) bits of one table; then any table."""
    one = 0.0
    for pattern in itertools.product((0, 1), repeat=bits_of_table):
        if pattern.count(0) <= radius:
            one += math.prod(p if agrees else 1 - p for agrees in pattern)
    return 1 - (1 - one) ** tables


def rank(points, query, i, similarity):
    """1 + number of points that are more similar than point i."""
    own = similarity(points[i], query)
    return 1 + sum(similarity(x, query) > own + 1e-9 for x in points)


def shortlist_log_probs(table, bias, h, words):
    """log softmax of the scores of some words."""
    scores = [inner(table[w], h) + bias[w] for w in words]
    top = max(scores)
    log_z = top + math.log(sum(math.exp(s - top) for s in scores))
    return [s - log_z for s in scores]
