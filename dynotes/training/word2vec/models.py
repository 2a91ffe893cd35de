"""The models of ``scripts/word2vec.py train`` by name.

To add one: its encoder in `dynotes.embeddings`, a function that puts it together beside those of
its family, its row in ``MAKERS``, its name and settings in `model_settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import dynet as dy

from dynotes.training.word2vec import (
    ngram_models,
    pair_models,
    paragraph_models,
    sentence_models,
    subword_models,
)
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel
from dynotes.training.word2vec.texts import Text

MAKERS: Mapping[str, Callable[[Word2vecConfig, dy.ParameterCollection, Any], EmbeddingModel]] = {
    "skipgram": pair_models.skip_gram,
    "cbow": pair_models.cbow,
    "structured-skipgram": pair_models.structured_skip_gram,
    "cwindow": pair_models.cwindow,
    "subword": subword_models.subword,
    "subword-cbow": subword_models.subword_cbow,
    "pv-dm": paragraph_models.pv_dm,
    "pv-dbow": paragraph_models.pv_dbow,
    "context2vec": sentence_models.context2vec,
    "c2w": sentence_models.c2w,
    "sembei": ngram_models.sembei,
    "tim": pair_models.skip_gram,
}


def new_model(config: Word2vecConfig, pc: dy.ParameterCollection, text: Text) -> EmbeddingModel:
    """The model of the settings, for a text whose vocabulary has counts."""
    return MAKERS[config.model](config, pc, text)
