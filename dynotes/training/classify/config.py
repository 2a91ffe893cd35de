"""Every setting of a run of the classifier, its default, help text and bounds.

The command line, the config file and config.json are all made from this one table.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from dynotes.corpora.labelled_text import PREFIX, TextStyle
from dynotes.training.settings import ConfigError, check_value, check_values, setting

OUTPUTS = ("softmax", "hierarchical-softmax", "one-vs-all")


@dataclass(frozen=True)
class ClassifyConfig:
    """Settings of ``scripts/classify.py train``; :func:`checked` verifies every bound."""

    dim: int = setting(100, "size of the vectors of words and n-grams", low=1, high=20000)
    output: str = setting(
        "softmax",
        "softmax, or hierarchical-softmax for many labels: a text has one label, of several one is "
        "drawn at each pass; one-vs-all: any number of labels (T58)",
        choices=OUTPUTS,
    )

    word_ngrams: int = setting(1, "longest n-gram of words; 1: words alone", low=1, high=100)
    minn: int = setting(0, "shortest n-gram of characters", low=0, high=100)
    maxn: int = setting(0, "longest n-gram of characters; 0: none", low=0, high=100)
    bucket: int = setting(2_000_000, "buckets of hashed n-grams", low=1, high=1_000_000_000)
    min_count: int = setting(1, "rarer words have no vector of their own", low=1)
    lower: bool = setting(False, "lower-case the words")
    marks: bool = setting(False, "each of . ! ? , ' / ( ) is a word of its own")
    label_prefix: str = setting(PREFIX, "what a label begins with")

    epochs: int = setting(5, "passes over the texts, in another order each", low=1, high=100000)
    lr: float = setting(0.5, "learning rate at the start; it falls linearly", low=0, high=1000)
    min_lr: float = setting(0.0, "learning rate at the end, as a part of lr", low=0, high=1)
    batch: int = setting(16, "texts an update, by the sum of their losses", low=1, high=100000)
    clip: float = setting(
        20.0, "bound on the norm of a gradient, one-vs-all times sqrt(labels / 8); 0: none", low=0
    )

    checkpoint_seconds: float = setting(60.0, "between two checkpoints", low=0)
    seed: int = setting(1, "of everything random", low=1, high=2**32 - 1)

    def clip_of(self, n_labels: int) -> float:
        """The bound: dJ/ds of a text is shorter than sqrt 2, of all labels sqrt(L) / 2 at first."""
        many = self.output == "one-vs-all" and n_labels > 8
        return self.clip * (math.sqrt(n_labels / 8) if many else 1.0)

    @property
    def style(self) -> TextStyle:
        """How the words of a text are read."""
        return TextStyle(self.label_prefix, self.lower, self.marks)

    @property
    def ngrams(self) -> dict[str, int]:
        """The sizes of `TextFeatures`."""
        sizes = {"n": self.word_ngrams, "minn": self.minn, "maxn": self.maxn}
        return {**sizes, "buckets": self.bucket}

    def checked(self) -> ClassifyConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds, or a pair of settings
                that do not go together.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        if not self.label_prefix or len(self.label_prefix.split()) != 1:
            raise ConfigError(f"label_prefix: expected a word, found {self.label_prefix!r}")
        if self.maxn and not 1 <= self.minn <= self.maxn:
            raise ConfigError(f"minn: expected 1 to maxn ({self.maxn}), found {self.minn}")
        if self.minn and not self.maxn:
            raise ConfigError("minn: only with maxn")
        return self


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "toy": {"dim": 10, "word_ngrams": 3, "bucket": 100_000, "epochs": 3},
    "tutorial": {"word_ngrams": 2, "epochs": 25, "lr": 1.0, "lower": True, "marks": True},
}


def check_settings(values: Mapping[str, Any]) -> None:
    """ConfigError for the first setting that is unknown, of a wrong type or out of bounds."""
    check_values(ClassifyConfig, values)


def resolve(
    preset: Optional[str], file: Mapping[str, Any], command_line: Mapping[str, Any]
) -> ClassifyConfig:
    """Defaults, below a preset, below a file, below the command line.

    Raises:
        ConfigError: see `ClassifyConfig.checked`.
    """
    layers = PRESETS[preset] if preset else {}
    return ClassifyConfig(**{**layers, **file, **command_line}).checked()
