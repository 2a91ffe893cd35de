"""Exact evaluation of a language model: every token of a text counted once, in its own context.

    perplexity = exp(1/N sum_t -log P(w_t | w_<t))          N counts every <eos>

Many columns are scored at once.  Each but the first re-reads ``context`` tokens before its own
stretch without counting them, so that its state is (to a relative 1e-4 of the perplexity, tested)
the one a single pass from the start of the text would bring.

Note: Tips in Training / Entropy, Cross Entropy Loss, and KL-Divergence (T17)
Note: Tips in Training / Truncated Backprop (T16)
Note: Tips in Training / Softmax Approximations by Sampling (T22)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from dynotes.graph.shapes import check_size
from dynotes.language_models.lstm_lm import LstmLm, Segment
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput

TOKENS_A_GRAPH = 700
SCORES_A_GRAPH = 1 << 26  # floats, for large vocabularies


def stream_nll(
    model: LstmLm,
    ids: np.ndarray,
    start_id: int,
    *,
    columns: int = 20,
    context: int = 150,
    only: Optional[Sequence[int]] = None,
    value: Optional[Callable[[Segment, np.ndarray], dy.Expression]] = None,
) -> np.ndarray:
    """-log P of every token of a stream, in nats.

    Args:
        model: evaluated without any dropout.
        ids: (N,) the stream.
        start_id: the word read before the first token.
        columns: stretches scored side by side; 1 is one pass from the start.
        context: tokens each further column reads first without counting them.
        only: numbers of the columns to score, for workers that share the job; None: all.
        value: what to compute of a segment and its targets, (1,)x(T*B); None: -log P.

    Returns:
        (N,) float64; nan where ``only`` left a token to others.
    """
    if not len(ids):
        raise ValueError("no tokens to evaluate")
    count, columns = len(ids), check_size("columns", columns)
    if columns == 1 or count < 2 * context + columns:
        columns, context = 1, 0
    length = -(-(count - context) // columns)
    chosen = np.arange(columns) if only is None else np.asarray([c for c in only if c < columns])
    nll = np.full(count, np.nan)
    if not chosen.size:
        return nll
    rows, state = length + context, model.zero_state(chosen.size)
    tokens = min(TOKENS_A_GRAPH, SCORES_A_GRAPH // model.n_words)
    steps = max(1, tokens // chosen.size)
    for first in range(0, rows, steps):
        row = np.arange(first, min(first + steps, rows))[:, None]
        where = row + length * chosen
        real = where < count
        targets = np.where(real, ids[np.minimum(where, count - 1)], 0)
        inputs = np.where(where > 0, ids[np.minimum(where, count) - 1], start_id)
        dy.renew_cg()
        segment = model.segment(inputs, state)
        scores = read((value or model.nll)(segment, targets)).reshape(targets.shape)
        counted = real & ((row >= context) | (chosen == 0))
        nll[where[counted]] = scores[counted]
        state = read_states(segment.states)
    return nll


def log_partitions(model: LstmLm, ids: np.ndarray, start_id: int) -> np.ndarray:
    """log Z of the context of every token of a stream, (N,): 0 where it is self-normalised (T22).

    Raises:
        ValueError: the model's output layer is not trained by sampling.
    """
    output = model.output
    if not isinstance(output, SampledOutput):
        raise ValueError("log Z: the output layer is not trained by sampling")
    return stream_nll(
        model, ids, start_id, value=lambda segment, _: output.log_partition(segment.h)
    )


def read_states(states: Sequence[tuple[dy.Expression, dy.Expression]]) -> list[np.ndarray]:
    """The values (H, B) of layer states, all c's then all h's."""
    return [read(s[0]) for s in states] + [read(s[1]) for s in states]


def sentence_totals(nll: np.ndarray, sentence_ends: np.ndarray) -> np.ndarray:
    """Sums over the sentences of a stream: (S,) nats, given the position after each sentence."""
    return np.add.reduceat(nll, np.concatenate(([0], np.asarray(sentence_ends)[:-1])))
