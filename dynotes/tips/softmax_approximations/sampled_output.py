"""The output layer that sampling needs: scores of a few words, and of all of them for evaluation.

    s_w = v_w^T A h + b_w                        A only where H != E
    P(w | h) = softmax(s + shift)_w              exact, over the whole vocabulary

The rows v_w lie in a lookup table, so a training step reads and updates the rows of the targets
and of the noise words alone: neither its time nor the memory of its graph grows with V.

Note: Tips in Training / Softmax Approximations by Sampling (T21)
Note: Implementation Details / Importance Sampling (T39)
Paper: Jean et al. 2015, arXiv:1412.2007; Jozefowicz et al. 2016, arXiv:1602.02410 (shared samples)
Renamed: v_w is row w of ``L``, b_w row w of ``b``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import feed, read
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import NEG_INF, logsumexp_batch
from dynotes.graph.shapes import check_dims, check_size, expect
from dynotes.graph.working_rules import flat_ids, linear, nll
from dynotes.tips.softmax_approximations.full_softmax import sample_log_probs
from dynotes.tips.softmax_approximations.shared_samples import Draw, accidental_hits


class SampledOutput(Builder):
    """Rows, biases, projection and log-normaliser of an output layer that is trained by sampling.

    Args:
        pc: collection that will own the parameters, as sub-collection "sampled-output".
        n_words: V.
        n_hidden: H, size of h.
        n_embed: E, size of a row; None means H.  Where they differ, A (E, H) projects h.
        bias: add b_w to the scores.
        bias_start: where every b_w starts.
        normaliser: learn log Z(h) = u^T h + z, which starts at 0 (T22); else it is 0.
        shift: V numbers that the scores of training lack (negative sampling: log kQ), added where
            exact probabilities are computed; None for none.
        scale: rows start uniform in (-scale, scale).
    """

    NAME = "sampled-output"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_hidden: int,
        n_embed: Optional[int] = None,
        bias: bool = True,
        bias_start: float = 0.0,
        normaliser: bool = False,
        shift: Optional[Sequence[float]] = None,
        scale: float = 0.1,
    ) -> None:
        hidden = check_size("n_hidden", n_hidden)
        dims = check_dims("L", (n_words, hidden if n_embed is None else n_embed))
        if not 0 < scale < math.inf or not math.isfinite(bias_start):
            raise ValueError(f"scale, bias_start: found {scale!r}, {bias_start!r}")
        if shift is not None and (len(shift) != dims[0] or not np.isfinite(shift).all()):
            bad = f"{len(shift)}" if len(shift) != dims[0] else "nan or an infinity"
            raise ValueError(f"shift: expected {dims[0]} finite numbers, found {bad}")
        super().__init__(
            pc,
            n_words=n_words,
            n_hidden=n_hidden,
            n_embed=n_embed,
            bias=bias,
            bias_start=bias_start,
            normaliser=normaliser,
            shift=shift,
            scale=scale,
        )
        self.n_words, self.n_embed, self.n_hidden = (*dims, hidden)
        make = self._pc
        self.L = make.add_lookup_parameters(dims, init="uniform", scale=float(scale), name="L")
        self.b = make.add_lookup_parameters((dims[0], 1), name="b") if bias else None
        projects = self.n_embed != hidden
        self.A = make.add_parameters((self.n_embed, hidden), name="A") if projects else None
        self.u = make.add_parameters((1, hidden), init=0.0, name="u") if normaliser else None
        self.z = make.add_parameters((1,), init=0.0, name="z") if normaliser else None
        if self.b is not None:
            self.b.init_from_array(np.full((self.n_words, 1), bias_start))

    @property
    def started(self) -> list[Any]:
        """Parameters whose start belongs to the layer: an initialiser should leave them alone."""
        return [p for p in (self.b, self.u, self.z) if p is not None]

    def embed(self, ids: Any) -> dy.Expression:
        """Rows of N ids, (N,) or (T, B) time-major -> (E,)xN: the input vectors of a tied model."""
        return dy.lookup_batch(self.L, flat_ids(ids, self.n_words))

    def project(self, h: dy.Expression) -> dy.Expression:
        """A h, or h itself where E = H: (H,)xN -> (E,)xN."""
        expect("h", h, (self.n_hidden,))
        return h if self.A is None else linear(None, self.A, h)

    def log_normaliser(self, h: dy.Expression) -> Optional[dy.Expression]:
        """log Z(h) = u^T h + z, (1,)xN, or None where it is 0."""
        if self.u is None or self.z is None:
            return None
        expect("h", h, (self.n_hidden,))
        return linear(self.z, self.u, h)

    # what training reads

    def word_scores(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """The score of one word a column: (H,)xN and N ids -> (1,)xN."""
        _, batch = expect("h", h, (self.n_hidden,))
        words = flat_ids(ids, self.n_words, batch)
        s = dy.dot_product(self.project(h), dy.lookup_batch(self.L, words))
        return s if self.b is None else s + dy.lookup_batch(self.b, words)

    def noise_scores(
        self, h: dy.Expression, draw: Draw, lowered: Optional[np.ndarray] = None
    ) -> dy.Expression:
        """Scores of the noise words of every position, by one product a shared set (T39).

        Args:
            h: (H,)x(T*B), time-major.
            draw: words (Tg, Bg, n).
            lowered: (Tg, Bg, n), what to subtract from each word's score; None for nothing.

        Returns:
            (n,)x(T*B), rows in the order of ``draw``.
        """
        _, batch = expect("h", h, (self.n_hidden,))
        (steps, columns, n), size = draw.words.shape, draw.words[..., 0].size
        over_time = steps == 1 and columns > 1  # such a set meets every columns-th position
        if batch % size:
            raise ValueError(f"draw: {size} sets of words for {batch} positions")
        words = flat_ids(draw.words, self.n_words)
        x = self.project(h)
        if over_time:
            order = np.arange(batch).reshape(-1, columns).T.ravel()
            x = dy.pick_batch_elems(x, order.tolist())
        rows = dy.reshape(dy.lookup_batch(self.L, words), (self.n_embed, n), size)
        x = dy.reshape(x, (self.n_embed, batch // size), size)
        s = self._affine(rows, x, words, lowered, (n, size))
        s = dy.reshape(s, (n,), batch)
        return dy.pick_batch_elems(s, np.argsort(order).tolist()) if over_time else s

    def _affine(
        self,
        rows: dy.Expression,
        x: dy.Expression,
        words: list[int],
        lowered: Optional[np.ndarray],
        shape: tuple[int, int],
    ) -> dy.Expression:
        """rows^T x + b - lowered for every set of words: (E, n)xG and (E, k)xG -> (n, k)xG."""
        n, size = shape
        v, terms = dy.transpose(rows), []
        if self.b is not None:
            terms.append(dy.reshape(dy.lookup_batch(self.b, words), (n,), size))
        if lowered is not None:
            terms.append(feed(-lowered.reshape(size, n).T, batched=True))
        if not terms:
            return v * x
        bias = dy.esum(terms)
        # affine_transform cannot spread a bias over columns and batch at the same time
        return dy.affine_transform([bias, v, x]) if size == 1 else v * x + bias

    def touched(self, ids: Any, draw: Optional[Draw] = None) -> dict[Any, np.ndarray]:
        """The rows of each table that a step with these targets and noise words updates."""
        words = np.asarray(ids).ravel()
        if draw is not None:
            words = np.concatenate([words, draw.words.ravel()])
        rows = np.unique(words)
        return {table: rows for table in (self.L, self.b) if table is not None}

    # exact evaluation

    def scores(self, h: dy.Expression) -> dy.Expression:
        """Scores of all words, shift included, not normalised: (H,)xN -> (V,)xN."""
        x = self.project(h)
        table = dy.transpose(self.L.expr())
        shift = None if self.spec["shift"] is None else feed(np.asarray(self.spec["shift"]))
        if self.b is None:
            return linear(shift, table, x)
        bias = dy.reshape(self.b.expr(), (self.n_words,))
        return linear(bias if shift is None else bias + shift, table, x)

    def nll(self, h: dy.Expression, ids: Any) -> dy.Expression:
        """-log P(ids | h), normalised over all words: (H,)xN, N ids -> (1,)xN, in nats."""
        return nll(self.scores(h), ids)

    def log_probs(self, h: dy.Expression) -> dy.Expression:
        """log P(. | h): (H,)xN -> (V,)xN, in nats."""
        return dy.log_softmax(self.scores(h))

    def log_partition(self, h: dy.Expression) -> dy.Expression:
        """log sum_w exp(s_w + shift_w) - log Z(h): 0 where the model is self-normalised, (1,)xN."""
        whole = logsumexp_batch(self.scores(h))
        log_z = self.log_normaliser(h)
        return whole if log_z is None else whole - log_z

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


def hide_hits(
    scores: dy.Expression, draw: Draw, targets: np.ndarray
) -> tuple[dy.Expression, np.ndarray]:
    """Noise words that are a position's own target get ``NEG_INF``, and no gradient.

    Args:
        scores: (n,)x(T*B) of ``SampledOutput.noise_scores``.
        draw: the words.
        targets: (T, B) ids.

    Returns:
        (scores, visible): ``visible`` (T*B,) is a row of each column that is not hidden, or 0
        where all are.
    """
    n, batch = draw.words.shape[-1], targets.size
    expect("scores", scores, (n,), batch)
    rows, positions = accidental_hits(draw.words, targets)
    visible = np.zeros(batch, np.int64)
    if not rows.size:
        return scores, visible
    from_first = np.isin(np.arange(batch), positions[rows == 0])
    hits = np.bincount(positions, minlength=batch)  # neighbours, so the row after them is not one
    visible[from_first] = hits[from_first] % n
    hidden = np.full(rows.size, NEG_INF)
    mask = dy.sparse_inputTensor([rows, positions], hidden, (n, batch), batched=True)
    return scores + mask, visible
