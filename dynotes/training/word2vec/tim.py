"""The tensor indexing model of a run, and the simpler compositions beside it.

Words and phrases were trained together; what is learned here is f(x, y) near the phrase's vector.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Zhao, Liu & Sun 2015, AAAI
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.phrase_text import JOINER, Phrase, read_phrase_list
from dynotes.corpora.phrase_types import pooled
from dynotes.corpora.word_vectors import WordVectors, read_vectors, write_vectors
from dynotes.embeddings.composition_baselines import LinearComposition, additive, multiplicative
from dynotes.embeddings.evaluation import neighbours
from dynotes.embeddings.tensor_indexing import TensorIndexing
from dynotes.training.model_file import read_arrays
from dynotes.training.parameters import restore, snapshot
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.composition import (
    Parts,
    PhraseRows,
    composed,
    cosines,
    fit,
    mean_cosines,
    split,
)
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.sources import find_vectors
from dynotes.training.word2vec.texts import PHRASES
from dynotes.training.word2vec.tools import format_of

RATE, PATIENCE = 0.01, 5  # of the fits
LEAST_TYPE = 50  # phrases: fewer cannot tell what is common to their type
FEWEST = 10  # phrases to learn from and to measure with
COMPOSED = "\0"  # no word of a text
META = "composition"  # in the header of the model file


class Composition(NamedTuple):
    """What a run learned about its phrases.

    arrays: the parameters of the tensor indexing model, by name.
    meta: its spec, its types, and the numbers of phrases it was fitted to and measured on.
    cosines: mean cosine with the held-out phrases' own vectors, by type and model.
    """

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    cosines: dict[str, Any]


def phrase_rows(
    phrases: Sequence[Phrase], words: Sequence[str], least: int = LEAST_TYPE
) -> tuple[PhraseRows, list[str]]:
    """The phrases that have vectors, as do their words; and the names of their types.

    Args:
        phrases: of the text.
        words: V words, the rows of the vectors.
        least: rarer types are one, `phrase_types.OTHER`.
    """
    row = {word: i for i, word in enumerate(words)}
    # a text may have had the token first_second already, or found it twice
    known = {p.text: p for p in phrases if p.text in row and p.first in row and p.second in row}
    kinds = pooled([p.kind for p in known.values()], least)
    names = sorted(set(kinds))
    columns = ([row[getattr(p, of)] for p in known.values()] for of in ("first", "second", "text"))
    numbers = [names.index(kind) for kind in kinds]
    return PhraseRows(*(np.array(c, np.int64) for c in (*columns, numbers))), names


def learn_composition(
    config: Word2vecConfig, vectors: WordVectors, phrases: Sequence[Phrase]
) -> Composition:
    """Fit the tensor indexing model and the linear one; measure them, x + y and x * y.

    Args:
        config: settings of the model tim.
        vectors: of words and phrases.
        phrases: of the text.

    Raises:
        TrainingError: fewer than three phrases have vectors, or an error that is not finite.
    """
    rows, names = phrase_rows(phrases, vectors.words)
    parts = split(rows, config.held_out, np.random.default_rng((config.seed, 5)))
    dy.reset_random_seed(config.seed)
    pcs = [dy.ParameterCollection() for _ in "ab"]
    sizes = {"n_embed": config.dim, "types": len(names)}
    tim = TensorIndexing(pcs[0], rank=config.rank, diag=config.diag, **sizes)
    models = {"tim": tim, "linear": LinearComposition(pcs[1], **sizes)}
    fits = {
        name: fit(
            model,
            vectors.matrix,
            parts,
            ridge=config.ridge,
            epochs=config.fit_epochs,
            rate=RATE,
            patience=PATIENCE,
            rng=np.random.default_rng((config.seed, 6)),
        )
        for name, model in models.items()
    }
    meta = {
        "spec": tim.spec,
        "types": names,
        "phrases": {name: part.size for name, part in parts._asdict().items()},
        "fits": {name: found._asdict() for name, found in fits.items()},
    }
    return Composition(snapshot(pcs[0]), meta, measured(models, vectors.matrix, parts, names))


def measured(
    models: Mapping[str, Any], matrix: np.ndarray, parts: Parts, names: Sequence[str]
) -> dict[str, Any]:
    """Mean cosines of the test part; "mean phrase" answers with the mean of the fitted phrases."""
    test = parts.test
    outputs = {name: composed(model, matrix, test) for name, model in models.items()}
    for name, f in (("additive", additive), ("multiplicative", multiplicative)):
        outputs[name] = composed(f, matrix, test, by_kind=False)
    mean = matrix[parts.fit.phrase].mean(axis=0)
    outputs["mean phrase"] = np.tile(mean, (test.size, 1))
    return mean_cosines(outputs, matrix, test, names)


def heldout_metrics(learned: Composition) -> dict[str, float]:
    """The mean cosines over all types, as metrics of the summary."""
    means = learned.cosines["all"]
    return {f"heldout_cosine_{name.replace(' ', '_')}": value for name, value in means.items()}


class Composer:
    """The tensor indexing model of a model file, with its words.

    Args:
        path: model.safetensors of a run of the model tim.

    Raises:
        InputError: no such file, or one without a composition.
    """

    def __init__(self, path: Path) -> None:
        arrays, meta = read_arrays(path)
        if not isinstance(meta, dict) or META not in meta:
            raise InputError(path, "has no composition: train with --model tim")
        self._path, self._pc = path, dy.ParameterCollection()
        try:
            self.model = TensorIndexing(self._pc, **meta[META]["spec"])
            self.types: list[str] = meta[META]["types"]
            own = {name: a for name, a in arrays.items() if name.startswith("/tensor-indexing/")}
            restore(self._pc, own)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(path, f"a damaged composition ({error})") from None

    def __call__(self, vectors: WordVectors, pairs: Sequence[tuple[str, str]], kind: str) -> Any:
        """The vectors of phrases of a type, (R, D).

        Raises:
            InputError: a word without a vector, or another type.
        """
        if kind not in self.types:
            raise InputError(self._path, f"no type {kind!r}; it has {', '.join(self.types)}")
        row = {word: i for i, word in enumerate(vectors.words)}
        for word in (word for pair in pairs for word in pair):
            if word not in row:
                raise InputError(self._path, f"{word!r} is not among its {len(row)} words")
        first, second = (np.array([row[pair[side]] for pair in pairs]) for side in (0, 1))
        kinds = np.full(len(pairs), self.types.index(kind))
        return composed(self.model, vectors.matrix, PhraseRows(first, second, first, kinds))


def checked_phrases(path: Path, folder: Path, words: Sequence[str]) -> list[Phrase]:
    """The phrases in the folder of a text's ids.

    Args:
        path: the text.
        folder: of its ids.
        words: those that will have vectors.

    Raises:
        InputError: too few of the phrases will have vectors.
    """
    phrases = read_phrase_list(folder / PHRASES)
    rows, _ = phrase_rows(phrases, words)
    if rows.size < FEWEST:
        found = f"{rows.size} phrases that are frequent enough; expected at least {FEWEST}"
        raise InputError(path, f"{found}; lower the threshold or min_count")
    return phrases


def run_composition(
    run: Path,
    pairs: Sequence[tuple[str, str]],
    *,
    kind: Optional[str] = None,
    top: int = 10,
    write: Optional[Path] = None,
) -> dict[str, Any]:
    """Compose the vectors of phrases and look for words and phrases near them.

    Args:
        run: folder of a run of the model tim.
        pairs: the two words of each phrase.
        kind: their type; None is right where there is one.
        top: how many neighbours.
        write: a file for the vectors, in the format that its name tells.

    Returns:
        The summary; "phrases" holds the nearest words of each, and its cosine with the vector of
        the phrase itself where the text had one.

    Raises:
        InputError: no such run, words or type, or a file that cannot be written.
    """
    began = time.perf_counter()
    pairs = list(dict.fromkeys(pairs))
    composer = Composer(RunFolder(run).model)
    if kind is None and len(composer.types) > 1:
        raise InputError(run, f"name the type of the phrase: {', '.join(composer.types)}")
    vectors = read_vectors(find_vectors(run))
    names = [JOINER.join(pair) for pair in pairs]
    found = composer(vectors, pairs, kind or composer.types[0])
    if write is not None:
        write_vectors(write, WordVectors(names, found), format=format_of(write))
    known = {word: i for i, word in enumerate(vectors.words)}
    phrases = {}
    for name, vector in zip(names, found):
        beside = WordVectors([*vectors.words, COMPOSED], np.vstack((vectors.matrix, vector)))
        near = neighbours(beside, COMPOSED, top=top)
        own = None
        if name in known:
            own = round(float(cosines(vector[None], vectors.matrix[known[name]][None])[0]), 4)
        phrases[name] = {
            "neighbours": [[word, round(cosine, 4)] for word, cosine in near],
            "cosine_with_its_own_vector": own,
        }
    return {
        "task": "word2vec",
        "model": str(run),
        "type": kind or composer.types[0],
        "phrases": phrases,
        "written": None if write is None else str(write),
        "seconds": round(time.perf_counter() - began, 2),
    }
