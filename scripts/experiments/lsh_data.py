"""Points and queries for the LSH experiment: drawn from a recipe, or out of a trained model.

gaussian    points and queries N(0, I)
clustered   500 centres N(0, I); a point is a random centre + N(0, I); a query is a stored point,
            drawn at random, + 0.5 N(0, I): one point lies much nearer than the others
mixture     points as in clustered; queries are further draws of the same kind, so that the nearest
            points are all members of one cluster, about equally near
rows of X   a table of a language model; random rows are the queries and the other rows the points
hidden      queries are LSTM outputs (h, 1) on a text, points the rows (v_w, b_w) of the softmax
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.training.model_file import read_arrays
from dynotes.training.run_folder import MODEL

CENTRES, QUERY_NOISE = 500, 0.5
OUTPUTS = ("tied-embeddings/P", "full-softmax/P", "sampled-output/L")
TABLES = (*OUTPUTS, "word-embeddings/L")
COSINE, INNER, COSINE_CODES = "cosine", "inner product", "inner product by cosine codes"
COLUMNS, WARM_UP = 20, 10  # of the text that hidden vectors come from

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


class Source(NamedTuple):
    """A kind of data: ``draw`` gives points (N, D) and queries (Q, D)."""

    name: str
    similarities: Sequence[str]
    draw: Draw


def drawn(name: str, points: int, queries: int, dim: int) -> Source:
    """One of the recipes."""

    def gaussian(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return rng.standard_normal((points, dim)), rng.standard_normal((queries, dim))

    def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = around(rng, rng.standard_normal((CENTRES, dim)), points)
        chosen = x[rng.integers(points, size=queries)]
        return x, chosen + QUERY_NOISE * rng.standard_normal(chosen.shape)

    def mixture(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        centres = rng.standard_normal((CENTRES, dim))
        return around(rng, centres, points), around(rng, centres, queries)

    recipes: dict[str, Draw] = {"gaussian": gaussian, "clustered": clustered, "mixture": mixture}
    return Source(name, (COSINE,), recipes[name])


def around(rng: np.random.Generator, centres: np.ndarray, count: int) -> np.ndarray:
    """Points about random centres."""
    chosen = centres[rng.integers(len(centres), size=count)]
    return chosen + rng.standard_normal(chosen.shape)


def trained(path: Path, queries: int, depth: int, text: Optional[Path]) -> list[Source]:
    """The tables of a model of scripts/lm.py and, with a text, its hidden vectors.

    Args:
        path: a model file, or the folder of a run.
        queries: how many.
        depth: of the deepest re-ranking, for which there must be words enough.

    Raises:
        InputError: no such model or text, or too small a one.
    """
    file = path / MODEL if path.is_dir() else path
    arrays, meta = named_arrays(file)
    tables = {name: arrays[name] for name in TABLES if name in arrays}
    if not tables:
        raise InputError(file, f"no table of word vectors ({', '.join(TABLES)})")
    found = []
    for name, table in tables.items():
        if table.ndim != 2 or len(table) < queries + depth:
            raise InputError(file, f"{name} {table.shape}: expected {queries + depth} words")
        found.append(Source(f"rows of {name}", (COSINE, INNER), held_out(table, queries)))
    if text is not None:
        states = hidden_vectors(file, text, 2 * queries)
        rows = output_rows(arrays, meta)
        if rows is None:
            raise InputError(file, "--text: its output layer is not one table of words")
        found.append(hidden(rows, states, queries))
    return found


def named_arrays(file: Path) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of a model by the last two parts of their names, and its JSON value."""
    arrays, meta = read_arrays(file)
    return {"/".join(name.split("/")[-2:]): array for name, array in arrays.items()}, meta


def held_out(table: np.ndarray, queries: int) -> Draw:
    """Random rows ask for their nearest among the others."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        order = rng.permutation(len(table))
        return table[order[queries:]], table[order[:queries]]

    return draw


def output_rows(arrays: dict[str, np.ndarray], meta: Any) -> Optional[np.ndarray]:
    """(V, E + 1) rows (v_w, b_w) of the output layer, or None where it is no single table."""
    name = next((name for name in OUTPUTS if name in arrays), None)
    if name is None:
        return None
    table = arrays[name]
    bias = np.zeros(len(table))
    if f"{name[:-1]}b" in arrays:
        bias = bias + arrays[f"{name[:-1]}b"].ravel()
    shift = (meta["spec"].get("options") or {}).get("shift")  # of negative sampling: log kQ
    return np.column_stack([table, bias if shift is None else bias + shift])


def hidden(rows: np.ndarray, states: np.ndarray, queries: int) -> Source:
    """LSTM outputs ask for the words with the largest scores v_w . h + b_w."""
    asked = np.column_stack([states, np.ones(len(states))])

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return rows, asked[rng.choice(len(asked), queries, replace=False)]

    return Source("hidden", (INNER, COSINE_CODES), draw)


def hidden_vectors(file: Path, text: Path, count: int) -> np.ndarray:
    """At least ``count`` inputs of the softmax, (n, E), from different places of a text."""
    from dynotes import runtime

    dy = runtime.start(mem="64", seed=1)
    from dynotes.corpora.lm_corpus import read_lm_text
    from dynotes.graph.arrays import read
    from dynotes.training.lm_model import load_model

    owned, vocabulary, normalised = load_model(file)
    stream = read_lm_text(
        text, vocabulary, lower=normalised["lower"], numbers=normalised["numbers"]
    )
    ids = stream.ids
    steps = WARM_UP + -(-count // COLUMNS)
    if len(ids) < steps * COLUMNS:
        raise InputError(text, f"expected {steps * COLUMNS} tokens, found {len(ids)}")
    starts = np.linspace(0, len(ids) - steps, COLUMNS).astype(int)
    dy.renew_cg()
    segment = owned.model.segment(ids[starts[None] + np.arange(steps)[:, None]])
    project: Any = getattr(owned.model.output, "project", lambda h: h)
    return read(project(segment.h)).T[WARM_UP * COLUMNS :]
