"""One update of the classifier: some texts, one graph, one step along the sum of their losses.

    theta <- theta - eta min(1, C/|g|) g        g = d/dtheta sum_i J_i

The released code updates after every text, so that each sees what the ones before have done.  Added
up, steps of texts that have much in common (short ones, with few labels) overshoot and feed each
other; the bound C on the norm of g stops that, and leaves all other steps alone.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759
Differs: the released code takes a text at a time.
"""

from __future__ import annotations

import math

import dynet as dy

from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.text_bags import Gold, TextBags
from dynotes.graph.arrays import scalar
from dynotes.training.lm_step import TrainingError


class ClassifyStepper:
    """Updates a model from bags of texts.

    Args:
        model: the model.
        trainer: DyNet's SGD trainer of its collection, with C as the threshold of its clipping.
    """

    def __init__(self, model: FastTextClassifier, trainer: dy.SimpleSGDTrainer) -> None:
        self.model, self.trainer = model, trainer

    def step(self, bags: TextBags, gold: Gold, rate: float) -> float:
        """Train on some texts; the sum of their losses before the update, in nats.

        Raises:
            TrainingError: a loss that is no number, or no memory.
        """
        try:
            dy.renew_cg()
            total = self.model.loss(bags, gold)
            nats = scalar(total)
            if not math.isfinite(nats):
                raise TrainingError(
                    f"the loss is {nats}; lower the learning rate, the batch or the clip"
                )
            total.backward()
            self.trainer.learning_rate = rate
            self.trainer.update()
        except (RuntimeError, MemoryError) as error:
            dy.renew_cg()
            raise TrainingError(str(error)) from error
        return nats
