"""How long an output layer takes on this machine: timings for the cost model of clusters.

    one step = graph, forward, backward and update of  -log softmax(B P h)_y     (A h in the head)

Note: Models & Structures / Adapted Softmax by Grave et al (T48)
Paper: Grave et al. 2017, arXiv:1609.04309, section 4 (time of a product against its size).
Differs: whole training steps are timed, not bare products: on a CPU the softmax over the scores and
    the update of rows that no column needed cost as much as a narrow product.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Optional

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_dims, check_size
from dynotes.graph.working_rules import linear, nll
from dynotes.structures.adaptive_softmax import check_div, tail_size
from dynotes.structures.cluster_costs import LayerCost, LevelCost, fit_cost_model

SIZES = (256, 1024, 4096, 16384)


class TimedLayer:
    """A softmax over k rows, fed with constant columns, that can be trained a step at a time.

    Args:
        k: rows scored.
        n_hidden: H, size of h.
        columns: N, columns of h.
        d: dimensions of the rows, behind a projection (d, H); None is a head, rows of H.
    """

    def __init__(self, k: int, *, n_hidden: int, columns: int, d: Optional[int] = None) -> None:
        self._pc = dy.ParameterCollection()
        self._h = self._pc.add_lookup_parameters((columns, n_hidden), init="uniform", scale=1.0)
        self._P = None if d is None else self._pc.add_parameters((d, n_hidden))
        self._B = self._pc.add_parameters(check_dims("rows", (k, d or n_hidden)))
        self._columns = list(range(columns))
        self._ids = np.arange(columns) % k
        self._trainer = dy.SimpleSGDTrainer(self._pc, 1e-3)

    def step(self) -> float:
        """Train one step; the seconds it took.  Renews the graph."""
        dy.renew_cg()
        began = time.perf_counter()
        x = dy.lookup_batch(self._h, self._columns)
        if self._P is not None:
            x = linear(None, self._P, x)
        loss = dy.sum_batches(nll(linear(None, self._B, x), self._ids)) * (1.0 / len(self._ids))
        loss.forward()
        loss.backward()
        self._trainer.update()
        return time.perf_counter() - began


def measure_products(
    sizes: Sequence[int],
    *,
    n_hidden: int,
    columns: int,
    d: Optional[int] = None,
    repeats: int = 5,
) -> np.ndarray:
    """Seconds of a training step for every number of rows, the quickest of some repeats.

    The sizes take turns, so that a busy moment of the machine does not fall on one of them.  The
    engine never gives the memory of parameters back: about 8 bytes x d x sum of sizes.

    Args:
        sizes: rows k.
        n_hidden: H.
        columns: N.
        d: dimensions of the rows behind a projection; None is a head.
        repeats: timed steps a size, after one that is not.

    Returns:
        (number of sizes,) seconds.

    Raises:
        ValueError: a size, or a number of repeats, below 1, or no size.
    """
    if len(sizes) == 0:
        raise ValueError("sizes: expected at least one, found none")
    for name, value in (("n_hidden", n_hidden), ("columns", columns), ("repeats", repeats)):
        check_size(name, value)
    if d is not None:
        check_size("d", d)
    layers = [
        TimedLayer(check_size(f"sizes[{i}]", k), n_hidden=n_hidden, columns=columns, d=d)
        for i, k in enumerate(sizes)
    ]
    rounds = [[layer.step() for layer in layers] for _ in range(repeats + 1)]
    dy.renew_cg()
    return np.min(rounds[1:], axis=0)


def calibrated_cost(
    *,
    n_hidden: int,
    columns: int,
    clusters: int,
    div: float = 4.0,
    sizes: Sequence[int] = SIZES,
    repeats: int = 5,
) -> LayerCost:
    """The cost model of an adaptive softmax, measured here and now (seconds to a minute).

    Args:
        n_hidden: H.
        columns: N = T*B, columns of a training step.
        clusters: J, number of tails to measure.
        div: as of the layer, tail j has floor(H / div^j) dimensions.
        sizes: rows to measure, at least 3 different ones.
        repeats: see `measure_products`.

    Raises:
        ValueError: a size out of range; times that do not rise with the size (a busy machine).
    """
    check_size("clusters", clusters, 0)
    check_div(div)
    dims = [None, *(tail_size(n_hidden, div, j) for j in range(1, clusters + 1))]
    levels = []
    for d in dims:
        one, every = (
            fit_cost_model(
                sizes,
                measure_products(sizes, n_hidden=n_hidden, columns=n, d=d, repeats=repeats),
            )
            for n in (1, columns)
        )
        levels.append(LevelCost(one, every))
    return LayerCost(levels[0], tuple(levels[1:]))
