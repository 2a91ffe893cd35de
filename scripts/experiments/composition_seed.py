"""Every composition fitted to and measured on one split of the phrases of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dynet as dy
import numpy as np

from dynotes.corpora.phrase_text import read_phrase_list
from dynotes.corpora.word_vectors import read_vectors
from dynotes.embeddings.composition_baselines import LinearComposition, additive, multiplicative
from dynotes.embeddings.tensor_indexing import TensorIndexing
from dynotes.training.word2vec.command import TOKENS
from dynotes.training.word2vec.composition import composed, cosines, fit, split
from dynotes.training.word2vec.sources import find_vectors
from dynotes.training.word2vec.texts import PHRASES
from dynotes.training.word2vec.tim import PATIENCE, RATE, phrase_rows

EPOCHS, HELD_OUT = 40, 0.1


def one_seed(
    run: Path, rank: int, ridge: float, seed: int, diagonals: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Cosines and errors of the dev and test phrases by composition.

    Args:
        run: folder of a run of the model tim.
        rank, ridge: of the fits.
        seed: of the split, the order of the phrases and the start.
        diagonals: of the tensor indexing models to fit.
    """
    vectors = read_vectors(find_vectors(run))
    rows, _ = phrase_rows(read_phrase_list(run / TOKENS / PHRASES), vectors.words)
    rows = rows._replace(kinds=np.zeros_like(rows.kinds))
    parts = split(rows, HELD_OUT, np.random.default_rng((seed, 5)))
    matrix, size = vectors.matrix, vectors.matrix.shape[1]
    mean = matrix[parts.fit.phrase].mean(axis=0)

    def measured(f: Any, by_kind: bool) -> dict[str, float]:
        found = {}
        for name, part in (("dev", parts.dev), ("test", parts.test)):
            z = matrix[part.phrase]
            out = mean[None] if f is None else composed(f, matrix, part, by_kind=by_kind)
            out = np.broadcast_to(out, z.shape)
            found[f"{name}_cosine"] = float(cosines(out, z).mean())
            found[f"{name}_error"] = float(((out - z) ** 2).sum(axis=1).mean())
        return found

    result = {
        "additive": measured(additive, False),
        "multiplicative": measured(multiplicative, False),
        "mean phrase": measured(None, False),
    }
    for name in ("linear", *diagonals):
        dy.reset_random_seed(seed)
        pc = dy.ParameterCollection()
        if name == "linear":
            model: Any = LinearComposition(pc, n_embed=size)
        else:
            model = TensorIndexing(pc, n_embed=size, rank=rank, diag=name)
        rng = np.random.default_rng((seed, 6))
        options: dict[str, Any] = {"ridge": ridge, "epochs": EPOCHS}
        fit(model, matrix, parts, **options, rate=RATE, patience=PATIENCE, rng=rng)
        result[name if name == "linear" else f"TIM, {name}"] = measured(model, True)
    return result
