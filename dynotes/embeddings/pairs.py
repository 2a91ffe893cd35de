"""What a step of word2vec learns from, as numpy arrays: pairs, and bags of contexts.

    pairs    (c, o)               the centre c and one word o of its window
    bags     ({c_1, ..., c_m}, o) all words of the window of o, and o itself

Words are held once, in ascending order; pairs and bags point at them by row.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.embeddings.predictions import MAX_WORDS, Predictions, predicted
from dynotes.graph.shapes import check_ids


class Pairs(NamedTuple):
    """P pairs of u different words.

    words: (u,) ids, ascending.
    centres, contexts: (P,) rows of ``words``.
    """

    words: np.ndarray
    centres: np.ndarray
    contexts: np.ndarray

    @property
    def predictions(self) -> Predictions:
        """Each centre predicts its context."""
        return Predictions(self.words, self.contexts, self.centres)


class Blocks(NamedTuple):
    """Bags in G blocks of g: h = X_b A_b in each, X_b being the columns rows[b] of X.

    rows: (G, m), the different words of each block, filled up with row 0.
    A: (m, g, G) float32, the shares of these words in the bags; 0 where filled up.
    """

    rows: np.ndarray
    A: np.ndarray


class Bags(NamedTuple):
    """N bags of u different words, each around a word to be predicted.

    words: (u,) ids, ascending.
    rows, columns: (P,), word ``rows[p]`` lies in the window of position ``columns[p]``.
    targets: (N,) ids of the words to be predicted.
    """

    words: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    targets: np.ndarray

    def blocks(self, size: int, mean: bool) -> Blocks:
        """The bags, so many at a time, with the words of each block alone.

        Args:
            size: g, bags a block.
            mean: every bag's numbers sum to 1; otherwise a number counts a word's occurrences.
        """
        n_words, n_blocks = len(self.words), -(-len(self.targets) // size)
        block = self.columns // size
        used, where = np.unique(block * n_words + self.rows, return_inverse=True)
        owners = used // n_words
        starts = np.searchsorted(owners, np.arange(n_blocks))
        places = np.arange(len(used)) - starts[owners]  # of a word among those of its block
        height = int(places.max()) + 1
        rows = np.zeros((n_blocks, height), np.int64)
        rows[owners, places] = used % n_words
        # column-major: down the words of a block, then its bags, then the blocks
        cells = (block * size + self.columns % size) * height + places[where]
        shares = None
        if mean:
            shares = (1 / np.bincount(self.columns, minlength=len(self.targets)))[self.columns]
        A = np.bincount(cells, weights=shares, minlength=n_blocks * size * height)
        return Blocks(rows, A.astype(np.float32).reshape((height, size, n_blocks), order="F"))

    def input_shares(self, mean: bool, losses: np.ndarray) -> np.ndarray:
        """A losses, (u,): how much each word takes part in the losses (N,) of the bags."""
        losses = losses[: len(self.targets)]
        if mean:
            losses = losses / np.bincount(self.columns, minlength=len(self.targets))
        return np.bincount(self.rows, weights=losses[self.columns], minlength=len(self.words))

    @property
    def predictions(self) -> Predictions:
        """Each bag predicts its target."""
        return predicted(np.arange(len(self.targets)), self.targets)


def id_pairs(centres: Any, contexts: Any) -> Pairs:
    """Pairs from the ids of their words, (P,) each.

    Raises:
        ValueError: no pairs, no ids, or unequal lengths.
    """
    centres = check_ids("centres", centres, MAX_WORDS, (None,))
    contexts = check_ids("contexts", contexts, MAX_WORDS, centres.shape)
    words, rows = np.unique(np.concatenate([centres, contexts]), return_inverse=True)
    return Pairs(words, rows[: centres.size], rows[centres.size :])


def text_pairs(ids: np.ndarray, centres: np.ndarray, contexts: np.ndarray) -> Pairs:
    """Pairs from the places (P,) of their words in a stretch of text ``ids``, (n,)."""
    words, rows = np.unique(ids, return_inverse=True)
    return Pairs(words, rows[centres], rows[contexts])


def text_bags(ids: np.ndarray, centres: np.ndarray, contexts: np.ndarray) -> Bags:
    """Bags from the places (P,) of the centres, ascending, and of the words of their windows."""
    if not len(centres):
        raise ValueError("bags: expected at least one pair, found none")
    words, rows = np.unique(ids, return_inverse=True)
    first = np.flatnonzero(np.diff(centres, prepend=-1))
    columns = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(centres))))
    return Bags(words, rows[contexts], columns, ids[centres[first]])


def id_bags(windows: Any, targets: Any) -> Bags:
    """Bags from lists of ids, one a target.

    Raises:
        ValueError: no bags, an empty bag, no ids, or another number of targets.
    """
    targets = check_ids("targets", targets, MAX_WORDS, (len(windows),))
    bags = [check_ids(f"window {i}", w, MAX_WORDS, (None,)) for i, w in enumerate(windows)]
    words, rows = np.unique(np.concatenate(bags), return_inverse=True)
    columns = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
    return Bags(words, rows, columns, targets)
