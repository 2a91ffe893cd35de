"""Models whose LSTMs read whole sentences: context2vec, and a language model of spelled words.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Melamud et al. 2016 (CoNLL); Ling et al. 2015, arXiv:1508.02096
"""

from __future__ import annotations

import dynet as dy

from dynotes.corpora.spelling import character_table, spell
from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk
from dynotes.embeddings.context2vec import Context2vec
from dynotes.embeddings.left_reader import C2wReader, SpelledSlots
from dynotes.embeddings.slots import Slots, text_slots
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel, Examples, new_output, rows_of
from dynotes.training.word2vec.spelled_words import composed


def context2vec(
    config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText
) -> EmbeddingModel:
    """Sizes in the proportions of the paper: 300 read, 600 a side, 1200 between, 600 out."""
    encoder = Context2vec(
        pc,
        n_words=len(text.vocabulary),
        n_embed=-(-config.dim // 2),
        n_hidden=config.hidden or config.dim,
        n_middle=2 * config.dim,
        n_out=config.dim,
    )
    output = new_output(config, pc, text)

    def examples(chunk: Chunk) -> Examples:
        slots = _slots(chunk)
        return Examples(slots, slots.predictions)

    return EmbeddingModel(encoder, output, examples, rows_of(output.outputs))


def c2w(config: Word2vecConfig, pc: dy.ParameterCollection, text: TokenText) -> EmbeddingModel:
    """Words made of their characters, read by an LSTM that predicts the next word."""
    words = text.vocabulary.words
    characters, hidden = character_table(words), config.hidden or config.dim
    spelling = spell(words, characters)
    encoder = C2wReader(
        pc,
        n_chars=len(characters),
        n_embed=config.dim,
        n_char_embed=config.char_dim,
        n_char_hidden=config.char_hidden,
        n_hidden=hidden,
    )

    def examples(chunk: Chunk) -> Examples:
        slots = _slots(chunk)
        return Examples(SpelledSlots(slots, spelling.of(slots.words)), slots.predictions)

    return EmbeddingModel(
        encoder,
        new_output(config, pc, text, n_embed=hidden),
        examples,
        lambda _: composed(encoder.words, spelling),
        about={"characters": characters.to_json()},
    )


def _slots(chunk: Chunk) -> Slots:
    """The centres of a chunk in their sentences."""
    return text_slots(chunk.ids, chunk.sentences, chunk.first, len(chunk.windows))
