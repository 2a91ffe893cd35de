"""One update of a parser: a batch, one graph, one step of Adam along the mean loss of its words.

    J = 1/N sum of the losses of N words           lr_t = lr d^(t/s)       d = 0.75, s = 5000

Rows of the tables of words, tags and characters that no sentence of the batch has are left alone
(DyNet's sparse updates), their moments too.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
Paper: Dozat & Manning 2017, arXiv:1611.01734, appendix A; Kingma & Ba 2015
"""

from __future__ import annotations

import math

import dynet as dy
import numpy as np

from dynotes.corpora.treebank import GoldTrees, SentenceBatch
from dynotes.graph.arrays import scalar
from dynotes.training.lm_step import TrainingError
from dynotes.training.parser.config import ParserConfig
from dynotes.training.parser.models import ParserModel

EPSILON = 1e-12  # of Adam


def make_trainer(config: ParserConfig, pc: dy.ParameterCollection) -> dy.AdamTrainer:
    """Adam with the settings of a run, over a collection."""
    trainer = dy.AdamTrainer(pc, config.lr, config.beta1, config.beta2, EPSILON)
    trainer.set_clip_threshold(config.clip if config.clip > 0 else -1.0)
    return trainer


def annealed(config: ParserConfig, update: int) -> float:
    """The learning rate of an update, the first being 0."""
    return config.lr * float(config.decay ** (update / config.decay_steps))


class ParserStepper:
    """Updates a model from batches.

    All that an update draws is a function of the seed of the run and the number of the update.
    """

    def __init__(self, model: ParserModel, trainer: dy.Trainer, config: ParserConfig) -> None:
        self.model, self.trainer, self.config = model, trainer, config

    def step(self, batch: SentenceBatch, gold: GoldTrees, update: int) -> float:
        """Train on a batch; the sum of the losses of its words before the update, in nats.

        Raises:
            TrainingError: a loss that is no number, or no memory.
        """
        seeds = np.random.SeedSequence((self.config.seed, update))
        dy.reset_random_seed(int(seeds.generate_state(1)[0]) or 1)
        try:
            dy.renew_cg()
            total = self.model.loss(batch, gold, self.config, np.random.default_rng(seeds))
            nats = scalar(total)
            if not math.isfinite(nats):
                raise TrainingError(f"the loss is {nats}; lower the learning rate or the clip")
            (total * (1.0 / len(gold.heads))).backward()
            self.trainer.learning_rate = annealed(self.config, update)
            self.trainer.update()
        except (RuntimeError, MemoryError) as error:
            dy.renew_cg()
            raise TrainingError(str(error)) from error
        return nats
