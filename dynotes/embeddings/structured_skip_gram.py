"""Structured skip-gram: a word predicts each word around it, by output vectors of its place.

    P(o | c, s) = softmax(U_s v_c)_o        slot s in 0 .. 2c-1, one U_s (V, D) a slot
    J = sum_(c,o) loss(o | v_c, slot of o)

The hidden vectors are those of `skip_gram.SkipGram`; only what they predict is told apart, by the
slots of an output loss with S = 2c.  That loss holds one table, with vector s of word w in row
w S + s, and normalises, draws noise or asks questions within the slot of each prediction.  If all
slots have equal tables, this is skip-gram: the gradient of v_c is the same, and that of an output
vector there is the sum over the slots here.

Note: Topic: Embeddings / Structured Word2Vec by W. Ling et al (T65)
Paper: Ling, Dyer, Black & Trancoso 2015, NAACL, section 3.2
Differs: the released code predicts the centre from each context, with the slot of the context.
"""

from __future__ import annotations

from typing import Any

from dynotes.embeddings.pairs import Pairs
from dynotes.embeddings.predictions import Predictions
from dynotes.embeddings.windows import slots
from dynotes.graph.shapes import check_size


def n_slots(window: int) -> int:
    """S = 2c, output vectors of a word."""
    return 2 * check_size("window", window)


def structured_predictions(pairs: Pairs, offsets: Any, window: int) -> Predictions:
    """Each centre predicts its context in the slot where it stands.

    Args:
        pairs: P pairs.
        offsets: (P,) place of the context minus that of the centre, in -c .. c without 0.
        window: c.

    Raises:
        ValueError: offsets out of the window, or of another number.
    """
    found = slots(offsets, window)
    if found.shape != pairs.centres.shape:
        raise ValueError(f"offsets: expected {pairs.centres.shape}, found {found.shape}")
    return pairs.predictions._replace(slots=found)
