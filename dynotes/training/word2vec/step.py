"""One update of word2vec: the pairs or bags of a chunk of text, one graph, damped SGD.

    v_r <- v_r - eta / (1 + eta beta n_r) dJ^/dv_r      J^ the chunk's loss, n_r its losses with r

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
Differs: the released code updates after every pair; see `dynotes.embeddings.damped_rows`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional, Union

import dynet as dy
import numpy as np

from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.damped_rows import StepFactors
from dynotes.embeddings.pairs import (
    Bags,
    Pairs,
    SharedNoise,
    private_noise,
    shared_noise,
    text_bags,
    text_pairs,
)
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.graph.arrays import scalar
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.training.lm_step import TrainingError
from dynotes.training.word2vec.config import Word2vecConfig

Model = Union[SkipGram, Cbow]
Noise = Union[SharedNoise, np.ndarray, None]  # for all, for each, none
Masses = list[tuple[np.ndarray, np.ndarray]]


class StepResult(NamedTuple):
    """What an update leaves behind.

    nats: summed loss of the predictions; losses: how many these were.
    """

    nats: float
    losses: int


def new_model(config: Word2vecConfig, pc: dy.ParameterCollection, n_words: int) -> Model:
    """The model of the settings."""
    if config.model == "cbow":
        return Cbow(pc, n_words=n_words, n_embed=config.dim, mean=config.mean)
    return SkipGram(pc, n_words=n_words, n_embed=config.dim)


class Word2vecStepper:
    """Updates a model from chunks; every draw comes from the generator that it is given.

    Args:
        model: of `new_model`.
        trainer: DyNet's SGD trainer of its collection, without clipping.
        config: the settings.
        counts: (V,), how often each word occurs.
    """

    def __init__(
        self, model: Model, trainer: dy.SimpleSGDTrainer, config: Word2vecConfig, counts: np.ndarray
    ) -> None:
        config.check_vocabulary(len(counts))
        self.model, self.trainer, self.config = model, trainer, config
        self._noise = NoiseDistribution.unigram(counts, config.power)
        self._shares = counts / counts.sum()
        self._factors = StepFactors(len(counts))

    def step(self, chunk: Chunk, rate: float, rng: np.random.Generator) -> StepResult:
        """Train on one chunk; one without any pair changes nothing.

        Raises:
            TrainingError: a loss that is no number, or no memory.
        """
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return StepResult(0.0, 0)
        make = text_bags if isinstance(self.model, Cbow) else text_pairs
        examples = make(chunk.ids, centres, contexts)
        losses = len(examples.targets if isinstance(examples, Bags) else examples.centres)
        noise = self._draw(losses, rng)
        strength = rate * self.config.damping
        if strength:
            self._factors.set(strength, *self._masses(examples, noise, losses))
        try:
            nats = self._update(examples, noise, self._factors if strength else None, rate)
        except (RuntimeError, MemoryError) as error:
            dy.renew_cg()
            raise TrainingError(str(error)) from error
        return StepResult(nats, losses)

    def _draw(self, losses: int, rng: np.random.Generator) -> Noise:
        config = self.config
        if config.loss == "softmax":
            return None
        if config.shared:
            return shared_noise(self._noise, config.negatives, config.shared, rng)
        return private_noise(self._noise, config.negatives, losses, rng)

    def _update(
        self,
        examples: Union[Pairs, Bags],
        noise: Noise,
        factors: Optional[StepFactors],
        rate: float,
    ) -> float:
        dy.renew_cg()
        total = self._loss(examples, noise, factors)
        nats = scalar(total)
        if not math.isfinite(nats):
            raise TrainingError(f"the loss is {nats}; lower the learning rate or raise damping")
        total.backward()
        self.trainer.learning_rate = rate
        self.trainer.update()
        return nats

    def _loss(
        self, examples: Union[Pairs, Bags], noise: Noise, factors: Optional[StepFactors]
    ) -> dy.Expression:
        """The chunk's loss, (1,)."""
        model: Any = self.model  # a skip-gram gets pairs and a CBOW bags
        if noise is None:
            return dy.sum_batches(model.nll(examples, factors))
        if isinstance(noise, SharedNoise):
            return model.shared_negative_sampling(examples, noise, factors)
        return dy.sum_batches(model.negative_sampling(examples, noise, factors))

    def _masses(
        self, examples: Union[Pairs, Bags], noise: Noise, losses: int
    ) -> tuple[Masses, Masses]:
        """n_r of the rows of both tables."""
        each = 1.0 if noise is None else 1.0 + self.config.negatives  # losses a prediction
        if isinstance(examples, Bags):
            inputs = [(examples.words, each * examples.input_shares(self.config.mean))]
            outputs = [np.unique(examples.targets, return_counts=True)]
        else:
            inputs = [(examples.words, each * examples.centre_counts)]
            outputs = [(examples.words, examples.context_counts)]
        if noise is None:  # the softmax moves every row, by its probability
            outputs.append((np.arange(len(self._shares)), losses * self._shares))
        elif isinstance(noise, SharedNoise):
            outputs.append((noise.words, losses * noise.weights))
        else:
            outputs.append(np.unique(noise, return_counts=True))
        return inputs, outputs
