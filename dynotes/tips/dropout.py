"""Dropout of units, of word types and of the layer before the softmax.

Note: Tips in Training / Dropout (T01, T02, T04)
Paper: Srivastava et al. 2014, section 4 (classic; inverted in section 10); Gal & Ghahramani 2016,
    section 4.2 (word types); Zaremba et al. 2014 (output); Iyyer et al. 2015 and Kiperwasser &
    Goldberg 2016 (replacement by the unknown word).
Renamed: p is the probability of dropping, q = 1 - p in Srivastava et al. is p.
Differs: the notes mask "parameters"; dropout masks units (masking weights is DropConnect).
    Classic dropout scales by 1 - p in expectation, exactly only before a linear layer.  The notes
    do not say that an embedding mask belongs to the word type and is rescaled; here both hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.shapes import (
    MAX_ELEMENTS,
    check_dims,
    check_ids,
    check_rate,
    check_size,
    expect,
)

MODES = ("inverted", "classic")


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode: expected one of {MODES}, found {mode!r}")


def _dim(name: str, e: Any) -> tuple[tuple[int, ...], int]:
    """Sizes and batch size of an Expression of any shape; TypeError for anything else."""
    if not isinstance(e, dy.Expression):
        raise TypeError(f"{name}: expected a DyNet Expression, found {type(e).__name__}")
    dims, batch = e.dim()
    return tuple(dims), batch


def dropout_mask(
    dims: Sequence[int], p: float, *, batch_size: int = 1, mode: str = "inverted"
) -> dy.Expression:
    """A mask to multiply with, to be shared between several calls of ``dropout``.

        m_i = b_i / (1 - p)   (inverted)        m_i = b_i   (classic)        b_i ~ Bernoulli(1 - p)

    Args:
        dims: sizes of what will be masked, without the batch.
        p: probability of dropping a unit, 0 <= p < 1.
        batch_size: B; every batch entry gets its own mask.
        mode: "inverted" or "classic".

    Returns:
        dims x B, drawn by DyNet when it is evaluated (its seed).

    Raises:
        ValueError: a bad rate, size or mode.
    """
    _check_mode(mode)
    keep = 1.0 - check_rate("p", p)
    sizes, batch = check_dims("dims", dims), check_size("batch_size", batch_size)
    return dy.random_bernoulli(sizes, keep, 1.0 / keep if mode == "inverted" else 1.0, batch)


def dropout(
    x: dy.Expression,
    p: float,
    *,
    mode: str = "inverted",
    train: bool = True,
    mask: dy.Expression | None = None,
) -> dy.Expression:
    """Zero every unit with probability p.

        inverted:  m * x / (1 - p) in training,  x           at test      m_i ~ Bernoulli(1 - p)
        classic:   m * x           in training,  x * (1 - p) at test

    Inverted: E = x and Var = x^2 p / (1 - p) per unit.

    Args:
        x: any shape and batch; units of different batch entries are dropped independently.
        p: probability of dropping a unit, 0 <= p < 1; 0 returns ``x`` itself.
        mode: "inverted" or "classic".
        train: False is evaluation: nothing is drawn, and inverted dropout returns ``x`` itself.
        mask: what to multiply with instead of a fresh draw, shaped like ``x`` or with batch 1 (one
            mask for the whole batch); its entries hold the factor already, see ``dropout_mask``.

    Returns:
        The shape of ``x``.

    Raises:
        ValueError: p outside [0, 1), an unknown mode, or a mask of another shape.
    """
    _check_mode(mode)
    dims, batch = _dim("x", x)
    if mask is not None:
        _, mask_batch = expect("mask", mask, dims)
        if mask_batch not in (1, batch):
            raise ValueError(f"mask: expected batch 1 or {batch}, found {mask_batch}")
    if check_rate("p", p) == 0.0:
        return x
    if not train:
        return x if mode == "inverted" else x * (1.0 - float(p))
    if mask is not None:
        return dy.cmult(x, mask)
    if mode == "inverted":
        return dy.dropout(x, float(p))
    return dy.cmult(x, dropout_mask(dims, p, batch_size=batch, mode=mode))


def word_dropout_factors(
    ids: np.ndarray, p: float, rng: np.random.Generator, *, per_column: bool = True
) -> np.ndarray:
    """One factor for every word of a batch; all occurrences of a word type share their draw.

        factor[t, b] = m / (1 - p)        m ~ Bernoulli(1 - p) per (word ids[t, b], column b)

    The same as masking the columns of the whole table, then looking the words up.

    Args:
        ids: (T, B) ints, the words of a minibatch.
        p: probability of dropping a word type; 0 draws nothing and returns ones.
        rng: the source of the draws.
        per_column: True: each column has its own mask (Gal & Ghahramani 2016); False: the columns
            share one, m ~ Bernoulli per word (AWD-LSTM, Merity et al. 2018).

    Returns:
        (T, B) float32, entries 0 or 1/(1 - p); see ``scale_columns``.

    Raises:
        ValueError: a bad rate, or ids that are not a (T, B) array of ints >= 0.
    """
    words = check_ids("ids", ids, MAX_ELEMENTS, (None, None)).astype(np.int64)
    p = check_rate("p", p)
    if p == 0.0:
        return np.ones(words.shape, dtype=np.float32)
    keys = words * words.shape[1] + np.arange(words.shape[1]) if per_column else words
    types, which = np.unique(keys.ravel(), return_inverse=True)
    factor = np.where(rng.random(types.size) < p, 0.0, 1.0 / (1.0 - p)).astype(np.float32)
    return factor[which.reshape(words.shape)]


def scale_columns(x: dy.Expression, factors: np.ndarray | None) -> dy.Expression:
    """Multiply every batch entry by its own number.

        y_n = factors_n x_n

    Args:
        x: (E,)xN, for instance ``dy.lookup_batch(table, ids.ravel())``.
        factors: N numbers of any array shape, in the order of ``factors.ravel()``: the (T, B) of
            ``word_dropout_factors`` goes with ids read row by row.  None (evaluation) returns
            ``x`` itself.

    Returns:
        (E,)xN.

    Raises:
        ValueError: x is no vector, or the count of factors is not its batch size.
    """
    _, batch = expect("x", x, (None,))
    if factors is None:
        return x
    values = np.asarray(factors, dtype=np.float32).ravel()
    if values.size != batch:
        raise ValueError(f"factors: expected {batch}, one a batch entry, found {values.size}")
    # A matrix product with a (1,)xN: cmult would broadcast to the same numbers 40 times slower.
    return x * dy.inputTensorTranspose(values.tolist(), dim=(1,), batch_size=batch)


def unknown_replacement(
    ids: np.ndarray, counts: np.ndarray, unk_id: int, alpha: float, rng: np.random.Generator
) -> np.ndarray:
    """Replace rare words by the unknown word, so that its embedding is trained.

        P(replace w) = alpha / (alpha + #(w))        per occurrence

    Args:
        ids: ints of any shape.
        counts: (V,) occurrences #(w) of each word in the training data, >= 0.
        unk_id: id of the unknown word.
        alpha: >= 0; 0.25 in both papers; 0 draws nothing and returns ``ids``.
        rng: the source of the draws.

    Returns:
        An array like ``ids``.

    Raises:
        ValueError: ids or unk_id outside the counts, a negative count or alpha.
    """
    count = np.asarray(counts)
    if count.ndim != 1 or count.size == 0 or not np.all(count >= 0):
        raise ValueError(f"counts: expected (V,) numbers >= 0, found shape {count.shape}")
    words = check_ids("ids", ids, count.size)
    unknown = check_size("unk_id", unk_id, 0, count.size - 1)
    if not 0.0 <= alpha < np.inf:
        raise ValueError(f"alpha: expected a number >= 0, found {alpha!r}")
    if alpha == 0.0:
        return words
    replace = rng.random(words.shape) < alpha / (alpha + count[words])
    return np.where(replace, unknown, words).astype(words.dtype, copy=False)


def output_dropout(
    hs: Sequence[dy.Expression], p: float, *, shared_over_time: bool = False, train: bool = True
) -> list[dy.Expression]:
    """Inverted dropout of the LSTM outputs that feed the last layer.

        y_t = softmax(W (m_t * h_t) / (1 - p) + b)        m_t = m for all t if shared_over_time

    The results are new nodes: the states, and with them the recurrent path, stay as they are.

    Args:
        hs: T outputs, each (H,)xB.
        p: probability of dropping a unit; 0 returns the outputs themselves.
        shared_over_time: False: a fresh mask every step (Zaremba et al. 2014); True: one mask a
            sequence and batch entry (Gal & Ghahramani 2016).
        train: False is evaluation: the outputs themselves.

    Returns:
        T Expressions, each (H,)xB.

    Raises:
        ValueError: no outputs, outputs of different shapes, or p outside [0, 1).
    """
    if not hs:
        raise ValueError("hs: expected at least one output, found none")
    (size,), batch = expect("hs[0]", hs[0], (None,))
    for t, h in enumerate(hs):
        expect(f"hs[{t}]", h, (size,), batch)
    if check_rate("p", p) == 0.0 or not train:
        return list(hs)
    mask = dropout_mask((size,), p, batch_size=batch) if shared_over_time else None
    return [dropout(h, p, mask=mask) for h in hs]
