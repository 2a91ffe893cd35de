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
from dynotes.training.word2vec.model_settings import (
    BAGS,
    DAMPED,
    MODELS,
    NGRAM_MODELS,
    PARAGRAPH_MODELS,
    SENTENCE_MODELS,
    WINDOWS,
    WORDS,
    NgramSettings,
    ParagraphSettings,
    PhraseSettings,
    SentenceSettings,
    SubwordSettings,
)

FORMULAS = ("released", "paper")
LOSSES = ("negative-sampling", "nce", "hierarchical", "softmax")
MAX_SOFTMAX_WORDS = 50_000  # scores of a chunk's words with all words are held in memory
SAMPLED = {"loss": ("negative-sampling", "nce")}
REACH = 1000  # words of a sentence that an LSTM reads beyond the edge of a chunk, at most
RATES = {"cbow": 0.3, "cwindow": 0.2}  # of models that share a gradient out among the words


@dataclass(frozen=True)
class CommonSettings:
    """What all models have."""

    model: str = setting("skipgram", "what predicts what", choices=MODELS)
    dim: int = setting(100, "size of a word vector", low=1, high=20000)
    window: int = setting(5, "words on each side, at most", low=1, high=1000, only=WINDOWS)
    dynamic: bool = setting(
        True,
        "each window's size drawn from 1 to --window, else all of it, as is the default of "
        "structured-skipgram and cwindow",
        only=WINDOWS,
    )
    mean: bool = setting(
        True, "the mean of the vectors of a window or of a word's n-grams, else their sum",
        only=BAGS,
    )  # fmt: skip

    loss: str = setting(
        "negative-sampling", "softmax is for small vocabularies (T53, T54)", choices=LOSSES
    )
    negatives: int = setting(5, "noise words a prediction, K", low=1, only=SAMPLED)
    shared: int = setting(
        128,
        "noise words drawn for a chunk and shared by its predictions; 0: K for each",
        low=0,
        only=SAMPLED,
    )
    power: float = setting(0.75, "noise: counts to this power", low=0, high=10, only=SAMPLED)

    subsample: float = setting(
        1e-3,
        "share of the text above which words are thinned out; 0: none, as for whole sentences; "
        "unless it is named, 1e-05 with sembei",
        low=0,
        high=1,
        only=DAMPED,
    )
    formula: str = setting("released", "of subsampling", choices=FORMULAS, only=DAMPED)
    min_count: int = setting(5, "rarer words are left out of the text", low=1)
    max_vocabulary: int = setting(0, "most frequent words kept; 0: all", low=0, only=WORDS)
    lower: bool = setting(False, "lower-case the text")

    epochs: int = setting(5, "passes over the text", low=1, high=100000)
    lr: float = setting(
        0.0,
        "learning rate at the start; 0: 0.05, for cbow 0.3, for cwindow 0.2 (with softmax 0.05), "
        "for pv-dm and pv-dbow 0.1 (0.03 undivided), for LSTMs 0.001; it falls linearly",
        low=0,
        high=1000,
    )
    min_lr: float = setting(0.002, "learning rate at the end, as a part of lr", low=0, high=1)
    damping: float = setting(
        0.1,
        "beta: a row of n losses steps by lr / (1 + lr beta n), n counting those of all "
        "processes; 0: by lr",
        low=0,
        high=1e6,
        only=DAMPED,
    )
    chunk: int = setting(500, "words of the thinned text an update", low=1, high=1_000_000)

    processes: int = setting(1, "worker processes over shared tables", low=1, high=256, only=DAMPED)
    checkpoint_seconds: float = setting(60.0, "between two checkpoints", low=0)
    seed: int = setting(1, "of everything random", low=1, high=2**32 - 1)


@dataclass(frozen=True)
class Word2vecConfig(
    PhraseSettings,
    NgramSettings,
    SentenceSettings,
    ParagraphSettings,
    SubwordSettings,
    CommonSettings,
):
    """Settings of ``scripts/word2vec.py train``; :func:`checked` verifies every bound."""

    @property
    def first_rate(self) -> float:
        """The learning rate at the start: a bag shares its gradient out among its words."""
        if self.lr:
            return self.lr
        if self.whole_sentences:
            return 0.001
        if self.model in PARAGRAPH_MODELS:
            return 0.1 if self.divided else 0.03
        if self.model == "cwindow" and self.loss == "softmax":
            return 0.05  # every row moves in every step
        return RATES.get(self.model, 0.05) if self.mean else 0.05

    @property
    def whole_sentences(self) -> bool:
        """Whether LSTMs read sentences, by Adam, instead of windows, by damped SGD."""
        return self.model in SENTENCE_MODELS

    @property
    def thinning(self) -> float:
        """The threshold of subsampling: a whole sentence keeps all its words."""
        return 0.0 if self.whole_sentences else self.subsample

    @property
    def reach(self) -> int:
        """Words on each side of the words of a chunk that are read with them."""
        return REACH if self.whole_sentences else self.window

    @property
    def beta(self) -> float:
        """Of damped steps; Adam's are none.

        Workers step at the same time, each without what the others do: as if each of its losses
        were there once for each of them.
        """
        return 0.0 if self.whole_sentences else self.damping * self.processes

    @property
    def unit(self) -> str:
        """What a text is counted in."""
        return "characters" if self.model in NGRAM_MODELS else "words"

    def checked(self) -> Word2vecConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds, or a pair of settings
                that do not go together.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        check_companions(self)
        if 0 < self.maxn < self.minn:
            raise ConfigError(f"minn: expected 1 to {self.maxn} (maxn), found {self.minn}")
        if not any(self.ngram_sizes):
            raise ConfigError(f"ngrams: expected some, found {self.ngrams!r}")
        if self.model == "context2vec" and self.loss == "hierarchical":
            raise ConfigError("loss: hierarchical has no vector of a word, which context2vec needs")
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
        **{"loss": "softmax", "dim": 40, "window": 2, "min_count": 1, "subsample": 1e-2},
        **{"epochs": 5, "damping": 1.0},
    },
}

# what a model has where nothing else is said: a slot for each place wants all places (T65, T66)
MODEL_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "structured-skipgram": {"dynamic": False},
    "cwindow": {"dynamic": False},
    # a text has as many n-grams of each length as characters, most of them frequent (T67)
    "sembei": {"subsample": 1e-5},
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
