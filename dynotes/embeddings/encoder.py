"""What an embedding model is made of: an encoder makes hidden vectors, an output loss trains them.

    examples -> H, (D, h)          H, predictions -> J

The rows of the tables that a step touches are looked up once each, as columns of matrices, and may
take damped steps: both parts say how many elementary losses hold each row.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53)
Paper: Mikolov et al. 2013a, arXiv:1301.3781
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.embeddings.damped_rows import Masses
from dynotes.graph.builder import Builder

Factors = Optional[Sequence[np.ndarray]]


class Encoder(Builder, abc.ABC):
    """Makes hidden vectors from examples, a NamedTuple of arrays of its own.

    ``tables``: the tables of input vectors, of which a step touches some rows.
    """

    tables: tuple[dy.LookupParameters, ...]

    @abc.abstractmethod
    def hidden(self, examples: Any, factors: Factors = None) -> dy.Expression:
        """H, (D, h).

        Args:
            examples: what the subclass takes.
            factors: for each table, (rows,) what the gradient of each is multiplied by; None for 1.
        """

    @abc.abstractmethod
    def n_hidden(self, examples: Any) -> int:
        """h."""

    @abc.abstractmethod
    def masses(self, examples: Any, losses: np.ndarray) -> list[Masses]:
        """For each table, how many losses hold its rows.

        Args:
            examples: as of `hidden`.
            losses: (h,), how many losses hold each column of H.
        """
