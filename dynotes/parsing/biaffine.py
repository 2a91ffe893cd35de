"""Biaffine scores of pairs: one form for arcs and labels.

    s_k(x, y) = x^T U_k y + u_k . x + w_k . y + b_k  =  [x; 1]^T [U_k u_k; w_k^T b_k] [y; 1]

x is the vector of a head, y that of a dependent.  Arcs have one k: S = H^T (U D + u), where U
models the pair and u how much a word tends to have dependents (w and b would be the same for all
heads).  Labels have a k each.  With x and y of one size this is the tensor indexing model of two
word vectors with forms of full rank, and a bias: M = [u_k]^T, N = [w_k]^T.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T72, T73, T75)
Paper: Dozat & Manning 2017, arXiv:1611.01734, equations 2, 3 and 6
Renamed: U^(1) and u^(2) of arcs are U and u; the rows of U^(2) of labels are u_k and w_k.
Differs: the paper has n scores for a word; the root is a head too, so they are n + 1.
"""

from __future__ import annotations

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import parameter_array
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect


class Biaffine(Builder):
    """K biaffine forms; all parameters begin as zero.

    Args:
        pc: collection that will own the parameters, as sub-collection "biaffine".
        n_head, n_dep: sizes of x and y.
        n_out: K.
        bias_head: has u, the term that x alone decides.
        bias_dep: has w, the term that y alone decides.  b is there with both.
    """

    NAME = "biaffine"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_head: int,
        n_dep: int,
        n_out: int = 1,
        bias_head: bool = True,
        bias_dep: bool = False,
    ) -> None:
        check_size("n_head", n_head)
        check_dims("U", (n_head * check_size("n_out", n_out), n_dep))
        super().__init__(
            pc, n_head=n_head, n_dep=n_dep, n_out=n_out, bias_head=bias_head, bias_dep=bias_dep
        )
        self.n_head, self.n_dep, self.n_out = n_head, n_dep, n_out
        add = self._pc.add_parameters
        # one matrix: the rows of U_1, then those of U_2, ...
        self.U = add((n_out * n_head, n_dep), init=0.0, name="U")
        self.u = add((n_out * n_head,), init=0.0, name="u") if bias_head else None
        self.w = add((n_out, n_dep), init=0.0, name="w") if bias_dep else None
        self.b = add((n_out,), init=0.0, name="b") if bias_head and bias_dep else None

    def __call__(self, head: dy.Expression, dep: dy.Expression) -> dy.Expression:
        """Scores of given pairs, all k of each.

        Args:
            head: (n_head,)xN.
            dep: (n_dep,)xN.

        Returns:
            (K,)xN.

        Raises:
            ShapeError: other sizes.
        """
        _, batch = expect("head", head, (self.n_head,))
        expect("dep", dep, (self.n_dep,), batch)
        forms = dy.reshape(self._forms(dep), (self.n_head, self.n_out), batch)
        scores = dy.reshape(head, (1, self.n_head), batch) * forms
        return self._with_dep(dy.reshape(scores, (self.n_out,), batch), dep)

    def pairs(self, head: dy.Expression, dep: dy.Expression) -> dy.Expression:
        """Scores of every head with every dependent, of form 0 alone (K = 1).

        Args:
            head: (n_head, T)xB.
            dep: (n_dep, R)xB.

        Returns:
            (T, R)xB; [i, j] is that of head i and dependent j.

        Raises:
            ValueError: more than one form.
            ShapeError: other sizes.
        """
        if self.n_out != 1:
            raise ValueError(f"pairs: expected one form, found {self.n_out}")
        (_, rows), batch = expect("head", head, (self.n_head, None))
        (_, columns), _ = expect("dep", dep, (self.n_dep, None), batch)
        flat = dy.reshape(dep, (self.n_dep,), columns * batch)
        forms = dy.reshape(self._forms(flat), (self.n_head, columns), batch)
        scores = dy.transpose(dy.reshape(head, (self.n_head, rows), batch)) * forms
        if self.w is None:
            return scores
        prior = dy.reshape(self._prior(flat), (1, columns), batch)
        return scores + prior

    def dense(self) -> np.ndarray:
        """The forms with their borders, (K, n_head + 1, n_dep + 1), for looking at."""
        full = np.zeros((self.n_out, self.n_head + 1, self.n_dep + 1), np.float32)
        full[:, :-1, :-1] = parameter_array(self.U).reshape(self.n_out, self.n_head, self.n_dep)
        if self.u is not None:
            full[:, :-1, -1] = parameter_array(self.u).reshape(self.n_out, self.n_head)
        if self.w is not None:
            full[:, -1, :-1] = parameter_array(self.w)
        if self.b is not None:
            full[:, -1, -1] = parameter_array(self.b)
        return full

    def _forms(self, dep: dy.Expression) -> dy.Expression:
        """U_k y + u_k of all k, (K n_head,)xN."""
        if self.u is None:
            return self.U * dep
        return dy.affine_transform([self.u, self.U, dep])

    def _prior(self, dep: dy.Expression) -> Optional[dy.Expression]:
        """w_k . y + b_k of all k, (K,)xN."""
        if self.b is None:
            return self.w * dep
        return dy.affine_transform([self.b, self.w, dep])

    def _with_dep(self, scores: dy.Expression, dep: dy.Expression) -> dy.Expression:
        return scores if self.w is None else scores + self._prior(dep)
