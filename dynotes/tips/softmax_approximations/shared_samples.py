"""Noise words for a whole segment, drawn once and shared by many of its positions.

    w_1 .. w_m ~ Q        one set for all T*B positions: a single (m, E) x (E, T*B) product

Every position's estimate has the same expectation as with draws of its own; only estimates of
different positions are no longer independent.

Note: Implementation Details / Importance Sampling (T39)
Paper: Jozefowicz et al. 2016, arXiv:1602.02410, section 3.1; Zoph et al. 2016
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Union

import numpy as np

from dynotes.graph.shapes import check_ids, check_size
from dynotes.tips.softmax_approximations.noise import NoiseDistribution, TiltedNoise

SHARING = ("all", "batch", "time", "none")


class Draw(NamedTuple):
    """m draws from Q for each group of positions of a (T, B) segment.

    words: (Tg, Bg, n) ids, ascending in the last axis; Tg is T or 1, Bg is B or 1.
    counts: the same shape, how often each was drawn; they sum to m.  A set shared by all positions
        holds every word once, so n <= m; private sets are not compressed.
    log_q: the same shape, log Q of the words.
    target_log_q: (T, B), log Q of the targets.
    samples: m.
    """

    words: np.ndarray
    counts: np.ndarray
    log_q: np.ndarray
    target_log_q: np.ndarray
    samples: int

    def columns(self, which: slice) -> Draw:
        """What the positions of some of the B columns see."""
        sets = which if self.words.shape[1] > 1 else slice(None)
        return Draw(
            self.words[:, sets],
            self.counts[:, sets],
            self.log_q[:, sets],
            self.target_log_q[:, which],
            self.samples,
        )

    @property
    def log_expected(self) -> np.ndarray:
        """log mQ of the words: how often each was to be expected."""
        return math.log(self.samples) + self.log_q

    @property
    def target_log_expected(self) -> np.ndarray:
        """log mQ of the targets, (T, B)."""
        return math.log(self.samples) + self.target_log_q

    @property
    def log_inclusion(self) -> np.ndarray:
        """log(1 - (1 - Q)^m) of the words: how probable it was that they are drawn at all."""
        return _log_inclusion(self.log_q, self.samples)

    @property
    def target_log_inclusion(self) -> np.ndarray:
        """log(1 - (1 - Q)^m) of the targets, (T, B)."""
        return _log_inclusion(self.target_log_q, self.samples)

    @property
    def repeats(self) -> np.ndarray:
        """(Tg, Bg, n) bool, where a word of a private set is the one before it once more."""
        again = self.words[..., 1:] == self.words[..., :-1]
        return np.concatenate([np.zeros_like(self.words[..., :1], bool), again], axis=-1)


class NoiseSampler:
    """Draws the noise words of a segment.

    Args:
        noise: Q over the vocabulary.
        samples: m, 1 <= m <= V.
        share: one set for "all" positions, for the "batch" (a set a time step), over "time" (a set
            a column), or "none" (a set a position).
        tilt: lambda of Q' = (1 - lambda) Q + lambda Uniform(targets) (T38); 0 draws from Q itself.

    Raises:
        ValueError: samples outside 1 .. V, an unknown ``share``, a tilt outside [0, 1).
    """

    def __init__(
        self, noise: NoiseDistribution, *, samples: int, share: str = "all", tilt: float = 0.0
    ) -> None:
        self.noise, self.samples = noise, check_size("samples", samples, 1, len(noise))
        if share not in SHARING:
            raise ValueError(f"share: expected one of {', '.join(SHARING)}, found {share!r}")
        if not 0 <= tilt < 1:
            raise ValueError(f"tilt: expected 0 <= tilt < 1, found {tilt!r}")
        self.share, self.tilt = share, float(tilt)

    def draw(self, targets: Any, rng: np.random.Generator) -> Draw:
        """m noise words for every group of positions.

        Args:
            targets: (T, B) ids, the words to be predicted.
            rng: the source of the draws.
        """
        ids = check_ids("targets", targets, len(self.noise), (None, None))
        steps, batch = ids.shape
        groups = (
            steps if self.share in ("batch", "none") else 1,
            batch if self.share in ("time", "none") else 1,
        )
        source: Union[NoiseDistribution, TiltedNoise] = self.noise
        if self.tilt:
            source = TiltedNoise(self.noise, ids, self.tilt)
        words = source.sample((*groups, self.samples), rng)
        counts = np.ones_like(words)
        if groups == (1, 1):
            distinct, often = np.unique(words, return_counts=True)
            words, counts = distinct.reshape(1, 1, -1), often.reshape(1, 1, -1)
        else:
            words.sort(axis=-1)
        return Draw(words, counts, source.log_prob(words), source.log_prob(ids), self.samples)


def _log_inclusion(log_q: np.ndarray, samples: int) -> np.ndarray:
    q = np.minimum(np.exp(log_q), 1 - np.finfo(np.float64).epsneg)  # log(1 - Q) of Q = 1 is none
    return np.log(-np.expm1(samples * np.log1p(-q)))


def accidental_hits(words: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a noise word of a position is its target.

    Args:
        words: (Tg, Bg, n) as in `Draw`.
        targets: (T, B) ids.

    Returns:
        (rows, positions): word ``rows[i]`` of position ``positions[i]`` (time-major) is its target;
        the rows of a position are neighbours.
    """
    n, span = words.shape[-1], int(max(words.max(), targets.max())) + 1
    sets = words.reshape(-1, n)
    keys = (sets + span * np.arange(len(sets))[:, None]).ravel()
    group = np.broadcast_to(np.arange(len(sets)).reshape(words.shape[:2]), targets.shape)
    wanted = (targets + span * group).ravel()
    first = np.searchsorted(keys, wanted, "left")
    often = np.searchsorted(keys, wanted, "right") - first
    positions = np.repeat(np.arange(wanted.size), often)
    offset = np.arange(positions.size) - np.repeat(np.cumsum(often) - often, often)
    return (np.repeat(first, often) + offset) % n, positions
