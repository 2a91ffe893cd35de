"""Numpy masks of padded batches, turned into Expressions at the last moment.

``keep`` is (T, B) bool, True for a real token; column b is one sentence.  Flattened it is
time-major, as are the N = T*B columns that ``concatenate_to_batch`` makes of T steps.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.log_space import NEG_INF
from dynotes.graph.shapes import expect


def check_keep(keep: Any, size: int) -> np.ndarray:
    """``keep`` as a flat bool array of ``size`` entries, time-major.

    Raises:
        ValueError: not bool, or another number of entries.
    """
    kept = np.asarray(keep)
    if kept.dtype != np.bool_ or kept.size != size:
        raise ValueError(f"keep: expected {size} bools, found {kept.dtype} of shape {kept.shape}")
    return kept.ravel()


def row(values: Any) -> dy.Expression:
    """One number per batch entry: B numbers (any nesting, time-major) -> (1,)xB."""
    return feed(np.asarray(values).reshape(1, -1), batched=True)


def steps(keep: Any) -> list[dy.Expression]:
    """The mask of every time step: (T, B) bool -> T rows (1,)xB of 0 and 1."""
    kept = np.asarray(keep)
    if kept.ndim != 2:
        raise ValueError(f"keep: expected (T, B), found shape {kept.shape}")
    check_keep(kept, kept.size)
    return [row(kept_t) for kept_t in kept]


def masked_loss(loss: dy.Expression, keep: Any) -> dy.Expression:
    """Losses of real tokens, 0 at padding; the caller sums and divides by ``keep.sum()``.

    Args:
        loss: (1,)xN, finite (a padded id must be a valid one).
        keep: N bools, (N,) or (T, B) with T*B = N.

    Returns:
        (1,)xN, with gradient 0 at padding.
    """
    _, batch = expect("loss", loss, (1,))
    kept = check_keep(keep, batch)
    return loss if kept.all() else dy.cmult(loss, row(kept))


def where(keep: Any, new: dy.Expression, old: dy.Expression) -> dy.Expression:
    """The new state of entries that go on, the old one of those that have ended.

    Args:
        keep: B bools, one time step.
        new, old: (H,)xB, finite.

    Returns:
        (H,)xB; column b is ``new`` where keep[b], else ``old``.
    """
    shape, batch = expect("new", new, (None,))
    expect("old", old, shape, batch)
    kept = check_keep(keep, batch)
    if kept.all():
        return new
    return dy.cmult(new, row(kept)) + dy.cmult(old, row(~kept))


def score_mask(keep: Any) -> dy.Expression:
    """To be added to scores over positions before a softmax: 0, or ``NEG_INF`` at padding.

    Args:
        keep: (T, B) bool.

    Returns:
        (T,)xB; added to (T, m)xB it masks rows.
    """
    kept = np.asarray(keep)
    if kept.ndim != 2:
        raise ValueError(f"keep: expected (T, B), found shape {kept.shape}")
    check_keep(kept, kept.size)
    return feed(NEG_INF * ~kept, batched=True)
