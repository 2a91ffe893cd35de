"""Sampled softmax losses from the papers: loops, float64, enumeration of every draw.

Scores s are lists of V numbers, q the noise distribution, ``drawn`` a tuple of m word ids in any
order.  Losses are in nats; gradients are with respect to the V scores.
"""

import itertools
import math

import numpy as np

from tests.reference.distributions import log_sum, softmax

RULES = ("plain", "tilted", "forced", "stratified")


def softplus(x):
    """log(1 + e^x)."""
    return log_sum([0.0, x])


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1 / (1 + math.exp(-x))


def one_hot(n, i):
    """The i-th unit vector."""
    return np.eye(n)[i]


# --- distributions and draws -----------------------------------------------------------------


def bucket_probabilities(keep, alias):
    """What an alias table draws: a bucket with chance 1/V, then itself or its alias."""
    n = len(keep)
    shares = [[] for _ in range(n)]
    for i in range(n):
        shares[i].append(keep[i])
        shares[alias[i]].append(1 - keep[i])
    return [math.fsum(s) / n for s in shares]


def powered(counts, power):
    """n^a / sum n^a."""
    total = math.fsum(n**power for n in counts)
    return [n**power / total for n in counts]


def log_uniform(n_words):
    """log(1 + 1/(w+1)) / log(V+1)."""
    return [math.log((w + 2) / (w + 1)) / math.log(n_words + 1) for w in range(n_words)]


def tilted(q, targets, tilt):
    """(1 - tilt) q + tilt uniform over the set of targets."""
    chosen = set(targets)
    return [(1 - tilt) * q[w] + tilt / len(chosen) * (w in chosen) for w in range(len(q))]


def sequences(q, m):
    """Every one of the V^m draws with its probability."""
    for drawn in itertools.product(range(len(q)), repeat=m):
        yield drawn, math.prod(q[w] for w in drawn)


def multisets(q, m):
    """The same draws without their order: sorted tuples, multinomial probabilities."""
    for drawn in itertools.combinations_with_replacement(range(len(q)), m):
        ways = math.factorial(m)
        for w in set(drawn):
            ways //= math.factorial(drawn.count(w))
        yield drawn, ways * math.prod(q[w] for w in drawn)


def expectation(f, draws):
    """sum of probability times f(drawn)."""
    return sum(p * np.asarray(f(drawn), float) for drawn, p in draws)


# --- importance sampling -----------------------------------------------------------------------


def partition(s):
    """sum exp s."""
    return math.fsum(math.exp(x) for x in s)


def inclusion(q_w, m):
    """The probability that a word is among m draws."""
    return 1 - (1 - q_w) ** m


def terms(rule, s, target, drawn, q):
    """{word: its summand of the denominator}, and the summand that is the numerator."""
    m, found = len(drawn), {}
    if rule == "forced":
        for w in {target, *drawn}:
            found[w] = math.exp(s[w]) / inclusion(q[w], m)
        return found, found[target]
    for w in drawn:
        found[w] = found.get(w, 0.0) + math.exp(s[w]) / q[w] / m
    if rule == "stratified":
        found[target] = math.exp(s[target])
    return found, math.exp(s[target])


def partition_estimate(rule, s, target, drawn, q):
    """Z^ of a rule."""
    return math.fsum(terms(rule, s, target, drawn, q)[0].values())


def sampled_loss(rule, s, target, drawn, q):
    """log denominator - log numerator."""
    found, numerator = terms(rule, s, target, drawn, q)
    return math.log(math.fsum(found.values())) - math.log(numerator)


def sampled_gradient(rule, s, target, drawn, q):
    """Every summand's share of the denominator, less 1 at the target."""
    found, _ = terms(rule, s, target, drawn, q)
    total = math.fsum(found.values())
    shares = [found.get(w, 0.0) / total for w in range(len(s))]
    return np.array(shares) - one_hot(len(s), target)


def exact_loss(s, target):
    """-log softmax(s)_target."""
    return log_sum(s) - s[target]


def exact_gradient(s, target):
    """softmax(s) less 1 at the target."""
    return np.array(softmax(s)) - one_hot(len(s), target)


def variance_constant(rule, s, target, q):
    """m Var(Z^) / Z^2 of one draw: what the first-order bias of log Z^ is -1/2m of."""
    p = softmax(s)
    if rule == "stratified":
        return math.fsum(p[v] ** 2 / q[v] for v in range(len(p)) if v != target) - (
            (1 - p[target]) ** 2
        )
    return math.fsum(a * a / b for a, b in zip(p, q)) - 1


def first_order_gradient_bias(s, q):
    """-sum_w P^2/Q (f(w) - E f) with f = one-hot, to be divided by m: (V,)."""
    p = softmax(s)
    ratio = [a * a / b for a, b in zip(p, q)]
    total = math.fsum(ratio)
    return np.array([-(r - total * a) for r, a in zip(ratio, p)])


# --- noise contrast ------------------------------------------------------------------------------


def contrast(deltas, target, drawn):
    """sp(-Delta_w) + sum_j sp(Delta_j)."""
    return softplus(-deltas[target]) + math.fsum(softplus(deltas[w]) for w in drawn)


def expected_contrast(deltas, target, expected_counts):
    """The same with the mean over draws taken: counts kQ."""
    noise = (c * softplus(d) for c, d in zip(expected_counts, deltas))
    return softplus(-deltas[target]) + math.fsum(noise)


def contrast_gradient(log_p, jacobian, data, kq):
    """-sum_v kQ/(P + kQ) (data - P) grad log P(v): rows of the jacobian are grad log P(v)."""
    p = np.exp(log_p)
    return -sum(kq[v] / (p[v] + kq[v]) * (data[v] - p[v]) * jacobian[v] for v in range(len(log_p)))


def nce_gradient(s, target, kq, normalised):
    """Expected gradient of NCE in the scores, P = softmax(s) or exp(s)."""
    n = len(s)
    if not normalised:
        return contrast_gradient(np.array(s), np.eye(n), one_hot(n, target), kq)
    p = np.array(softmax(s))
    return contrast_gradient(np.log(p), np.eye(n) - p, one_hot(n, target), kq)
