"""The LSTM of Gal & Ghahramani 2016, eq. 7, in float64 loops; gates stacked as i, f, o, g.

The forget bias is added inside the gate (Gers et al. 2000), beside the stored bias b.
"""

import math

import numpy as np


def logistic(a):
    return 1.0 / (1.0 + math.exp(-a))


def lstm_step(x, h_prev, c_prev, weights, forget_bias, m_x, m_h):
    """One step of one layer for one batch entry.

    weights: Wx (4H, I), Wh (4H, H), b (4H,).  m_x (I,), m_h (H,): factors, ones for no dropout.
    """
    wx, wh, b = weights
    size = len(h_prev)
    a = np.zeros(4 * size)
    for row in range(4 * size):
        a[row] = b[row]
        for k in range(len(x)):
            a[row] += wx[row, k] * m_x[k] * x[k]
        for k in range(size):
            a[row] += wh[row, k] * m_h[k] * h_prev[k]
    h, c = np.zeros(size), np.zeros(size)
    for j in range(size):
        i = logistic(a[j])
        f = logistic(a[size + j] + forget_bias)
        o = logistic(a[2 * size + j])
        g = math.tanh(a[3 * size + j])
        c[j] = f * c_prev[j] + i * g
        h[j] = o * math.tanh(c[j])
    return h, c


def lstm_run(xs, c0, h0, weights, forget_bias, m_x, m_h):
    """All layers over a sequence of one batch entry.

    xs (T, I); c0, h0: L arrays (H,); weights: L triples; m_x, m_h: L masks, kept for all steps.
    Returns (outputs (T, H) of the last layer, c, h): the last two as L arrays after the last step.
    """
    c, h = [np.array(v, float) for v in c0], [np.array(v, float) for v in h0]
    outputs = []
    for x in xs:
        below = x
        for n, layer in enumerate(weights):
            h[n], c[n] = lstm_step(below, h[n], c[n], layer, forget_bias, m_x[n], m_h[n])
            below = h[n]
        outputs.append(below)
    return np.array(outputs), c, h
