"""What the development set decides: when to stop, when to go back, which learning rate is next.

    stop when t - t* > P,   t* = argmin_{s <= t} dev_s                    (early stopping)
    no improvement: theta <- theta*, eta <- eta d                         (rollback with decay)

Pure state machines over numbers: they know no model.  Every schedule answers the same two
questions, so that one training loop drives any of them:

    rate   = trainer's base rate, changed only by after_epoch(epoch, rate, dev) -> Action
    update with   at(rate, progress)     progress in [0, 1], the done part of the planned training

Note: Tips in Training / Tuning on the Development Set (T27, T28, T29)
Paper: Prechelt 1998, Early Stopping - But When? (patience: criterion UP); Zaremba et al. 2014,
    section 4.1 (decay after an epoch); Kim et al. 2016, section 4.1 (halving on a plateau);
    Loshchilov & Hutter 2017, eq. 5 (cosine).
Renamed: the notes' threshold is ``patience``, counted in evaluations and not in epochs.
Differs: the notes order the optimizer strategies restore > reset > keep and expect a large first
    step after a reset; with Adam's bias correction that step is about eta whatever the gradient.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

from dynotes.graph.shapes import check_size

ROLLBACK_STRATEGIES = ("restore", "reset", "keep")
"""The optimizer's statistics after a rollback: those of the best model, zeros, untouched."""


class Verdict(NamedTuple):
    """``improved``: this value is the new best.  ``stop``: the patience is used up."""

    improved: bool
    stop: bool


class Action(NamedTuple):
    """What to do after an epoch: the next base rate; go back to the best model; end training."""

    rate: float
    rollback: bool = False
    stop: bool = False


class Schedule(Protocol):
    """The interface of all learning-rate schedules."""

    def at(self, rate: float, progress: float) -> float:
        """The learning rate of one update."""

    def after_epoch(self, epoch: int, rate: float, dev: float) -> Action:
        """The decision after ``epoch`` finished epochs (the first is 1) with dev score ``dev``."""

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values that ``load_state_dict`` of an equal schedule continues from."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a ``state_dict()``."""


