"""Models that read windows of words: skip-gram, CBOW, and both with the places of a window apart.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53)
Note: Topic: Embeddings / Structured Word2Vec by W. Ling et al (T65, T66)
Paper: Mikolov et al. 2013a, arXiv:1301.3781; Ling et al. 2015 (NAACL)
"""

from __future__ import annotations

from typing import Optional

import dynet as dy

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.cwindow import CWindow
from dynotes.embeddings.pairs import text_bags, text_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.embeddings.structured_skip_gram import n_slots, structured_predictions
from dynotes.embeddings.windows import text_windows
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel, Examples, new_output, rows_of


def skip_gram(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    """A word predicts the words around it."""
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        pairs = text_pairs(chunk.ids, centres, contexts)
        return Examples(pairs, pairs.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


def cbow(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """The words around a word predict it, as a bag."""
    n_words = len(text.vocabulary)
    encoder = Cbow(pc, n_words=n_words, n_embed=config.dim, mean=config.mean)

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        bags = text_bags(chunk.ids, centres, contexts)
        return Examples(bags, bags.predictions)

    return EmbeddingModel(encoder, new_output(config, pc, text), examples, rows_of(encoder.inputs))


def structured_skip_gram(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    """A word predicts the word at each place of its window by output vectors of that place."""
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)
    output = new_output(config, pc, text, n_slots=n_slots(config.window))

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        pairs = text_pairs(chunk.ids, centres, contexts)
        return Examples(pairs, structured_predictions(pairs, contexts - centres, config.window))

    return EmbeddingModel(encoder, output, examples, rows_of(encoder.inputs))


def cwindow(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """The words around a word predict it, one behind the other."""
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
