"""Which words the hidden vectors of a step predict: what an encoder hands to an output loss.

    prediction p:  the hidden vector h_{columns[p]} predicts the word outputs[rows[p]]

The hidden vectors are the columns of one matrix H, (D, h), and a column may predict many words.
A word has one output vector, or one for each of S slots (say, places in a window), of which
slots[p] is meant; output vector s of word w is row w S + s of its table.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53)
Paper: Mikolov et al. 2013a, arXiv:1301.3781
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.graph.shapes import check_ids

MAX_WORDS = 2**31 - 1


class Predictions(NamedTuple):
    """P predictions.

    outputs: (m,) different ids of words, ascending.
    rows: (P,), in 0 .. m-1.
    columns: (P,), columns of H.
    slots: (P,), or None if a word has one output vector.
    """

    outputs: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    slots: Optional[np.ndarray] = None

    @property
    def words(self) -> np.ndarray:
        """(P,) ids of the predicted words."""
        return self.outputs[self.rows]

    def table_rows(self, n_slots: int) -> tuple[np.ndarray, np.ndarray]:
        """(different rows of an output table with S slots a word, (P,) which of these is meant).

        Raises:
            ValueError: slots where there is one, or none where there are several.
        """
        if n_slots == 1 and self.slots is None:
            return self.outputs, self.rows
        slots = check_ids("slots", self.of_slots(), n_slots, self.rows.shape)
        rows, where = np.unique(self.words * n_slots + slots, return_inverse=True)
        return rows, where

    def of_slots(self) -> np.ndarray:
        """(P,), the slot of each, 0 if there is one."""
        return np.zeros(len(self.rows), np.int64) if self.slots is None else self.slots


def predicted(columns: Any, words: Any, slots: Any = None) -> Predictions:
    """Predictions from the ids of the words, (P,) each.

    Raises:
        ValueError: no predictions, no ids, or unequal lengths.
    """
    words = check_ids("words", words, MAX_WORDS, (None,))
    columns = check_ids("columns", columns, MAX_WORDS, words.shape)
    if slots is not None:
        slots = check_ids("slots", slots, MAX_WORDS, words.shape)
    outputs, rows = np.unique(words, return_inverse=True)
    return Predictions(outputs, rows, columns, slots)
