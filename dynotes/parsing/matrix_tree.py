"""Matrix-tree: the sum over all trees of exp(score), as a graph.

    log Z = log det(L),   L = Laplacian of exp(s) with the root's arcs on its diagonal
          = sum_k p_k,    words eliminated from the last to the first, where, for the words left,
      p_k     = LSE_h w[h, k]                               the weight of all heads of k
      w[h, d] = LSE(w[h, d], w[h, k] + w[k, d] - p_k)       h -> d directly, or through k

This is Gaussian elimination of L in the form of Grassmann, Taksar and Heyman: a pivot is a sum of
the arcs that are left, never a difference, so that there is no cancellation, no determinant that
turns negative, and float32 holds at any spread of the scores.  With exactly one root, log Z is the
part of first order in exp(s[0, .]): the root counts in the last pivot alone.

The gradient of log Z with respect to s[h, d] is the probability that h is the head of d.
A step keeps three (k, k - 1) matrices: n^3 numbers a sentence, and as many gradients.

Note: Topic: Dependency Parsing / Methods (T71)
Paper: Koo, Globerson, Carreras & Collins 2007; Smith & Smith 2007; McDonald & Satta 2007 (the
    matrix-tree theorem for dependency trees); Grassmann, Taksar & Heyman 1985 (the elimination).
Differs: no `dy.logdet`: it takes no batch, has no CUDA implementation, and its Laplacian loses
    the root's arcs in float32 when they are 16 nats below the others.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed
from dynotes.graph.log_space import logsumexp, logsumexp_dim
from dynotes.graph.shapes import check_ids, expect

# nats below the best head of a word where an arc counts as impossible; float32 still has three
# digits behind the point there
FLOOR = -1e4


def tree_log_partition(
    scores: dy.Expression, lengths: Optional[Any] = None, *, single_root: bool = True
) -> dy.Expression:
    """log Z over all trees, projective or not.

    Args:
        scores: (n + 1, n + 1)xB, finite; [h, d] scores the arc from h to word d, 0 being the root.
            The diagonal, column 0 and padding are not read, and get no gradient.
        lengths: (B,) numbers of words, 1 to n; None if all sentences have n.
        single_root: sum over trees with exactly one word below the root; False: any number.

    Returns:
        (1,)xB, in nats.  About FLOOR or less if arcs of NEG_INF leave no tree.

    Raises:
        ValueError: no square matrix of 2 or more rows, or lengths out of range.
    """
    n, batch = _square(scores)
    sizes = _lengths(lengths, n, batch)
    arcs, rest = _arcs(n, sizes)
    visible = dy.cmult(scores, feed(arcs, batched=True)) + feed(FLOOR * ~arcs, batched=True)
    best = dy.nobackprop(dy.reshape(dy.max_dim(visible, 0), (1, n + 1), batch))
    ceiling = dy.cmult(best, feed(arcs.max(axis=0)[None], batched=True))
    relative = dy.cmult(visible - best, feed(arcs, batched=True)) + feed(rest, batched=True)
    bounded = dy.bmax(relative, dy.constant((n + 1, n + 1), FLOOR, batch))
    weights = dy.pick_range(bounded, 1, n + 1, 1)
    return dy.esum([*_pivots(weights, n, single_root), dy.sum_elems(ceiling)])


def tree_nll(
    scores: dy.Expression, heads: Any, lengths: Optional[Any] = None, *, single_root: bool = True
) -> dy.Expression:
    """Negative log-likelihood of whole trees: log Z - sum_d s[heads[d], d].

    Args:
        scores, lengths, single_root: see `tree_log_partition`.
        heads: (n, B) integers, the heads of the words; any valid id at padding.

    Returns:
        (1,)xB, in nats.

    Raises:
        ValueError: as `tree_log_partition`, or heads out of range.
    """
    n, batch = _square(scores)
    sizes = _lengths(lengths, n, batch)
    ids = check_ids("heads", heads, n + 1, (n, batch))
    gold = np.zeros((n + 1, n + 1, batch))
    word, entry = np.nonzero(np.arange(n)[:, None] < sizes)
    gold[ids[word, entry], word + 1, entry] = 1
    partition = tree_log_partition(scores, sizes, single_root=single_root)
    return partition - dy.sum_elems(dy.cmult(scores, feed(gold, batched=True)))


def _square(scores: dy.Expression) -> tuple[int, int]:
    (rows, columns), batch = expect("scores", scores, (None, None))
    if rows != columns or rows < 2:
        raise ValueError(f"scores: expected (n + 1, n + 1) with n >= 1, found {(rows, columns)}")
    return rows - 1, batch


def _lengths(lengths: Optional[Any], n: int, batch: int) -> np.ndarray:
    if lengths is None:
        return np.full(batch, n)
    sizes = check_ids("lengths", lengths, n + 1, (batch,))
    if sizes.min() < 1:
        raise ValueError(f"lengths: expected 1 to {n}, found {sizes.min()}")
    return sizes


def _arcs(n: int, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which entries are arcs, (n + 1, n + 1, B) bool, and the weights of those that are none.

    A word of padding hangs below word 1 with weight 1 and governs nothing: a pivot of log 1.
    """
    index = np.arange(n + 1)
    head, word = index[:, None, None], index[None, :, None]
    arcs = (head <= sizes) & (word <= sizes) & (word > 0) & (head != word)
    rest = np.where(arcs, 0.0, FLOOR)
    rest[1] = np.where(index[:, None] > sizes, 0.0, rest[1])
    return arcs, rest


def _pivots(w: dy.Expression, n: int, single_root: bool) -> list[dy.Expression]:
    """log p of every word, (1,)xB each, from the weights (n + 1, n)xB of heads 0 .. n."""
    batch = w.dim()[1]
    pivots = []
    for k in range(n, 1, -1):
        into = dy.strided_select(w, [1, 1], [0, k - 1], [k, k])
        heads = dy.reshape(into, (k,), batch)
        pivot = logsumexp_dim(dy.pick_range(heads, 1, k) if single_root else heads)
        out = dy.strided_select(w, [1, 1], [k, 0], [k + 1, k - 1])
        direct = dy.strided_select(w, [1, 1], [0, 0], [k, k - 1])
        # the reshape: one column would become a vector, whose second axis is the batch
        w = dy.reshape(logsumexp([direct, into + (out - pivot)]), (k, k - 1), batch)
        pivots.append(pivot)
    return [*pivots, dy.reshape(dy.strided_select(w, [1, 1], [0, 0], [1, 1]), (1,), batch)]
