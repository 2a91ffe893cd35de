"""Rows of the experiment: every technique, noise distribution and number of samples.

gradient_error   ||E g - (P - e_w)|| / ||P - e_w||, a mean over the targets w
drift            ||sum_w P(w) E g_w|| at s = log P, where the likelihood has gradient 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from bias_contrast import CONTRASTS, expected_gradient, predicted_bias
from bias_draws import (
    Cost,
    Problem,
    all_draws,
    exact_cost,
    first_order,
    multisets,
    sampled_cost,
)
from report import mean_and_error

from dynotes.tips.softmax_approximations.noise import NoiseDistribution, TiltedNoise

NOISES = {"unigram": 1.0, "unigram^0.75": 0.75, "uniform": 0.0}
SAMPLED = ("plain", "tilted", "forced", "stratified")
SETTING = ("technique", "noise", "samples", "by")
MEANS = ("loss_bias", "gradient_error", "cosine", "drift")
COLUMNS = (
    *SETTING,
    *(name for mean in MEANS for name in (mean, f"{mean}_error")),
    "loss_bias_first_order",
    "gradient_error_first_order",
    "gradient_bias",
    "negative_share",
    "variance_constant",
    "loss_bias_draws_error",
    "gradient_error_draws_error",
    "catalogue_loss_bias",
    "catalogue_gradient",
)
# of other random scores and noise, V = 50: by technique and samples
CATALOGUE_LOSS_BIAS = {"plain": {5: -0.358, 20: -0.118, 100: -0.0258, 500: -0.0054}}
CATALOGUE_GRADIENT = {
    "plain": {5: 0.066, 20: 0.048, 100: 0.013, 500: 0.0027},
    "nce, normalised": {10: 1.35e-1, 100: 2.1e-2, 1000: 2.3e-3, 10_000: 2.4e-4},
    "nce, Z = 1": {10: 2.2e-1, 100: 4.3e-2, 1000: 5.1e-3, 10_000: 5.2e-4},
}
Row = dict[str, Any]


class Sizes(NamedTuple):
    """Settings of the recipe and of the measurement."""

    words: int
    spread: float
    targets: int
    tilt: float
    draws: int
    samples: Sequence[int]
    k: Sequence[int]


class World(NamedTuple):
    """counts: (V,) of the words in an invented text; p: (V,) softmax; targets: (T,) ids."""

    counts: np.ndarray
    p: np.ndarray
    targets: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """The likelihood's gradients P - e_w of the targets, (V, T)."""
        return self.p[:, None] - np.eye(len(self.p))[:, self.targets]


def world(sizes: Sizes, seed: int) -> World:
    """Zipf counts, scores s_w = log count_w + spread N(0, 1), targets drawn from softmax(s)."""
    rng = np.random.default_rng([seed, 0])
    counts = np.maximum(np.round(1000 / (1 + np.arange(sizes.words))), 1)
    scores = np.log(counts) + sizes.spread * rng.standard_normal(sizes.words)
    p = np.exp(scores - scores.max())
    p /= p.sum()
    return World(counts, p, rng.choice(sizes.words, sizes.targets, p=p))


def problem_of(found: World, noise: str, tilt: float = 0.0) -> Problem:
    """All words as targets; the noise is tilted towards those of the world, or not."""
    source: Any = NoiseDistribution.unigram(found.counts, NOISES[noise])
    if tilt:
        source = TiltedNoise(source, found.targets, tilt)
    words = np.arange(len(found.p))
    return Problem(found.p, np.exp(source.log_prob(words)), words)


