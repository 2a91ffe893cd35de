"""The problem that all sides of the language-model benchmark solve; numpy alone.

One file holds a text cut into columns and the initial parameters, so that every side reads the
same words from the same starting point.  Its arrays:

    ids (N,)                  the text, whole windows only
    inputs, targets (n, B)    the same as B columns of n rows
    start                     the id read before the first word
    embed (V, H), out (V, H), out_b (V,)
    wx0, wh0 (4H, H), b0 (4H,), wx1, ...    gates stacked in DyNet's order i, f, o, g
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LAYERS = 2
FORGET_BIAS = 1.0  # added in the gate by DyNet, so not part of b0, b1
SCALE = 0.1
CLIP = 5.0
RATE = 0.1  # low: at 1 rounding errors grow tenfold a window, and hide what differs
ZIPF_WINDOWS = 100


class Size(NamedTuple):
    """H units a layer (and word-vector size), B columns, T steps a window."""

    hidden: int
    batch: int
    steps: int


def zipf_ids(rng: np.random.Generator, count: int, words: int) -> np.ndarray:
    """(count,) int32 ids; the chance of id r is proportional to 1 / (r + 1)."""
    chances = 1.0 / np.arange(1, words + 1)
    return rng.choice(words, count, p=chances / chances.sum()).astype(np.int32)


def initial_parameters(rng: np.random.Generator, words: int, hidden: int) -> dict[str, np.ndarray]:
    """Float32 arrays by the names above, uniform in (-0.1, 0.1); the biases too."""
    shapes: dict[str, tuple[int, ...]] = {
        "embed": (words, hidden),
        "out": (words, hidden),
        "out_b": (words,),
    }
    for n in range(LAYERS):
        gates = 4 * hidden
        shapes |= {f"wx{n}": (gates, hidden), f"wh{n}": (gates, hidden), f"b{n}": (gates,)}
    return {name: rng.uniform(-SCALE, SCALE, s).astype(np.float32) for name, s in shapes.items()}


def whole_windows(ids: np.ndarray, size: Size) -> np.ndarray:
    """The longest beginning of a text that is whole windows of all columns.

    Raises:
        ValueError: the text is shorter than one window of all columns.
    """
    block = size.batch * size.steps
    if len(ids) < block:
        raise ValueError(f"a window needs {block} words, the text has {len(ids)}")
    return ids[: len(ids) // block * block]


def read_problem(path: str) -> dict[str, np.ndarray]:
    """All arrays of a problem file."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def write_problem(
    path: Path, ids: np.ndarray, start: int, words: int, size: Size, seed: int
) -> None:
    """Cut a text into columns, draw the parameters, and store both.

    Raises:
        ValueError: see `whole_windows`.
    """
    from dynotes.corpora.bptt import columns

    ids = whole_windows(ids, size)
    text = columns(ids, size.batch, start)
    arrays: dict[str, Any] = {
        "ids": ids,
        "start": np.int64(start),
        "inputs": text.inputs,
        "targets": text.targets,
        **initial_parameters(np.random.default_rng(seed), words, size.hidden),
    }
    np.savez(path, **arrays)


def torch_gates(rows: np.ndarray) -> np.ndarray:
    """The 4H rows i, f, o, g (DyNet) as i, f, g, o (PyTorch)."""
    i, f, o, g = np.split(rows, 4)
    return np.concatenate([i, f, g, o])


def task_of(problem: Path, size: Size, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker is told, as plain JSON values."""
    return {"problem": str(problem), **size._asdict(), **settings}
