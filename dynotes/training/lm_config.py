"""Every setting of a language-model run, its default, help text and bounds.

The command line, the config file and config.json are all made from this one table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from dynotes.training.settings import ConfigError, check_value, check_values
from dynotes.training.settings import setting as _setting

TRAINERS = ("sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam")
SCHEDULES = ("constant", "zaremba", "plateau", "rollback", "cosine", "linear")
STRATEGIES = ("restore", "reset", "keep")
VARIANTS = ("notes", "williams-peng")
SOFTMAXES = ("full", "importance", "nce", "negative-sampling", "adaptive", "class-factored")
SAMPLED = ("importance", "nce", "negative-sampling")
NOISES = ("unigram", "uniform", "log-uniform")
RULES = ("forced", "stratified", "tilted", "plain")
SHARING = ("all", "batch", "time", "none")


@dataclass(frozen=True)
class LmConfig:
    """Settings of ``scripts/lm.py train``; :func:`checked` verifies every bound."""

    hidden: int = _setting(200, "LSTM units a layer", low=1, high=20000)
    embed: int = _setting(0, "word-vector size; 0: as hidden", low=0, high=20000)
    layers: int = _setting(2, "LSTM layers", low=1, high=16)
    tie: bool = _setting(False, "one table for input and output embeddings (T18)")
    forget_bias: float = _setting(1.0, "added in the forget gate (T50)", low=-10, high=10)
    init: str = _setting("uniform:0.1", "uniform:SCALE, xavier, he, orthogonal or dynet (T25, T26)")

    softmax: str = _setting(
        "full", "output layer, or how it is trained (T20-T23, T47, T52)", choices=SOFTMAXES
    )
    samples: int = _setting(1024, "noise words a draw, at most the vocabulary", low=1)
    noise: str = _setting("unigram", "distribution of the noise words", choices=NOISES)
    noise_power: float = _setting(0.75, "unigram counts to this power", low=0, high=10)
    share: str = _setting("all", "positions that share their noise words (T39)", choices=SHARING)
    rule: str = _setting("forced", "importance: what the target does (T36-T38)", choices=RULES)
    tilt: float = _setting(0.1, "rule tilted: draws from the targets", low=0, high=0.999)
    clamp: bool = _setting(False, "rules plain and tilted: a loss below 0 counts as 0")
    normaliser: bool = _setting(False, "nce: learn log Z(h), else it is 0 (T22)")
    cutoffs: str = _setting(
        "auto", "adaptive: first ids of the tails, as 2000,10000; auto; or measured (T48)"
    )
    tails: int = _setting(2, "adaptive: how many tails auto and measured choose", low=0, high=8)
    head_share: float = _setting(
        0.8,
        "adaptive: part of the text that the head covers, with auto and measured",
        low=0,
        high=1,
    )
    div: float = _setting(4.0, "adaptive: each tail's vectors are so much shorter", low=1, high=1e6)
    classes: int = _setting(0, "class-factored: how many; 0: the root of the vocabulary", low=0)
    assignment: str = _setting(
        "frequency", "class-factored: words of a class", choices=("frequency", "random")
    )

    min_count: int = _setting(1, "rarer words become <unk>", low=1)
    max_vocabulary: int = _setting(0, "largest vocabulary, specials included; 0: no cap", low=0)
    lower: bool = _setting(False, "lower-case the text")
    numbers: bool = _setting(False, "replace every number by NNUMB")

    batch_size: int = _setting(20, "columns of the text read side by side", low=1, high=100000)
    k1: int = _setting(20, "new time steps an update (T14)", low=1, high=100000)
    k2: int = _setting(0, "time steps backpropagated through, >= k1; 0: as k1", low=0, high=100000)
    bptt_variant: str = _setting("notes", "which losses a window counts", choices=VARIANTS)
    random_lengths: bool = _setting(False, "segment lengths drawn around k1 (Merity et al.)")
    zero_state: float = _setting(
        0.0, "chance to restart a column at a segment (T15)", low=0, high=1
    )

    dropout_embed: float = _setting(0.0, "word types (T02)", low=0, high=0.999)
    dropout_x: float = _setting(0.0, "inputs of every layer (T01, T03)", low=0, high=0.999)
    dropout_h: float = _setting(0.0, "recurrent connections (T03)", low=0, high=0.999)
    dropout_out: float = _setting(0.0, "output of the last layer (T04)", low=0, high=0.999)
    unknown_alpha: float = _setting(0.0, "input words become <unk> at alpha/(alpha+count)", low=0)
    variational: bool = _setting(True, "one dropout mask a segment, else a fresh one a step")
    augmented_gamma: float = _setting(0.0, "weight of the augmented loss, 0: none (T19)", low=0)
    augmented_tau: float = _setting(1.0, "temperature of the augmented loss (T19)", low=0.01)

    trainer: str = _setting("sgd", "DyNet trainer", choices=TRAINERS)
    lr: float = _setting(1.0, "learning rate at the start", low=0)
    momentum: float = _setting(0.9, "of the momentum trainer", low=0, high=0.9999)
    clip: float = _setting(5.0, "largest gradient norm; 0: no clipping", low=0)
    epochs: int = _setting(6, "passes over the training text", low=1, high=100000)
    fit_minutes: float = _setting(
        0.0, "choose epochs after a minute so that the run takes so long; 0: as given", low=0
    )
    max_minutes: float = _setting(0.0, "stop after so many minutes of training; 0: never", low=0)

    schedule: str = _setting("constant", "learning rate over time", choices=SCHEDULES)
    decay: float = _setting(0.5, "factor of zaremba and rollback", low=0.001, high=1)
    decay_after: int = _setting(4, "zaremba: epochs at the first rate", low=1)
    decay_threshold: float = _setting(1.0, "plateau: least gain of dev perplexity", low=0)
    warmup: float = _setting(
        0.0, "cosine, linear: part of the updates with a rising rate", low=0, high=1
    )
    min_lr: float = _setting(
        0.0, "rollback: stop below it; cosine, linear: last rate as a part of lr", low=0
    )
    max_rollbacks: int = _setting(10, "rollback: stop after so many", low=1)
    rollback_optimizer: str = _setting(
        "restore", "moments after a rollback (T29)", choices=STRATEGIES
    )
    patience: int = _setting(
        0, "epochs without a gain that are tolerated before stopping; 0: any", low=0
    )

    processes: int = _setting(
        1, "worker processes, each with a part of the columns", low=1, high=256
    )
    checkpoint_seconds: float = _setting(60.0, "between two checkpoints", low=0)
    seed: int = _setting(1, "of everything random", low=1, high=2**32 - 1)

    @property
    def embed_size(self) -> int:
        """E."""
        return self.embed or self.hidden

    @property
    def steps_back(self) -> int:
        """k2."""
        return self.k2 or self.k1

    def checked(self) -> LmConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        if self.steps_back < self.k1:
            raise ConfigError(f"k2: expected at least k1 = {self.k1}, found {self.k2}")
        if self.random_lengths and self.steps_back != self.k1:
            raise ConfigError("random_lengths: needs k2 = k1")
        if self.processes > self.batch_size:
            raise ConfigError(f"processes: at most {self.batch_size} (batch_size)")
        if self.augmented_gamma and not (self.tie and self.softmax == "full"):
            raise ConfigError("augmented_gamma: needs tie and the full softmax (T19)")
        self._check_softmax()
        if self.schedule == "rollback" and self.decay >= 1:
            raise ConfigError("decay: rollback needs a factor below 1")
        if self.schedule in ("cosine", "linear") and self.min_lr > 1:
            raise ConfigError(f"min_lr: a part of lr for {self.schedule}, found {self.min_lr}")
        return self

    def _check_softmax(self) -> None:
        """ConfigError for settings of another output layer, or that do not go together."""
        for f in dataclasses.fields(self):
            readers = [name for name, read in READS.items() if f.name in read]
            changed = getattr(self, f.name) != f.default
            if readers and changed and self.softmax not in readers:
                raise ConfigError(f"{f.name}: only with softmax {' or '.join(readers)}")
        if self.softmax == "class-factored" and self.tie:
            raise ConfigError("tie: not with softmax class-factored")
        if self.softmax == "adaptive" and self.tie and self.embed_size != self.hidden:
            raise ConfigError("embed: with softmax adaptive and tie it is as large as hidden")
        if self.rule == "tilted" and not self.tilt:
            raise ConfigError("tilt: expected more than 0 for the rule tilted")
        if self.clamp and self.rule not in ("plain", "tilted"):
            raise ConfigError("clamp: only with the rules plain and tilted")
        if self.noise != "unigram" and self.noise_power != 0.75:
            raise ConfigError("noise_power: only with the noise unigram")
        parse_cutoffs(self.cutoffs)


# which settings an output layer reads; "full" reads none of them
_NOISE = ("samples", "noise", "noise_power", "share")
READS: Mapping[str, tuple[str, ...]] = {
    "full": (),
    "importance": (*_NOISE, "rule", "tilt", "clamp"),
    "nce": (*_NOISE, "normaliser"),
    "negative-sampling": _NOISE,
    "adaptive": ("cutoffs", "tails", "head_share", "div"),
    "class-factored": ("classes", "assignment"),
}


def parse_cutoffs(text: str) -> Optional[list[int]]:
    """[2000, 10000] for "2000,10000", [] for "none", None for "auto" and "measured".

    Raises:
        ConfigError: anything else, or ids that do not rise from 1 on.
    """
    if text in ("auto", "measured"):
        return None
    parts = [] if text == "none" else [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ConfigError(f"cutoffs: expected auto, measured, none or 2000,10000; found {text!r}")
    ids = [int(part) for part in parts]
    if any(a >= b for a, b in zip([0, *ids], ids)):
        raise ConfigError(f"cutoffs: expected rising ids from 1 on, found {text!r}")
    return ids


def check_settings(values: Mapping[str, Any]) -> None:
    """ConfigError for the first setting that is unknown, of a wrong type or out of bounds."""
    check_values(LmConfig, values)
