"""Every setting of a word2vec run, its default, help text and bounds.

The command line, the config file and config.json are all made from this one table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from dynotes.training.settings import (
    ConfigError,
    check_companions,
    check_value,
    check_values,
    setting,
)

MODELS = ("skipgram", "cbow", "structured-skipgram", "cwindow")
FORMULAS = ("released", "paper")
LOSSES = ("negative-sampling", "nce", "hierarchical", "softmax")
MAX_SOFTMAX_WORDS = 50_000  # scores of a chunk's words with all words are held in memory
SAMPLED = {"loss": ("negative-sampling", "nce")}


@dataclass(frozen=True)
class Word2vecConfig:
    """Settings of ``scripts/word2vec.py train``; :func:`checked` verifies every bound."""

    model: str = setting("skipgram", "what predicts what (T53)", choices=MODELS)
    dim: int = setting(100, "size of a word vector", low=1, high=20000)
    window: int = setting(5, "words on each side, at most", low=1, high=1000)
    dynamic: bool = setting(
        True,
        "each window's size drawn from 1 to --window, else all of it, as is the default of "
        "structured-skipgram and cwindow",
    )
    mean: bool = setting(
        True, "the mean of a window's vectors, else their sum", only={"model": ("cbow",)}
    )

    loss: str = setting(
        "negative-sampling", "softmax is for small vocabularies (T53, T54)", choices=LOSSES
    )
    negatives: int = setting(5, "noise words a prediction, K", low=1, only=SAMPLED)
    shared: int = setting(
        64,
        "noise words drawn for a chunk and shared by its predictions; 0: K for each",
        low=0,
        only=SAMPLED,
    )
    power: float = setting(0.75, "noise: counts to this power", low=0, high=10, only=SAMPLED)

    subsample: float = setting(1e-3, "share of the text above which words are thinned out; 0: "
                               "none", low=0, high=1)  # fmt: skip
    formula: str = setting("released", "of subsampling", choices=FORMULAS)
    min_count: int = setting(5, "rarer words are left out of the text", low=1)
    max_vocabulary: int = setting(0, "most frequent words kept; 0: all", low=0)
    lower: bool = setting(False, "lower-case the text")

    epochs: int = setting(5, "passes over the text", low=1, high=100000)
    lr: float = setting(
        0.0,
        "learning rate at the start; 0: 0.05, for cbow 0.3, for cwindow 0.2 (with softmax 0.05); "
        "it falls linearly",
        low=0,
        high=1000,
    )
    min_lr: float = setting(0.002, "learning rate at the end, as a part of lr", low=0, high=1)
    damping: float = setting(
        0.1, "beta: a row of n losses steps by lr / (1 + lr beta n); 0: by lr", low=0, high=1e6
    )
    chunk: int = setting(500, "words of the thinned text an update", low=1, high=1_000_000)

    processes: int = setting(1, "worker processes over shared tables", low=1, high=256)
    checkpoint_seconds: float = setting(60.0, "between two checkpoints", low=0)
    seed: int = setting(1, "of everything random", low=1, high=2**32 - 1)

    @property
    def first_rate(self) -> float:
        """The learning rate at the start: a bag shares its gradient out among its words."""
        averaged = self.model == "cbow" and self.mean
        slotted = self.model == "cwindow" and self.loss != "softmax"
        return self.lr or (0.3 if averaged else 0.2 if slotted else 0.05)

    def checked(self) -> Word2vecConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds, or a pair of settings
                that do not go together.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        check_companions(self)
        return self

    def check_vocabulary(self, n_words: int) -> None:
        """ConfigError if the vocabulary of the text is too small or too large for the loss."""
        if n_words < 2:
            raise ConfigError(f"the text has {n_words} word(s) left; expected at least 2")
        if self.loss == "softmax" and n_words > MAX_SOFTMAX_WORDS:
            raise ConfigError(
                f"loss softmax: at most {MAX_SOFTMAX_WORDS} words, found {n_words}; "
                "raise min_count or set max_vocabulary"
            )
        if self.loss in SAMPLED["loss"] and self.negatives > n_words:
            raise ConfigError(
                f"negatives: expected 1 to {n_words} (the vocabulary), found {self.negatives}"
            )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "toy": {
        **{"loss": "softmax", "window": 2, "min_count": 1, "subsample": 1e-2},
        **{"epochs": 5, "damping": 0.25},
    },
}


# what a model has where nothing else is said: a slot for each place wants all places (T65, T66)
MODEL_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "structured-skipgram": {"dynamic": False},
    "cwindow": {"dynamic": False},
}


def check_settings(values: Mapping[str, Any]) -> None:
    """ConfigError for the first setting that is unknown, of a wrong type or out of bounds."""
    check_values(Word2vecConfig, values)


def resolve(
    preset: Optional[str], file: Mapping[str, Any], command_line: Mapping[str, Any]
) -> Word2vecConfig:
    """Defaults, below those of the model, below a preset, below a file, below the command line.

    Raises:
        ConfigError: see `Word2vecConfig.checked`.
    """
    said = {**(PRESETS[preset] if preset else {}), **file, **command_line}
    of_model = MODEL_DEFAULTS.get(said.get("model", MODELS[0]), {})
    return Word2vecConfig(**{**of_model, **said}).checked()
