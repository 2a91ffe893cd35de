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

MODELS = ("skipgram", "cbow", "structured-skipgram", "cwindow", "sembei", "tim")
WORD_MODELS = tuple(name for name in MODELS if name != "sembei")
FORMULAS = ("released", "paper")
LOSSES = ("negative-sampling", "nce", "hierarchical", "softmax")
MAX_SOFTMAX_WORDS = 50_000  # scores of a chunk's words with all words are held in memory
SAMPLED = {"loss": ("negative-sampling", "nce")}
WORDS = {"model": WORD_MODELS}
NGRAMS = {"model": ("sembei",)}
TIM = {"model": ("tim",)}
DIAGONALS = ("identity", "unit", "learned", "none")


@dataclass(frozen=True)
class Word2vecConfig:
    """Settings of ``scripts/word2vec.py train``; :func:`checked` verifies every bound."""

    model: str = setting("skipgram", "what predicts what (T53)", choices=MODELS)
    dim: int = setting(100, "size of a word vector", low=1, high=20000)
    window: int = setting(5, "words on each side, at most", low=1, high=1000, only=WORDS)
    dynamic: bool = setting(
        True,
        "each window's size drawn from 1 to --window, else all of it, as is the default of "
        "structured-skipgram and cwindow",
        only=WORDS,
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
    max_vocabulary: int = setting(0, "most frequent words kept; 0: all", low=0, only=WORDS)
    lower: bool = setting(False, "lower-case the text")

    ngrams: str = setting(
        "1000,10000,10000,10000",
        "n-grams of 1, 2, ... characters that get a vector (T67)",
        only=NGRAMS,
    )
    spaces: bool = setting(
        False, "keep the end of a word as a character, else drop white space", only=NGRAMS
    )
    epsilon: float = setting(
        0.0,
        "count n-grams lossily, wrong by this share of the text at most; 0: exactly",
        low=0,
        high=0.5,
        only=NGRAMS,
    )

    threshold: float = setting(
        10.0, "score above which two words are a phrase (T64)", low=0, only=TIM
    )
    discount: float = setting(
        5.0, "taken from the count of a pair of words for its score", low=0, only=TIM
    )
    passes: int = setting(
        1, "over the text in search of phrases; 2 finds those of 3 or 4 words", low=1, high=20,
        only=TIM,
    )  # fmt: skip
    phrase_types: str = setting(
        "",
        "file of phrases with their types, or CoNLL-U: types are pairs of tags; none: one type",
        only=TIM,
    )
    rank: int = setting(5, "of the forms of the tensor, r", low=1, high=20000, only=TIM)
    diag: str = setting("identity", "what is added to the forms", choices=DIAGONALS, only=TIM)
    ridge: float = setting(
        1e-3, "lambda, on the squares of the parameters of a composition", low=0, only=TIM
    )
    held_out: float = setting(
        0.1, "share of the phrases to choose by, and the same to measure with", low=1e-6,
        high=0.49, only=TIM,
    )  # fmt: skip
    fit_epochs: int = setting(40, "passes over the phrases, at most", low=1, only=TIM)

    epochs: int = setting(5, "passes over the text", low=1, high=100000)
    lr: float = setting(
        0.0,
        "learning rate at the start; 0: 0.05, for cbow 0.3, for cwindow 0.2; it falls linearly",
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
        shared_out = {"cbow": 0.3 if self.mean else 0.05, "cwindow": 0.2}
        return self.lr or shared_out.get(self.model, 0.05)

    def checked(self) -> Word2vecConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds, or a pair of settings
                that do not go together.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        check_companions(self)
        if not any(self.ngram_sizes):
            raise ConfigError(f"ngrams: expected some, found {self.ngrams!r}")
        return self

    @property
    def ngram_sizes(self) -> list[int]:
        """How many n-grams of 1, 2, ... characters there are; ConfigError if that is not said."""
        parts = [part.strip() for part in self.ngrams.split(",")]
        if not all(part.isdecimal() for part in parts):
            expected = "whole numbers with commas between"
            raise ConfigError(f"ngrams: expected {expected}, found {self.ngrams!r}")
        return [int(part) for part in parts]

    @property
    def unit(self) -> str:
        """What a text is counted in."""
        return "characters" if self.model == "sembei" else "words"

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
