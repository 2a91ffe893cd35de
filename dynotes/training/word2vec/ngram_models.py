"""Models of a text without words: adjacent n-grams of characters.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Oshikiri 2017 (EMNLP), D17-1080
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import dynet as dy

from dynotes.corpora.ngram_store import NgramText
from dynotes.corpora.ngram_stream import NgramChunk, ngram_chunks
from dynotes.embeddings.sembei import SLOTS, adjacent_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel, Examples, new_output, rows_of


def sembei(config: Word2vecConfig, pc: dy.ParameterCollection, text: NgramText) -> EmbeddingModel:
    """An n-gram predicts those that end where it begins, and those that begin where it ends."""
    encoder = SkipGram(pc, n_words=len(text.vocabulary), n_embed=config.dim)

    def examples(chunk: NgramChunk) -> Optional[Examples]:
        if not len(chunk.left):
            return None
        return Examples(*adjacent_pairs(chunk.left, chunk.right))

    def ngrams(**options: Any) -> Iterator[NgramChunk]:
        return ngram_chunks(text.ids, text.sentence_ends, text.inventory, **options)

    output = new_output(config, pc, text, n_slots=SLOTS)
    return EmbeddingModel(encoder, output, examples, rows_of(encoder.inputs), chunks=ngrams)
