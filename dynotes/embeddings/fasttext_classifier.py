"""The fastText classifier: a bag of words and n-grams, its mean vector, one linear layer.

    h = 1/N sum_{g in bag} A_g        s = B h
    softmax       P(y | text) = softmax(s)_y              J = -log P(y | text)
    one-vs-all    P(y | text) = sigmoid(s_y)              J = sum_y softplus(s_y) - sum_{gold y} s_y

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, equation of section 2; one-vs-all as in the released
    code
Renamed: the paper's normalised bag x_n is a column of the matrix A of `text_bags`; A is here the
    table of rows ``A``.
Differs: none.
"""

from __future__ import annotations

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.text_bags import Gold, TextBags
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_dims, check_ids
from dynotes.graph.working_rules import nll

OUTPUTS = ("softmax", "one-vs-all")


class FastTextClassifier(Builder):
    """A table of rows and a linear layer, which starts at zero: every label is as likely.

    Args:
        pc: collection that will own both, as sub-collection "fasttext-classifier".
        n_rows: rows of the table A; they start uniform in (-1/D, 1/D).
        n_embed: D.
        n_labels: L.
        output: "softmax", one label a text; "one-vs-all", any number of labels a text.

    Raises:
        ValueError: impossible sizes, or another output.
    """

    NAME = "fasttext-classifier"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_rows: int,
        n_embed: int,
        n_labels: int,
        output: str = "softmax",
    ) -> None:
        check_dims("A", (n_rows, n_embed))
        check_dims("B", (n_labels, n_embed))
        if output not in OUTPUTS:
            raise ValueError(f"output: expected one of {', '.join(OUTPUTS)}, found {output!r}")
        super().__init__(pc, n_rows=n_rows, n_embed=n_embed, n_labels=n_labels, output=output)
        self.n_rows, self.n_embed, self.n_labels, self.output = n_rows, n_embed, n_labels, output
        scale = 1.0 / n_embed
        self.A = self._pc.add_lookup_parameters(
            (n_rows, n_embed), init="uniform", scale=scale, name="A"
        )
        self.B = self._pc.add_parameters((n_labels, n_embed), init=0, name="B")

    def hidden(self, bags: TextBags) -> dy.Expression:
        """The mean vectors h of N texts, (D, N)."""
        check_ids("rows", bags.words, self.n_rows, (None,))
        X = columns(self.A, bags.words)
        u = len(bags.words)
        A = dy.sparse_inputTensor([bags.cells], bags.shares, (u * bags.count,))
        return X * dy.reshape(A, (u, bags.count))

    def scores(self, bags: TextBags) -> dy.Expression:
        """s of N texts, (L,)xN."""
        return dy.reshape(self.B * self.hidden(bags), (self.n_labels,), bags.count)

    def loss(self, bags: TextBags, gold: Gold) -> dy.Expression:
        """J of N texts, (1,)xN, in nats.

        Args:
            bags: from `text_bags`.
            gold: one label of each text for the softmax; one-vs-all: all labels of each, or none.

        Raises:
            ValueError: labels or texts out of range; for the softmax not one label a text.
        """
        labels = self._checked(bags, gold)
        scores = self.scores(bags)
        if self.output == "softmax":
            return nll(scores, labels)
        every = dy.sum_elems(softplus(scores))
        if not labels.size:
            return every
        places = [labels, np.asarray(gold.columns)]
        shape = (self.n_labels, bags.count)
        Y = dy.sparse_inputTensor(places, np.ones(labels.size), shape, batched=True)
        return every - dy.dot_product(Y, scores)

    def log_probs(self, bags: TextBags) -> dy.Expression:
        """log P(y | text) of every label, (L,)xN, in nats; they sum to 1 for the softmax alone."""
        scores = self.scores(bags)
        return dy.log_softmax(scores) if self.output == "softmax" else -softplus(-scores)

    def _checked(self, bags: TextBags, gold: Gold) -> np.ndarray:
        """The labels, once they fit the texts."""
        labels = np.asarray(gold.labels)
        if self.output == "softmax" and not np.array_equal(gold.columns, np.arange(bags.count)):
            raise ValueError(f"labels: expected one of each of {bags.count} texts")
        if labels.size:
            check_ids("labels", labels, self.n_labels, (None,))
            check_ids("texts", gold.columns, bags.count, labels.shape)
        return labels
