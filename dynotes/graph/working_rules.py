"""The notes' working rules as two functions and a probe of the engine.

    linear: W x + b as one node                  nll: -log softmax(s)_y as one node

Note: Implementation Details / About DyNet (T34)
Paper: Neubig et al. 2017 (DyNet).
Differs: measured, ``affine_transform`` saves one tensor, not time, against ``W*x + b``.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy

from dynotes.graph.shapes import ShapeError, check_ids, expect


def linear(b: Optional[dy.Expression], W: dy.Expression, x: dy.Expression) -> dy.Expression:
    """W x + b, or W x without a bias.

    Args:
        b: (m,) or None.
        W: (m, n).
        x: (n,)xB, or (n, k)xB: k columns.

    Returns:
        (m,)xB or (m, k)xB.

    Raises:
        ShapeError: sizes that do not fit (DyNet crashes on the next use of the graph).
    """
    (rows, columns), _ = expect("W", W, (None, None))
    found, _ = expect("x", x, (None, None))
    if found[0] != columns:
        raise ShapeError(f"x: expected {columns} rows for W ({rows}, {columns}), found {found[0]}")
    if b is None:
        return W * x
    expect("b", b, (rows,))
    return dy.affine_transform([b, W, x])


def nll(scores: dy.Expression, ids: Any) -> dy.Expression:
    """-log softmax(scores)_y, without storing the distribution.

    Args:
        scores: (V,)xN, not normalised.
        ids: N ints, (N,) or (T, B) with T*B = N (time-major).

    Returns:
        (1,)xN, in nats.

    Raises:
        ValueError: not N ids, or one outside [0, V).
    """
    (n_words,), batch = expect("scores", scores, (None,))
    return dy.pickneglogsoftmax_batch(scores, flat_ids(ids, n_words, batch))


def flat_ids(ids: Any, size: int, count: Optional[int] = None) -> list[int]:
    """Checked ids in [0, size) as a flat list, time-major; ``count`` of them if given."""
    array = check_ids("ids", ids, size)
    if count is not None and array.size != count:
        raise ValueError(f"ids: expected {count}, one a column, found {array.size}")
    return array.ravel().tolist()


def missing_ops(*names: str) -> list[str]:
    """Which of these operations the loaded DyNet build lacks (builds differ)."""
    return [name for name in names if not hasattr(dy, name)]
