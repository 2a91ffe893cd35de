"""Dependency trees by enumeration: plain loops over all assignments of heads."""

import functools
import itertools
import math

import numpy as np


def reaches_root(heads, word):
    for _ in heads:
        if word == 0:
            return True
        word = heads[word - 1]
    return word == 0


def has_crossing(heads):
    arcs = [tuple(sorted((d, h))) for d, h in enumerate(heads, start=1)]
    return any(a < c < b < d for a, b in arcs for c, d in arcs)


@functools.cache
def all_trees(n, multi_root=False, projective=False):
    """Every (heads) that is a tree over n words."""
    found = []
    for heads in itertools.product(range(n + 1), repeat=n):
        if not multi_root and heads.count(0) != 1:
            continue
        if projective and has_crossing(heads):
            continue
        if all(reaches_root(heads, word) for word in range(1, n + 1)):
            found.append(heads)
    return tuple(found)


@functools.cache
def tree_arrays(n, multi_root=False, projective=False):
    """The same as an array (trees, n)."""
    return np.array(all_trees(n, multi_root, projective))


def tree_scores(scores, n, multi_root=False, projective=False):
    """The score of every tree, added up word by word."""
    heads = tree_arrays(n, multi_root, projective)
    total = np.zeros(len(heads))
    for word in range(1, n + 1):
        total += scores[heads[:, word - 1], word]
    return total


def log_partition(scores, n, multi_root=False, projective=False):
    totals = tree_scores(scores, n, multi_root, projective)
    top = totals.max()
    return top + math.log(math.fsum(math.exp(x - top) for x in totals))


def marginals(scores, n, multi_root=False, projective=False):
    """P(h is the head of d), (n + 1, n + 1), with a zero column for the root."""
    totals = tree_scores(scores, n, multi_root, projective)
    weights = np.exp(totals - totals.max())
    result = np.zeros((n + 1, n + 1))
    for heads, weight in zip(all_trees(n, multi_root, projective), weights / weights.sum()):
        for word, head in enumerate(heads, start=1):
            result[head, word] += weight
    return result
