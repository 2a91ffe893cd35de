"""Every composition fitted to and measured on one split of the phrases of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.phrase_text import read_phrase_list
from dynotes.corpora.phrase_types import read_phrase_types
from dynotes.corpora.word_vectors import read_vectors
from dynotes.embeddings.composition_baselines import LinearComposition, additive, multiplicative
from dynotes.embeddings.tensor_indexing import TensorIndexing
from dynotes.training.word2vec.command import TOKENS
from dynotes.training.word2vec.composition import Parts, composed, cosines, fit, split
from dynotes.training.word2vec.sources import find_vectors
from dynotes.training.word2vec.texts import PHRASES
from dynotes.training.word2vec.tim import PATIENCE, RATE, phrase_rows

EPOCHS, HELD_OUT = 40, 0.1


def one_seed(
    run: Path,
    rank: int,
    ridge: float,
    seed: int,
    diagonals: Sequence[str],
    tagged: Optional[Path] = None,
) -> dict[str, dict[str, float]]:
    """Cosines and errors of the dev and test phrases by composition.

    Args:
        run: folder of a run of the model tim.
        rank, ridge: of the fits.
        seed: of the split, the order of the phrases and the start.
        diagonals: of the tensor indexing models to fit.
        tagged: a tagged text that tells types of phrases; None fits no types.
    """
    vectors = read_vectors(find_vectors(run))
    phrases = read_phrase_list(run / TOKENS / PHRASES)
    if tagged is not None:
        known = read_phrase_types(tagged, lower=True)
        phrases = [p._replace(kind=known.of(p.first, p.second)) for p in phrases]
    rows, names = phrase_rows(phrases, vectors.words)
    parts = split(rows, HELD_OUT, np.random.default_rng((seed, 5)))
    untyped = Parts(*(part._replace(kinds=np.zeros_like(part.kinds)) for part in parts))
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

    def fitted(name: str, types: int) -> Any:
        dy.reset_random_seed(seed)
        pc = dy.ParameterCollection()
        sizes = {"n_embed": size, "types": types}
        if name == "linear":
            model: Any = LinearComposition(pc, **sizes)
        else:
            model = TensorIndexing(pc, rank=rank, diag=name, **sizes)
        some = parts if types > 1 else untyped
        rng = np.random.default_rng((seed, 6))
        fitting: dict[str, Any] = {"ridge": ridge, "epochs": EPOCHS}
        fit(model, matrix, some, **fitting, rate=RATE, patience=PATIENCE, rng=rng)
        return model if types > 1 else (lambda x, y, kind: model(x, y))

    result = {
        "additive": measured(additive, False),
        "multiplicative": measured(multiplicative, False),
        "mean phrase": measured(None, False),
    }
    for name in ("linear", *diagonals):
        shown = name if name == "linear" else f"TIM, {name}"
        result[shown] = measured(fitted(name, 1), True)
        if tagged is not None and name != "unit":
            result[f"{shown}, by type"] = measured(fitted(name, len(names)), True)
    return result
