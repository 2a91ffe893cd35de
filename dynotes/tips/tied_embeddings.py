"""Tied embeddings: one table embeds the inputs and scores the outputs; the augmented loss.

    x_t = L y_{t-1},     y^_t = softmax(L^T A h_t + b)              A only where H != E
    u_t = L y_t,         y~_t = softmax(L^T u_t / tau)
    J_aug = KL(y~_t || softmax(s_t / tau)),    J = J_CE + alpha J_aug,    alpha = gamma tau

Unlike a one-hot target, y~ gives every word some mass: near-synonyms of the gold word rise too.

Note: Tips in Training / Tied Input and Output Embeddings (T18, T19)
Paper: Inan, Khosravi & Socher 2017, section 3 (augmented loss) and 4 (tying); Press & Wolf 2017.
Renamed: L^T is ``P`` (V, E), word w is row w; the projection is ``A`` (named P in the paper).
Differs: the table is a Parameters, not a LookupParameters: P h needs no transposed copy of the
table, which is several times faster; all rows are updated either way.  The notes leave out tau
and alpha, and that tying needs E = H or a projection.
"""

from __future__ import annotations

import math
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_size, expect
from dynotes.graph.working_rules import flat_ids, linear, nll
from dynotes.tips.divergences import tempered
from dynotes.tips.softmax_approximations.full_softmax import sample_log_probs


class WordEmbeddings(Builder):
    """The untied input table x = L y; only the rows of looked-up words are updated.

    Args:
        pc: collection that will own L, as sub-collection "word-embeddings".
        n_words: V, number of words.
        n_embed: E, size of a vector.
        scale: entries start uniform in (-scale, scale) (DyNet's default shrinks with V).
    """

    NAME = "word-embeddings"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int, scale: float = 0.1
    ) -> None:
        dims = check_dims("L", (n_words, n_embed))
        _check_scale(scale)
        super().__init__(pc, n_words=n_words, n_embed=n_embed, scale=scale)
        self.n_words, self.n_embed = dims
        self.L = self._pc.add_lookup_parameters(dims, init="uniform", scale=float(scale), name="L")

    def embed(self, ids: Any) -> dy.Expression:
        """Vectors of N ids, (N,) or (T, B) time-major -> (E,)xN."""
        return dy.lookup_batch(self.L, flat_ids(ids, self.n_words))


