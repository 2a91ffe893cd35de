"""The output vectors of an embedding model, and the scores of its predictions.

    s_p = u_{w_p} . h_{c_p}         (or u_{w_p, slot p})

of the prediction p of the word w_p by column c_p of H.  The vectors of the predictions are
gathered and multiplied element by element: P D products, where all columns with all words would be
one matrix product, of many more.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53)
Paper: Mikolov et al. 2013a, arXiv:1301.3781; Rong 2014, arXiv:1411.2738
"""

from __future__ import annotations

import abc
from typing import Any

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns, gathered
from dynotes.embeddings.encoder import Factors
from dynotes.embeddings.predictions import Predictions
from dynotes.embeddings.tables import output_table
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids, check_size, expect


class OutputLoss(Builder, abc.ABC):
    """Output vectors of words and slots, and what all losses have in common.

    Args:
        pc: collection that will own the table "U", as a sub-collection named like the loss.
        counts: (V,) how often each word occurs, 1 at least.
        n_embed: D, rows of H.
        n_slots: S, output vectors of a word.
        spec: further keyword arguments of the subclass.
    """

    def __init__(
        self, pc: dy.ParameterCollection, *, counts: Any, n_embed: int, n_slots: int, **spec: Any
    ) -> None:
        counts = check_ids("counts", counts, 2**62, (None,))
        rows = check_size("n_slots", n_slots) * self.vectors_a_slot(len(counts))
        check_dims("table", (rows, n_embed))
        plain = {"counts": counts.tolist(), "n_embed": n_embed, "n_slots": n_slots}
        super().__init__(pc, **plain, **spec)
        self.n_words, self.n_embed, self.n_slots = len(counts), n_embed, n_slots
        self.outputs = output_table(self._pc, rows, n_embed)
        self.tables: tuple[dy.LookupParameters, ...] = (self.outputs,)

    def vectors_a_slot(self, n_words: int) -> int:
        """Output vectors of a slot: one a word, if the loss knows no better."""
        return n_words

    def draw(self, n_predictions: int, rng: np.random.Generator) -> Any:
        """The noise that the loss of so many predictions takes; None if it takes none."""
        return None

    @abc.abstractmethod
    def loss(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """The summed loss of the predictions, (1,), in nats.

        Args:
            H: (D, h).
            predictions: P >= 1 predictions by columns of H.
            noise: as from `draw`.
            factors: for each table, (rows,) what the gradient of each is multiplied by; None for 1.
        """

    @abc.abstractmethod
    def losses(
        self, H: dy.Expression, predictions: Predictions, noise: Any = None, factors: Factors = None
    ) -> dy.Expression:
        """The loss of each prediction, (1,)xP, in nats; arguments as of `loss`."""

    @abc.abstractmethod
    def masses(
        self, predictions: Predictions, noise: Any, n_hidden: int
    ) -> tuple[np.ndarray, list[Masses]]:
        """How many elementary losses hold each column of H, (h,), and the rows of each table.

        Args:
            predictions, noise: as of `loss`.
            n_hidden: h.
        """

    def scores(
        self, H: dy.Expression, predictions: Predictions, factors: Factors = None
    ) -> dy.Expression:
        """s_p of all predictions, (1, P); arguments as of `loss`."""
        rows, where = self.checked(H, predictions)
        U = columns(self.outputs, rows, None if factors is None else factors[0])
        return pair_scores(H, predictions.columns, U, where)

    def checked(self, H: dy.Expression, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a table of word vectors and (P,) places in these, once everything fits.

        Raises:
            ValueError: no predictions, or words, columns or slots out of range.
        """
        (_, h), _ = expect("H", H, (self.n_embed, None))
        check_ids("predicted words", predictions.outputs, self.n_words, (None,))
        check_ids("columns", predictions.columns, h, (len(predictions.rows),))
        return predictions.table_rows(self.n_slots)


def pair_scores(
    H: dy.Expression, heads: np.ndarray, U: dy.Expression, tails: np.ndarray
) -> dy.Expression:
    """h_i . u_j of P pairs (i, j) of columns of two matrices, (1, P).

    Args:
        H: (D, h).
        heads: (P,) columns of H.
        U: (D, m).
        tails: (P,) columns of U.
    """
    (size, _), _ = expect("H", H, (None, None))
    products = dy.reshape(dy.cmult(gathered(H, heads), gathered(U, tails)), (size, len(heads)))
    return dy.ones((1, size)) * products  # the sum over the rows, many times as fast as sum_dim
