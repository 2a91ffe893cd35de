"""The full softmax over all words: exact, and for small vocabularies.

    P(w | c) = softmax(U h_c)_w            J = sum_p -log P(w_p | c_p)

The logits U H have rank D at most; with D >= V they reach the conditionals of the corpus.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53)
Paper: Mikolov et al. 2013a, arXiv:1301.3781; 2013b, arXiv:1310.4546, eqs. 1, 2
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns, gathered
from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.output_losses.output_table import OutputLoss
from dynotes.embeddings.predictions import Predictions


class FullSoftmaxLoss(OutputLoss):
    """Output vectors U, (V S, D), as sub-collection "softmax"; a softmax a slot.

    Args:
        pc, counts, n_embed, n_slots: see `OutputLoss`.
    """

    NAME = "softmax"

    def __init__(
        self, pc: dy.ParameterCollection, *, counts: Any, n_embed: int, n_slots: int = 1
    ) -> None:
        super().__init__(pc, counts=counts, n_embed=n_embed, n_slots=n_slots)
        self._shares = np.asarray(counts) / np.sum(counts)

    def loss(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """sum_p -log P(w_p | c_p), (1,); see `OutputLoss.loss`, noise is None."""
        return dy.sum_batches(self.losses(H, predictions, noise, factors))

    def losses(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """-log P(w_p | c_p) of each, (1,)xP; see `OutputLoss.loss`, noise is None."""
        self.checked(H, predictions)
        slots, words = predictions.of_slots(), predictions.words
        found, places = [], []
        for slot in np.unique(slots):
            (here,) = np.nonzero(slots == slot)
            heads, where = np.unique(predictions.columns[here], return_inverse=True)
            X = H if len(heads) == H.dim()[0][1] else self._chosen(H, heads)
            log_probs = self.log_probs(X, int(slot), factors)
            cells = where * self.n_words + words[here]
            flat = dy.reshape(log_probs, (self.n_words * len(heads),))
            found.append(-dy.pick_batch(flat, cells.tolist()))
            places.append(here)
        if len(found) == 1:
            return found[0]
        order = np.argsort(np.concatenate(places))
        return dy.pick_batch_elems(dy.concatenate_to_batch(found), order.tolist())

    def log_probs(self, H: dy.Expression, slot: int = 0, factors: Factors = None) -> dy.Expression:
        """log P(w | c) of all words, (V, h)."""
        rows = np.arange(self.n_words) * self.n_slots + slot
        U = columns(self.outputs, rows, None if factors is None else factors[0])
        return dy.log_softmax(dy.transpose(U) * H)

    def masses(
        self, predictions: Predictions, noise: Any, n_hidden: int
    ) -> tuple[np.ndarray, list[Masses]]:
        """One loss a prediction; it moves every row, by its probability."""
        held = np.bincount(predictions.columns, minlength=n_hidden)
        rows, where = predictions.table_rows(self.n_slots)
        often = np.bincount(predictions.of_slots(), minlength=self.n_slots)
        everything = np.arange(self.n_words * self.n_slots)
        spread = np.outer(self._shares, often).ravel()
        return held, [[(rows, np.bincount(where, minlength=len(rows))), (everything, spread)]]

    def _chosen(self, H: dy.Expression, which: np.ndarray) -> dy.Expression:
        return dy.reshape(gathered(H, which), (self.n_embed, len(which)))
