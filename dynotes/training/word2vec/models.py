"""The models of ``scripts/word2vec.py train``: an encoder, an output loss, examples of a chunk.

To add one: its encoder in `dynotes.embeddings`, a function here that puts it together, its row in
``MODELS``, its settings in `dynotes.training.word2vec.config`.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.encoder import Encoder
from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.output_table import OutputLoss
from dynotes.embeddings.pairs import text_bags, text_pairs
from dynotes.embeddings.predictions import Predictions
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.training.word2vec.config import Word2vecConfig


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
    vectors: the word vectors that come out, (V, D), from all parameters by name.
    """

    encoder: Encoder
    output: OutputLoss
    examples: Callable[[Chunk], Optional[Examples]]
    vectors: Callable[[Mapping[str, np.ndarray]], np.ndarray]

    @property
    def tables(self) -> tuple[dy.LookupParameters, ...]:
        """All tables of which a step touches some rows, those of the encoder first."""
        return (*self.encoder.tables, *self.output.tables)


def new_model(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    """The model of the settings, for a text whose vocabulary has counts."""
    return MODELS[config.model](config, pc, text)


def new_output(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText, **sizes: int
) -> OutputLoss:
    """The output loss of the settings.

    Args:
        config, pc, text: see `new_model`.
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


def rows_of(table: dy.LookupParameters) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Vectors that are the rows of a table."""
    return lambda parameters: parameters[table.name()]


def _skip_gram(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        pairs = text_pairs(chunk.ids, centres, contexts)
        return Examples(pairs, pairs.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


def _cbow(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    n_words = len(text.vocabulary)
    encoder = Cbow(pc, n_words=n_words, n_embed=config.dim, mean=config.mean)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        bags = text_bags(chunk.ids, centres, contexts)
        return Examples(bags, bags.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


MODELS: Mapping[
    str, Callable[[Word2vecConfig, dy.ParameterCollection, TokenText], EmbeddingModel]
] = {"skipgram": _skip_gram, "cbow": _cbow}
