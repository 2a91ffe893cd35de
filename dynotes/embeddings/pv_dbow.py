"""PV-DBOW: a document predicts each of its words, without regard to their order.

    P(o | d) = softmax(U d)_o        J = sum_d sum_{o in d} loss(o | d)

The loss is one of `dynotes.embeddings.output_losses`.  It is skip-gram with the document as the
centre of all windows.  With the full softmax and D >= V the optimum is P(. | d) = the document's
own distribution of words.  With ``words`` the words predict those of their windows too, through
the same output vectors, so that documents and words share a space.

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T61)
Paper: Le & Mikolov 2014, arXiv:1405.4053, section 2.3; Dai, Olah & Le 2015, arXiv:1507.07998
    (documents and words together)
Renamed: a paragraph is a document.
Differs: the paper samples a window and a word of it at each step; here a pass predicts every kept
    word once, which is the expectation of that.
"""

from __future__ import annotations

from typing import Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses, columns
from dynotes.embeddings.encoder import Encoder, Factors
from dynotes.embeddings.paragraphs import Mixture
from dynotes.embeddings.tables import document_table, input_table
from dynotes.graph.shapes import check_dims, check_ids


class PvDbow(Encoder):
    """A table of documents, and one of words if these predict too.

    Args:
        pc: collection that will own the tables, as sub-collection "pv-dbow".
        n_words: V.
        n_documents: N.
        n_embed: D.
        words: words predict too.

    ``size`` is that of a hidden vector.
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
        self.n_words, self.size, self.words = n_words, n_embed, words
        self.inputs = input_table(self._pc, n_words, n_embed) if words else None
        self.documents = document_table(self._pc, n_documents, n_embed)
        self.tables = (self.inputs, self.documents) if words else (self.documents,)

    def hidden(
        self,
        examples: Mixture,
        factors: Factors = None,
        documents: Optional[dy.LookupParameters] = None,
    ) -> dy.Expression:
        """The vectors of d documents, then those of u words, (D, d + u).

        Args:
            examples: d >= 1 documents; words only where they predict.
            factors: see `Encoder.hidden`.
            documents: table (N', D) of new documents, with which the words are held; None for
                the encoder's own.
        """
        texts = documents or self.documents
        check_ids("documents", examples.documents, int(texts.shape()[0]), (None,))
        d = columns(texts, examples.documents, None if factors is None else factors[-1])
        if not len(examples.words):
            return d
        if self.inputs is None:
            raise ValueError("words: expected none, since they do not predict")
        check_ids("words", examples.words, self.n_words, (None,))
        v = columns(self.inputs, examples.words, None if factors is None else factors[0])
        return dy.concatenate_cols([d, v if documents is None else dy.nobackprop(v)])

    def n_hidden(self, examples: Mixture) -> int:
        """d + u."""
        return len(examples.documents) + len(examples.words)

    def masses(self, examples: Mixture, losses: np.ndarray) -> list[Masses]:
        """Documents and words are in the losses of their columns."""
        d = len(examples.documents)
        documents: Masses = [(examples.documents, losses[:d])]
        return [[(examples.words, losses[d:])], documents] if self.words else [documents]
