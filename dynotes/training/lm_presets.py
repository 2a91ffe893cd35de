"""The presets of language-model runs, and how settings from several places become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from dynotes.training.lm_config import ConfigError, LmConfig, check_settings

# What each preset changes of the defaults of LmConfig.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Zaremba, Sutskever & Vinyals 2014, the non-regularised model.
    "zaremba-small": {
        "hidden": 200,
        "layers": 2,
        "init": "uniform:0.1",
        "forget_bias": 0.0,
        "batch_size": 20,
        "k1": 20,
        "clip": 5.0,
        "lr": 1.0,
        "epochs": 13,
        "schedule": "zaremba",
        "decay_after": 4,
        "decay": 0.5,
    },
    # The same paper's medium model.
    "zaremba-medium": {
        "hidden": 650,
        "layers": 2,
        "init": "uniform:0.05",
        "forget_bias": 0.0,
        "batch_size": 20,
        "k1": 35,
        "clip": 5.0,
        "lr": 1.0,
        "epochs": 39,
        "schedule": "zaremba",
        "decay_after": 6,
        "decay": 1 / 1.2,
        "variational": False,
        "dropout_x": 0.5,
        "dropout_out": 0.5,
    },
    # The sizes of a DyNet example's published pair of runs; add --tie for the second of it.
    "tied-128": {
        "hidden": 128,
        "layers": 1,
        "init": "uniform:0.1",
        "batch_size": 20,
        "k1": 20,
        "clip": 5.0,
        "lr": 1.0,
        "epochs": 10,
        "schedule": "zaremba",
        "decay_after": 4,
        "decay": 0.6,
    },
    # The bundled toy language, a minute on one core.
    "toy": {
        "hidden": 160,
        "layers": 1,
        "tie": True,
        "init": "dynet",
        "batch_size": 20,
        "k1": 20,
        "clip": 5.0,
        "lr": 1.5,
        "epochs": 10,
        "schedule": "linear",
        "variational": False,
        "dropout_x": 0.2,
        "dropout_h": 0.1,
        "dropout_out": 0.4,
        "processes": 2,
    },
    # The best found for one hour on two cores.
    "hour": {
        "hidden": 300,
        "layers": 2,
        "tie": True,
        "init": "uniform:0.08",
        "batch_size": 24,
        "k1": 35,
        "clip": 5.0,
        "lr": 1.2,
        "epochs": 20,
        "fit_minutes": 56.0,
        "max_minutes": 59.0,
        "schedule": "cosine",
        "min_lr": 0.01,
        "processes": 2,
        "variational": False,
        "dropout_x": 0.2,
        "dropout_out": 0.3,
        "dropout_embed": 0.05,
    },
    # WikiText-2 with every softmax: 1x256, three epochs.
    "softmax-256": {
        "hidden": 256,
        "layers": 1,
        "init": "uniform:0.1",
        "batch_size": 20,
        "k1": 35,
        "clip": 5.0,
        "lr": 1.0,
        "epochs": 3,
        "schedule": "cosine",
        "min_lr": 0.01,
        "variational": False,
        "dropout_x": 0.2,
        "dropout_out": 0.2,
    },
}


def resolve(
    preset: Optional[str], file: Mapping[str, Any], command_line: Mapping[str, Any]
) -> LmConfig:
    """Defaults, then the preset, then the config file, then the command line.

    Raises:
        ConfigError: an unknown preset or setting, or a bad value.
    """
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"preset: expected one of {', '.join(PRESETS)}, found {preset!r}")
    check_settings(file)
    values = {**(PRESETS[preset] if preset else {}), **file, **command_line}
    return LmConfig(**values).checked()
