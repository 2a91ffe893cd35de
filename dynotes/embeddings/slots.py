"""What a model of whole sentences learns from: sentences, and the places in them to be predicted.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.rectangles import check_lengths
from dynotes.embeddings.predictions import Predictions, predicted
from dynotes.graph.shapes import check_ids

MAX_WORDS = 2**31 - 1


class Slots(NamedTuple):
    """P places in S sentences of u different words.

    words: (u,) ids, ascending.
    rows: (n,) rows of ``words``: the tokens of the sentences, one sentence after the other.
    lengths: (S,) of the sentences, >= 1; they sum to n.
    places: (P,) tokens to be predicted, ascending.
    """

    words: np.ndarray
    rows: np.ndarray
    lengths: np.ndarray
    places: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """Ids of the words to be predicted, (P,)."""
        return self.words[self.rows[self.places]]

    @property
    def predictions(self) -> Predictions:
        """Each place predicts its word."""
        return predicted(np.arange(len(self.places)), self.targets)

    def held(self, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many losses hold each token, (n,): of the places behind it, of those before it.

        Args:
            losses: (P,) of the places.
        """
        each = np.zeros(len(self.rows))
        each[self.places] = losses
        done, ends = np.cumsum(each), np.cumsum(self.lengths)
        whole, earlier = done[ends - 1], done[ends - self.lengths] - each[ends - self.lengths]
        behind = np.repeat(whole, self.lengths) - done
        return behind, done - each - np.repeat(earlier, self.lengths)

    def checked(self, n_words: int) -> Slots:
        """These slots, if all ids are below n_words and the sizes fit.

        Raises:
            ValueError: with the found and the expected value.
        """
        check_ids("words", self.words, n_words, (None,))
        check_ids("rows", self.rows, len(self.words), (None,))
        check_ids("places", self.places, len(self.rows), (None,))
        check_lengths(self.lengths, len(self.rows))
        return self


def text_slots(ids: np.ndarray, sentences: np.ndarray, first: int, count: int) -> Slots:
    """The slots of a stretch of text.

    Args:
        ids: (n,) tokens.
        sentences: (n,) number of the sentence of each, ascending.
        first, count: the tokens first .. first+count-1 are to be predicted; the others are only
            read.
    """
    starts = np.flatnonzero(np.diff(sentences, prepend=sentences[0] - 1))
    words, rows = np.unique(ids, return_inverse=True)
    lengths = np.diff(np.append(starts, len(ids)))
    return Slots(words, rows, lengths, np.arange(first, first + count))


def id_slots(sentences: Sequence[Any], places: Optional[Sequence[int]] = None) -> Slots:
    """Slots from sentences as lists of ids.

    Args:
        sentences: S >= 1 of them, none empty.
        places: one in each sentence, counted from 0; None for every token.

    Raises:
        ValueError: no sentence, an empty one, no ids, or a place outside of its sentence.
    """
    if not len(sentences):
        raise ValueError("sentences: expected at least one, found none")
    checked = [
        check_ids(f"sentence {s}", ids, MAX_WORDS, (None,)) for s, ids in enumerate(sentences)
    ]
    lengths = np.array([len(ids) for ids in checked])
    words, rows = np.unique(np.concatenate(checked), return_inverse=True)
    if places is None:
        return Slots(words, rows, lengths, np.arange(len(rows)))
    if len(places) != len(checked):
        raise ValueError(f"places: expected {len(checked)}, one a sentence, found {len(places)}")
    for s, (place, length) in enumerate(zip(places, lengths)):
        check_ids(f"place in sentence {s}", [place], int(length))
    return Slots(words, rows, lengths, np.cumsum(lengths) - lengths + np.asarray(places))
