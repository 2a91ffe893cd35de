"""An output loss under test: five predictions by four hidden vectors, with one slot or three."""

from typing import NamedTuple

import dynet as dy
import numpy as np

from dynotes.embeddings.output_losses.negatives import SharedNoise
from dynotes.embeddings.predictions import predicted
from tests.embeddings.tables import COUNTS, D, V, matrix, output

COLUMNS, WORDS, SLOTS = [0, 1, 1, 3, 0], [1, 2, 5, 0, 1], [2, 0, 2, 1, 0]
NEGATIVES = np.array([[1, 3, 3, 6, 2], [4, 4, 0, 0, 1]])
NOISE = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 0.5, 1.0]))
HIDDEN = 4


class Layer(NamedTuple):
    """The loss, H as a parameter, both as float64 arrays, and what keeps them alive."""

    loss: object
    H: dy.Parameters
    h: np.ndarray
    u: np.ndarray
    slots: list
    alive: tuple


def layer(kind, slots=1, rows=V, **options):
    rng = np.random.default_rng(7)
    u, h = rng.normal(0, 0.7, (rows * slots, D)), rng.normal(0, 0.7, (D, HIDDEN))
    pc, loss = output(kind, u.astype(np.float32), COUNTS, n_slots=slots, **options)
    pc_h, H = matrix(h.astype(np.float32))
    return Layer(loss, H, h, u, SLOTS if slots > 1 else [0] * 5, (pc, pc_h))


def some(made, which=slice(None)):
    """Predictions, all or some of the five."""
    slots = np.array(SLOTS)[which] if made.loss.n_slots > 1 else None
    return predicted(np.array(COLUMNS)[which], np.array(WORDS)[which], slots)
