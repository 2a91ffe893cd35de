"""Adaptive softmax: frequent words in a small head, rare ones in tails of smaller vectors.

    words by falling frequency:  V_h | V_1 | ... | V_J               cut at ``cutoffs``
    P(w | h) = softmax(A h + b)_w                                    w in V_h
             = softmax(A h + b)_(V_h + j) softmax(B_j P_j h)_w       w in V_j,  j = 1..J

The head scores V_h words and J tails.  A tail is computed for the columns whose word lies in it and
for no other, so an average word costs little more than the head.

Note: Models & Structures / Adapted Softmax by Grave et al (T47)
Paper: Grave et al. 2017, arXiv:1609.04309, section 4 (clusters, projections of tails); Baevski &
    Auli 2019, arXiv:1809.10853 (adaptive inputs, tied).
Renamed: A_h is ``A``, d is ``H``, d_j the rows of P_j.
Differs: d_j = H / div^j, as in later work (the paper has H / 4 for its tails).  Tails have no bias,
    ``bias`` is the head's, so that equal parameters give the losses of PyTorch's
    ``AdaptiveLogSoftmaxWithLoss``.  The notes leave out the projections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_size, expect
from dynotes.graph.working_rules import flat_ids, linear, nll
from dynotes.tips.softmax_approximations.full_softmax import sample_log_probs

TIED_SCALE = 0.1  # DyNet's default for the rows shrinks with V, too small for input vectors


class AdaptiveSoftmax(Builder):
    """A head over frequent words and tails, and a softmax inside every tail.

    Args:
        pc: collection that will own A, b, P_j and B_j, as sub-collection "adaptive-softmax".
        n_words: V; ids are frequency ranks, 0 the most frequent word.
        n_hidden: H, size of h.
        cutoffs: first ids of the tails, rising, in 1..V-1; [] is the full softmax.
        div: tail j works in d_j = max(1, floor(H / div^j)) dimensions; >= 1.
        bias: add b to the head's scores; it starts at 0.
        tie: the rows are input vectors too (``embed``); they start uniform in (-0.1, 0.1).

    Raises:
        ValueError: a size, cut-off or div out of range, or cut-offs that do not rise.
    """

    NAME = "adaptive-softmax"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_hidden: int,
        cutoffs: Sequence[int],
        div: float = 4.0,
        bias: bool = True,
        tie: bool = False,
    ) -> None:
        check_dims("words", (n_words, n_hidden))
        cutoffs = check_cutoffs(cutoffs, n_words)
        check_div(div)
        super().__init__(
            pc, n_words=n_words, n_hidden=n_hidden, cutoffs=cutoffs, div=div, bias=bias, tie=tie
        )
        self.n_words, self.n_hidden = int(n_words), int(n_hidden)
        self.edges = np.array([0, *cutoffs, n_words])
        sizes = np.diff(self.edges).tolist()
        self.n_frequent, n_head = sizes[0], sizes[0] + len(cutoffs)
        start: dict[str, Any] = {"init": "uniform", "scale": TIED_SCALE} if tie else {}
        self.A = self._pc.add_parameters((n_head, n_hidden), name="A", **start)
        self.b = self._pc.add_parameters((n_head,), init=0.0, name="b") if bias else None
        self.P, self.B = [], []
        for j, size in enumerate(sizes[1:], 1):
            d = tail_size(n_hidden, div, j)
            self.P.append(self._pc.add_parameters((d, n_hidden), name=f"P{j}"))
            self.B.append(self._pc.add_parameters((size, d), name=f"B{j}", **start))

    def nll(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """-log P(ids | h): (H,)xN and N ints (time-major) -> (1,)xN, in nats.

        A tail without a word among the ids is not in the graph: its gradient is exactly 0.
        """
        _, batch = expect("h", h, (self.n_hidden,))
        words = np.array(flat_ids(ids, self.n_words, batch))
        cluster = self.cluster_of(words)
        entry = np.where(cluster == 0, words, self.n_frequent + cluster - 1)
        losses = nll(linear(self.b, self.A, h), entry)
        if not cluster.any():
            return losses
        return losses + self._tail_losses(h, words, cluster)

    def _tail_losses(
        self, h: dy.Expression, words: np.ndarray, cluster: np.ndarray
    ) -> dy.Expression:
        """-log P(w | its tail), 0 for words of the head, in the order of the columns: (1,)xN."""
        place = np.zeros(len(words), int)  # 0 is a constant zero, then tail after tail
        parts, filled = [dy.zeros((1,))], 1
        for j in np.unique(cluster[cluster > 0]).tolist():
            (columns,) = np.nonzero(cluster == j)
            scores = self._tail(j, columns_of(h, columns))
            parts.append(nll(scores, words[columns] - self.edges[j]))
            place[columns] = np.arange(filled, filled + len(columns))
            filled += len(columns)
        return columns_of(dy.concatenate_to_batch(parts), place)

    def _tail(self, j: int, h: dy.Expression) -> dy.Expression:
        """B_j P_j h, not normalised: (H,)xn -> (V_j,)xn."""
        return linear(None, self.B[j - 1], linear(None, self.P[j - 1], h))

    def log_probs(self, h: dy.Expression) -> dy.Expression:
        """log P(. | h): (H,)xN -> (V,)xN, in nats, all tails for all columns."""
        expect("h", h, (self.n_hidden,))
        head = dy.log_softmax(linear(self.b, self.A, h))
        if not self.B:
            return head
        n = self.n_frequent
        parts = [dy.pick_range(head, 0, n)]
        for j in range(1, len(self.B) + 1):
            parts.append(dy.log_softmax(self._tail(j, h)) + dy.pick(head, n + j - 1))
        return dy.concatenate(parts)

    def sample(
        self,
        h: dy.Expression,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        top_k: Optional[int] = None,
    ) -> np.ndarray:
        """One word per column of h, (H,)xN -> (N,) ints; see ``sample_log_probs``."""
        return sample_log_probs(read(self.log_probs(h)), rng, temperature=temperature, top_k=top_k)

    def embed(self, ids: Any) -> dy.Expression:
        """Adaptive inputs of N ids, (N,) or (T, B) time-major -> (H,)xN; needs ``tie``.

        x_w = A[w]  in the head,    x_w = P_j^T B_j[w]  in tail j
        """
        if not self.spec["tie"]:
            raise ValueError("embed: the table embeds words with tie=True only")
        words = np.array(flat_ids(ids, self.n_words))
        cluster = self.cluster_of(words)
        place, parts, filled = np.empty(len(words), int), [], 0
        for j in np.unique(cluster).tolist():
            (columns,) = np.nonzero(cluster == j)
            rows = (words[columns] - self.edges[j]).tolist()
            if j == 0:
                parts.append(dy.pick_batch(self.A, rows, 0))
            else:
                vectors = dy.pick_batch(self.B[j - 1], rows, 0)
                parts.append(dy.transpose(self.P[j - 1]) * vectors)
            place[columns] = np.arange(filled, filled + len(columns))
            filled += len(columns)
        return parts[0] if len(parts) == 1 else columns_of(dy.concatenate_to_batch(parts), place)

    def touched(self, ids: Any) -> dict[dy.LookupParameters, np.ndarray]:
        """Rows of lookup tables that ``nll`` of these ids updates: none, the rows are dense."""
        check_ids("ids", ids, self.n_words)
        return {}

    def cluster_of(self, words: np.ndarray) -> np.ndarray:
        """0 for a word of the head, j for one of tail j."""
        return np.searchsorted(self.edges[1:-1], words, side="right")


def columns_of(x: dy.Expression, columns: np.ndarray) -> dy.Expression:
    """Batch entries of x in the given order: (n,)xN -> (n,)x(number of columns)."""
    if len(columns) == x.dim()[1] and np.array_equal(columns, np.arange(len(columns))):
        return x
    return dy.pick_batch_elems(x, columns.tolist())


def tail_size(n_hidden: int, div: float, j: int) -> int:
    """d_j = max(1, floor(H / div^j)), rows of P_j."""
    return max(1, int(n_hidden // div**j))


def check_cutoffs(cutoffs: Any, n_words: int) -> list[int]:
    """Cut-offs as plain ints; ValueError unless they rise and lie in 1..V-1."""
    if isinstance(cutoffs, (str, bytes)) or not isinstance(cutoffs, (Sequence, np.ndarray)):
        raise ValueError(f"cutoffs: expected a list of ids, found {cutoffs!r}")
    found = [check_size(f"cutoffs[{i}]", c, 1, n_words - 1) for i, c in enumerate(cutoffs)]
    if any(a >= b for a, b in zip(found, found[1:])):
        raise ValueError(f"cutoffs: expected rising ids, found {found}")
    return found


def check_div(div: Any) -> float:
    """``div`` if it is a finite number >= 1; ValueError otherwise."""
    number = isinstance(div, (int, float)) and not isinstance(div, bool)
    if not number or not 1 <= div < math.inf:
        raise ValueError(f"div: expected a number >= 1, found {div!r}")
    return float(div)