def measure(sizes: Sizes, seeds: Sequence[int], done: Callable[[], None]) -> list[Row]:
    """A row for every technique, noise and number of samples: means over seeds.

    Args:
        sizes: of the recipe.
        seeds: each with its own scores and targets; the errors are standard errors over them.
        done: called after every noise distribution of a seed.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for seed in seeds:
        found = world(sizes, seed)
        for number, noise in enumerate(NOISES):
            rng = np.random.default_rng([seed, 1, number])
            for tilt in (0.0, sizes.tilt):
                for row in sampled_rows(sizes, found, problem_of(found, noise, tilt), tilt, rng):
                    groups.setdefault((noise, row["technique"], row["samples"]), []).append(row)
            for row in contrast_rows(sizes, found, problem_of(found, noise)):
                groups.setdefault((noise, row["technique"], row["samples"]), []).append(row)
            done()
    order = [*SAMPLED, *CONTRASTS]
    ranked = sorted(groups, key=lambda g: (list(NOISES).index(g[0]), order.index(g[1]), g[2]))
    return [averaged(group[0], groups[group]) for group in ranked]


def sampled_rows(
    sizes: Sizes, found: World, problem: Problem, tilt: float, rng: np.random.Generator
) -> Iterator[Row]:
    """Rows of the rules that draw from this distribution; they share their draws."""
    rules = ("tilted",) if tilt else tuple(rule for rule in SAMPLED if rule != "tilted")
    for m in sizes.samples:
        few = multisets(sizes.words, m) <= sizes.draws
        every = all_draws(problem.q, m) if few else None
        counts = None if few else rng.multinomial(m, problem.q, sizes.draws)
        for rule in rules:
            if every is not None:
                cost, errors = exact_cost(problem, rule, every, m), None
            else:
                cost, errors = sampled_cost(problem, rule, counts, m)
            yield {
                "technique": rule,
                "samples": m,
                "by": "every draw" if few else "draws",
                **of_sampling(found, cost, Cost(*first_order(problem, rule, m)), errors),
                "variance_constant": (problem.p**2 / problem.q).sum() - 1,
            }


def of_sampling(found: World, cost: Cost, predicted: Cost, errors: Optional[Cost]) -> Row:
    """Measures of a rule, whose costs are known for every word as the target."""
    at = found.targets
    row = of_gradient(found, cost.gradient, predicted.gradient)
    row["loss_bias"] = cost.loss[at].mean()
    row["loss_bias_first_order"] = predicted.loss[at].mean()
    row["negative_share"] = cost.negative[at].mean()
    if errors is not None:
        row["loss_bias_draws_error"] = rms(errors.loss[at])
        row["gradient_error_draws_error"] = relative(found, errors.gradient[:, at])
    return row


def contrast_rows(sizes: Sizes, found: World, problem: Problem) -> Iterator[Row]:
    """Rows of NCE and negative sampling, in closed form."""
    exact = found.p[:, None] - np.eye(len(found.p))
    for contrast in CONTRASTS:
        for k in sizes.k:
            given = (contrast, problem.p, k * problem.q, problem.targets)
            row = of_gradient(found, expected_gradient(*given) - exact, predicted_bias(*given))
            yield {"technique": contrast, "samples": k, "by": "closed form", **row}


def of_gradient(found: World, bias: np.ndarray, predicted: Optional[np.ndarray]) -> Row:
    """Size and direction of the bias (V, V) of the gradient at the targets, and the drift."""
    mine, exact = bias[:, found.targets], found.exact
    expected = exact + mine
    norms = np.linalg.norm(expected, axis=0) * np.linalg.norm(exact, axis=0)
    row = {
        "gradient_bias": np.linalg.norm(mine, axis=0).mean(),
        "gradient_error": relative(found, mine),
        "cosine": ((expected * exact).sum(0) / norms).mean(),
        "drift": np.linalg.norm(bias @ found.p),
    }
    if predicted is not None:
        row["gradient_error_first_order"] = relative(found, predicted[:, found.targets])
    return row


def relative(found: World, bias: np.ndarray) -> float:
    """Mean over the targets of the norm of a bias (V, T), in norms of the exact gradient."""
    norms = np.linalg.norm(found.exact, axis=0)
    return float((np.linalg.norm(bias, axis=0) / norms).mean())


def rms(values: Any) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def averaged(noise: str, rows: Sequence[Row]) -> Row:
    """Means over seeds, their standard errors over seeds, and those over draws."""
    first = rows[0]
    technique, samples = first["technique"], first["samples"]
    found: Row = {"technique": technique, "noise": noise, "samples": samples, "by": first["by"]}
    for key in first:
        if key in found:
            continue
        values = [row[key] for row in rows]
        mean, error = mean_and_error(values)
        if key.endswith("draws_error"):
            found[key] = rms(values) / math.sqrt(len(values))
        else:
            found[key] = mean
        if key in MEANS:
            found[f"{key}_error"] = error
    if noise == "unigram":
        found["catalogue_loss_bias"] = CATALOGUE_LOSS_BIAS.get(technique, {}).get(samples)
        found["catalogue_gradient"] = CATALOGUE_GRADIENT.get(technique, {}).get(samples)
    return found
