"""The two tables of word2vec: input vectors small and random, output vectors zero.

    v_w ~ Uniform(-1/2D, 1/2D)        u_w = 0

so every score is 0 at the start, and every word the same.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781 (the released code)
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_ids


def input_table(pc: dy.ParameterCollection, n_words: int, n_embed: int) -> dy.LookupParameters:
    """V, (V, D), named "V"."""
    scale = 0.5 / n_embed
    return pc.add_lookup_parameters((n_words, n_embed), init="uniform", scale=scale, name="V")


def output_table(pc: dy.ParameterCollection, n_words: int, n_embed: int) -> dy.LookupParameters:
    """U, (V, D), named "U"."""
    return pc.add_lookup_parameters((n_words, n_embed), init=dy.ConstInitializer(0.0), name="U")


def check_words(words: np.ndarray, rows: np.ndarray, n_words: int) -> np.ndarray:
    """The rows, if there is one at least and all words are in the vocabulary."""
    check_ids("words", words, n_words, (None,))
    if not len(rows):
        raise ValueError("expected at least one pair, found none")
    return rows


def document_table(
    pc: dy.ParameterCollection, n_documents: int, n_embed: int
) -> dy.LookupParameters:
    """The vectors of documents, (N, D), named "D", at the start like those of words."""
    scale = 0.5 / n_embed
    return pc.add_lookup_parameters((n_documents, n_embed), init="uniform", scale=scale, name="D")
