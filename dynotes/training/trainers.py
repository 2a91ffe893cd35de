"""DyNet's trainers and our learning-rate schedules by name.

Note: Tips in Training / Tuning on the Development Set (T27, T28, T29)
"""

from __future__ import annotations

import dynet as dy

from dynotes.tips.dev_tuning import (
    Annealed,
    Constant,
    HalveOnPlateau,
    RollbackDecay,
    Schedule,
    ZarembaDecay,
)
from dynotes.training.lm_config import LmConfig


def make_trainer(config: LmConfig, pc: dy.ParameterCollection) -> dy.Trainer:
    """The trainer of the settings over a collection, with its clipping threshold."""
    makers = {
        "sgd": lambda: dy.SimpleSGDTrainer(pc, config.lr),
        "momentum": lambda: dy.MomentumSGDTrainer(pc, config.lr, config.momentum),
        "adagrad": lambda: dy.AdagradTrainer(pc, config.lr),
        "adadelta": lambda: dy.AdadeltaTrainer(pc),
        "rmsprop": lambda: dy.RMSPropTrainer(pc, config.lr),
        "adam": lambda: dy.AdamTrainer(pc, config.lr),
    }
    trainer = makers[config.trainer]()
    trainer.set_clip_threshold(config.clip if config.clip > 0 else -1.0)
    return trainer


def make_schedule(config: LmConfig) -> Schedule:
    """The learning-rate schedule of the settings."""
    makers = {
        "constant": Constant,
        "zaremba": lambda: ZarembaDecay(config.decay_after, 1 / config.decay),
        "plateau": lambda: HalveOnPlateau(config.decay_threshold),
        "rollback": lambda: RollbackDecay(config.decay, config.max_rollbacks, config.min_lr),
        "cosine": lambda: Annealed("cosine", config.warmup, config.min_lr),
        "linear": lambda: Annealed("linear", config.warmup, config.min_lr),
    }
    return makers[config.schedule]()
