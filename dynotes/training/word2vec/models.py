"""The models of ``scripts/word2vec.py train``: an encoder, an output loss, examples of a chunk.

To add one: its encoder in `dynotes.embeddings`, a function here that puts it together, its row in
``MODELS``, its settings in `dynotes.training.word2vec.config`.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Note: Topic: Embeddings / Structured Word2Vec by W. Ling et al (T65, T66)
Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Mikolov et al. 2013b, arXiv:1310.4546
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.ngram_store import NgramText
from dynotes.corpora.ngram_stream import NgramChunk, ngram_chunks
from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.cwindow import CWindow
from dynotes.embeddings.encoder import Encoder
from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.output_table import OutputLoss
from dynotes.embeddings.pairs import text_bags, text_pairs
from dynotes.embeddings.predictions import Predictions
from dynotes.embeddings.sembei import SLOTS, adjacent_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.embeddings.structured_skip_gram import n_slots, structured_predictions
from dynotes.embeddings.windows import text_windows
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.texts import Text


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
    chunks: of a stretch of its text, with the keywords keep, size, seed, epoch, begin and end of
        `token_stream.chunks`; a chunk tells its begin and end.  None: windows of words.
    """

    encoder: Encoder
    output: OutputLoss
    examples: Callable[[Any], Optional[Examples]]
    vectors: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    chunks: Optional[Callable[..., Iterator[Any]]] = None

    @property
    def tables(self) -> tuple[dy.LookupParameters, ...]:
        """All tables of which a step touches some rows, those of the encoder first."""
        return (*self.encoder.tables, *self.output.tables)


def new_model(config: Word2vecConfig, pc: dy.ParameterCollection, text: Text) -> EmbeddingModel:
    """The model of the settings, for a text whose vocabulary has counts."""
    return MODELS[config.model](config, pc, text)


def new_output(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: Text, **sizes: int
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


def _skip_gram(config: Word2vecConfig, pc: dy.ParameterCollection, text: Text) -> EmbeddingModel:
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        pairs = text_pairs(chunk.ids, centres, contexts)
        return Examples(pairs, pairs.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


def _cbow(config: Word2vecConfig, pc: dy.ParameterCollection, text: Text) -> EmbeddingModel:
    n_words = len(text.vocabulary)
    encoder = Cbow(pc, n_words=n_words, n_embed=config.dim, mean=config.mean)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        bags = text_bags(chunk.ids, centres, contexts)
        return Examples(bags, bags.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


def _structured_skip_gram(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: Text
) -> EmbeddingModel:
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)
    output = new_output(config, pc, text, n_slots=n_slots(config.window))

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        pairs = text_pairs(chunk.ids, centres, contexts)
        return Examples(pairs, structured_predictions(pairs, contexts - centres, config.window))

    return EmbeddingModel(encoder, output, examples, rows_of(encoder.inputs))


def _cwindow(config: Word2vecConfig, pc: dy.ParameterCollection, text: Text) -> EmbeddingModel:
    n_words = len(text.vocabulary)
    encoder = CWindow(pc, n_words=n_words, n_embed=config.dim, window=config.window)
    output = new_output(config, pc, text, n_embed=encoder.size)
    every = rows_of(encoder.inputs)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        sizes = {"window": config.window, "padding": encoder.padding}
        return Examples(*text_windows(chunk.ids, centres, contexts, **sizes))

    return EmbeddingModel(encoder, output, examples, lambda found: every(found)[:n_words])


def _sembei(config: Word2vecConfig, pc: dy.ParameterCollection, text: NgramText) -> EmbeddingModel:
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)

    def examples(chunk: NgramChunk) -> Optional[Examples]:
        if not len(chunk.left):
            return None
        return Examples(*adjacent_pairs(chunk.left, chunk.right))

    def ngrams(**options: Any) -> Iterator[NgramChunk]:
        return ngram_chunks(text.ids, text.sentence_ends, text.inventory, **options)

    output = new_output(config, pc, text, n_slots=SLOTS)
    return EmbeddingModel(encoder, output, examples, rows_of(encoder.inputs), ngrams)


MODELS: Mapping[str, Callable[[Word2vecConfig, dy.ParameterCollection, Any], EmbeddingModel]] = {
    "skipgram": _skip_gram,
    "cbow": _cbow,
    "structured-skipgram": _structured_skip_gram,
    "cwindow": _cwindow,
    "sembei": _sembei,
    "tim": _skip_gram,
}
