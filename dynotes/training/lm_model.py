"""Building, saving and loading language models: a safetensors file with spec and vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.language_models.lstm_lm import LstmLm
from dynotes.structures.class_factored_softmax import ClassFactoredSoftmax
from dynotes.tips.initializers import initialise
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.training.lm_config import ConfigError, LmConfig
from dynotes.training.lm_objective import output_spec
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.parameters import memory_views, named_parameters, restore, snapshot

TASK = "language-model"
TEXT_SETTINGS = ("lower", "numbers")


@dataclass(frozen=True)
class OwnedLm:
    """A model together with the root collection that keeps its memory alive."""

    pc: dy.ParameterCollection
    model: LstmLm
    views: Any  # of its parameters' memory, or None where there are none

    def arrays(self) -> dict[str, np.ndarray]:
        """Copies of all parameters by name."""
        return snapshot(self.pc, self.views)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Set all parameters; ValueError, with nothing touched, if they do not fit."""
        restore(self.pc, arrays, self.views)

    def gradient_views(self) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
        """Views on the gradients: flat ones of parameters, (V, n) ones of lookup tables by name.

        Raises:
            RuntimeError: this build of DyNet does not show its memory.
        """
        if self.views is None:
            raise RuntimeError("several processes need a CPU build of DyNet whose memory is known")
        named = named_parameters(self.pc)
        dense = [
            v.gradient.reshape(-1, order="A")
            for name, v in self.views.items()
            if not isinstance(named[name], dy.LookupParameters)
        ]
        tables = {  # rows are column-major blocks
            name: v.gradient.transpose(0, *range(v.gradient.ndim - 1, 0, -1)).reshape(
                len(v.gradient), -1
            )
            for name, v in self.views.items()
            if isinstance(named[name], dy.LookupParameters)
        }
        for view in (*dense, *tables.values()):
            if view.base is None:
                raise RuntimeError("a parameter is not contiguous in memory")
        return dense, tables


def own(spec: dict[str, Any]) -> OwnedLm:
    """A model of the given sizes with DyNet's initial values."""
    pc = dy.ParameterCollection()
    model = LstmLm(pc, **spec)
    return OwnedLm(pc, model, memory_views(pc))


def new_model(config: LmConfig, n_words: int, counts: Optional[np.ndarray] = None) -> OwnedLm:
    """A freshly initialised model of the settings.

    Args:
        config: the settings.
        n_words: V.
        counts: how often training shows each word, (V,); see `lm_objective.output_spec`.

    Raises:
        ConfigError: no such initialisation, or an output layer that does not fit the vocabulary.
    """
    dy.reset_random_seed(config.seed)  # of what DyNet draws itself
    owned = own(
        {
            "n_words": n_words,
            "n_embed": config.embed_size,
            "n_hidden": config.hidden,
            "layers": config.layers,
            "tie": config.tie,
            "forget_bias": config.forget_bias,
            **output_spec(config, counts),
        }
    )
    gates = [w.wx for w in owned.model.weights] + [w.wh for w in owned.model.weights]
    output, rng = owned.model.output, np.random.default_rng(config.seed)
    keep = output.started if isinstance(output, (SampledOutput, ClassFactoredSoftmax)) else []
    try:
        initialise(owned.pc, config.init, rng, gates=gates, keep=keep)
    except ValueError as error:
        raise ConfigError(f"init: {error}") from None
    return owned


def save_model(path: Path, owned: OwnedLm, vocabulary: Vocabulary, text: dict[str, bool]) -> None:
    """Write a model file; ``text`` holds how its texts were normalised (lower, numbers)."""
    meta = {
        "task": TASK,
        "spec": owned.model.spec,
        "vocabulary": vocabulary.to_json(),
        "text": text,
    }
    write_arrays(path, owned.arrays(), meta)


def load_model(path: Path) -> tuple[OwnedLm, Vocabulary, dict[str, bool]]:
    """(model, vocabulary, text normalisation) of a file of :func:`save_model`.

    Raises:
        InputError: missing, damaged, or a file of something else.
    """
    arrays, meta = read_arrays(path)
    if not isinstance(meta, dict) or meta.get("task") != TASK:
        raise InputError(path, "not a language model of dynotes")
    try:
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        owned = own(meta["spec"])
        owned.restore(arrays)
        text = {name: bool(meta["text"][name]) for name in TEXT_SETTINGS}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"a damaged model ({error})") from None
    if len(vocabulary) != owned.model.n_words:
        raise InputError(
            path, f"{len(vocabulary)} words for a model of {owned.model.n_words}: damaged"
        )
    return owned, vocabulary, text
