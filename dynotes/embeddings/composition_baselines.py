"""The vector of a phrase by simpler compositions than a tensor.

    additive          f(x, y) = x + y
    multiplicative    f(x, y) = x * y, element by element
    linear            f(x, y) = W [x; y]

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Mitchell & Lapata 2010, Cognitive Science 34, section 3
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect


def additive(x: dy.Expression, y: dy.Expression) -> dy.Expression:
    """x + y, (D,)xB each."""
    (size,), batch = expect("x", x, (None,))
    expect("y", y, (size,), batch)
    return x + y


def multiplicative(x: dy.Expression, y: dy.Expression) -> dy.Expression:
    """x * y, (D,)xB each."""
    (size,), batch = expect("x", x, (None,))
    expect("y", y, (size,), batch)
    return dy.cmult(x, y)


class LinearComposition(Builder):
    """f(x, y) = W [x; y], with a matrix for each type of phrase; it begins as x + y.

    Args:
        pc: collection that will own the matrices, as sub-collection "linear-composition"; that of
            type t is in ``collections[t]``.
        n_embed: D.
        types: how many types of phrases there are.
    """

    NAME = "linear-composition"

    def __init__(self, pc: dy.ParameterCollection, *, n_embed: int, types: int = 1) -> None:
        check_dims("W", (check_size("n_embed", n_embed), 2 * n_embed))
        check_size("types", types)
        super().__init__(pc, n_embed=n_embed, types=types)
        self.n_embed = n_embed
        start = dy.NumpyInitializer(np.tile(np.eye(n_embed), 2))
        shape = (n_embed, 2 * n_embed)
        self.collections = [self._pc.add_subcollection(f"type{t}") for t in range(types)]
        self.W = [pc.add_parameters(shape, init=start, name="W") for pc in self.collections]

    def __call__(self, x: dy.Expression, y: dy.Expression, *, kind: int = 0) -> dy.Expression:
        """W [x; y], (D,)xB.

        Args:
            x, y: (D,)xB, vectors of the first and of the second words.
            kind: the type of all these phrases, 0 .. types-1.
        """
        expect("x", x, (self.n_embed,))
        expect("y", y, (self.n_embed,), x.dim()[1])
        return self._of(kind) * dy.concatenate([x, y])

    def penalty(self, *, kind: int = 0) -> dy.Expression:
        """|W|^2 of a type, (1,)."""
        return dy.squared_norm(self._of(kind))

    def _of(self, kind: int) -> dy.Parameters:
        return self.W[check_size("kind", kind, 0, len(self.W) - 1)]
