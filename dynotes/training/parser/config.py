"""Every setting of a run of a parser, its default, help text and bounds.

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

CORPORA = (  # folders of the data folder
    "ud_english_ewt_2.5",
    "ud_english_ewt_2.16",
    "ud_afrikaans_afribooms_2.5",
    "ud_dutch_lassysmall_1.4",
    "ud_basque_bdt_1.4",
    "ud_english_gum_2.5",
    "ud_hungarian_szeged_2.5",
)
ALGORITHMS = ("biaffine", "arc-standard", "arc-hybrid", "swap")
LOSSES = ("local", "tree")
TAG_COLUMNS = ("UPOS", "XPOS", "none")
BIAFFINE = {"algorithm": ("biaffine",)}
TRANSITIONS = {"algorithm": ("arc-standard", "arc-hybrid", "swap")}


@dataclass(frozen=True)
class ParserConfig:
    """Settings of ``scripts/parser.py train``; :func:`checked` verifies every bound."""

    algorithm: str = setting("biaffine", "biaffine (T74), or transitions (T69)", choices=ALGORITHMS)
    loss: str = setting(
        "local",
        "of heads: local, a softmax for each word; tree, one over all trees (T71)",
        choices=LOSSES,
        only=BIAFFINE,
    )

    word_size: int = setting(100, "vectors of words; 0: none", low=0, high=20000)
    tag_size: int = setting(100, "vectors of tags", low=1, high=20000)
    tags: str = setting("UPOS", "column of the tags that are read", choices=TAG_COLUMNS)
    char_size: int = setting(0, "vectors of characters; 0: none are read", low=0, high=20000)
    char_hidden: int = setting(50, "each LSTM over characters", low=1, high=20000)
    min_count: int = setting(2, "rarer words are the unknown one", low=1)
    lower: bool = setting(True, "lower-case words (not characters)")

    hidden: int = setting(400, "LSTM units a layer and direction", low=1, high=20000)
    layers: int = setting(3, "layers of the BiLSTM", low=1, high=16)
    arc_size: int = setting(500, "outputs of the MLPs of arcs", low=1, high=20000, only=BIAFFINE)
    label_size: int = setting(
        100, "outputs of the MLPs of labels", low=1, high=20000, only=BIAFFINE
    )

    action_size: int = setting(
        100, "layer that scores transitions", low=1, high=20000, only=TRANSITIONS
    )
    explore: float = setting(
        0.1,
        "arc-hybrid: how often a close second action is taken",
        low=0,
        high=1,
        only={"algorithm": ("arc-hybrid",)},
    )

    dropout_embed: float = setting(0.33, "word, tag, characters, each", low=0, high=0.999)
    dropout_x: float = setting(0.33, "inputs of upper layers", low=0, high=0.999)
    dropout_h: float = setting(0.33, "recurrent states", low=0, high=0.999)
    dropout_mlp: float = setting(0.33, "outputs of the MLPs", low=0, high=0.999, only=BIAFFINE)

    lr: float = setting(2e-3, "Adam's learning rate at the start", low=0, high=1000)
    beta1: float = setting(0.9, "Adam: memory of the mean", low=0, high=0.99999)
    beta2: float = setting(0.9, "Adam: memory of the variance", low=0, high=0.99999)
    decay: float = setting(0.75, "factor of the rate over decay_steps", low=1e-6, high=1)
    decay_steps: int = setting(5000, "updates over which the rate falls by decay", low=1)
    clip: float = setting(5.0, "largest gradient norm; 0: no clipping", low=0)
    batch: int = setting(5000, "words, roots and padding of an update, at most", low=1)
    epochs: int = setting(30, "passes over the treebank", low=1, high=100000)
    patience: int = setting(0, "epochs without a better dev LAS before the end; 0: any", low=0)
    max_minutes: float = setting(0.0, "stop after so many minutes of training; 0: never", low=0)

    checkpoint_seconds: float = setting(60.0, "between two checkpoints", low=0)
    seed: int = setting(1, "of everything random", low=1, high=2**32 - 1)

    @property
    def tag_column(self) -> str:
        """The column that is read; without tags it does not matter."""
        return "UPOS" if self.tags == "none" else self.tags

    def checked(self) -> ParserConfig:
        """These settings.

        Raises:
            ConfigError: the first value of a wrong type or out of bounds, or settings that do not
                go together.
        """
        for f in dataclasses.fields(self):
            check_value(f, getattr(self, f.name))
        check_companions(self)
        if not self.word_size and not self.char_size and self.tags == "none":
            raise ConfigError("word_size: nothing would be read of a word")
        return self


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "toy": {
        "word_size": 50,
        "tag_size": 25,
        "char_size": 16,
        "char_hidden": 25,
        "hidden": 64,
        "layers": 2,
        "arc_size": 64,
        "label_size": 32,
        "dropout_embed": 0.1,
        "dropout_x": 0.1,
        "dropout_h": 0.1,
        "dropout_mlp": 0.1,
        "lr": 5e-3,
        "beta2": 0.98,
        "decay_steps": 150,
        "batch": 500,
        "epochs": 15,
    },
    "ewt": {
        "word_size": 125,
        "tag_size": 75,
        "char_size": 32,
        "char_hidden": 50,
        "hidden": 256,
        "layers": 2,
        "arc_size": 300,
        "label_size": 100,
        "lr": 2e-3,
        "decay_steps": 1500,
        "batch": 1250,
        "epochs": 25,
    },
}


def check_settings(values: Mapping[str, Any]) -> None:
    """ConfigError for the first setting that is unknown, of a wrong type or out of bounds."""
    check_values(ParserConfig, values)


def resolve(
    preset: Optional[str], file: Mapping[str, Any], command_line: Mapping[str, Any]
) -> ParserConfig:
    """Defaults, below a preset, below a file, below the command line.

    Raises:
        ConfigError: see `ParserConfig.checked`.
    """
    given = {**file, **command_line}
    algorithm = given.get("algorithm", "biaffine")
    only = {f.name: f.metadata["only"].get("algorithm") for f in dataclasses.fields(ParserConfig)}
    # a preset is for all algorithms: what one of them has no use for is left out
    layers = {
        name: value
        for name, value in (PRESETS[preset] if preset else {}).items()
        if only[name] is None or algorithm in only[name]
    }
    return ParserConfig(**{**layers, **given}).checked()
