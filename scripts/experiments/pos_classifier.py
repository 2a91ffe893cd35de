"""A linear classifier of words by frozen vectors of the words around them.

    P(tag | x) = softmax(W x + b)      x = [v_{i-r}; ..; v_i; ..; v_{i+r}]

Vectors are scaled as a whole to entries of mean square 1, and never move; unknown words and places
beyond the sentence are zeros.  Adam on shuffled batches; the epoch with the best accuracy on the
development set is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import dynet as dy
import numpy as np

from dynotes.corpora.word_vectors import WordVectors
from dynotes.graph.working_rules import nll

BATCH, RATE = 1000, 0.005


class Examples(NamedTuple):
    """N words to be tagged.

    rows: (2r+1, N) row of the table in each slot.
    tags: (N,) ids.
    """

    rows: np.ndarray
    tags: np.ndarray


def examples(sentences: list[np.ndarray], tags: np.ndarray, radius: int, outside: int) -> Examples:
    """The windows of all words; `outside` is the row for places beyond a sentence."""
    edge = np.full(radius, outside)
    padded = np.concatenate([np.concatenate([edge, rows, edge]) for rows in sentences])
    ends = np.cumsum([len(rows) + 2 * radius for rows in sentences])
    inside = np.ones(len(padded), bool)
    for i in range(radius):
        inside[ends - 1 - i] = False
        inside[np.concatenate([[0], ends[:-1]]) + i] = False
    places = np.flatnonzero(inside)
    rows = np.stack([padded[places + o] for o in range(-radius, radius + 1)])
    return Examples(rows, tags)


class Probe:
    """The classifier over the vectors, and two rows of zeros behind them.

    Args:
        vectors: V words; row V of the table is the unknown word, V + 1 what is beyond a sentence.
        radius: r.
        n_tags: how many tags there are.
    """

    def __init__(self, vectors: WordVectors, radius: int, n_tags: int) -> None:
        n_words, size = vectors.matrix.shape
        scale = float(np.sqrt(np.mean(np.square(vectors.matrix, dtype=np.float64))))
        table = np.zeros((n_words + 2, size), np.float32)
        table[:n_words] = vectors.matrix / max(scale, 1e-30)
        self.size, self.n_tags = (2 * radius + 1) * size, n_tags
        self._frozen, self._pc = dy.ParameterCollection(), dy.ParameterCollection()
        self._table = self._frozen.lookup_parameters_from_numpy(table)
        self._W = self._pc.add_parameters((n_tags, self.size), init=0)
        self._b = self._pc.add_parameters((n_tags,), init=0)

    def fit(
        self, train: Examples, dev: Examples, epochs: int, rng: np.random.Generator
    ) -> tuple[float, int]:
        """Train; (best accuracy on dev, its epoch), whose weights stay."""
        trainer = dy.AdamTrainer(self._pc, RATE)
        best = (-1.0, 0, self._weights())
        for epoch in range(1, epochs + 1):
            order = rng.permutation(len(train.tags))
            trainer.learning_rate = RATE * (1 - (epoch - 1) / epochs)
            for begin in range(0, len(order), BATCH):
                some = order[begin : begin + BATCH]
                dy.renew_cg()
                loss = nll(self._scores(train.rows[:, some]), train.tags[some])
                dy.mean_batches(loss).backward()
                trainer.update()
            accuracy = float(self.right(dev).mean())
            if accuracy > best[0]:
                best = (accuracy, epoch, self._weights())
        for parameter, value in zip((self._W, self._b), best[2]):
            parameter.set_value(value)
        return best[0], best[1]

    def right(self, some: Examples) -> np.ndarray:
        """Whether each word gets its tag, (N,) bool."""
        found = []
        for begin in range(0, len(some.tags), 10 * BATCH):
            dy.renew_cg()
            scores = self._scores(some.rows[:, begin : begin + 10 * BATCH])
            found.append(scores.tensor_value().argmax().as_numpy().ravel())
        return np.concatenate(found) == some.tags

    def _scores(self, rows: np.ndarray) -> dy.Expression:
        """W x + b, (tags,)xN."""
        count = rows.shape[1]
        x = dy.lookup_batch(self._table, rows.ravel(order="F").tolist(), update=False)
        x = dy.reshape(x, (self.size,), count)
        return dy.affine_transform([self._b, self._W, x])

    def _weights(self) -> list[np.ndarray]:
        return [np.array(p.as_array()) for p in (self._W, self._b)]
