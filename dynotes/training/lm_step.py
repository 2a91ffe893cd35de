"""One update of a language model: a window of truncated backprop, forward, backward, state kept.

    loss = 1/B sum_t sum_b -log P(w_tb | ...)        summed over time, averaged over columns

Note: Tips in Training / Truncated Backprop (T14, T15)
Paper: Zaremba et al. 2014 (the sum over time is what makes a learning rate of 1 right)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.bptt import Columns
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.graph.arrays import scalar
from dynotes.graph.masks import masked_loss
from dynotes.graph.working_rules import nll as nll_of_scores
from dynotes.language_models.lstm_lm import LstmLm, Segment
from dynotes.tips.dropout import unknown_replacement
from dynotes.tips.lstm_sequence import Rates
from dynotes.tips.tied_embeddings import TiedEmbeddings, augmented_loss
from dynotes.tips.truncated_bptt import Window, zero_columns
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_evaluate import read_states
from dynotes.training.workers import GradientSum


class TrainingError(RuntimeError):
    """Training cannot go on: a loss or gradient that is no number, or no memory."""


class StepResult(NamedTuple):
    """What a window leaves behind in one worker."""

    nats: float  # summed -log P of the counted tokens, augmented loss excluded
    tokens: int
    state: list[np.ndarray]


class LmStepper:
    """Updates one model from the columns of one worker; randomness is a function of the step.

    Args:
        model, trainer: what is trained, and DyNet's trainer of its collection.
        columns: all columns of all workers.
        config: the settings.
        rank: this worker's number.
        gradients: what adds up the gradients of the workers; None with one process.
        vocabulary: needed for config.unknown_alpha: its counts and its unknown word.

    Raises:
        ValueError: config.unknown_alpha, and a vocabulary without counts or unknown word.
    """

    def __init__(
        self,
        model: LstmLm,
        trainer: Any,
        columns: Columns,
        config: LmConfig,
        *,
        rank: int = 0,
        gradients: Optional[GradientSum] = None,
        vocabulary: Optional[Vocabulary] = None,
    ) -> None:
        self.model, self.trainer, self.columns, self.config = model, trainer, columns, config
        self.rank, self._gradients = rank, gradients
        self.mine = share_of(config.batch_size, rank, config.processes)
        self._rates = Rates(
            embed=config.dropout_embed,
            x=config.dropout_x,
            h=config.dropout_h,
            out=config.dropout_out,
            shared=config.variational,
        ).checked()
        self._random = any(self._rates[:4]) or config.zero_state > 0
        self._counts, self._unk_id = None, None
        if vocabulary is not None:
            self._counts, self._unk_id = vocabulary.counts, vocabulary.unk_id
        if config.unknown_alpha and (self._counts is None or self._unk_id is None):
            raise ValueError("unknown_alpha: the vocabulary has no counts or no unknown word")

    def step(
        self, window: Window, state: Sequence[np.ndarray], number: int, rate: float
    ) -> StepResult:
        """Train on one window.

        Args:
            window: its rows, and from which row on losses count.
            state: carried values at its first row.
            number: of this update since the start of training; with the seed and the rank it
                determines every random draw.
            rate: learning rate.

        Raises:
            TrainingError: see the class.
        """
        rng = self._rng(number)
        if self.config.zero_state and rng is not None:
            state = zero_columns(state, self.config.zero_state, rng)
        rows = self.columns.rows(window.start, window.stop)
        targets = rows.targets[:, self.mine]
        keep = np.ones(targets.shape, bool) if rows.keep is None else rows.keep[:, self.mine]
        if window.loss_from > window.start:
            keep = keep.copy()
            keep[: window.loss_from - window.start] = False
        inputs = self._with_unknown(rows.inputs, number)
        try:
            return self._update(inputs, targets, keep, window, state, rng, rate)
        except (RuntimeError, MemoryError) as error:
            dy.renew_cg()
            raise TrainingError(f"update {number + 1}: {error}") from error

    def _update(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        keep: np.ndarray,
        window: Window,
        state: Sequence[np.ndarray],
        rng: Optional[np.random.Generator],
        rate: float,
    ) -> StepResult:
        dy.renew_cg()
        segment = self.model.segment(
            inputs,
            state,
            rates=self._rates,
            rng=rng,
            save_at=window.save_at - window.start or None,
            only=None if self._gradients is None else self.mine,
        )
        nll, extra = self._losses(segment, targets)
        total = dy.sum_batches(masked_loss(nll, keep))
        loss = total if extra is None else total + dy.sum_batches(masked_loss(extra, keep))
        nats = scalar(total)
        if not math.isfinite(nats):
            raise TrainingError(f"the loss is {nats}; lower the learning rate or clip")
        (loss * (1 / self.config.batch_size)).backward()
        if self._gradients is not None:
            self._gradients.add(np.unique(inputs))
        self.trainer.learning_rate = rate
        self.trainer.update()
        after = list(state) if window.save_at == window.start else read_states(segment.states)
        return StepResult(nats, int(keep.sum()), after)

    def _losses(
        self, segment: Segment, targets: np.ndarray
    ) -> tuple[dy.Expression, Optional[dy.Expression]]:
        """(-log P of the targets, augmented loss or None), each (1,)x(T*B)."""
        config, output = self.config, self.model.output
        if not config.augmented_gamma or not isinstance(output, TiedEmbeddings):
            return self.model.nll(segment, targets), None
        ids, scores = targets.ravel(), output.scores(segment.scores)
        extra = augmented_loss(
            scores, output, ids, tau=config.augmented_tau, gamma=config.augmented_gamma
        )
        return nll_of_scores(scores, ids), extra

    def _with_unknown(self, inputs: np.ndarray, number: int) -> np.ndarray:
        """Rare input words of all columns replaced (T02), by the same draws in every worker."""
        if not self.config.unknown_alpha or self._counts is None or self._unk_id is None:
            return inputs
        rng = np.random.default_rng((self.config.seed, 2, number))
        alpha = self.config.unknown_alpha
        return unknown_replacement(inputs, self._counts, self._unk_id, alpha, rng)

    def _rng(self, number: int) -> Optional[np.random.Generator]:
        """The draws of one update; DyNet's own generator is set to the same point."""
        if not self._random:
            return None
        seed = np.random.SeedSequence((self.config.seed, number, self.rank))
        dy.reset_random_seed(int(seed.generate_state(1)[0]) or 1)
        return np.random.default_rng(seed)


def share_of(batch_size: int, rank: int, processes: int) -> slice:
    """The columns of worker ``rank``: all have the same number, the first ones perhaps one more."""
    size, more = divmod(batch_size, processes)
    first = rank * size + min(rank, more)
    return slice(first, first + size + (rank < more))
