"""What an update of a language model minimises: the likelihood, or an approximation by sampling.

An approximation is no likelihood: it is logged as a loss, never as a perplexity, and dev and test
are always scored by the exact, normalised output layer.

Note: Tips in Training / Softmax Approximations by Sampling (T21, T22, T23)
"""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.language_models.lstm_lm import LstmLm, Segment
from dynotes.structures.cluster_costs import LayerCost, default_cost, optimal_cutoffs
from dynotes.tips.softmax_approximations import nce, negative_sampling
from dynotes.tips.softmax_approximations.importance_sampling import importance_sampling_loss
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw, NoiseSampler
from dynotes.training.calibration import calibrated_cost
from dynotes.training.lm_config import SAMPLED, ConfigError, LmConfig, parse_cutoffs


class Objective:
    """The loss of a segment under the settings.

    Args:
        config: the settings.
        counts: how often training shows each word, (V,); needed by the softmaxes that sample.

    Raises:
        ConfigError: more samples than words, or no counts.
    """

    def __init__(self, config: LmConfig, counts: Optional[np.ndarray]) -> None:
        self._config, self._sampler = config, None
        if config.softmax in SAMPLED:
            tilt = config.tilt if config.rule == "tilted" else 0.0
            noise = noise_of(config, counts)
            try:
                self._sampler = NoiseSampler(
                    noise, samples=config.samples, share=config.share, tilt=tilt
                )
            except ValueError as error:
                raise ConfigError(str(error)) from None

    @property
    def is_likelihood(self) -> bool:
        """Whether exp of the mean loss is a perplexity."""
        return self._sampler is None

    @property
    def may_be_negative(self) -> bool:
        """Whether single losses can fall below 0 (T36)."""
        config = self._config
        unbounded = config.softmax == "importance" and config.rule in ("plain", "tilted")
        return unbounded and not config.clamp

    def draw(self, targets: np.ndarray, rng: np.random.Generator) -> Optional[Draw]:
        """Noise words for the targets (T, B) of all workers; None where nothing is sampled."""
        return None if self._sampler is None else self._sampler.draw(targets, rng)

    def loss(
        self, model: LstmLm, segment: Segment, targets: np.ndarray, draw: Optional[Draw]
    ) -> dy.Expression:
        """The loss of every position, (1,)x(T*B), in nats.

        Args:
            model, segment: scores of the targets' positions.
            targets: (T, B) ids.
            draw: noise words of just these columns, or None.
        """
        output, h, config = model.output, segment.h, self._config
        if draw is None or not isinstance(output, SampledOutput):
            return model.nll(segment, targets)
        if config.softmax == "nce":
            return nce.nce_loss(output, h, targets, draw)
        if config.softmax == "negative-sampling":
            return negative_sampling.negative_sampling_loss(output, h, targets, draw)
        return importance_sampling_loss(
            output, h, targets, draw, rule=config.rule, clamp=config.clamp
        )


def noise_of(config: LmConfig, counts: Optional[np.ndarray]) -> NoiseDistribution:
    """Q of the settings; a word that training never shows counts as seen once."""
    if counts is None:
        raise ConfigError(f"softmax {config.softmax}: the vocabulary has no counts")
    return NoiseDistribution.of_kind(config.noise, np.maximum(counts, 1), config.noise_power)


def output_spec(config: LmConfig, counts: Optional[np.ndarray]) -> dict[str, Any]:
    """``softmax`` and ``options`` of the model's spec.

    Raises:
        ConfigError: settings that do not fit the vocabulary.
    """
    kind = config.softmax
    options: dict[str, Any] = {}
    if kind == "nce":
        start = 0.0 if counts is None else nce.bias_start(len(counts))
        options = {"bias_start": start, "normaliser": config.normaliser}
    elif kind == "negative-sampling":
        shift = negative_sampling.log_kq(noise_of(config, counts), config.samples)
        start = negative_sampling.bias_start(config.samples)
        options = {"bias_start": start, "shift": shift.tolist()}
    elif kind == "adaptive":
        options = {"cutoffs": cutoffs_of(config, counts), "div": config.div}
    elif kind == "class-factored":
        options = {
            "classes": config.classes,
            "assignment": config.assignment,
            "seed": config.seed,
        }
    return {"softmax": "sampled" if kind in SAMPLED else kind, "options": options or None}


def cutoffs_of(
    config: LmConfig, counts: Optional[np.ndarray], cost: Optional[LayerCost] = None
) -> list[int]:
    """The cut-offs of the settings, or else the cheapest (T48).

    Args:
        config: the settings.
        counts: how often training shows each word, (V,).
        cost: seconds by sizes; None is the built-in model, the same on every machine.

    Raises:
        ConfigError: no counts, or fewer words than tails need.
    """
    chosen = parse_cutoffs(config.cutoffs)
    if chosen is not None:
        return chosen
    if counts is None:
        raise ConfigError("cutoffs: the vocabulary has no counts to choose them by")
    if cost is None:
        cost = default_cost(
            clusters=config.tails,
            n_hidden=config.hidden,
            columns=config.batch_size * config.steps_back,
            div=config.div,
        )
    try:
        return optimal_cutoffs(
            np.maximum(counts, 1), config.tails, cost, head_share=config.head_share
        )
    except ValueError as error:
        raise ConfigError(f"cutoffs: {error}") from None


def with_measured_cutoffs(config: LmConfig, counts: Optional[np.ndarray]) -> LmConfig:
    """The settings with cut-offs chosen by timing this machine, if they ask for it."""
    if config.softmax != "adaptive" or config.cutoffs != "measured":
        return config
    cost = calibrated_cost(
        n_hidden=config.hidden,
        columns=config.batch_size * config.steps_back,
        clusters=config.tails,
        div=config.div,
    )
    found = cutoffs_of(config, counts, cost)
    return dataclasses.replace(config, cutoffs=",".join(map(str, found)) or "none")
