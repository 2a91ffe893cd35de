"""Segmentation-free embeddings: an n-gram predicts the n-grams that touch it on either side.

    J = sum_(a,b) [loss(b | v_a; R) + loss(a | v_b; L)]       a ends where b begins

a predicts its right neighbour by the output vectors R, b its left neighbour by L: a skip-gram of
n-grams with the two slots of a window of 1 (`LEFT`, `RIGHT`), over all segmentations at once.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Oshikiri 2017, EMNLP, D17-1080, section 3
Renamed: the paper's two tables of contexts are slots of one output table, as in structured
    skip-gram: place -1 is slot 0, place +1 is slot 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynotes.embeddings.pairs import Pairs, id_pairs
from dynotes.embeddings.predictions import Predictions

LEFT, RIGHT = 0, 1
SLOTS = 2


class AdjacentPairs(NamedTuple):
    """P pairs of n-grams side by side, each told from both ends.

    pairs: the 2 P pairs (centre, context), (a, b) of all before (b, a) of all; for `SkipGram`.
    predictions: each centre predicts its context, in the slot RIGHT and then LEFT.
    """

    pairs: Pairs
    predictions: Predictions


def adjacent_pairs(left: Any, right: Any) -> AdjacentPairs:
    """What n-grams that touch, (P,) ids each, learn from each other.

    Raises:
        ValueError: no pairs, no ids, or unequal lengths.
    """
    one = id_pairs(left, right)
    centres = np.concatenate((one.centres, one.contexts))
    contexts = np.concatenate((one.contexts, one.centres))
    slots = np.repeat((RIGHT, LEFT), len(one.centres))
    pairs = Pairs(one.words, centres, contexts)
    return AdjacentPairs(pairs, Predictions(one.words, contexts, centres, slots))
