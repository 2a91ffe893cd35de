"""Tensor indexing model: the vector of a phrase from those of its two words.

    z_i = f(x, y)_i = x^T W_i y + (M x)_i + (N y)_i         W_i = U_i^T V_i + diag(a_i)
    J = 1/n sum |z - f(x, y)|^2 + lambda |theta|^2

U_i and V_i are (r, D).  With U = [U_1; ...; U_D], (r D, D), row (i-1) r + k being row k of U_i,

    x^T U_i^T V_i y = sum_{k=1..r} (U x)_{ir+k} (V y)_{ir+k}

is a product of two vectors, summed in groups of r: 2 r D^2 multiplications and not D^3.  a_i is

    identity   e_i        coordinate i gains x_i y_i: multiplicative composition
    unit       (1 .. 1)   every coordinate gains the same x . y
    learned    a parameter, from 0 on
    none       0

so that U = V = 0 and M = N = 0 leave x * y ("identity"), and M = N = I alone is x + y.  Every type
of phrase (adjective-noun, noun-noun, verb-object) has parameters of its own.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Zhao, Liu & Sun 2015, AAAI; Mitchell & Lapata 2010 (x + y and x * y)
Renamed: the notes' I is the term diag(a_i); their formula adds the unit matrix ("unit").
Differs: M and N begin as I and V as 0, so that training starts from x + y (and the diagonal).
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import parameter_array
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect

DIAGONALS = ("identity", "unit", "learned", "none")


class _Type(NamedTuple):
    """The parameters of one type; those that the settings lack are None."""

    M: dy.Parameters
    N: dy.Parameters
    W: Optional[dy.Parameters]  # (D D, D), the rows of W_1, W_2, ...: the full rank
    U: Optional[dy.Parameters]  # (r D, D)
    V: Optional[dy.Parameters]  # (r D, D)
    A: Optional[dy.Parameters]  # (D, D), the rows a_i


class DenseForm(NamedTuple):
    """f as arrays: z_i = x^T W[i] y + (M x)_i + (N y)_i; W (D, D, D), M and N (D, D)."""

    W: np.ndarray
    M: np.ndarray
    N: np.ndarray


class TensorIndexing(Builder):
    """Composes two vectors by D bilinear forms of low rank and two matrices.

    Args:
        pc: collection that will own the parameters, as sub-collection "tensor-indexing"; those of
            type t are in ``collections[t]``, so that a type can have a trainer of its own.
        n_embed: D.
        rank: r; None for forms W_i of full rank, in D^3 parameters.
        diag: a_i, one of DIAGONALS.
        types: how many types of phrases there are, each with its own parameters.
    """

    NAME = "tensor-indexing"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_embed: int,
        rank: Optional[int] = 5,
        diag: str = "identity",
        types: int = 1,
    ) -> None:
        check_size("n_embed", n_embed)
        if rank is not None:
            check_size("rank", rank)
        check_dims("W", ((n_embed if rank is None else rank) * n_embed, n_embed))
        check_size("types", types)
        if diag not in DIAGONALS:
            raise ValueError(f"diag: expected one of {', '.join(DIAGONALS)}, found {diag!r}")
        super().__init__(pc, n_embed=n_embed, rank=rank, diag=diag, types=types)
        self.n_embed, self.rank, self.diag = n_embed, rank, diag
        self.collections = [self._pc.add_subcollection(f"type{t}") for t in range(types)]
        self.types = [self._new_type(pc) for pc in self.collections]

    def _new_type(self, pc: dy.ParameterCollection) -> _Type:
        D, r, add = self.n_embed, self.rank, pc.add_parameters
        eye, zero = dy.IdentityInitializer(), dy.ConstInitializer(0.0)
        M, N = (add((D, D), init=eye, name=name) for name in "MN")
        W = add((D * D, D), init=zero, name="W") if r is None else None
        # V is 0 and U is not: the form begins as 0 and has a gradient
        small = dy.NormalInitializer(0.0, 1.0 / D)
        U = None if r is None else add((r * D, D), init=small, name="U")
        V = None if r is None else add((r * D, D), init=zero, name="V")
        A = add((D, D), init=zero, name="A") if self.diag == "learned" else None
        return _Type(M, N, W, U, V, A)

    def __call__(self, x: dy.Expression, y: dy.Expression, *, kind: int = 0) -> dy.Expression:
        """f(x, y), (D,)xB.

        Args:
            x, y: (D,)xB, vectors of the first and of the second words.
            kind: the type of all these phrases, 0 .. types-1.
        """
        expect("x", x, (self.n_embed,))
        expect("y", y, (self.n_embed,), x.dim()[1])
        own = self._of(kind)
        z = own.M * x + own.N * y + self._form(own, x, y)
        if self.diag == "identity":
            return z + dy.cmult(x, y)
        if self.diag == "unit":
            return z + dy.ones((self.n_embed, 1)) * dy.dot_product(x, y)
        return z if own.A is None else z + own.A * dy.cmult(x, y)

    def _form(self, own: _Type, x: dy.Expression, y: dy.Expression) -> dy.Expression:
        """x^T W_i y of every i without the diagonal, (D,)xB."""
        D = self.n_embed
        if own.W is not None:
            columns = dy.reshape(own.W * y, (D, D))  # column i is W_i y
            return dy.reshape(dy.reshape(x, (1, D)) * columns, (D,))
        groups = dy.reshape(dy.cmult(own.U * x, own.V * y), (self.rank, D))
        return dy.sum_dim(groups, [0])

    def penalty(self, *, kind: int = 0) -> dy.Expression:
        """|theta|^2 of the parameters of a type, (1,)."""
        return dy.esum([dy.squared_norm(p) for p in self._of(kind) if p is not None])

    def dense(self, *, kind: int = 0) -> DenseForm:
        """f of a type as arrays of full rank, the diagonal included; for looking at."""
        own, D = self._of(kind), self.n_embed
        M, N = parameter_array(own.M), parameter_array(own.N)
        if own.W is not None:
            W = parameter_array(own.W).reshape(D, D, D)
        else:
            U, V = (parameter_array(p).reshape(D, -1, D) for p in (own.U, own.V))
            W = U.transpose(0, 2, 1) @ V
        a = {"identity": np.eye(D), "unit": np.ones((D, D))}.get(self.diag)
        if own.A is not None:
            a = parameter_array(own.A)
        if a is not None:
            W = W + a[:, :, None] * np.eye(D)
        return DenseForm(W.astype(np.float32), M, N)

    def _of(self, kind: int) -> _Type:
        return self.types[check_size("kind", kind, 0, len(self.types) - 1)]


def squared_error(z: dy.Expression, f: dy.Expression) -> dy.Expression:
    """|z - f|^2 of every phrase, (1,)xB.

    Args:
        z: (D,)xB, the vectors that phrases have.
        f: (D,)xB, composed ones.
    """
    (size,), batch = expect("z", z, (None,))
    expect("f", f, (size,), batch)
    return dy.squared_distance(z, f)
