"""What a chunk of text asks of an output layer: which hidden vector predicts which row.

Note: Topic: Embeddings / word2vec by Mikolov et al (T53, T54)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Predictions(NamedTuple):
    """P predictions.

    columns: (P,) column of the matrix of hidden vectors that predicts, ascending.
    targets: (P,) row of the output table that is predicted.
    """

    columns: np.ndarray
    targets: np.ndarray
