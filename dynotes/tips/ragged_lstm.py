"""An LSTM over sequences of unequal lengths: a few padded rectangles, only wanted states kept.

    h_t = LSTM(x_1, ..., x_t)       of every sequence, from a zero state

A sequence stands at the beginning of its column and padding behind it, so no state that is wanted
has seen padding, and no mask enters the recursion.  A sequence that is to be read backwards is
given in that order.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Melamud et al. 2016 and Ling et al. 2015 (one layer in each direction)
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.corpora.rectangles import check_lengths, rectangles
from dynotes.graph.shapes import check_ids, expect
from dynotes.tips.lstm_sequence import LayerWeights, lstm_layer


def ragged_lstm(
    x: dy.Expression,
    reads: Any,
    lengths: Any,
    weights: LayerWeights,
    *,
    at: Any,
    forget_bias: float = 1.0,
) -> dy.Expression:
    """States of one LSTM layer.

    Args:
        x: (n_in,)xu, different inputs.
        reads: (n,) rows of x in the order in which they are read, a sequence after the other.
        lengths: (S,) of the sequences; they sum to n.
        weights: of a VanillaLSTMBuilder layer.
        at: (P,) places in ``reads`` whose states are wanted, in any order.
        forget_bias: see `lstm_layer`.

    Returns:
        (H,)xP, the state after reading each of the places.

    Raises:
        ValueError: lengths that do not sum to n, an empty sequence, or ids out of range.
    """
    _, count = expect("x", x, (weights.wx.shape()[1],))
    reads = check_ids("reads", reads, count, (None,))
    at = check_ids("at", at, len(reads), (None,))
    found, columns, before = [], np.zeros(len(reads), np.int64), 0
    for places, keep in rectangles(check_lengths(lengths, len(reads))):
        inputs = dy.pick_batch_elems(x, reads[places].ravel().tolist())
        h, _ = lstm_layer(inputs, weights, None, batch=places.shape[1], forget_bias=forget_bias)
        found.append(h)
        columns[places[keep]] = before + np.flatnonzero(keep)
        before += keep.size
    every = found[0] if len(found) == 1 else dy.concatenate_to_batch(found)
    return dy.pick_batch_elems(every, columns[at].tolist())
