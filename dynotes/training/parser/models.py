"""The parsing algorithms by name: how each is built, trained on a batch, and parses one.

An algorithm is a class with the methods of `ParserModel`; `MODELS` and the settings of
`dynotes.training.parser.config` are all that a new one has to be added to.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Protocol

import dynet as dy
import numpy as np

from dynotes.corpora.treebank import GoldTrees, SentenceBatch, Symbols
from dynotes.graph.arrays import read
from dynotes.graph.log_space import NEG_INF
from dynotes.parsing.biaffine_parser import BiaffineParser, ParserRates
from dynotes.parsing.eisner import eisner
from dynotes.parsing.mst import mst
from dynotes.parsing.transition_walks import LabelLimits
from dynotes.training.parser.config import ParserConfig
from dynotes.training.parser.transition_model import EncodedTransitions

DECODERS = ("mst", "eisner")


class Decoding(NamedTuple):
    """How trees are chosen: by which decoder, with one root or any number."""

    decoder: str = "mst"
    single_root: bool = True


class ParserModel(Protocol):
    """What a run needs of a parser."""

    def __init__(self, pc: dy.ParameterCollection, spec: dict[str, Any]) -> None:
        """Make the parameters; ``spec`` is one of `new_spec`."""

    @staticmethod
    def new_spec(config: ParserConfig, symbols: Symbols) -> dict[str, Any]:
        """The sizes of a new model, as plain JSON values."""

    def set_fixed(self, matrix: np.ndarray) -> None:
        """Take the fixed vectors of words."""

    def loss(
        self,
        batch: SentenceBatch,
        gold: GoldTrees,
        config: ParserConfig,
        rng: Optional[np.random.Generator],
    ) -> dy.Expression:
        """The summed loss of a batch, (1,); with dropout if there is an rng."""

    def parse(self, batch: SentenceBatch, symbols: Symbols, how: Decoding) -> GoldTrees:
        """Trees of a batch, the words one sentence after another."""


class BiaffineModel:
    """The deep biaffine parser."""

    def __init__(self, pc: dy.ParameterCollection, spec: dict[str, Any]) -> None:
        self.parser = BiaffineParser(pc, **spec)

    @staticmethod
    def new_spec(config: ParserConfig, symbols: Symbols) -> dict[str, Any]:
        """The spec of `BiaffineParser`."""
        return {
            "inputs": inputs_spec(config, symbols),
            "n_labels": len(symbols.labels),
            "n_hidden": config.hidden,
            "layers": config.layers,
            "arc_size": config.arc_size,
            "label_size": config.label_size,
        }

    def set_fixed(self, matrix: np.ndarray) -> None:
        """Take the fixed vectors of words."""
        self.parser.inputs.set_fixed(matrix)

    def loss(
        self,
        batch: SentenceBatch,
        gold: GoldTrees,
        config: ParserConfig,
        rng: Optional[np.random.Generator],
    ) -> dy.Expression:
        """See `BiaffineParser.loss`."""
        rates = None
        if rng is not None:
            rates = ParserRates(
                config.dropout_embed, config.dropout_x, config.dropout_h, config.dropout_mlp
            )
        return self.parser.loss(
            batch, gold.heads, gold.labels, kind=config.loss, rates=rates, rng=rng
        )

    def parse(self, batch: SentenceBatch, symbols: Symbols, how: Decoding) -> GoldTrees:
        """The best tree of each sentence, then the best label of each arc."""
        encoded = self.parser.encode(batch)
        scores = read(self.parser.arc_scores(encoded, batch))
        heads = np.concatenate(
            [_decoded(scores[: n + 1, : n + 1, b], how) for b, n in enumerate(batch.lengths)]
        )
        labels = read(self.parser.label_scores(encoded, heads, batch))
        return GoldTrees(heads, best_labels(labels, heads, symbols))


class TransitionModel:
    """A transition parser over the same inputs."""

    def __init__(self, pc: dy.ParameterCollection, spec: dict[str, Any]) -> None:
        self.encoded = EncodedTransitions(pc, spec)

    @staticmethod
    def new_spec(config: ParserConfig, symbols: Symbols) -> dict[str, Any]:
        """The specs of the inputs, the BiLSTM and the parser."""
        return {
            "inputs": inputs_spec(config, symbols),
            "lstm": {"n_hidden": config.hidden, "layers": config.layers},
            "parser": {
                "n_labels": len(symbols.labels),
                "n_hidden": config.action_size,
                "algorithm": config.algorithm,
            },
        }

    def set_fixed(self, matrix: np.ndarray) -> None:
        """Take the fixed vectors of words."""
        self.encoded.inputs.set_fixed(matrix)

    def loss(
        self,
        batch: SentenceBatch,
        gold: GoldTrees,
        config: ParserConfig,
        rng: Optional[np.random.Generator],
    ) -> dy.Expression:
        """The sum over the states of `TransitionParser.loss`; without an rng, of the gold way."""
        rates = (config.dropout_embed, config.dropout_x, config.dropout_h)
        parts = self.encoded.parts(batch, rates if rng is not None else (0.0, 0.0, 0.0), rng)
        trees = self.encoded.trees(batch, gold)
        explore = None if rng is None else config.explore
        return dy.sum_batches(
            self.encoded.parser.loss(parts, batch.lengths, *trees, explore=explore, rng=rng)
        )

    def parse(self, batch: SentenceBatch, symbols: Symbols, how: Decoding) -> GoldTrees:
        """Greedily; the decoding does not matter."""
        inner = symbols.inner if symbols.inner.any() else symbols.roots
        limits = LabelLimits(symbols.roots, inner)
        parts = self.encoded.parts(batch)
        return GoldTrees(*self.encoded.parser.parse(parts, batch.lengths, limits=limits))


def inputs_spec(config: ParserConfig, symbols: Symbols) -> dict[str, Any]:
    """The spec of `ParserInputs`, which all algorithms read words by."""
    return {
        "n_words": len(symbols.words),
        "n_tags": len(symbols.tags),
        "n_chars": len(symbols.characters),
        "word_size": config.word_size,
        "tag_size": 0 if config.tags == "none" else config.tag_size,
        "char_size": config.char_size,
        "char_hidden": config.char_hidden,
        "n_fixed": 0 if symbols.vectors is None else len(symbols.vectors),
    }


def best_labels(scores: np.ndarray, heads: np.ndarray, symbols: Symbols) -> np.ndarray:
    """The best label of each arc, of those that such an arc can have.

    Args:
        scores: (K, N).
        heads: (N,); arcs from the root have labels that roots had in training, others have not.
        symbols: of the treebank.
    """
    inner = symbols.inner if symbols.inner.any() else symbols.roots
    allowed = np.where(heads == 0, symbols.roots[:, None], inner[:, None])
    return np.where(allowed, scores, -np.inf).argmax(axis=0)


def _decoded(scores: np.ndarray, how: Decoding) -> np.ndarray:
    # an arc that there is not is no arc at all, not a bad one
    arcs = np.where(scores > NEG_INF / 2, scores, -np.inf)
    decode = {"mst": mst, "eisner": eisner}[how.decoder]
    return decode(arcs, single_root=how.single_root)


MODELS: dict[str, type[ParserModel]] = {
    "biaffine": BiaffineModel,
    "arc-standard": TransitionModel,
    "arc-hybrid": TransitionModel,
    "swap": TransitionModel,
}
