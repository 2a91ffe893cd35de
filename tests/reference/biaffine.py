"""Biaffine scores of pairs by loops over every product, in float64."""

import numpy as np


def biaffine_score(x, y, bordered):
    """[x; 1]^T U [y; 1] of one form with its border."""
    longer_x, longer_y = [*x, 1.0], [*y, 1.0]
    total = 0.0
    for i, a in enumerate(longer_x):
        for j, b in enumerate(longer_y):
            total += a * float(bordered[i, j]) * b
    return total


def tensor_indexing(x, y, W, M, N, b):
    """z_i = x^T W_i y + (M x)_i + (N y)_i + b_i."""
    z = np.zeros(len(b))
    for i in range(len(b)):
        for j in range(len(x)):
            for k in range(len(y)):
                z[i] += x[j] * W[i][j][k] * y[k]
            z[i] += M[i][j] * x[j]
        for k in range(len(y)):
            z[i] += N[i][k] * y[k]
        z[i] += b[i]
    return z
