"""Two-level softmaxes and their cost, word by word and by enumeration: float64, no engine."""

import itertools
import math

import numpy as np

from tests.reference.distributions import softmax


def dot(u, v):
    """Inner product of two vectors."""
    return math.fsum(a * b for a, b in zip(u, v))


def times(matrix, vector):
    """A matrix times a vector, row by row."""
    return [dot(row, vector) for row in matrix]


def cluster(word, cutoffs):
    """How many cut-offs a word has passed: 0 in the head, j in tail j."""
    return sum(1 for c in cutoffs if word >= c)


def adaptive_probability(word, h, cutoffs, n_words, A, b, projections, tails):
    """P(word | h) of the adaptive softmax; projections[j], tails[j] of tail j + 1."""
    edges = [0, *cutoffs, n_words]
    head = softmax([s + bias for s, bias in zip(times(A, h), b)])
    j = cluster(word, cutoffs)
    if j == 0:
        return head[word]
    inside = softmax(times(tails[j - 1], times(projections[j - 1], h)))
    return head[edges[1] + j - 1] * inside[word - edges[j]]


def torch_adaptive_losses(hs, ids, cutoffs, n_words, head_weight, head_bias, tail_weights):
    """Losses as torch.nn.AdaptiveLogSoftmaxWithLoss defines them, cluster by cluster.

    Args:
        hs: (N, H), ids: (N,).
        head_weight: (shortlist + clusters, H), rows of words first, then one a cluster.
        tail_weights: [(weight of the first Linear (d, H), of the second (size, d)), ...].
    """

    def log_softmax_rows(x):
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    bounds = [0, *cutoffs, n_words]
    gather, output = np.array(ids), np.zeros(len(ids))
    for i in range(len(bounds) - 1):
        rows = np.flatnonzero((ids >= bounds[i]) & (ids < bounds[i + 1]))
        if i == 0 or not len(rows):
            continue
        first, second = tail_weights[i - 1]
        local = log_softmax_rows(hs[rows] @ first.T @ second.T)
        output[rows] = local[np.arange(len(rows)), ids[rows] - bounds[i]]
        gather[rows] = bounds[1] + i - 1
    head = log_softmax_rows(hs @ head_weight.T + head_bias)
    return -(output + head[np.arange(len(ids)), gather])


def class_factored_probability(word, h, classes, A, a, matrices, biases):
    """P(word | h) where ``classes`` lists the words of every class, in the order of its rows."""
    (c,) = [c for c, words in enumerate(classes) if word in words]
    outer = softmax([s + bias for s, bias in zip(times(A, h), a)])
    place = list(classes[c]).index(word)
    rows, bias = matrices[c][: len(classes[c])], biases[c][: len(classes[c])]
    inside = softmax([s + x for s, x in zip(times(rows, h), bias)])
    return outer[c] * inside[place]


def piecewise(k, fixed, slope, knee):
    """g(k) = c_m + max(0, lambda (k - k_0))."""
    return fixed + max(0.0, slope * (k - knee))


def two_level_cost(counts, cutoffs, head_cost, tail_cost):
    """head_cost(entries) + sum_j p_j tail_cost(j, words), p_j the chance of a word of tail j."""
    total, edges = sum(counts), [0, *cutoffs, len(counts)]
    cost = head_cost(edges[1] + len(cutoffs))
    for j in range(1, len(cutoffs) + 1):
        mass = sum(counts[edges[j] : edges[j + 1]]) / total
        cost += mass * tail_cost(j, edges[j + 1] - edges[j])
    return cost


def best_cutoffs(counts, clusters, head_cost, tail_cost):
    """(cost, cut-offs) of the cheapest way, all of them tried."""
    ways = itertools.combinations(range(1, len(counts)), clusters)
    return min((two_level_cost(counts, w, head_cost, tail_cost), list(w)) for w in ways)
