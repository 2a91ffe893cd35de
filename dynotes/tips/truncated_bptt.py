"""Truncated backpropagation through time: which steps one graph holds, and which losses it trains.

    full:       grad = sum_t sum_{s <= t}           dl_t/dh_t  dh_t/dh_s  d+h_s/dtheta
    truncated:  grad = sum_t sum_{cut(t) <= s <= t} ...,       cut(t) = first step of t's graph

The state still carries information over a cut, only the gradient does not.  Two variants:

    "williams-peng"  every k1 new steps, the losses of those k1 steps go back through the last k2
                     steps: k2 - k1 context steps are run again from a saved state
    "notes"          every k1 steps, all losses of the following k2 steps are trained: windows
                     overlap, a loss counts about k2 / k1 times

They are the same for k1 = k2.

Note: Tips in Training / Truncated Backprop (T14, T15)
Paper: Williams & Peng 1990, BPTT(h; h') with h = k2, h' = k1; Merity et al. 2018, section 5 (random
    lengths); Melis et al. 2018, option drop_state_probability (zeroed initial state).
Renamed: Merity's base sequence length is ``base``; Melis' drop_state_probability is ``q``.
Differs: the notes train on the *following* k2 steps, Williams and Peng go back through the *last*
    k2.  A random length is cut at the end of the columns before the learning rate is scaled by it;
    the released code scales by the length that was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dynotes.graph.shapes import check_size

VARIANTS = ("notes", "williams-peng")


class Window(NamedTuple):
    """One graph over the columns of a (n, B) matrix; steps are rows, counted from 0.

    Run steps start ... stop - 1 from the saved state, train on the losses of steps loss_from ...
    stop - 1, and keep as saved state the one *entering* step ``save_at`` (that is, after save_at -
    start steps of this graph; if save_at == start, the state this window began with).
    """

    start: int
    stop: int
    loss_from: int
    save_at: int

    @property
    def n_losses(self) -> int:
        """The number of steps whose losses are trained."""
        return self.stop - self.loss_from


class RandomLength(NamedTuple):
    """A window length and the factor of the learning rate for that window, length / base."""

    length: int
    rate_scale: float


def windows(
    n: int, k1: int, k2: int, variant: str = "notes", lengths: Iterable[int] | None = None
) -> Iterator[Window]:
    """The windows that train once over n steps.

    "williams-peng": every loss exactly once; a window ends with its losses and is k2 steps long
    (fewer at the beginning, and at the end if k1 = k2).  "notes": step t in every window j with
    j k1 <= t < j k1 + k2, shorter ones at the end.  The first window starts from the initial state;
    the state saved by the last one is the state after all n steps.

    Args:
        n: steps in the columns.
        k1: new steps a window.
        k2: steps the gradient can go back, >= k1.
        variant: "notes" or "williams-peng".
        lengths: new steps of each window instead of k1 (they must sum to n, as those of
            ``random_lengths`` do); k2 - k1 remains the number of steps re-run or overlapping.

    Raises:
        ValueError: k1 > k2 (steps between the windows would never be trained), another variant,
            or lengths that do not sum to n.  Raised by the call, not by the first ``next``.
    """
    n, k1, k2 = check_size("n", n), check_size("k1", k1), check_size("k2", k2)
    if k1 > k2:
        raise ValueError(f"k1 = {k1} > k2 = {k2}: the steps between windows are never trained")
    if variant not in VARIANTS:
        raise ValueError(f"variant: expected one of {VARIANTS}, found {variant!r}")
    if lengths is None:
        news = [k1] * (n // k1) + ([n % k1] if n % k1 else [])
        # a short rest still goes back k2 steps, but with k1 = k2 no step is ever run twice
        contexts = [k2 - new if k1 < k2 else 0 for new in news]
    else:
        news = [check_size("length", length) for length in lengths]
        contexts = [k2 - k1] * len(news)
    if sum(news) != n:
        raise ValueError(f"lengths: expected a sum of {n} steps, found {sum(news)}")
    return _preceding(news, contexts) if variant == "williams-peng" else _following(news, k2 - k1)


def _following(news: Sequence[int], overlap: int) -> Iterator[Window]:
    """[a, a + new + overlap) for every block of new steps [a, a + new)."""
    n, a = sum(news), 0
    for new in news:
        yield Window(a, min(a + new + overlap, n), loss_from=a, save_at=a + new)
        a += new


def _preceding(news: Sequence[int], contexts: Sequence[int]) -> Iterator[Window]:
    """[a - context, a + new) with the losses of the new steps [a, a + new)."""
    firsts = np.cumsum([0, *news]).tolist()
    starts = [max(0, a - context) for a, context in zip(firsts, contexts)]
    saves = [*starts[1:], firsts[-1]]
    for start, a, stop, save_at in zip(starts, firsts, firsts[1:], saves):
        yield Window(start, stop, loss_from=a, save_at=save_at)


def random_lengths(
    n: int,
    base: int,
    rng: np.random.Generator,
    p_short: float = 0.05,
    sd: float = 5.0,
    min_length: int = 5,
) -> Iterator[RandomLength]:
    """Window lengths that sum to n, so that no step is always the first of its window.

        base' = base with probability 1 - p_short, else base / 2
        length ~ max(min_length, int(N(base', sd^2))),   learning rate x length / base

    Args:
        n: steps to cover; the last length is cut to what is left.
        base, sd, min_length: in steps.
        rng: source of the two draws a window.
        p_short: probability of a window of half the length.

    Raises:
        ValueError: a size below 1, a probability outside [0, 1] or a negative sd.
    """
    n, base = check_size("n", n), check_size("base", base)
    min_length = check_size("min_length", min_length)
    p_short = _check_probability("p_short", p_short)
    if not 0 <= sd < np.inf:
        raise ValueError(f"sd: expected a finite number >= 0, found {sd!r}")
    return _draw_lengths(n, base, rng, p_short, sd, min_length)


def _draw_lengths(
    n: int, base: int, rng: np.random.Generator, p_short: float, sd: float, min_length: int
) -> Iterator[RandomLength]:
    while n > 0:
        center = base / 2 if rng.random() < p_short else base
        length = min(n, max(min_length, int(rng.normal(center, sd))))
        yield RandomLength(length, length / base)
        n -= length


def zero_columns(
    values: Sequence[np.ndarray],
    q: float,
    rng: np.random.Generator,
    *,
    whole_batch: bool = False,
) -> list[np.ndarray]:
    """The carried state with some columns started afresh.

        s_0[:, b] <- z_b s[:, b],   z_b ~ Bernoulli(1 - q), one z_b for all arrays

    Args:
        values: the state's arrays, (H, B) each: all c and all h, so that both are zeroed together.
        q: probability of a fresh start (0.01 in the released configurations); 0 changes nothing,
            1 always starts afresh.
        rng: one draw a column (one for all with ``whole_batch``), whatever q is.
        whole_batch: zero all columns or none.

    Returns:
        New arrays; the columns that stay are equal to the bit.

    Raises:
        ValueError: q outside [0, 1], no array, or arrays that are not (H, B) with one B.
    """
    q = _check_probability("q", q)
    n_columns = _check_columns(values)
    zeroed = np.full(n_columns, rng.random() < q) if whole_batch else rng.random(n_columns) < q
    return reset_columns(values, zeroed)


def reset_columns(values: Sequence[np.ndarray], which: np.ndarray) -> list[np.ndarray]:
    """The state with chosen columns zero, e.g. where a document ended.

    Args:
        values: the state's arrays, (H, B) each.
        which: (B,) bool, True where the next step begins from a zero state.

    Returns:
        New arrays; the other columns are equal to the bit.

    Raises:
        ValueError: ``which`` is not (B,) bool, or the arrays are not (H, B) with one B.
    """
    n_columns = _check_columns(values)
    which = np.asarray(which)
    if which.dtype != np.bool_ or which.shape != (n_columns,):
        raise ValueError(f"which: expected ({n_columns},) bool, found {which.shape} {which.dtype}")
    return [np.where(which, np.zeros((), dtype=v.dtype), v) for v in map(np.asarray, values)]


def _check_columns(values: Sequence[np.ndarray]) -> int:
    """B of a list of (H, B) arrays; ValueError otherwise."""
    shapes = [np.shape(v) for v in values]
    if not shapes or any(len(s) != 2 or s[1] != shapes[0][-1] for s in shapes):
        raise ValueError(f"state: expected arrays (H, B) with one B, found {shapes}")
    return shapes[0][1]


def _check_probability(name: str, p: Any) -> float:
    """``p`` as a float if 0 <= p <= 1."""
    if isinstance(p, bool) or not isinstance(p, (int, float, np.floating)) or not 0 <= p <= 1:
        raise ValueError(f"{name}: expected a probability 0 <= p <= 1, found {p!r}")
    return float(p)
