"""CBOW whose windows are bags of n-grams: the units of all words of a window predict its middle.

    h_t = 1/n_t sum_{c in C_t} sum_{g in G_c} z_g      (mean; or the sum)     n_t = sum_c |G_c|

With S the sums of the units of the step's different words, (D, u), all h_t are S A as in `cbow`,
the shares of a word in a bag being 1/n_t for each time it is there.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606 (the released code; the paper has skip-gram alone)
Differs: the gradient of the released code, undivided among the units, if exact is False.
"""

from __future__ import annotations

from typing import NamedTuple

import dynet as dy
import numpy as np

from dynotes.embeddings.cbow import BLOCK, in_blocks, joined, shares
from dynotes.embeddings.damped_rows import Masses
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.pairs import Bags
from dynotes.embeddings.subword import Subword
from dynotes.embeddings.units import Units, VocabularyUnits, units_of


class UnitBags(NamedTuple):
    """Bags of words that are made of units.

    units: of the u different words.
    bags: their words are those of the units, in the same order.
    """

    units: Units
    bags: Bags

    def totals(self) -> np.ndarray:
        """n_t, how many units each bag has, (N,)."""
        sizes, columns = self.units.sizes[self.bags.rows], self.bags.columns
        return np.bincount(columns, weights=sizes, minlength=len(self.bags.targets))


def unit_bags(vocabulary: VocabularyUnits, bags: Bags) -> UnitBags:
    """The bags with the units of their words."""
    units, places = units_of(vocabulary, bags.words)
    return UnitBags(units, bags._replace(words=units.words, rows=places[bags.rows]))


class SubwordCbow(Encoder):
    """A table of the vectors of words and n-grams, and the vectors of bags made from it.

    Args:
        pc: collection that will own the table, as sub-collection "subword-cbow".
        n_words, n_ngrams, n_embed, mean, exact: see `Subword`; the mean is that of a bag's units.
    """

    NAME = "subword-cbow"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_ngrams: int,
        n_embed: int,
        mean: bool = True,
        exact: bool = True,
    ) -> None:
        sizes = {"n_words": n_words, "n_ngrams": n_ngrams, "n_embed": n_embed}
        super().__init__(pc, **sizes, mean=mean, exact=exact)
        self.mean, self.exact = mean, exact
        self.sums = Subword(
            self._pc, n_words=n_words, n_ngrams=n_ngrams, n_embed=n_embed, mean=False
        )
        self.inputs, self.tables = self.sums.inputs, self.sums.tables

    def hidden(self, examples: UnitBags, factors: Factors = None) -> dy.Expression:
        """h_t of every bag, (D, h): h is N, filled up with zeros to whole blocks.

        Args:
            examples: N >= 1 bags, none of them empty.
            factors: see `Encoder.hidden`.
        """
        rows, often = examples.bags.blocks(BLOCK, mean=False)
        words = in_blocks(self.sums.hidden(examples.units, factors), rows)
        if not self.mean:
            return joined(words * shares(often))
        totals = np.ones(often.shape[1] * often.shape[2])
        totals[: len(examples.bags.targets)] = examples.totals()
        A = (often / totals.reshape(often.shape[1:], order="F")).astype(np.float32)
        if self.exact:
            return joined(words * shares(A))
        # the gradient sees the counts alone; the rest of the value is a constant
        return joined(words * shares(often) + dy.nobackprop(words * shares(A - often)))

    def n_hidden(self, examples: UnitBags) -> int:
        """N, rounded up to a multiple of ``BLOCK``."""
        return -(-len(examples.bags.targets) // BLOCK) * BLOCK

    def masses(self, examples: UnitBags, losses: np.ndarray) -> list[Masses]:
        """A unit takes part in the losses of its bags with its shares in their gradient."""
        losses = losses[: len(examples.bags.targets)]
        if self.mean and self.exact:
            losses = losses / examples.totals()
        return self.sums.masses(examples.units, examples.bags.input_shares(False, losses))
