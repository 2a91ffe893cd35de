"""Gaps in sentences filled by a trained model: context2vec, or CBOW with the words of its window.

Note: Topic: Embeddings / context2vec by Melamud et al (T59)
Paper: Melamud, Goldberger & Dagan 2016, CoNLL
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.embeddings.context2vec import Context2vec
from dynotes.embeddings.slot_filling import best_words, noise_shift
from dynotes.embeddings.slots import Slots, id_slots
from dynotes.graph.arrays import read
from dynotes.training.model_file import read_arrays
from dynotes.training.parameters import named_parameters, restore
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError

GAP = "[]"
SENTENCES = 50  # of one graph


class Filler(NamedTuple):
    """What fills gaps.

    vocabulary: with counts.
    lower: texts are to be lower-cased.
    outputs: (V, D), the target vectors t_w.
    shift: (V,), what turns t_w.c into log P(w | c), up to a constant.
    context: c of every place of some slots, (P, D).
    """

    vocabulary: Vocabulary
    lower: bool
    outputs: np.ndarray
    shift: np.ndarray
    context: Callable[[Slots], np.ndarray]

    def contexts(
        self, sentences: Sequence[np.ndarray], places: Optional[Sequence[int]] = None
    ) -> np.ndarray:
        """c of the places of sentences of ids, see `id_slots`: (P, D) float32."""
        found = []
        for low in range(0, len(sentences), SENTENCES):
            some = slice(low, low + SENTENCES)
            slots = id_slots(sentences[some], None if places is None else places[some])
            found.append(self.context(slots).astype(np.float32))
        return np.concatenate(found)


def open_filler(path: PathLike) -> Filler:
    """The model in a file, or in the folder of a run.

    Raises:
        InputError: no model file, or a model that fills no gaps.
    """
    file = RunFolder(path).model if os.path.isdir(path) else path
    arrays, meta = read_arrays(file)
    makers = {"context2vec": _context2vec, "cbow": _cbow}
    model = meta.get("model") if isinstance(meta, dict) else None
    if model not in makers:
        raise InputError(file, f"expected a model {' or '.join(makers)}, found {model!r}")
    if meta.get("loss") == "hierarchical":
        raise InputError(file, "loss hierarchical has no vectors of words to fill gaps with")
    try:
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        outputs = _only(arrays, "/U")
        shift = np.zeros(len(outputs))
        if meta["loss"] == "negative-sampling":
            shift = noise_shift(vocabulary.counts, meta["output"]["power"])
        elif meta["loss"] == "nce":
            shift = _only(arrays, "/nce/b")[:, 0].astype(np.float64)
        context = makers[model](arrays, meta)
        return Filler(vocabulary, bool(meta["lower"]), outputs, shift, context)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(file, f"damaged ({error})") from None


def run_substitutes(path: PathLike, sentence: str, *, top: int = 10) -> dict[str, Any]:
    """The most probable words in the gap of a sentence.

    Args:
        path: see `open_filler`.
        sentence: words separated by white space, one of them the gap "[]"; words that the model
            does not know are left out, as they were from its text.
        top: how many.

    Raises:
        InputError: see `open_filler`.
        ConfigError: not one gap.
    """
    began, filler = time.perf_counter(), open_filler(path)
    words = (sentence.lower() if filler.lower else sentence).split()
    if words.count(GAP) != 1:
        raise ConfigError(f"sentence: expected one gap {GAP}, found {words.count(GAP)}")
    kept = [word for word in words if word == GAP or word in filler.vocabulary]
    place = kept.index(GAP)
    ids = filler.vocabulary.lookup(kept)
    ids[place] = 0  # which word stands there does not matter: it is not read
    (context,) = filler.contexts([ids], [place])
    scores = filler.outputs.astype(np.float64) @ context + filler.shift
    log_z = np.logaddexp.reduce(scores)
    best = best_words(context, filler.outputs, top, filler.shift)
    found = [[filler.vocabulary.words[w], round(float(np.exp(s - log_z)), 5)] for w, s in best]
    return {
        "task": "word2vec",
        "model": os.fspath(path),
        "sentence": " ".join(kept),
        "left_out": [word for word in words if word not in kept],
        "substitutes": found,
        "seconds": round(time.perf_counter() - began, 2),
    }


def _context2vec(
    arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> Callable[[Slots], np.ndarray]:
    pc = dy.ParameterCollection()
    encoder = Context2vec(pc, **meta["encoder"])
    restore(pc, {name: arrays[name] for name in named_parameters(pc)})

    def context(slots: Slots, root: Any = pc) -> np.ndarray:  # the root keeps the values alive
        dy.renew_cg()
        return read(encoder.hidden(slots))[..., 0].T

    return context


def _cbow(
    arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> Callable[[Slots], np.ndarray]:
    table, window, mean = _only(arrays, "/V"), int(meta["window"]), bool(meta["encoder"]["mean"])

    def context(slots: Slots) -> np.ndarray:
        X = table[slots.words[slots.rows]].astype(np.float64)
        sums = np.concatenate([np.zeros((1, X.shape[1])), np.cumsum(X, axis=0)])
        ends = np.cumsum(slots.lengths)
        sentence = np.searchsorted(ends, slots.places, side="right")
        low = np.maximum((ends - slots.lengths)[sentence], slots.places - window)
        high = np.minimum(ends[sentence], slots.places + window + 1)
        whole = sums[high] - sums[low] - X[slots.places]
        return whole / np.maximum(1, high - low - 1)[:, None] if mean else whole

    return context


def _only(arrays: Mapping[str, np.ndarray], ending: str) -> np.ndarray:
    """The one array whose name ends so."""
    (name,) = [name for name in arrays if name.endswith(ending)]
    return arrays[name]
