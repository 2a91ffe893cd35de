"""Models that give every line of a text a vector: PV-DM and PV-DBOW.

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T60, T61)
Paper: Le & Mikolov 2014, arXiv:1405.4053
"""

from __future__ import annotations

from typing import Callable

import dynet as dy
import numpy as np

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk
from dynotes.embeddings.paragraphs import text_mixture, text_windows, window_offsets
from dynotes.embeddings.pv_dbow import PvDbow
from dynotes.embeddings.pv_dm import PvDm
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import (
    EmbeddingModel,
    Examples,
    Vectors,
    new_output,
    rows_of,
)


def pv_dm(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """A line and the words before a word predict it."""
    n_words = len(text.vocabulary)
    encoder = PvDm(
        pc,
        n_words=n_words,
        n_documents=len(text.sentence_ends),
        n_embed=config.dim,
        slots=len(window_offsets(config.window, config.around)),
        mode=config.mode,
        divided=config.divided,
    )
    return EmbeddingModel(
        encoder,
        new_output(config, pc, text, n_embed=encoder.size),
        paragraph_examples(config),
        lambda parameters: parameters[encoder.inputs.name()][:n_words],  # not the padding
        _rows_of_lines(encoder.documents, text),
    )


def pv_dbow(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """A line predicts its words."""
    encoder = PvDbow(
        pc,
        n_words=len(text.vocabulary),
        n_documents=len(text.sentence_ends),
        n_embed=config.dim,
        words=config.dbow_words,
    )
    output = new_output(config, pc, text)
    # words that do not predict have output vectors alone, and a tree has these at its nodes
    table = encoder.inputs or (None if config.loss == "hierarchical" else output.outputs)
    return EmbeddingModel(
        encoder,
        output,
        paragraph_examples(config, words=config.dbow_words),
        None if table is None else rows_of(table),
        _rows_of_lines(encoder.documents, text),
    )


def paragraph_examples(
    config: Word2vecConfig, *, words: bool = False
) -> Callable[[Chunk], Examples]:
    """What a chunk gives the models of paragraphs, which are its sentences.

    Args:
        config: of one of these models.
        words: pv-dbow's words predict too.
    """
    if config.model == "pv-dbow":

        def mixture(chunk: Chunk) -> Examples:
            made = text_mixture(chunk, words)
            return Examples(made, made.predictions)

        return mixture
    offsets = window_offsets(config.window, config.around)

    def windows(chunk: Chunk) -> Examples:
        whole = np.full_like(chunk.windows, config.window)
        made = text_windows(chunk, offsets, whole if config.mode == "concat" else chunk.windows)
        return Examples(made, made.predictions)

    return windows


def _rows_of_lines(table: dy.LookupParameters, text: TokenText) -> Vectors:
    """The rows of a table, 0 for lines without a word, which nothing was learnt about."""
    lengths = np.diff(text.sentence_ends, prepend=0)
    return lambda parameters: parameters[table.name()] * (lengths > 0)[:, None]
