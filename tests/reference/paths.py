"""All segmentations of a string, by enumeration."""

import math


def segmentations(n, longest):
    """Every way to cut 0..n into arcs (i, j) of length 1 to ``longest``, as lists of arcs."""
    if n == 0:
        return [[]]
    cuts = []
    for length in range(1, min(n, longest) + 1):
        cuts += [[*head, (n - length, n)] for head in segmentations(n - length, longest)]
    return cuts


def summary(log_weights, features, n, longest):
    """log Z, best score, count, entropy, mean feature, arc posteriors, from the list of paths."""
    paths = segmentations(n, longest)
    scores = [math.fsum(log_weights[arc] for arc in path) for path in paths]
    values = [math.fsum(features[arc] for arc in path) for path in paths]
    total = math.fsum(math.exp(s) for s in scores)
    p = [math.exp(s) / total for s in scores]
    posteriors = {
        arc: math.fsum(q for q, path in zip(p, paths) if arc in path) for arc in log_weights
    }
    return {
        "log": math.log(total),
        "max": max(scores),
        "best": paths[scores.index(max(scores))],
        "count": len(paths),
        "entropy": -math.fsum(q * math.log(q) for q in p),
        "expectation": math.fsum(q * v for q, v in zip(p, values)),
        "posteriors": posteriors,
    }
