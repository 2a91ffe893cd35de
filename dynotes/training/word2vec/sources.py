"""What a file or the folder of a run says about words: their vectors, and what they are made of.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606

A run of the subword model and a .bin file of fastText give a vector to words that they do not know.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.char_ngrams import ngram_buckets
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.fasttext_binary import (
    LOSSES,
    FastTextFile,
    is_fasttext,
    read_fasttext,
    write_fasttext,
)
from dynotes.corpora.subword_vectors import SubwordVectors
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.training.model_file import read_arrays
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.config import Word2vecConfig

VECTORS = ("vectors.npy", "vectors.bin", "vectors.txt")  # in the folder of a run
TABLES = {"subword": "/subword/V", "subword-cbow": "/subword-cbow/subword/V"}


class Source(NamedTuple):
    """Word vectors, and the n-grams that they are made of, if they are.

    path: of the file.
    vectors: the most frequent word first.
    subwords: for a run of the subword model and a file of fastText, else None.
    """

    path: Path
    vectors: WordVectors
    subwords: Optional[SubwordVectors]


def find_vectors(path: PathLike) -> Path:
    """The file of vectors that a path names: itself, or the one in the folder of a run.

    Raises:
        InputError: a folder without one.
    """
    if not os.path.isdir(path):
        return Path(path)
    found = next((Path(path) / name for name in VECTORS if (Path(path) / name).is_file()), None)
    if found is None:
        raise InputError(path, f"no word vectors there ({', '.join(VECTORS)})")
    return found


def read_source(path: PathLike, *, limit: Optional[int] = None) -> Source:
    """All that a file of vectors or the folder of a run holds.

    Args:
        path: of the file or the folder.
        limit: read no more words, where the format allows it.

    Raises:
        InputError: see `find_vectors`, `read_vectors`, `read_fasttext`.
    """
    file = find_vectors(path)
    if is_fasttext(file):
        subwords = read_fasttext(file).vectors
    elif os.path.isdir(path) and is_subword_run(path):
        subwords = _run(path).vectors
    else:
        return Source(file, read_vectors(file, limit=limit), None)
    return Source(file, subwords.known(), subwords)


def is_subword_run(path: PathLike) -> bool:
    """Whether a folder holds a finished run of a subword model."""
    folder = RunFolder(path)
    if not (folder.config.is_file() and folder.model.is_file()):
        return False
    settings = folder.read_config().get("settings")
    return isinstance(settings, dict) and settings.get("model") in TABLES


def convert_to_fasttext(source: PathLike, target: PathLike) -> WordVectors:
    """Write a run of the subword model as a .bin file of fastText; returns its word vectors.

    Raises:
        InputError: another source, or words that the format cannot hold.
    """
    if os.path.isdir(source) and is_subword_run(source):
        model = _run(source)
    elif not os.path.isdir(source) and is_fasttext(source):
        model = read_fasttext(source)
    else:
        raise InputError(source, "format fasttext: expected a finished run of the subword model")
    write_fasttext(target, model)
    return model.vectors.known()


def _run(path: PathLike) -> FastTextFile:
    """The model of a finished run of a subword model."""
    folder = RunFolder(path)
    arrays, meta = read_arrays(folder.model)
    try:
        config = Word2vecConfig(**folder.read_config()["settings"]).checked()
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        vectors = _vectors(config, list(vocabulary.words), arrays[TABLES[config.model]])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(folder.model, f"damaged or of another version ({error})") from None
    counts = vocabulary.counts
    loss = config.loss if config.loss in LOSSES else "negative-sampling"
    return FastTextFile(
        vectors,
        np.ones(len(vocabulary), np.int64) if counts is None else np.asarray(counts, np.int64),
        _outputs(arrays, config.loss),
        window=config.window,
        epochs=config.epochs,
        min_count=config.min_count,
        negatives=config.negatives,
        loss=loss,
        cbow=config.model == "subword-cbow",
        subsample=config.subsample,
    )


def _vectors(config: Word2vecConfig, words: list[str], table: np.ndarray) -> SubwordVectors:
    lengths: dict[str, Any] = {"minn": config.minn, "maxn": config.maxn}
    used = np.unique(ngram_buckets(words, buckets=config.buckets, **lengths).buckets)
    return SubwordVectors(words, table, used, n_buckets=config.buckets, mean=config.mean, **lengths)


def _outputs(arrays: dict[str, np.ndarray], loss: str) -> Optional[np.ndarray]:
    """Output vectors a word, where the released code has the same ones."""
    return arrays.get(f"/{loss}/U") if loss in ("negative-sampling", "softmax") else None
