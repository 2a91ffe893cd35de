"""A vanilla RNN in float64 numpy and the truncated gradient as an explicit double sum.

h_t = tanh(W x_t + R h_{t-1} + b),   l_t = |h_t - y_t|^2 / 2
sum over (t, cut) of sum_{cut <= s <= t}  dl_t/dh_t  [prod_{s < r <= t} dh_r/dh_{r-1}]  d+h_s
"""

import numpy as np


def forward(W, R, b, xs, h0):
    """All states h_0 (given), h_1, ..., h_T of one column."""
    states = [h0]
    for x in xs:
        states.append(np.tanh(W @ x + R @ states[-1] + b))
    return states


def double_sum(W, R, b, xs, ys, h0, cuts):
    """Gradients of W, R and b for one column.

    Args:
        xs, ys: T vectors.
        cuts: pairs (t, first step that the loss of step t reaches); steps count from 0.
    """
    states = forward(W, R, b, xs, h0)
    dW, dR, db = np.zeros_like(W), np.zeros_like(R), np.zeros_like(b)
    for t, cut in cuts:
        h_t = states[t + 1]
        for s in range(cut, t + 1):
            chain = h_t - ys[t]
            for r in range(t, s, -1):  # dh_r/dh_{r-1} = diag(1 - h_r^2) R
                chain = R.T @ ((1 - states[r + 1] ** 2) * chain)
            direct = (1 - states[s + 1] ** 2) * chain
            dW += np.outer(direct, xs[s])
            dR += np.outer(direct, states[s])
            db += direct
    return dW, dR, db
