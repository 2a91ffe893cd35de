"""Softmax over a shortlist of words, such as the rows that an LSH index returns for h.

    log P_S(w | h) = s_w - log sum_{i in S} exp(s_i)          s_i = v_i . h + b_i,  w in S

It is the full softmax given that the word is in S, and with all words in S the full softmax: the
likelihood is too high by -log P(S | h).  Only listed words get a gradient; to train, put the gold
words into the list (``np.union1d``).  The largest scores are what an inner-product index of the
rows (v_i, b_i) finds for (h, 1).

Note: Tips in Training / Locality Sensitive Hashing (T24)
Paper: Vijayanarasimhan, Shlens, Monga & Yagnik 2014.
Renamed: v_i is row i of ``table``.
Differs: any list will do; the paper's comes from winner-take-all hashes.
"""

from __future__ import annotations

from typing import Any, Optional, Union

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_ids, describe, expect
from dynotes.graph.working_rules import flat_ids

Table = Union[dy.LookupParameters, dy.Parameters]


def shortlist_scores(
    h: dy.Expression, shortlist: Any, table: Table, bias: Optional[Table] = None
) -> dy.Expression:
    """v_i . h + b_i of the listed words only.

    Args:
        h: (H,)xN.
        shortlist: distinct words, (n,) for all columns of h, or (n, N), a column each.
        table: (V, H).  Rows of LookupParameters are read one by one; Parameters are copied whole
            into every graph, so that little is saved.
        bias: None, Parameters (V,) or LookupParameters (V, 1).

    Returns:
        (n,)xN, not normalised, in the order of the list.

    Raises:
        ValueError: sizes that do not fit, a word outside [0, V), or one listed twice.
    """
    n_words, size = _shape("table", table, (None, None))
    _, batch = expect("h", h, (size,))
    words = _check_shortlist(shortlist, n_words, batch)
    n, columns = words.shape
    v = dy.reshape(_rows(table, words), (size, n), columns)
    # the small side is transposed, never the table
    if columns == batch:
        scores = dy.reshape(dy.transpose(h) * v, (n,), batch)
    else:
        together = dy.transpose(dy.reshape(h, (size, batch), 1)) * v
        scores = dy.reshape(dy.transpose(together), (n,), batch)
    if bias is None:
        return scores
    _shape("bias", bias, (n_words,))
    return scores + dy.reshape(_rows(bias, words), (n,), columns)


def shortlist_log_probs(
    h: dy.Expression, shortlist: Any, table: Table, bias: Optional[Table] = None
) -> dy.Expression:
    """log P_S(. | h) of the listed words: (H,)xN -> (n,)xN, in nats; see ``shortlist_scores``."""
    return dy.log_softmax(shortlist_scores(h, shortlist, table, bias))


def shortlist_nll(
    h: dy.Expression, shortlist: Any, targets: Any, table: Table, bias: Optional[Table] = None
) -> dy.Expression:
    """-log P_S(target | h).

    Args:
        targets: N words, (N,) or (T, B) time-major, each in the list of its column.
        h, shortlist, table, bias: see ``shortlist_scores``.

    Returns:
        (1,)xN, in nats.

    Raises:
        ValueError: as there, another number of targets, or one that is not listed.
    """
    n_words, size = _shape("table", table, (None, None))
    _, batch = expect("h", h, (size,))
    words = _check_shortlist(shortlist, n_words, batch)
    equal = words == np.asarray(flat_ids(targets, n_words, batch))
    unlisted = np.flatnonzero(~equal.any(axis=0))
    if unlisted.size:
        raise ValueError(f"targets: the word of column {unlisted[0]} is not in its shortlist")
    scores = shortlist_scores(h, shortlist, table, bias)
    return dy.pickneglogsoftmax_batch(scores, equal.argmax(axis=0).tolist())


def _rows(table: Table, words: np.ndarray) -> dy.Expression:
    """The rows of (n, C) words, column by column: (H,)x(n C)."""
    flat = words.ravel(order="F").tolist()
    if isinstance(table, dy.LookupParameters):
        return dy.lookup_batch(table, flat)
    return dy.pick_batch(table, flat, 0)


def _check_shortlist(shortlist: Any, n_words: int, batch: int) -> np.ndarray:
    """(n, 1) or (n, N) distinct ids."""
    words = check_ids("shortlist", shortlist, n_words)
    if words.ndim == 1:
        words = words[:, None]
    elif words.ndim != 2 or words.shape[1] != batch:
        raise ValueError(f"shortlist: expected (n,) or (n, {batch}), found {words.shape}")
    in_order = np.sort(words, axis=0)
    twice = in_order[1:][in_order[1:] == in_order[:-1]]
    if twice.size:
        raise ValueError(f"shortlist: word {twice[0]} is listed twice")
    return words


def _shape(name: str, table: Table, expected: tuple[Optional[int], ...]) -> tuple[int, ...]:
    """Sizes of a table without a trailing 1; ValueError unless they are the expected ones."""
    if not isinstance(table, (dy.LookupParameters, dy.Parameters)):
        raise ValueError(f"{name}: expected parameters, found {type(table).__name__}")
    found = tuple(table.shape())
    sizes = found[:-1] if len(found) > len(expected) and found[-1] == 1 else found
    fits = len(sizes) == len(expected)
    if not fits or any(n is not None and n != m for n, m in zip(expected, sizes)):
        raise ValueError(f"{name}: expected {describe(expected, 1)}, found {describe(found, 1)}")
    return sizes