class TiedEmbeddings(Builder):
    """One table P for the input words and for the output scores.

    Args:
        pc: collection that will own P (and A, b), as sub-collection "tied-embeddings".
        n_words: V.
        n_embed: E.
        n_hidden: H, size of h; None means E.  Where it differs from E, A (E, H) projects h.
        bias: add b (V,) to the scores; it starts at 0.
        scale: the table starts uniform in (-scale, scale).
    """

    NAME = "tied-embeddings"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_embed: int,
        n_hidden: Optional[int] = None,
        bias: bool = True,
        scale: float = 0.1,
    ) -> None:
        dims = check_dims("P", (n_words, n_embed))
        _check_scale(scale)
        hidden = dims[1] if n_hidden is None else check_size("n_hidden", n_hidden)
        super().__init__(
            pc, n_words=n_words, n_embed=n_embed, n_hidden=n_hidden, bias=bias, scale=scale
        )
        self.n_words, self.n_embed, self.n_hidden = dims[0], dims[1], hidden
        self.P = self._pc.add_parameters(dims, init="uniform", scale=float(scale), name="P")
        projects = hidden != self.n_embed
        self.A = self._pc.add_parameters((self.n_embed, hidden), name="A") if projects else None
        self.b = self._pc.add_parameters((self.n_words,), init=0.0, name="b") if bias else None

    def embed(self, ids: Any) -> dy.Expression:
        """Input vectors of N ids, (N,) or (T, B) time-major -> (E,)xN."""
        return dy.pick_batch(self.P, flat_ids(ids, self.n_words), 0)

    def project(self, h: dy.Expression) -> dy.Expression:
        """A h, or h itself where E = H: (H,)xN -> (E,)xN."""
        expect("h", h, (self.n_hidden,))
        return h if self.A is None else linear(None, self.A, h)

    def scores(self, h: dy.Expression) -> dy.Expression:
        """P A h + b, not normalised: (H,)xN -> (V,)xN."""
        return linear(self.b, self.P, self.project(h))

    def nll(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """-log P(ids | h): (H,)xN and N ints (time-major) -> (1,)xN, in nats."""
        return nll(self.scores(h), ids)

    def log_probs(self, h: dy.Expression) -> dy.Expression:
        """log P(. | h): (H,)xN -> (V,)xN, in nats."""
        return dy.log_softmax(self.scores(h))

    def sample(
        self,
        h: dy.Expression,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        top_k: Optional[int] = None,
    ) -> np.ndarray:
        """One word per column of h, (H,)xN -> (N,) ints; see ``sample_log_probs``."""
        return sample_log_probs(read(self.log_probs(h)), rng, temperature=temperature, top_k=top_k)

    def expected(self, probs: dy.Expression) -> dy.Expression:
        """Mean input vector under a distribution over words: (V,)xN -> (E,)xN."""
        _, batch = expect("probs", probs, (self.n_words,))
        rows = dy.transpose(dy.reshape(probs, (self.n_words, batch), 1)) * self.P
        return dy.reshape(dy.transpose(rows), (self.n_embed,), batch)

    def similarities(self, ids: Any, scale: float = 1.0) -> dy.Expression:
        """L^T u * scale, inner products of N words' vectors with all: N ids -> (V,)xN."""
        return linear(None, self.P, self.embed(ids) * scale)


def augmented_loss(
    scores: dy.Expression,
    tied: TiedEmbeddings,
    ids: Any,
    *,
    tau: float,
    gamma: float,
    stop_gradient: bool = True,
) -> dy.Expression:
    """The augmented term alpha J_aug, alpha = gamma tau, to be added to the cross-entropy.

    Costs one more product with the table and one more softmax.

    Args:
        scores: (V,)xN, ``tied.scores(h)``.
        tied: the table that the targets come from.
        ids: N gold words, (N,) or (T, B) time-major.
        tau: temperature of both softmaxes, > 0.
        gamma: weight, >= 0; the paper's best lie between 0.5 and 0.8.
        stop_gradient: the targets y~ are constants; otherwise the table is also pulled towards
            making its own targets easy.

    Returns:
        (1,)xN, in nats.

    Raises:
        ValueError: ids that do not fit the scores, tau <= 0, gamma < 0.
    """
    (n_words,), batch = expect("scores", scores, (tied.n_words,))
    gold = np.asarray(flat_ids(ids, n_words, batch))
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma: expected a number >= 0, found {gamma!r}")
    s = tempered(scores, tau)
    similarities = tied.similarities(gold, 1.0 / tau)
    if stop_gradient:
        similarities = dy.nobackprop(similarities)
    return kl_of_scores(similarities, s, gold) * (float(gamma) * float(tau))


def kl_of_scores(t: dy.Expression, s: dy.Expression, ids: Any) -> dy.Expression:
    """KL(softmax(t) || softmax(s)) without storing a log-probability.

        = p^T d - d_y + nll_y(s) - nll_y(t),   p = softmax(t), d = t - s

    The equation holds for any word y; a probable one keeps the digits.

    Args:
        t, s: (V,)xN, not normalised.
        ids: N ints y, words that are probable under t.

    Returns:
        (1,)xN, in nats, >= 0 up to rounding.
    """
    shape, batch = expect("t", t, (None,))
    expect("s", s, shape, batch)
    y = flat_ids(ids, shape[0], batch)
    p, d = dy.softmax(t), t - s
    mean_d = dy.sum_elems(dy.cmult(p, d))
    return mean_d - dy.pick_batch(d, y) + nll(s, ids) - nll(t, ids)


def _check_scale(scale: Any) -> None:
    number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not number or not 0 < scale < math.inf:
        raise ValueError(f"scale: expected a positive number, found {scale!r}")
