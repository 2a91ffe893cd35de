"""Noise distributions Q over word ids, sampled in constant time a draw by the alias method.

    unigram^a:    Q(w) = n_w^a / sum_v n_v^a              a = 0.75 in word2vec; 0 is uniform
    uniform:      Q(w) = 1 / V
    log-uniform:  Q(w) = (log(w + 2) - log(w + 1)) / log(V + 1)       ids are frequency ranks
    tilted:       Q'(w) = (1 - lambda) Q(w) + lambda / |S| [w in S]   S: the targets of a batch

Alias method: V buckets of equal mass hold one or two words each, so a draw is one bucket and one
coin.  A word lighter than its bucket leaves room that heavier words fill, in order; where each
one's surplus ends is found by comparing the running sums of room and surplus, without a loop.

Note: Tips in Training / Softmax Approximations by Sampling (T21)
Note: Implementation Details / Importance Sampling (T38)
Paper: Walker 1977 and Vose 1991 (alias method); Mikolov et al. 2013b (power 0.75); Jean et al. 2015
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dynotes.graph.shapes import check_ids, check_size

KINDS = ("unigram", "uniform", "log-uniform")


class NoiseDistribution:
    """A distribution over the ids 0 .. V-1 with full support; immutable.

    Args:
        probabilities: (V,) numbers > 0; they are divided by their sum.

    Raises:
        ValueError: empty, negative, zero, nan or infinite entries.
    """

    def __init__(self, probabilities: Any) -> None:
        weights = np.asarray(probabilities, dtype=np.float64)
        if weights.ndim != 1 or weights.size == 0:
            raise ValueError(f"noise: expected (V,) weights, found shape {weights.shape}")
        wrong = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
        if wrong.size:
            raise ValueError(
                f"noise: expected weights > 0, found {weights[wrong[0]]} for word {wrong[0]}; "
                "a word that is never drawn makes every estimate wrong"
            )
        scaled = weights / weights.max()
        self.probabilities = scaled / scaled.sum()
        if not self.probabilities.min() > 0:
            raise ValueError(f"noise: weights {weights.min()} to {weights.max()} are too far apart")
        self.log_probs = np.log(self.probabilities)
        self._keep, self._alias = alias_table(self.probabilities)

    @classmethod
    def unigram(cls, counts: Any, power: float = 1.0) -> NoiseDistribution:
        """Q(w) proportional to counts[w]^power.

        Raises:
            ValueError: no counts, a count below 1, or a power that is no number >= 0.
        """
        seen = np.asarray(counts)
        if seen.ndim != 1 or seen.size == 0:
            raise ValueError(f"noise: expected (V,) counts, found shape {seen.shape}")
        if not 0 <= power < math.inf:
            raise ValueError(f"noise power: expected a number >= 0, found {power!r}")
        zero = np.flatnonzero(~(seen >= 1))
        if zero.size:
            raise ValueError(
                f"noise: expected counts >= 1, found {seen[zero[0]]} for word {zero[0]}"
            )
        return cls(np.exp(power * np.log(seen / seen.max())))

    @classmethod
    def uniform(cls, n_words: int) -> NoiseDistribution:
        """Q(w) = 1/V."""
        return cls(np.ones(check_size("n_words", n_words)))

    @classmethod
    def log_uniform(cls, n_words: int) -> NoiseDistribution:
        """Zipf's law without counts: ids must be frequency ranks."""
        ranks = np.arange(check_size("n_words", n_words), dtype=np.float64)
        return cls(np.log1p(1 / (ranks + 1)))

    @classmethod
    def of_kind(cls, kind: str, counts: Any, power: float = 1.0) -> NoiseDistribution:
        """One of ``KINDS`` for a vocabulary with these counts; ``power`` is of "unigram" alone."""
        if kind not in KINDS:
            raise ValueError(f"noise: expected one of {', '.join(KINDS)}, found {kind!r}")
        if kind == "unigram":
            return cls.unigram(counts, power)
        return cls.uniform(len(counts)) if kind == "uniform" else cls.log_uniform(len(counts))

    def __len__(self) -> int:
        return len(self.probabilities)

    def log_prob(self, words: np.ndarray) -> np.ndarray:
        """log Q of ids of any shape."""
        return self.log_probs[words]

    def sample(self, shape: Any, rng: np.random.Generator) -> np.ndarray:
        """Independent draws with replacement: ids (int64) of that shape."""
        bucket = rng.integers(0, len(self), shape)
        return np.where(rng.random(shape) < self._keep[bucket], bucket, self._alias[bucket])


class TiltedNoise:
    """Q' = (1 - lambda) Q + lambda Uniform(S); nothing of size V is built.

    Args:
        noise: Q.
        targets: ids of any shape; S is the set of them.
        tilt: lambda, 0 <= lambda < 1.
    """

    def __init__(self, noise: NoiseDistribution, targets: Any, tilt: float) -> None:
        if not 0 <= tilt < 1:
            raise ValueError(f"tilt: expected 0 <= tilt < 1, found {tilt!r}")
        self._noise, self._tilt = noise, float(tilt)
        self._targets = np.unique(check_ids("targets", targets, len(noise)))

    def sample(self, shape: Any, rng: np.random.Generator) -> np.ndarray:
        """Independent draws with replacement."""
        plain = self._noise.sample(shape, rng)
        chosen = self._targets[rng.integers(0, self._targets.size, shape)]
        return np.where(rng.random(shape) < self._tilt, chosen, plain)

    def log_prob(self, words: np.ndarray) -> np.ndarray:
        """log Q' of ids of any shape."""
        where = np.searchsorted(self._targets, words).clip(max=self._targets.size - 1)
        extra = self._tilt / self._targets.size * (self._targets[where] == words)
        return np.log((1 - self._tilt) * self._noise.probabilities[words] + extra)


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(keep, alias) of V buckets: bucket i gives i with chance keep[i], else alias[i].

    Args:
        probabilities: (V,), summing to 1.
    """
    mass = np.asarray(probabilities, np.float64) * len(probabilities)
    keep, alias = np.ones_like(mass), np.arange(len(mass))
    light, heavy = np.flatnonzero(mass < 1), np.flatnonzero(mass >= 1)
    if not light.size or not heavy.size:
        return keep, alias
    room, surplus = np.cumsum(1 - mass[light]), np.cumsum(mass[heavy] - 1)
    before = np.concatenate(([0.0], room[:-1]))
    # a light word's room is filled by the first heavy one that still has a surplus ...
    giver = np.searchsorted(surplus, before, "right").clip(max=heavy.size - 1)
    keep[light], alias[light] = mass[light], heavy[giver]
    # ... and what that one gave beyond its surplus it takes back from the next heavy one
    given = np.concatenate(([0.0], room))[np.searchsorted(before, surplus, "left")]
    keep[heavy] = np.clip(1 + surplus - given, 0, 1)
    alias[heavy[:-1]] = heavy[1:]
    keep[heavy[-1]] = 1.0
    return keep, alias
