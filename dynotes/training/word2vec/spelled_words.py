"""Word vectors composed by a trained C2W: of its vocabulary, and of any other word.

Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Ling et al. 2015, arXiv:1508.02096
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.spelling import Spelling, spell
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.embeddings.c2w import C2w
from dynotes.embeddings.evaluation import neighbours
from dynotes.embeddings.left_reader import C2wReader
from dynotes.graph.arrays import read
from dynotes.training.model_file import read_arrays
from dynotes.training.parameters import named_parameters, restore
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.sources import find_vectors

WORDS = 1000  # composed in one graph


class Composer(NamedTuple):
    """A trained C2W, and the collection that keeps its memory alive."""

    pc: dy.ParameterCollection
    words: C2w
    characters: Vocabulary

    def vectors(self, words: Sequence[str]) -> np.ndarray:
        """Vectors of any words, (n, D)."""
        return composed(self.words, spell(words, self.characters))


def composed(words: C2w, spelling: Spelling) -> np.ndarray:
    """Vectors of u spelled words, (u, D) float32."""
    found = []
    for low in range(0, len(spelling.lengths), WORDS):
        dy.renew_cg()
        rows = np.arange(low, min(low + WORDS, len(spelling.lengths)))
        found.append(read(words.embed(spelling.of(rows))).T)
    dy.renew_cg()
    return np.concatenate(found)


def open_composer(path: PathLike) -> Composer:
    """The C2W in a model file.

    Raises:
        InputError: no model file, or another model.
    """
    arrays, meta = read_arrays(path)
    if not isinstance(meta, dict) or meta.get("model") != "c2w":
        raise InputError(path, "no model c2w")
    pc = dy.ParameterCollection()
    try:
        reader = C2wReader(pc, **meta["encoder"])
        restore(pc, {name: arrays[name] for name in named_parameters(pc)})
        return Composer(pc, reader.words, Vocabulary.from_json(meta["characters"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"damaged ({error})") from None


def run_spelling(
    path: PathLike, words: Sequence[str], *, top: int = 10, restrict_vocab: Optional[int] = None
) -> dict[str, Any]:
    """The nearest words of the vocabulary of each word, with cosines, whether it was seen or not.

    Args:
        path: folder of a run of c2w.
        words: any, none empty.
        top: how many.
        restrict_vocab: only the most frequent words of the vocabulary are answers; None: all.

    Raises:
        InputError: no such run.
    """
    began, composer = time.perf_counter(), open_composer(RunFolder(path).model)
    known = read_vectors(find_vectors(path))
    seen, size = set(known.words), len(known.words)
    unseen = [word for word in dict.fromkeys(words) if word not in seen]
    if unseen:
        matrix = np.concatenate([known.matrix, composer.vectors(unseen)])
        known = WordVectors([*known.words, *unseen], matrix)
    answers = size if restrict_vocab is None else min(size, restrict_vocab)
    found = {word: neighbours(known, word, top=top, restrict_vocab=answers) for word in words}
    return {
        "task": "word2vec",
        "model": os.fspath(path),
        "words": size,
        "unseen": unseen,
        "neighbours": {
            word: [[other, round(cosine, 4)] for other, cosine in some]
            for word, some in found.items()
        },
        "seconds": round(time.perf_counter() - began, 2),
    }
