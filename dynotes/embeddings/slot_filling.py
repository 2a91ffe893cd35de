"""Slot filling: which word o stands in a gap, given the vector c of what is around it?

    score(w) = t_w.c + shift(w)
    rank = 1 + #{w: score(w) > score(o)} + 1/2 #{w /= o: score(w) = score(o)}
    MRR = mean of 1 / rank

Negative sampling with noise Q drives t_w.c to log P(w | c) / (K Q(w)), which prefers rare words.
With the shift log Q(w) words are ranked by their probability in the context, without it by how
much more probable the context makes them.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
Paper: Melamud, Goldberger & Dagan 2016, CoNLL, section 3 (sentence completion)
Differs: the paper ranks by cosines, which are neither.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from dynotes.graph.shapes import check_ids, check_size

ROWS = 256  # contexts whose scores with all words are in memory at a time


def noise_shift(counts: Any, power: float) -> np.ndarray:
    """log Q(w) up to a constant, (V,), for noise of the counts to a power."""
    return power * np.log(np.asarray(counts, np.float64))


def ranks(
    contexts: np.ndarray, outputs: np.ndarray, targets: Any, shift: Optional[np.ndarray] = None
) -> np.ndarray:
    """The rank of each target among all words, (P,) float64: 1 is the best.

    Args:
        contexts: (P, D), c of each gap.
        outputs: (V, D), the t_w.
        targets: (P,) ids of the words that stood there.
        shift: (V,), None for 0.

    Raises:
        ValueError: sizes that do not fit, or ids out of range.
    """
    ids = check_ids("targets", targets, len(outputs), (len(contexts),))
    found = np.empty(len(ids))
    for low in range(0, len(ids), ROWS):
        scores = _scores(contexts[low : low + ROWS], outputs, shift)
        wanted = ids[low : low + ROWS]
        own = scores[np.arange(len(wanted)), wanted][:, None]
        ties = (scores == own).sum(axis=1) - 1
        found[low : low + ROWS] = 1 + (scores > own).sum(axis=1) + 0.5 * ties
    return found


def mean_reciprocal_rank(found: np.ndarray) -> float:
    """MRR of ranks >= 1."""
    return float(np.mean(1 / np.asarray(found)))


def best_words(
    context: np.ndarray, outputs: np.ndarray, top: int, shift: Optional[np.ndarray] = None
) -> list[tuple[int, float]]:
    """The words with the highest scores in one context, the best first, ties by id.

    Args:
        context: (D,).
        outputs, shift: see `ranks`.
        top: how many, at least 1.
    """
    check_size("top", top)
    scores = _scores(np.asarray(context)[None], outputs, shift)[0]
    order = np.argsort(-scores, kind="stable")[:top]
    return [(int(w), float(scores[w])) for w in order]


def _scores(contexts: np.ndarray, outputs: np.ndarray, shift: Optional[np.ndarray]) -> np.ndarray:
    if contexts.ndim != 2 or outputs.ndim != 2 or contexts.shape[1] != outputs.shape[1]:
        found = f"{contexts.shape} and {outputs.shape}"
        raise ValueError(f"contexts and outputs: expected (P, D) and (V, D), found {found}")
    if shift is not None and np.shape(shift) != (len(outputs),):
        raise ValueError(f"shift: expected ({len(outputs)},), found {np.shape(shift)}")
    scores = contexts.astype(np.float64) @ outputs.T.astype(np.float64)
    return scores if shift is None else scores + shift
