"""The output layers that a language model can have, and the input table that goes with each.

    full            softmax over all words                        tied: one table P (V, E)
    sampled         the same model, trained on a few words        tied: one lookup table (V, E)
    adaptive        a head and tails, by frequency                tied: the rows of all clusters
    class-factored  P(class | h) P(w | class, h)                  not tied

Each has ``nll`` and ``log_probs``, exact and normalised over all words.

Note: Tips in Training / Tied Input and Output Embeddings (T18)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

import dynet as dy
import numpy as np

from dynotes.structures.adaptive_softmax import AdaptiveSoftmax
from dynotes.structures.class_factored_softmax import ClassFactoredSoftmax
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw
from dynotes.tips.tied_embeddings import TiedEmbeddings, WordEmbeddings

KINDS = ("full", "sampled", "adaptive", "class-factored")
Words = Union[WordEmbeddings, TiedEmbeddings, SampledOutput, AdaptiveSoftmax]
Output = Union[FullSoftmax, TiedEmbeddings, SampledOutput, AdaptiveSoftmax, ClassFactoredSoftmax]


def make_layers(
    pc: dy.ParameterCollection,
    kind: str,
    *,
    n_words: int,
    n_embed: int,
    n_hidden: int,
    tie: bool,
    bias: bool,
    options: Mapping[str, Any],
) -> tuple[Words, Output]:
    """(input table, output layer); the same object where they are tied.

    Args:
        pc: collection that will own them.
        kind: one of ``KINDS``.
        n_words, n_embed, n_hidden: V, E, H.
        tie: share the table.
        bias: add b to the scores.
        options: further keyword arguments of the output layer.

    Raises:
        ValueError: an unknown kind, or one that cannot be tied with these sizes.
    """
    sizes: dict[str, Any] = {"n_words": n_words, "n_hidden": n_hidden, "bias": bias, **options}
    if kind not in KINDS:
        raise ValueError(f"softmax: expected one of {', '.join(KINDS)}, found {kind!r}")
    if tie:
        return _tied(pc, kind, sizes, n_embed)
    words = WordEmbeddings(pc, n_words=n_words, n_embed=n_embed)
    makers = {
        "full": FullSoftmax,
        "sampled": SampledOutput,
        "adaptive": AdaptiveSoftmax,
        "class-factored": ClassFactoredSoftmax,
    }
    return words, makers[kind](pc, **sizes)


def _tied(
    pc: dy.ParameterCollection, kind: str, sizes: dict[str, Any], n_embed: int
) -> tuple[Words, Output]:
    if kind == "class-factored":
        raise ValueError("tie: a class-factored softmax has no table of input vectors")
    if kind == "adaptive":
        if n_embed != sizes["n_hidden"]:
            raise ValueError(
                f"tie: adaptive inputs have the size of h, {sizes['n_hidden']}, found {n_embed}"
            )
        adaptive = AdaptiveSoftmax(pc, tie=True, **sizes)
        return adaptive, adaptive
    maker = TiedEmbeddings if kind == "full" else SampledOutput
    layer = maker(pc, n_embed=n_embed, **sizes)
    return layer, layer


def rows_of(
    words: Words,
    output: Output,
    inputs: np.ndarray,
    targets: np.ndarray,
    draw: Optional[Draw] = None,
) -> dict[Any, np.ndarray]:
    """The rows of every lookup table that a step updates, ascending.

    Args:
        words, output: the layers.
        inputs, targets: ids of any shape.
        draw: noise words of a sampled output.

    Returns:
        {table: rows}, in the order in which the tables were made; parameters that are updated as
        a whole are not among them.
    """
    rows: dict[Any, np.ndarray] = {}
    if isinstance(words, (WordEmbeddings, SampledOutput)):
        rows[words.L] = np.unique(inputs)
    found: dict[Any, np.ndarray] = {}
    if isinstance(output, SampledOutput):
        found = output.touched(targets, draw)
    elif isinstance(output, (AdaptiveSoftmax, ClassFactoredSoftmax)):
        found = output.touched(targets)
    for table, more in found.items():
        rows[table] = np.union1d(rows[table], more) if table in rows else more
    return rows
