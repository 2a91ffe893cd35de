"""PV-DBOW: a document predicts each of its words, without regard to their order.

    P(o | d) = softmax(b + U d)_o, or another output loss      J = sum_d sum_{o in d} -log P(o | d)

It is skip-gram with the document as the centre of all windows.  With the full softmax and D >= V
the optimum is P(. | d) = the document's own distribution of words.  With ``words`` the words
predict those of their windows too, through the same output vectors, so that documents and words
share a space.

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T61)
Paper: Le & Mikolov 2014, arXiv:1405.4053, section 2.3; Dai, Olah & Le 2015, arXiv:1507.07998
    (documents and words together)
Renamed: a paragraph is a document.
Differs: the paper samples a window and a word of it at each step; here a pass predicts every kept
    word once, which is the expectation of that.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import columns
from dynotes.embeddings.paragraphs import Masses, Mixture
from dynotes.embeddings.tables import document_table, input_table
from dynotes.graph.builder import Builder
from dynotes.graph.shapes import check_dims, check_ids


class PvDbow(Builder):
    """A table of documents, and one of words if these predict too.

    Args:
        pc: collection that will own the tables, as sub-collection "pv-dbow".
        n_words: V.
        n_documents: N.
        n_embed: D.
        words: words predict too.
    """

    NAME = "pv-dbow"

    def __init__(
        self,
        pc: dy.ParameterCollection,
        *,
        n_words: int,
        n_documents: int,
        n_embed: int,
        words: bool = False,
    ) -> None:
        check_dims("words", (n_words, n_embed))
        check_dims("documents", (n_documents, n_embed))
        super().__init__(pc, n_words=n_words, n_documents=n_documents, n_embed=n_embed, words=words)
        self.n_words, self.n_hidden, self.words = n_words, n_embed, words
        self.inputs = input_table(self._pc, n_words, n_embed) if words else None
        self.documents = document_table(self._pc, n_documents, n_embed)
        self.tables = (self.inputs, self.documents) if words else (self.documents,)

    def hidden(
        self,
        mixture: Mixture,
        factors: Any = None,
        documents: Optional[dy.LookupParameters] = None,
    ) -> dy.Expression:
        """The vectors of d documents, then those of u words, (D, d + u).

        Args:
            mixture: d >= 1 documents; words only where they predict.
            factors: for each table, what the gradient of each row is multiplied by; None for 1.
            documents: table (N', D) of new documents, with which the words are held; None for
                the builder's own.
        """
        table = self.documents if documents is None else documents
        check_ids("documents", mixture.documents, int(table.shape()[0]), (None,))
        d = columns(table, mixture.documents, None if factors is None else factors[-1])
        if not len(mixture.words):
            return d
        if self.inputs is None:
            raise ValueError("words: expected none, since they do not predict")
        check_ids("words", mixture.words, self.n_words, (None,))
        v = columns(self.inputs, mixture.words, None if factors is None else factors[0])
        return dy.concatenate_cols([d, v if documents is None else dy.nobackprop(v)])

    def masses(self, mixture: Mixture, losses: np.ndarray) -> list[Masses]:
        """For each table, in how many losses its rows are.

        Args:
            mixture: as of `hidden`.
            losses: (d + u,), how many losses each column is in.
        """
        d = len(mixture.documents)
        documents: Masses = [(mixture.documents, losses[:d])]
        return [[(mixture.words, losses[d:])], documents] if self.words else [documents]
