"""Hierarchical softmax: a word is a way through a tree of yes-no questions.

    P(w | c) = prod_j sigmoid((1 - 2 bit_j) u_{node_j}.h_c)        over the way to w
    J = sum_p sum_j softplus((2 bit_j - 1) u_{node_j}.h_{c_p})

The probabilities sum to 1 for any tables, and a word costs as many products as its code has bits:
about log2 V, fewer if it is frequent.  Questions that the predictions of a step have in common (the
same node asked of the same column) are computed once.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Morin & Bengio 2005; Mikolov et al. 2013b, arXiv:1310.4546, eq. 3
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.output_losses.huffman import huffman_tree
from dynotes.embeddings.output_losses.output_table import OutputLoss, pair_scores
from dynotes.embeddings.predictions import Predictions
from dynotes.graph.arrays import feed
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_size, expect


class HierarchicalSoftmaxLoss(OutputLoss):
    """Node vectors U, ((V-1) S, D), as sub-collection "hierarchical"; a softmax a slot.

    Args:
        pc, counts, n_embed, n_slots: see `OutputLoss`; the tree is the Huffman tree of the counts.
    """

    NAME = "hierarchical"

    def __init__(
        self, pc: dy.ParameterCollection, *, counts: Any, n_embed: int, n_slots: int = 1
    ) -> None:
        self.tree = huffman_tree(counts)
        super().__init__(pc, counts=counts, n_embed=n_embed, n_slots=n_slots)

    def vectors_a_slot(self, n_words: int) -> int:
        """One a question: V - 1."""
        return n_words - 1

    def loss(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """sum_p -log P(w_p | c_p), (1,); see `OutputLoss.loss`, noise is None."""
        self.checked(H, predictions)
        rows, which, bits = self._questions(predictions)
        h = H.dim()[0][1]
        # softplus(-s) = softplus(s) - s: a pair asked n times, n0 of them with bit 0, costs
        # n softplus(s) - n0 s
        pairs, where = np.unique(rows * h + predictions.columns[which], return_inverse=True)
        scores = self._scores(H, pairs // h, pairs % h, factors)
        n = feed(np.bincount(where))
        n0 = feed(np.bincount(where, weights=1 - bits, minlength=len(pairs)))
        return softplus(scores) * n - scores * n0

    def losses(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """-log P(w_p | c_p) of each, (1,)xP; see `OutputLoss.loss`, noise is None."""
        self.checked(H, predictions)
        rows, which, bits = self._questions(predictions)
        scores = self._scores(H, rows, predictions.columns[which], factors)
        each = softplus(dy.cmult(scores, feed((2.0 * bits - 1).reshape(1, -1))))
        owner = np.zeros((len(which), len(predictions.rows)), np.float32)
        owner[np.arange(len(which)), which] = 1.0
        return dy.reshape(each * feed(owner), (1,), len(predictions.rows))

    def log_probs(self, H: dy.Expression, slot: int = 0) -> dy.Expression:
        """log P(w | c) of all words, (V, h), for small vocabularies.

        Args:
            H: (D, h).
            slot: in 0 .. S-1.
        """
        expect("H", H, (self.n_embed, None))
        check_size("slot", slot, 0, self.n_slots - 1)
        which, nodes, bits = self.tree.ways(np.arange(self.n_words))
        left, right = np.zeros((2, self.n_words, self.n_words - 1))
        left[which, nodes], right[which, nodes] = 1 - bits, bits
        U = columns(self.outputs, np.arange(self.n_words - 1) * self.n_slots + slot)
        scores = dy.transpose(U) * H
        return -(feed(left) * softplus(-scores) + feed(right) * softplus(scores))

    def masses(
        self, predictions: Predictions, noise: Any, n_hidden: int
    ) -> tuple[np.ndarray, list[Masses]]:
        """A loss a question."""
        lengths = self.tree.lengths[predictions.words]
        held = np.bincount(predictions.columns, weights=lengths, minlength=n_hidden)
        rows, _, _ = self._questions(predictions)
        return held, [[np.unique(rows, return_counts=True)]]

    def _questions(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row of the table, which prediction, bit) of every question, (L,) each."""
        which, nodes, bits = self.tree.ways(predictions.words)
        return nodes * self.n_slots + predictions.of_slots()[which], which, bits

    def _scores(
        self, H: dy.Expression, rows: np.ndarray, heads: np.ndarray, factors: Factors
    ) -> dy.Expression:
        """Scores of rows of the table and columns of H, (1, L)."""
        different, where = np.unique(rows, return_inverse=True)
        U = columns(self.outputs, different, None if factors is None else factors[0])
        return pair_scores(H, heads, U, where)
