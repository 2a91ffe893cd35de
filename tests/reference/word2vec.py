"""Word2vec's losses as loops over float64 numbers, from their definitions."""

import itertools

import numpy as np


def softplus(x):
    return float(np.logaddexp(0.0, x))


def contrast(v, u, target, negatives):
    """softplus(-u_target.v) + sum softplus(u_w.v)."""
    return softplus(-u[target] @ v) + sum(softplus(u[w] @ v) for w in negatives)


def nll(v, u, target):
    """-log softmax(U v)_target."""
    scores = u @ v
    return float(np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[target])


def all_draws(q, count):
    """(words, probability) of every sequence of ``count`` draws from q."""
    for words in itertools.product(range(len(q)), repeat=count):
        yield words, float(np.prod([q[w] for w in words]))


def expected_contrast(v, u, target, q, negatives):
    """softplus(-u_target.v) + K E_Q softplus(u_w.v)."""
    return softplus(-u[target] @ v) + negatives * sum(
        q[w] * softplus(u[w] @ v) for w in range(len(q))
    )