class EarlyStopping:
    """Stops after more than ``patience`` evaluations in a row without an improvement.

        improved:  best - value > min_delta     (mode "max": value - best > min_delta)

    An improvement of exactly ``min_delta`` and a tie do not count; nan and infinities are worse
    than every number.  The first finite value is an improvement.

    Args:
        patience: evaluations without improvement that are tolerated; 0 stops at the first.
        min_delta: smallest improvement that does not count any more, >= 0, in units of the value.
        mode: "min" (perplexity) or "max" (accuracy).
    """

    def __init__(self, patience: int, min_delta: float = 0.0, mode: str = "min") -> None:
        self.patience = check_size("patience", patience, 0)
        self.min_delta = _check_number("min_delta", min_delta, 0.0)
        self.mode = _check_mode(mode)
        self.best: float | None = None
        self.since_best = 0

    def update(self, value: float) -> Verdict:
        """Take one evaluation into account."""
        value = float(value)
        improved = _improved(self.best, value, self.min_delta, self.mode)
        if improved:
            self.best, self.since_best = value, 0
        else:
            self.since_best += 1
        return Verdict(improved, self.since_best > self.patience)

    def state_dict(self) -> dict[str, Any]:
        """The best value and the count since then."""
        return {"best": self.best, "since_best": self.since_best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a ``state_dict()``; ValueError if it is another object's."""
        _check_keys(state, ("best", "since_best"))
        self.best, self.since_best = state["best"], int(state["since_best"])


class Constant:
    """The same learning rate for ever; the base of the schedules that decide after an epoch."""

    def at(self, rate: float, progress: float) -> float:
        """``rate``."""
        return rate

    def after_epoch(self, epoch: int, rate: float, dev: float) -> Action:
        """Go on with ``rate``."""
        return Action(rate)

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """ValueError if ``state`` is another schedule's."""
        _check_keys(state, ())


class ZarembaDecay(Constant):
    """Divide the rate by ``factor`` after every epoch from ``first`` on, whatever dev says.

    Zaremba et al. 2014: small (4, 2), medium (6, 1.2), large (14, 1.15).

    Args:
        first: the number of epochs with the full rate, >= 1.
        factor: divisor, >= 1.
    """

    def __init__(self, first: int = 4, factor: float = 2.0) -> None:
        self.first = check_size("first", first)
        self.factor = _check_number("factor", factor, 1.0)

    def after_epoch(self, epoch: int, rate: float, dev: float) -> Action:
        """The smaller rate once ``epoch >= first``."""
        return Action(rate / self.factor if epoch >= self.first else rate)


class HalveOnPlateau(Constant):
    """Halve the rate when dev did not improve by ``threshold`` over the previous epoch.

        previous - dev < threshold   =>   eta <- eta / 2

    Args:
        threshold: smallest improvement that keeps the rate, in units of dev (Kim: perplexity 1.0).
        mode: "min" or "max".
    """

    def __init__(self, threshold: float = 1.0, mode: str = "min") -> None:
        self.threshold = _check_number("threshold", threshold, 0.0)
        self.mode = _check_mode(mode)
        self.previous: float | None = None

    def after_epoch(self, epoch: int, rate: float, dev: float) -> Action:
        """Half the rate on a plateau and after nan; the first finite score is no plateau."""
        dev = float(dev)
        finite = math.isfinite(dev)
        plateau = not finite
        if finite and self.previous is not None:
            plateau = _gain(self.previous, dev, self.mode) < self.threshold
        if finite:
            self.previous = dev
        return Action(rate / 2 if plateau else rate)

    def state_dict(self) -> dict[str, Any]:
        """The last finite dev score."""
        return {"previous": self.previous}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a ``state_dict()``; ValueError if it is another schedule's."""
        _check_keys(state, ("previous",))
        self.previous = state["previous"]


class RollbackDecay(Constant):
    """Back to the best model with a smaller rate whenever dev did not get better.

        no improvement:  theta <- theta*,  eta <- eta * decay
        stop at the failure after R rollbacks, or when the next eta would be below eta_min

    The action that stops also asks for the rollback, so that the best model is what remains.

    Args:
        decay: factor of the rate, 0 < decay <= 1.
        max_rollbacks: R, rollbacks after which training goes on.
        min_rate: eta_min.
        min_delta, mode: what an improvement is, as in ``EarlyStopping``.
    """

    def __init__(
        self,
        decay: float = 0.5,
        max_rollbacks: int = 10,
        min_rate: float = 0.0,
        *,
        min_delta: float = 0.0,
        mode: str = "min",
    ) -> None:
        self.decay = _check_number("decay", decay, 0.0, 1.0)
        if self.decay == 0:
            raise ValueError("decay: expected more than 0, found 0")
        self.max_rollbacks = check_size("max_rollbacks", max_rollbacks, 0)
        self.min_rate = _check_number("min_rate", min_rate, 0.0)
        self.min_delta = _check_number("min_delta", min_delta, 0.0)
        self.mode = _check_mode(mode)
        self.best: float | None = None
        self.rollbacks = 0

    def after_epoch(self, epoch: int, rate: float, dev: float) -> Action:
        """Go on after an improvement, else roll back."""
        dev = float(dev)
        if _improved(self.best, dev, self.min_delta, self.mode):
            self.best = dev
            return Action(rate)
        lower = rate * self.decay
        if self.rollbacks >= self.max_rollbacks or lower < self.min_rate:
            return Action(lower, rollback=True, stop=True)
        self.rollbacks += 1
        return Action(lower, rollback=True)

    def state_dict(self) -> dict[str, Any]:
        """The best dev score and the rollbacks made."""
        return {"best": self.best, "rollbacks": self.rollbacks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a ``state_dict()``; ValueError if it is another schedule's."""
        _check_keys(state, ("best", "rollbacks"))
        self.best, self.rollbacks = state["best"], int(state["rollbacks"])


class Annealed(Constant):
    """Linear warm-up from 0 to the base rate, then down to ``final`` times the base rate.

        eta (f + (1 - f) g(p)),   g = (1 + cos(pi p)) / 2   or   g = 1 - p

    Args:
        curve: g, "cosine" or "linear".
        warmup: part of all updates in which the rate rises.
        final: f, the last rate as a part of the base rate.
    """

    def __init__(self, curve: str = "cosine", warmup: float = 0.0, final: float = 0.0) -> None:
        if curve not in ("cosine", "linear"):
            raise ValueError(f'curve: expected "cosine" or "linear", found {curve!r}')
        self.curve = curve
        self.warmup = _check_number("warmup", warmup, 0.0, 1.0)
        self.final = _check_number("final", final, 0.0, 1.0)

    def at(self, rate: float, progress: float) -> float:
        """The learning rate when the part ``progress`` of all updates is done."""
        _check_number("progress", progress, 0.0, 1.0)
        if progress < self.warmup:
            return rate * progress / self.warmup
        left = 1.0 - self.warmup
        p = (progress - self.warmup) / left if left > 0 else 0.0
        g = (1.0 + math.cos(math.pi * p)) / 2.0 if self.curve == "cosine" else 1.0 - p
        return rate * (self.final + (1.0 - self.final) * g)


def _gain(best: float, value: float, mode: str) -> float:
    """How much better ``value`` is."""
    return best - value if mode == "min" else value - best


def _improved(best: float | None, value: float, min_delta: float, mode: str) -> bool:
    if not math.isfinite(value):
        return False
    return best is None or _gain(best, value, mode) > min_delta


def _check_mode(mode: str) -> str:
    if mode not in ("min", "max"):
        raise ValueError(f'mode: expected "min" or "max", found {mode!r}')
    return mode


def _check_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """``value`` as a float if it is a finite number in [low, high]."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name}: expected a number from {low} to {high}, found {value!r}")
    return float(value)


def _check_keys(state: dict[str, Any], keys: tuple[str, ...]) -> None:
    if sorted(state) != sorted(keys):
        raise ValueError(f"state: expected the keys {sorted(keys)}, found {sorted(state)}")
