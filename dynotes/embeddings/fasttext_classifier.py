"""The fastText classifier: a bag of words and n-grams, its mean vector, one linear layer.

    h = 1/N sum_{g in bag} A_g        s = B h
    softmax               P(y | text) = softmax(s)_y        J = -log P(y | text)
    hierarchical softmax  P(y | text) = prod_j sigmoid((1 - 2 bit_j) s_{node_j}),  J the same
    one-vs-all            P(y | text) = sigmoid(s_y)        J = sum_y softplus(s_y) - sum_{gold} s_y

The hierarchical softmax asks the questions on the way to y in the Huffman tree of the labels, about
log2 L of them; one-vs-all gives any number of labels.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, section 2; one-vs-all as in the released code
Renamed: the paper's normalised bag x_n is a column of the shares in `TextBags`.
"""

from __future__ import annotations

from typing import Any

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.predictions import predicted
from dynotes.embeddings.text_bags import Gold, TextBags
from dynotes.graph.builder import Builder
from dynotes.graph.log_space import softplus
from dynotes.graph.shapes import check_dims, check_ids
from dynotes.graph.working_rules import nll

OUTPUTS = ("softmax", "hierarchical-softmax", "one-vs-all")
WAYS = 1 << 22  # numbers in memory at the same time


class FastTextClassifier(Builder):
    """A table of rows and a linear layer, which starts at zero.

    Args:
        pc: collection that will own both, as sub-collection "fasttext-classifier".
        n_rows: rows of the table A; they start uniform in (-1/D, 1/D).
        n_embed: D.
        counts: (L,) how often each label occurs, which the Huffman tree is made of.
        output: "softmax", "hierarchical-softmax" (a text has one label), "one-vs-all" (any number).

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
        counts: Any,
        output: str = "softmax",
    ) -> None:
        counts = check_ids("counts", counts, 2**62, (None,)).tolist()
        check_dims("A", (n_rows, n_embed))
        check_dims("B", (len(counts), n_embed))
        if output not in OUTPUTS:
            raise ValueError(f"output: expected one of {', '.join(OUTPUTS)}, found {output!r}")
        super().__init__(pc, n_rows=n_rows, n_embed=n_embed, counts=counts, output=output)
        self.n_rows, self.n_embed, self.n_labels, self.output = n_rows, n_embed, len(counts), output
        self.A = self._pc.add_lookup_parameters(
            (n_rows, n_embed), init="uniform", scale=1.0 / n_embed, name="A"
        )
        if output == "hierarchical-softmax":
            self.tree = HierarchicalSoftmaxLoss(self._pc, counts=counts, n_embed=n_embed)
        else:
            self.B = self._pc.add_parameters((len(counts), n_embed), init=0, name="B")

    def hidden(self, bags: TextBags) -> dy.Expression:
        """The mean vectors h of N texts, (D, N)."""
        check_ids("rows", bags.words, self.n_rows, (None,))
        u = len(bags.words)
        shares = dy.sparse_inputTensor([bags.cells], bags.shares, (u * bags.n_texts,))
        return columns(self.A, bags.words) * dy.reshape(shares, (u, bags.n_texts))

    def scores(self, bags: TextBags) -> dy.Expression:
        """s of N texts: of every label, (L,)xN, or of every inner node of the tree, (L-1,)xN."""
        H = self.hidden(bags)
        if self.output != "hierarchical-softmax":
            return dy.reshape(self.B * H, (self.n_labels,), bags.n_texts)
        U = columns(self.tree.outputs, np.arange(self.n_labels - 1))
        return dy.reshape(dy.transpose(U) * H, (self.n_labels - 1,), bags.n_texts)

    def loss(self, bags: TextBags, gold: Gold) -> dy.Expression:
        """The sum of J over N texts, (1,), in nats; arguments as of `losses`."""
        if self.output != "hierarchical-softmax":
            return dy.sum_batches(self.losses(bags, gold))
        labels = self._checked(bags, gold)
        return self.tree.loss(self.hidden(bags), predicted(gold.columns, labels))

    def losses(self, bags: TextBags, gold: Gold) -> dy.Expression:
        """J of N texts, (1,)xN, in nats.

        Args:
            bags: from `text_bags`.
            gold: one label of each text; one-vs-all: all labels of each, or none.

        Raises:
            ValueError: labels or texts out of range, or not one label a text.
        """
        labels = self._checked(bags, gold)
        if self.output == "softmax":
            return nll(self.scores(bags), labels)
        if self.output == "one-vs-all":
            return self._one_vs_all(bags, gold)
        return self.tree.losses(self.hidden(bags), predicted(gold.columns, labels))

    def log_probs(self, scores: np.ndarray) -> np.ndarray:
        """log P(y | text) of all labels, (L, N) float32, in nats.

        Args:
            scores: (L, N), or (L-1, N) of the tree, the values of `scores`.
        """
        if self.output == "one-vs-all":
            return -np.logaddexp(0, -scores)
        if self.output == "softmax":
            shifted = scores - scores.max(axis=0)
            return shifted - np.log(np.exp(shifted).sum(axis=0))
        starts, nodes, bits = self.tree.tree
        signs = (2.0 * bits - 1).astype(np.float32)[:, None]
        some = max(1, WAYS // len(nodes))  # texts at a time
        parts = [scores[:, i : i + some] for i in range(0, scores.shape[1], some)]
        steps = (np.logaddexp(0, signs * part[nodes]) for part in parts)
        return -np.concatenate([np.add.reduceat(x, starts[:-1], axis=0) for x in steps], axis=1)

    def _one_vs_all(self, bags: TextBags, gold: Gold) -> dy.Expression:
        scores = self.scores(bags)
        every = dy.sum_elems(softplus(scores))
        if not len(gold.labels):
            return every
        shape = (self.n_labels, bags.n_texts)
        places, ones = [gold.labels, gold.columns], np.ones(len(gold.labels))
        return every - dy.dot_product(dy.sparse_inputTensor(places, ones, shape, True), scores)

    def _checked(self, bags: TextBags, gold: Gold) -> np.ndarray:
        """The labels, once they fit the texts."""
        labels = np.asarray(gold.labels)
        one_each = np.array_equal(gold.columns, np.arange(bags.n_texts))
        if self.output != "one-vs-all" and not one_each:
            raise ValueError(f"labels: expected one of each of {bags.n_texts} texts")
        if labels.size:
            check_ids("labels", labels, self.n_labels, (None,))
            check_ids("texts", gold.columns, bags.n_texts, labels.shape)
        return labels
