"""The transition parsers as algorithms of `dynotes.training.parser.models`.

    the inputs and BiLSTM of the biaffine parser, then `TransitionParser` over both directions

arc-standard cannot build crossing arcs: in training, the head of a word whose arc is not
projective is lifted to the head's head, the shortest such arc first, until the tree is projective.

Note: Topic: Dependency Parsing / Methods (T69)
Paper: Kiperwasser & Goldberg 2016, arXiv:1603.04351; Nivre & Nilsson 2005 (lifting)
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.treebank import GoldTrees, SentenceBatch
from dynotes.corpora.trees import nonprojective
from dynotes.parsing.parser_inputs import ParserInputs
from dynotes.parsing.transition_parser import TransitionParser
from dynotes.tips.bilstm import BiLstm


class EncodedTransitions:
    """Inputs, BiLSTM and transition parser, each with its own spec."""

    def __init__(self, pc: dy.ParameterCollection, spec: dict[str, Any]) -> None:
        self.inputs = ParserInputs(pc, **spec["inputs"])
        self.lstm = BiLstm(pc, n_in=self.inputs.sizes, **spec["lstm"])
        self.parser = TransitionParser(pc, n_in=[spec["lstm"]["n_hidden"]] * 2, **spec["parser"])

    def parts(
        self,
        batch: SentenceBatch,
        rates: tuple[float, float, float] = (0.0, 0.0, 0.0),
        rng: Optional[np.random.Generator] = None,
    ) -> list[dy.Expression]:
        """Both directions, (H,)x(T*B) each; rates of the parts of words, inputs and states."""
        embed, x, h = rates
        parts = self.inputs(batch, p=embed, rng=rng)
        return list(self.lstm(parts, batch.keep, p_x=x, p_h=h))

    def trees(self, batch: SentenceBatch, gold: GoldTrees) -> GoldTrees:
        """The trees to train on: projective ones for arc-standard."""
        if self.parser.system.algorithm != "arc-standard":
            return gold
        ends = np.cumsum(batch.lengths)[:-1]
        return gold._replace(
            heads=np.concatenate([lifted(heads) for heads in np.split(gold.heads, ends)])
        )


def lifted(heads: np.ndarray) -> np.ndarray:
    """A projective tree: heads (n,) of a tree, those of non-projective arcs lifted."""
    up = heads.copy()
    words = np.arange(1, len(up) + 1)
    while (crossing := nonprojective(up)).any():
        length = np.where(crossing, np.abs(up - words), len(up) + 1)
        word = int(length.argmin())
        up[word] = up[up[word] - 1]
    return up
