"""One update of word2vec: the examples of a chunk of text, one graph, damped SGD.

    v_r <- v_r - eta / (1 + eta beta n_r) dJ^/dv_r      J^ the chunk's loss, n_r its losses with r

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
Differs: the released code updates after every pair; see `dynotes.embeddings.damped_rows`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.token_stream import Chunk
from dynotes.embeddings.damped_rows import StepFactors
from dynotes.graph.arrays import scalar
from dynotes.training.lm_step import TrainingError
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel, Examples


class StepResult(NamedTuple):
    """What an update leaves behind.

    nats: summed loss of the predictions; losses: how many these were.
    """

    nats: float
    losses: int


class Word2vecStepper:
    """Updates a model from chunks; every draw comes from the generator that it is given.

    Args:
        model: of `models.new_model`.
        trainer: DyNet's SGD or Adam of its collection, without clipping.
        config: the settings.
    """

    def __init__(self, model: EmbeddingModel, trainer: dy.Trainer, config: Word2vecConfig) -> None:
        self.model, self.trainer, self.config = model, trainer, config
        self._factors = StepFactors([int(table.shape()[0]) for table in model.tables])

    def step(self, chunk: Chunk, rate: float, rng: np.random.Generator) -> StepResult:
        """Train on one chunk; one without any example changes nothing.

        Raises:
            TrainingError: a loss that is no number, or no memory.
        """
        made = self.model.examples(chunk)
        if made is None:
            return StepResult(0.0, 0)
        losses = len(made.predictions.rows)
        noise = self.model.output.draw(losses, rng)
        try:
            return StepResult(self._update(made, noise, rate), losses)
        except (RuntimeError, MemoryError) as error:
            dy.renew_cg()
            raise TrainingError(str(error)) from error

    def _update(self, made: Examples, noise: Any, rate: float) -> float:
        dy.renew_cg()
        total = self._loss(made, noise, rate * self.config.beta)
        nats = scalar(total)
        if not math.isfinite(nats):
            raise TrainingError(f"the loss is {nats}; lower the learning rate or raise damping")
        total.backward()
        self.trainer.learning_rate = rate
        self.trainer.update()
        return nats

    def _loss(self, made: Examples, noise: Any, strength: float) -> dy.Expression:
        """The chunk's loss, (1,), in which the rows are damped."""
        encoder, output = self.model.encoder, self.model.output
        inputs: Optional[list[np.ndarray]] = None
        outputs: Optional[list[np.ndarray]] = None
        if strength:
            n_hidden = encoder.n_hidden(made.inputs)
            held, masses = output.masses(made.predictions, noise, n_hidden)
            self._factors.set(strength, [*encoder.masses(made.inputs, held), *masses])
            tables = len(encoder.tables)
            inputs, outputs = self._factors.tables[:tables], self._factors.tables[tables:]
        H = encoder.hidden(made.inputs, inputs)
        return output.loss(H, made.predictions, noise, outputs)
