"""Ranks of the words that stood in the gaps of some sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dynotes.embeddings.slot_filling import mean_reciprocal_rank, ranks
from dynotes.embeddings.slots import Slots
from dynotes.training.word2vec.filling import Filler


def known(filler: Filler, sentences: Sequence[Sequence[str]], gaps: int) -> list[np.ndarray]:
    """The sentences as ids without the words that the model does not know, up to so many words.

    A sentence of a single word is left out: there is nothing around the gap.
    """
    found, before = [], 0
    for sentence in sentences:
        ids = filler.vocabulary.lookup(list(sentence))
        ids = ids[ids >= 0]
        if len(ids) > 1:
            if before + len(ids) > gaps and found:
                break
            found.append(ids)
            before += len(ids)
    return found


def scores(filler: Filler, dev: list[np.ndarray], test: list[np.ndarray]) -> dict[str, Any]:
    """Mean reciprocal rank of dev and test, and what else is to be said about the ranks of test."""
    (on_dev, _), (on_test, unshifted) = (both_ranks(filler, some) for some in (dev, test))
    return {
        "dev_mrr": mean_reciprocal_rank(on_dev),
        "mrr": mean_reciprocal_rank(on_test),
        "mrr_unshifted": mean_reciprocal_rank(unshifted),
        "first": float(np.mean(on_test <= 1)),
        "in_ten": float(np.mean(on_test <= 10)),
        "median_rank": float(np.median(on_test)),
        "gaps": len(on_test),
    }


def by_frequency(filler: Filler, dev: list[np.ndarray], test: list[np.ndarray]) -> dict[str, Any]:
    """The scores of a model whose contexts are all zero, so that only the shift ranks the words."""
    size = filler.outputs.shape[1]

    def nothing(slots: Slots) -> np.ndarray:
        return np.zeros((len(slots.places), size))

    return scores(filler._replace(context=nothing), dev, test)


def both_ranks(filler: Filler, sentences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Ranks by probability, and by how much more probable the context makes a word."""
    contexts, targets = filler.contexts(sentences), np.concatenate(sentences)
    return (
        ranks(contexts, filler.outputs, targets, filler.shift),
        ranks(contexts, filler.outputs, targets),
    )
