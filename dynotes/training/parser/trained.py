"""A trained parser: its file, and trees for any number of sentences in constant memory.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.conllu import ConlluSentence
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.parse_scores import ParseScores, score_sentence
from dynotes.corpora.treebank import Symbols, batch_of, encode, length_batches, word_places
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.parameters import restore
from dynotes.training.parser.config import ALGORITHMS
from dynotes.training.parser.models import MODELS, Decoding, ParserModel
from dynotes.training.run_folder import MODEL

TASK = "parser"
BLOCK = 20_000  # words that are read before their sentences are sorted by length
PLACES = 2_000  # of a batch, at most; a longer sentence is a batch of its own


class TrainedParser:
    """A model with the tables that its numbers stand for."""

    def __init__(self, model: ParserModel, symbols: Symbols, about: dict[str, Any]) -> None:
        self.model, self.symbols, self.about = model, symbols, about

    def parse(
        self, sentences: Iterable[ConlluSentence], how: Optional[Decoding] = None
    ) -> Iterator[ConlluSentence]:
        """The sentences with their trees, in their order, a block of them at a time."""
        for block in _blocks(sentences):
            yield from self._parse_block(block, how or Decoding())

    def score(
        self, gold: Iterable[ConlluSentence], how: Optional[Decoding] = None, **kind: bool
    ) -> ParseScores:
        """Scores of the parser's trees against the ones that the sentences have.

        Args:
            gold: sentences with trees.
            how: the decoding.
            kind: see `score_sentence`.
        """
        total = ParseScores()
        for block in _blocks(gold):
            for right, parsed in zip(block, self._parse_block(block, how or Decoding())):
                total = total.plus(score_sentence(right, parsed, **kind))
        return total

    def _parse_block(self, block: list[ConlluSentence], how: Decoding) -> list[ConlluSentence]:
        text = encode(block, self.symbols)
        total = int(text.lengths.sum())
        heads, labels = np.zeros(total, np.int64), np.zeros(total, np.int64)
        for which in length_batches(text.lengths, PLACES):
            dy.renew_cg()
            trees = self.model.parse(batch_of(text, which, self.symbols), self.symbols, how)
            places = word_places(text.lengths, which)
            heads[places], labels[places] = trees
        dy.renew_cg()
        names = np.array(self.symbols.labels.words, dtype=object)[labels].tolist()
        ends = np.cumsum(text.lengths)
        return [
            sentence.with_tree(heads[end - len(sentence) : end], names[end - len(sentence) : end])
            for sentence, end in zip(block, ends.tolist())
        ]


def _blocks(sentences: Iterable[ConlluSentence]) -> Iterator[list[ConlluSentence]]:
    block: list[ConlluSentence] = []
    words = 0
    for sentence in sentences:
        block.append(sentence)
        words += len(sentence)
        if words >= BLOCK:
            yield block
            block, words = [], 0
    if block:
        yield block


def write_parser(
    path: PathLike,
    algorithm: str,
    spec: dict[str, Any],
    symbols: Symbols,
    arrays: dict[str, np.ndarray],
) -> None:
    """Write a model file, whole or not at all."""
    meta = {"task": TASK, "algorithm": algorithm, "spec": spec, "symbols": symbols.to_json()}
    write_arrays(path, arrays, meta)


def read_parser(path: Path) -> tuple[TrainedParser, dy.ParameterCollection]:
    """The parser in a file or in the folder of a run, and the collection that owns it.

    Raises:
        InputError: missing, damaged, or no parser.
    """
    file = path / MODEL if path.is_dir() else path
    arrays, meta = read_arrays(file)
    if not isinstance(meta, dict) or meta.get("task") != TASK:
        raise InputError(file, "not a model of scripts/parser.py")
    try:
        algorithm = meta["algorithm"]
        if algorithm not in ALGORITHMS:
            raise ValueError(f"expected one of {', '.join(ALGORITHMS)}, found {algorithm!r}")
        symbols = Symbols.from_json(meta["symbols"])
        pc = dy.ParameterCollection()
        model = MODELS[algorithm](pc, meta["spec"])
        restore(pc, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(file, f"a damaged model ({error})") from None
    return TrainedParser(model, symbols, {"algorithm": algorithm}), pc
