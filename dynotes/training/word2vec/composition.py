"""Learn to compose the vectors of phrases, and measure it on phrases that were held out.

    J = 1/n sum |z - f(x, y)|^2 + lambda |theta_t|^2        over the n phrases of each type t

by Adam over small batches of one type.  Every phrase is in one of three parts: a fit learns from
the first, the second says which epoch was the best, and the third is measured once.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Zhao, Liu & Sun 2015, AAAI
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

import dynet as dy
import numpy as np

from dynotes.embeddings.tensor_indexing import squared_error
from dynotes.graph.arrays import feed, read
from dynotes.training.lm_step import TrainingError
from dynotes.training.parameters import memory_views, restore, snapshot

Composer = Callable[..., dy.Expression]  # (x, y, kind=...) -> (D,)xB
BATCH = 128  # phrases an update, at most
FEW, LEAST = 8, 8  # a type has so many updates an epoch, unless they would have fewer phrases each


class PhraseRows(NamedTuple):
    """R phrases as rows of a matrix of vectors.

    first, second, phrase: (R,) rows of the two words and of the phrase itself.
    kinds: (R,) number of the type of each.
    """

    first: np.ndarray
    second: np.ndarray
    phrase: np.ndarray
    kinds: np.ndarray

    def rows(self, which: Any) -> PhraseRows:
        """Some of them."""
        return PhraseRows(*(column[which] for column in self))

    @property
    def size(self) -> int:
        """R."""
        return len(self.first)


class Parts(NamedTuple):
    """Phrases to learn from, to choose the epoch by, and to measure."""

    fit: PhraseRows
    dev: PhraseRows
    test: PhraseRows


class FitResult(NamedTuple):
    """epochs: how many there were; best: the one whose parameters are kept, 0 for the start.

    dev_error: its mean |z - f|^2 on the dev part.
    """

    epochs: int
    best: int
    dev_error: float


def split(phrases: PhraseRows, held_out: float, rng: np.random.Generator) -> Parts:
    """A share of the phrases as dev and as test, the rest to learn from.

    Args:
        phrases: three at least.
        held_out: share of each of dev and test, one phrase at least.
        rng: draws which.
    """
    count = phrases.size
    if count < 3:
        raise ValueError(f"phrases: expected at least 3, found {count}")
    if not 0 < held_out < 0.5:
        raise ValueError(f"held_out: expected a share between 0 and 0.5, found {held_out!r}")
    order = rng.permutation(count)
    size = min(max(1, round(held_out * count)), (count - 1) // 2)
    cuts = (order[2 * size :], order[:size], order[size : 2 * size])
    return Parts(*(phrases.rows(np.sort(cut)) for cut in cuts))


def fit(
    model: Any,
    vectors: np.ndarray,
    parts: Parts,
    *,
    ridge: float,
    epochs: int,
    rate: float,
    patience: int,
    rng: np.random.Generator,
) -> FitResult:
    """Fit a model that composes; it ends with the parameters of its best epoch on dev.

    Args:
        model: a Builder f(x, y, kind=...) with a penalty(kind=...) and a collection a type.
        vectors: (V, D).
        parts: from `split`.
        ridge: lambda.
        epochs: at most; rate: of Adam, falling linearly to 0.
        patience: epochs without a better dev error before the end.
        rng: orders the phrases.

    Raises:
        TrainingError: an error that is not finite.
    """
    pc = model.param_collection()
    views = memory_views(pc)
    # a trainer a type: Adam goes on moving what a batch of another type does not touch
    trainers = [dy.AdamTrainer(one, rate) for one in model.collections]
    best, kept, at = FitResult(0, 0, mean_error(model, vectors, parts.dev)), snapshot(pc, views), 0
    for at in range(1, epochs + 1):
        for trainer in trainers:
            trainer.learning_rate = rate * (1 - (at - 1) / epochs)
        for rows in batches(parts.fit.kinds, rng):
            some = parts.fit.rows(rows)
            _update(model, trainers[some.kinds[0]], vectors, some, ridge)
        error = mean_error(model, vectors, parts.dev)
        if not math.isfinite(error):
            raise TrainingError(f"the error of the phrases is {error}; lower the rate")
        if error < best.dev_error:
            best, kept = FitResult(at, at, error), snapshot(pc, views)
        elif at - best.best >= patience:
            break
    restore(pc, kept, views)
    return best._replace(epochs=at)


def batches(kinds: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of phrases of one type, all of them once, in a random order; small types in small ones.

    Yields:
        BATCH rows at most, and LEAST at least where there are FEW batches of the type.
    """
    every = []
    for kind in np.unique(kinds):
        rows = rng.permutation(np.flatnonzero(kinds == kind))
        count = max(-(-len(rows) // BATCH), min(FEW, -(-len(rows) // LEAST)))
        every += np.array_split(rows, count)
    for i in rng.permutation(len(every)):
        yield every[i]


def _update(
    model: Any, trainer: dy.AdamTrainer, vectors: np.ndarray, some: PhraseRows, ridge: float
) -> None:
    dy.renew_cg()
    kind = int(some.kinds[0])
    f = model(*_words(vectors, some), kind=kind)
    z = feed(vectors[some.phrase].T, batched=True)
    loss = dy.sum_batches(squared_error(z, f)) * (1.0 / some.size)
    (loss + model.penalty(kind=kind) * ridge).backward()
    trainer.update()


def _words(vectors: np.ndarray, some: PhraseRows) -> list[dy.Expression]:
    return [feed(vectors[rows].T, batched=True) for rows in (some.first, some.second)]


def composed(
    model: Composer, vectors: np.ndarray, phrases: PhraseRows, *, by_kind: bool = True
) -> np.ndarray:
    """f(x, y) of all phrases, (R, D).

    Args:
        model: a Builder, or with by_kind=False a function of x and y alone.
    """
    found = np.zeros((phrases.size, vectors.shape[1]), np.float32)
    for kind in np.unique(phrases.kinds).tolist():
        rows = np.flatnonzero(phrases.kinds == kind)
        for part in np.array_split(rows, -(-len(rows) // (8 * BATCH))):
            dy.renew_cg()
            options = {"kind": kind} if by_kind else {}
            found[part] = read(model(*_words(vectors, phrases.rows(part)), **options)).T
    return found


def mean_error(model: Composer, vectors: np.ndarray, phrases: PhraseRows) -> float:
    """The mean of |z - f(x, y)|^2."""
    off = composed(model, vectors, phrases) - vectors[phrases.phrase]
    return float((off.astype(np.float64) ** 2).sum(axis=1).mean())


def cosines(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Cosine of each row with its counterpart, (R,); 0 for a row of zeros."""
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return (found * wanted).sum(axis=1) / np.maximum(norms, 1e-30)


def mean_cosines(
    outputs: dict[str, np.ndarray], vectors: np.ndarray, phrases: PhraseRows, names: Sequence[str]
) -> dict[str, Any]:
    """Mean cosine of what each model composed with the phrases' own vectors.

    Args:
        outputs: (R, D) by name of the model.
        vectors, phrases: the truth.
        names: of the types.

    Returns:
        {"all": {model: cosine}, type: {model: cosine, "phrases": how many}, ...}
    """
    each = {name: cosines(out, vectors[phrases.phrase]) for name, out in outputs.items()}
    found: dict[str, Any] = {"all": {name: round(float(c.mean()), 4) for name, c in each.items()}}
    for kind in np.unique(phrases.kinds).tolist() if len(names) > 1 else ():
        here = phrases.kinds == kind
        means = {name: round(float(c[here].mean()), 4) for name, c in each.items()}
        found[names[kind]] = {**means, "phrases": int(here.sum())}
    return found
