"""Checks that many tests share: gradients by central differences, an asymmetric scalar."""

import dynet as dy
import numpy as np


def asymmetric(e):
    """A scalar of e that no permutation of its entries leaves alone: sum of w_i x_i, w fixed."""
    dims, batch = e.dim()
    size = int(np.prod(dims)) * batch
    weights = (np.sin(1.0 + 2.3 * np.arange(size)) + 0.2).tolist()
    w = dy.inputTensorTranspose(weights, dim=tuple(dims), batch_size=batch)
    return dy.sum_batches(dy.sum_elems(dy.cmult(e, w)))


def assert_gradients(build, params, *, eps=3e-3, tol=2e-3, entries=12, seed=0):
    """backward() of the scalar ``build()`` against central differences at some entries of params.

    Noise inside build must be fixed (masks passed in, or a seed reset in build).
    """
    rng = np.random.default_rng(seed)
    for p in params:
        p.scale_gradient(0.0)
    dy.renew_cg()
    loss = build()
    loss.forward()
    loss.backward()
    grads = [p.grad_as_array().copy() for p in params]
    for p, grad in zip(params, grads):
        assert np.abs(grad).max() > 0, f"{p.name()}: no gradient reached it"
        value = p.as_array().copy()
        size = value.size
        for flat in rng.choice(size, min(entries, size), replace=False):
            ix = np.unravel_index(flat, value.shape)
            numeric = 0.0
            for sign in (1, -1):
                moved = value.copy()
                moved[ix] += sign * eps
                set_value(p, moved)
                dy.renew_cg()
                numeric += sign * build().value() / (2 * eps)
            set_value(p, value)
            scale = max(1.0, abs(numeric), abs(grad[ix]))
            assert abs(numeric - grad[ix]) <= tol * scale, (p.name(), ix, numeric, grad[ix])
        p.scale_gradient(0.0)


def set_value(p, value):
    """Set a Parameters or a LookupParameters from an array."""
    if isinstance(p, dy.LookupParameters):
        p.init_from_array(np.asarray(value))
    else:
        p.set_value(np.asarray(value))
