"""The problem that all sides of the output-layer benchmark solve; numpy alone.

One file holds a text cut into columns, constant vectors h and the initial parameters.  Its arrays:

    ids, inputs, targets, start             as in lm_problem
    h (H, N)                                N = T*B columns, time-major
    embed (V, H), wx0, wh0 (4H, H), b0      gates stacked in DyNet's order i, f, o, g
    head (V_h + J, H), head_b               rows of words, then one a tail
    project1 (d_1, H), tail1 (V_1, d_1), ...
    out (V, H), out_b                       of the full softmax
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lm_problem import SCALE, Size, whole_windows


def layer_shapes(
    words: int, hidden: int, cutoffs: Sequence[int], div: float
) -> dict[str, tuple[int, ...]]:
    """Shapes of the adaptive softmax by the names above, PyTorch's rule for d_j."""
    edges = [0, *cutoffs, words]
    entries = edges[1] + len(cutoffs)
    shapes: dict[str, tuple[int, ...]] = {"head": (entries, hidden), "head_b": (entries,)}
    for j in range(1, len(edges) - 1):
        d = int(hidden // div**j)
        shapes |= {f"project{j}": (d, hidden), f"tail{j}": (edges[j + 1] - edges[j], d)}
    return shapes


def model_shapes(words: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the embedding, of one LSTM layer and of the full softmax."""
    gates = 4 * hidden
    return {
        "embed": (words, hidden),
        "wx0": (gates, hidden),
        "wh0": (gates, hidden),
        "b0": (gates,),
        "out": (words, hidden),
        "out_b": (words,),
    }


def write_problem(
    path: Path,
    ids: np.ndarray,
    start: int,
    words: int,
    size: Size,
    *,
    cutoffs: Sequence[int],
    div: float,
    seed: int,
) -> None:
    """Cut a text into columns, draw h and the parameters, and store all.

    Args:
        path: of the new file.
        ids: a text; ``start`` is read before its first word.
        words: V, more than every id.
        size: H, B, T.
        cutoffs, div: of the adaptive softmax.
        seed: of the numbers, uniform in (-0.1, 0.1), h in (-1, 1).

    Raises:
        ValueError: the text is shorter than a window; cut-offs that do not rise within 1..V-1, or
            a tail without a dimension.
    """
    from dynotes.corpora.bptt import columns

    if any(a >= b for a, b in zip([0, *cutoffs], [*cutoffs, words])):
        raise ValueError(f"cut-offs must rise from 1 to {words - 1}, found {list(cutoffs)}")
    if size.hidden // div ** len(cutoffs) < 1:
        raise ValueError(f"{len(cutoffs)} tails of {size.hidden} units leave no dimension")
    text = columns(whole_windows(ids, size), size.batch, start)
    rng = np.random.default_rng(seed)
    shapes = {**layer_shapes(words, size.hidden, cutoffs, div), **model_shapes(words, size.hidden)}
    arrays: dict[str, Any] = {
        "ids": whole_windows(ids, size),
        "start": np.int64(start),
        "inputs": text.inputs,
        "targets": text.targets,
        "h": rng.uniform(-1, 1, (size.hidden, size.batch * size.steps)).astype(np.float32),
    }
    arrays |= {name: rng.uniform(-SCALE, SCALE, s).astype(np.float32) for name, s in shapes.items()}
    np.savez(path, **arrays)
