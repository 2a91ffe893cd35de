"""CBOW: the words of a window, as a bag, predict the word in its middle.

    h_t = 1/|C_t| sum_{c in C_t} v_c     (mean; or the sum)        P(o | C_t) = softmax(U h_t)_o
    J = sum_t loss(w_t | h_t)

The loss is one of `dynotes.embeddings.output_losses`.  All h_t are a product X A of the step's
different context vectors X, (D, u), and their shares in the bags A, (u, N).  Bags of neighbouring
positions have the same words, so the product is done in blocks of the positions and their words:
A is a band along the text.  With one context word a position, CBOW is skip-gram with that word as
the centre.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
Paper: Mikolov et al. 2013a, arXiv:1301.3781, section 3.1; 2013b, arXiv:1310.4546, eq. 4
Renamed: the notes' one-hot x and matrices are rows of lookup tables.
Differs: the gradient is the exact one; the released code adds the gradient of the mean h_t to each
    context vector undivided, |C_t| times as much.
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns, gathered
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.pairs import Bags
from dynotes.embeddings.tables import check_words, input_table
from dynotes.graph.shapes import check_dims, expect

BLOCK = 32  # bags of a product: fewer have fewer words in common, more have more zeros


class Cbow(Encoder):
    """Input vectors of words; a hidden vector is that of a bag of them.

    Args:
        pc: collection that will own the table "V", as sub-collection "cbow".
        n_words: V.
        n_embed: D.
        mean: h is the mean of the context vectors, else their sum.
    """

    NAME = "cbow"

    def __init__(
        self, pc: dy.ParameterCollection, *, n_words: int, n_embed: int, mean: bool = True
    ) -> None:
        check_dims("table", (n_words, n_embed))
        super().__init__(pc, n_words=n_words, n_embed=n_embed, mean=mean)
        self.n_words, self.n_embed, self.mean = n_words, n_embed, mean
        self.inputs = input_table(self._pc, n_words, n_embed)
        self.tables = (self.inputs,)

    def hidden(self, examples: Bags, factors: Factors = None) -> dy.Expression:
        """X A, the vectors of the bags, (D, h): h is N, filled up with zeros to whole blocks.

        Args:
            examples: N >= 1 bags of u different words, none of them empty.
            factors: see `Encoder.hidden`.
        """
        check_words(examples.words, examples.rows, self.n_words)
        X = columns(self.inputs, examples.words, None if factors is None else factors[0])
        rows, A = examples.blocks(BLOCK, self.mean)
        return joined(in_blocks(X, rows) * shares(A))

    def n_hidden(self, examples: Bags) -> int:
        """N, rounded up to a multiple of ``BLOCK``."""
        return -(-len(examples.targets) // BLOCK) * BLOCK

    def masses(self, examples: Bags, losses: np.ndarray) -> list[Masses]:
        """A word takes part in the losses of its bags with its shares in them."""
        return [[(examples.words, examples.input_shares(self.mean, losses))]]


def in_blocks(X: dy.Expression, rows: np.ndarray) -> dy.Expression:
    """Columns rows (G, m) of X, (D, n), as (D, m)xG."""
    n_blocks, height = rows.shape
    return dy.reshape(gathered(X, rows.ravel()), (X.dim()[0][0], height), n_blocks)


def shares(A: np.ndarray) -> dy.Expression:
    """The matrices A, (m, g, G), as (m, g)xG."""
    flat = A.ravel(order="F")
    (cells,) = np.nonzero(flat)
    made = dy.sparse_inputTensor([cells], flat[cells], flat.shape)
    return dy.reshape(made, A.shape[:2], A.shape[2])


def joined(H: dy.Expression) -> dy.Expression:
    """(D, g)xG as (D, g G)."""
    (size, width), n_blocks = expect("H", H, (None, None))
    return dy.reshape(H, (size, width * n_blocks))
