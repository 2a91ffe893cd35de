"""Models whose words are made of n-grams of characters.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.subword_vectors import SubwordVectors
from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk, window_pairs
from dynotes.embeddings.pairs import text_bags
from dynotes.embeddings.predictions import predicted
from dynotes.embeddings.subword import Subword
from dynotes.embeddings.subword_cbow import SubwordCbow, unit_bags
from dynotes.embeddings.units import VocabularyUnits, units_of, vocabulary_units
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel, Examples, Vectors, new_output


def subword(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """Skip-gram with centres made of n-grams."""
    units = _units(config, text)
    encoder = Subword(pc, **_subword_options(config, units))

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        different, which = np.unique(chunk.ids[centres], return_inverse=True)
        made, places = units_of(units, different)
        return Examples(made, predicted(places[which], chunk.ids[contexts]))

    vectors = _of_subwords(config, text, units, encoder.inputs)
    return EmbeddingModel(encoder, new_output(config, pc, text), examples, vectors)


def subword_cbow(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    """CBOW with context words made of n-grams."""
    units = _units(config, text)
    encoder = SubwordCbow(pc, **_subword_options(config, units))

    def examples(chunk: Chunk) -> Optional[Examples]:
        centres, contexts = window_pairs(chunk, chunk.windows)
        if not len(centres):
            return None
        bags = text_bags(chunk.ids, centres, contexts)
        return Examples(unit_bags(units, bags), bags.predictions)

    vectors = _of_subwords(config, text, units, encoder.inputs)
    return EmbeddingModel(encoder, new_output(config, pc, text), examples, vectors)


def _units(config: Word2vecConfig, text: TokenText) -> VocabularyUnits:
    lengths = {"minn": config.minn, "maxn": config.maxn}
    return vocabulary_units(list(text.vocabulary.words), buckets=config.buckets, **lengths)


def _subword_options(config: Word2vecConfig, units: VocabularyUnits) -> dict[str, Any]:
    """Keyword arguments of an encoder of units."""
    sizes = {"n_words": len(units.starts) - 1, "n_ngrams": len(units.buckets)}
    return {**sizes, "n_embed": config.dim, "mean": config.mean, "exact": config.exact}


def _of_subwords(
    config: Word2vecConfig, text: TokenText, units: VocabularyUnits, table: dy.LookupParameters
) -> Vectors:
    """Vectors of words that are made of the rows of a table."""
    words, name = list(text.vocabulary.words), table.name()
    ngrams = config.buckets, config.minn, config.maxn

    def vectors(parameters: Mapping[str, np.ndarray]) -> np.ndarray:
        made = SubwordVectors(words, parameters[name], units.buckets, *ngrams, mean=config.mean)
        return made.known().matrix

    return vectors
