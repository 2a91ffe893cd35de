"""What a model of word2vec is made of: an encoder, an output loss, examples of a stretch of text.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.encoder import Encoder
from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.output_table import OutputLoss
from dynotes.embeddings.predictions import Predictions
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.texts import Text

Vectors = Callable[[Mapping[str, np.ndarray]], np.ndarray]


class Examples(NamedTuple):
    """What a chunk of text gives a model.

    inputs: what the encoder takes.
    predictions: what its hidden vectors have to predict.
    """

    inputs: Any
    predictions: Predictions


class EmbeddingModel(NamedTuple):
    """A model of the family, ready to be trained.

    encoder, output: its two parts.
    examples: what a chunk gives it, None if nothing.
    vectors: the word vectors that come out, (V, D), from all parameters by name; None if none do.
    documents: the vectors of the lines of the text, (N, D), likewise.
    chunks: of a stretch of its text, with the keywords keep, size, seed, epoch, begin and end of
        `token_stream.chunks`; a chunk tells its begin and end.  None: windows of words.
    about: what the model file says besides sizes and words, as plain JSON values.
    """

    encoder: Encoder
    output: OutputLoss
    examples: Callable[[Any], Optional[Examples]]
    vectors: Optional[Vectors]
    documents: Optional[Vectors] = None
    chunks: Optional[Callable[..., Iterator[Any]]] = None
    about: Mapping[str, Any] = {}

    @property
    def tables(self) -> tuple[dy.LookupParameters, ...]:
        """All tables of which a step touches some rows, those of the encoder first."""
        return (*self.encoder.tables, *self.output.tables)


def new_output(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: Text, **sizes: int
) -> OutputLoss:
    """The output loss of the settings.

    Args:
        config, pc, text: see `models.new_model`.
        sizes: n_embed and n_slots, where they are not dim and 1.
    """
    sizes = {"n_embed": config.dim, **sizes}
    counts = text.vocabulary.counts
    if config.loss == "softmax":
        return FullSoftmaxLoss(pc, counts=counts, **sizes)
    if config.loss == "hierarchical":
        return HierarchicalSoftmaxLoss(pc, counts=counts, **sizes)
    kind = NceLoss if config.loss == "nce" else NegativeSamplingLoss
    noise: dict[str, Any] = {"negatives": config.negatives, "shared": config.shared}
    return kind(pc, counts=counts, power=config.power, **noise, **sizes)


def rows_of(table: dy.LookupParameters) -> Vectors:
    """Vectors that are the rows of a table."""
    return lambda parameters: parameters[table.name()]
