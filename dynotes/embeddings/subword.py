"""Words from the n-grams of their characters: what a word is built of is shared among words.

    h_w = 1/|G_w| sum_{g in G_w} z_g      (mean; or the sum)         G_w: see `units`

so the gradient of each unit is that of h_w, divided by |G_w|: every loss of a word teaches all
words that share a unit with it, and a word that was never seen has the vector of its n-grams.
Without n-grams G_w = {w}, and this is skip-gram's table of input vectors.

Words of equally many units are one batched product of their units' vectors and their shares.

The exact gradient moves h_w by eta/|G_w| only where it would move an output vector by eta.  The
released code adds the gradient of h_w to each unit undivided, |G_w| times as much, so that all
words move alike; since a word's own row is still at rest only where the gradient of h_w is zero,
the points of rest are the same.

Note: Topic: Embeddings / word2vec by Mikolov et al (T57)
Paper: Bojanowski et al. 2017, arXiv:1607.04606, section 3.2 (the sum)
Renamed: the notes' n-gram embeddings are z_g, the rows of "V".
Differs: the mean is that of the code that the authors released; its gradient if exact is False.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.units import Units
from dynotes.graph.shapes import check_dims, check_ids, check_size


class Subword(Encoder):
    """A table of the vectors of words and n-grams, and the vectors of words made from it.

    Args:
        pc: collection that will own the table, as sub-collection "subword".
        n_words: V.
        n_ngrams: B, rows for n-grams behind those of the words.
        n_embed: D.
        mean: h is the mean of the units' vectors, else their sum.
        exact: the gradient of a mean; False: each unit gets that of h undivided.
    """

    NAME = "subword"

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
        check_size("n_ngrams", n_ngrams, 0)
        check_dims("table", (n_words, n_embed))
        check_dims("table", (n_words + n_ngrams, n_embed))
        sizes = {"n_words": n_words, "n_ngrams": n_ngrams, "n_embed": n_embed}
        super().__init__(pc, **sizes, mean=mean, exact=exact)
        self.n_rows, self.n_embed, self.mean, self.exact = n_words + n_ngrams, n_embed, mean, exact
        # the scale of the released code, twice that of word2vec
        self.inputs = self._pc.add_lookup_parameters(
            (self.n_rows, n_embed), init="uniform", scale=1 / n_embed, name="V"
        )
        self.tables = (self.inputs,)

    def hidden(self, examples: Units, factors: Factors = None) -> dy.Expression:
        """h_w of every word, (D, u).

        Args:
            examples: the units of u >= 1 words.
            factors: see `Encoder.hidden`.
        """
        sizes, rows = examples.sizes, examples.rows
        check_ids("rows", rows, self.n_rows, (int(sizes.sum()),))
        f = None if factors is None else factors[0]
        parts = [self._words(of_size, size, f) for size, of_size in _blocks(sizes, rows)]
        return parts[0] if len(parts) == 1 else dy.concatenate_cols(parts)

    def n_hidden(self, examples: Units) -> int:
        """u."""
        return len(examples.words)

    def masses(self, examples: Units, losses: np.ndarray) -> list[Masses]:
        """A unit takes part in the losses of its words with its shares in the gradient."""
        each = losses / examples.sizes if self.mean and self.exact else losses
        rows, where = np.unique(examples.rows, return_inverse=True)
        shares = np.repeat(each, examples.sizes)
        return [[(rows, np.bincount(where, weights=shares, minlength=len(rows)))]]

    def _words(self, rows: np.ndarray, size: int, factors: Optional[np.ndarray]) -> dy.Expression:
        """h of words of ``size`` units each, (D, m); their rows one word after another."""
        m = len(rows) // size
        Z = dy.reshape(dy.lookup_batch(self.inputs, rows.tolist()), (self.n_embed, size), m)
        share = 1 / size if self.mean else 1.0
        if factors is None and (self.exact or not self.mean):
            h = Z * dy.inputTensorTranspose([share] * size, dim=(size,))
        else:
            # the gradient sees the moving shares alone; the rest of the value is a constant
            moving = np.full(len(rows), share if self.exact else 1.0)
            moving *= 1.0 if factors is None else factors[rows]
            h = Z * _batched(moving, size) + dy.nobackprop(Z * _batched(share - moving, size))
        return dy.reshape(h, (self.n_embed, m))


def _batched(numbers: np.ndarray, size: int) -> dy.Expression:
    """(m size,) numbers as (size,)xm."""
    flat = dy.inputTensorTranspose(numbers.tolist(), dim=(len(numbers),))
    return dy.reshape(flat, (size,), len(numbers) // size)


def _blocks(sizes: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The size and the rows of each block of words of equally many units."""
    ends = np.cumsum(sizes)
    last = np.flatnonzero(np.diff(sizes, append=0))
    begin = 0
    for size, end in zip(sizes[last].tolist(), ends[last].tolist()):
        yield size, rows[begin:end]
        begin = end
