"""One update of a language model: a window of truncated backprop, forward, backward, state kept.

    loss = 1/B sum_t sum_b -log P(w_tb | ...)        summed over time, averaged over columns

Note: Tips in Training / Truncated Backprop (T14, T15)
Paper: Zaremba et al. 2014 (the sum over time is what makes a learning rate of 1 right)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from dynotes.tips.softmax_approximations.importance_sampling import negative_losses
from dynotes.tips.softmax_approximations.shared_samples import Draw
from dynotes.tips.tied_embeddings import TiedEmbeddings, augmented_loss
from dynotes.tips.truncated_bptt import Window, zero_columns
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_evaluate import read_states
from dynotes.training.lm_objective import Objective
from dynotes.training.workers import GradientSum


class TrainingError(RuntimeError):
    """Training cannot go on: a loss or gradient that is no number, or no memory."""


class StepResult(NamedTuple):
    """What a window leaves behind in one worker."""

    nats: float  # summed loss of the counted tokens, augmented loss excluded
    tokens: int
    state: list[np.ndarray]
    negative: int = 0  # tokens whose loss is below 0, where that can be (T36)


class LmStepper:
    """Updates one model from the columns of one worker; randomness is a function of the step.

    Args:
        model, trainer: what is trained, and DyNet's trainer of its collection.
        columns: all columns of all workers.
        config: the settings.
        rank: this worker's number.
        gradients: what adds up the gradients of the workers; None with one process.
        vocabulary: needed for config.unknown_alpha (its counts and its unknown word).
        objective: the loss; None is that of the settings, by the counts of the vocabulary.

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
        objective: Optional[Objective] = None,
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
        self.objective = objective or Objective(config, self._counts)
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
        draw = self.objective.draw(rows.targets, self._draws(number))
        keep = np.ones(rows.targets.shape, bool) if rows.keep is None else rows.keep
        keep = keep[:, self.mine]
        if window.loss_from > window.start:
            keep = keep.copy()
            keep[: window.loss_from - window.start] = False
        inputs = self._with_unknown(rows.inputs, number)
        try:
            return self._update(inputs, rows.targets, keep, window, state, draw, rng, rate)
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
        draw: Optional[Draw],
        rng: Optional[np.random.Generator],
        rate: float,
    ) -> StepResult:
        dy.renew_cg()
        segment = self.model.segment(
            inputs[:, self.mine],
            state,
            rates=self._rates,
            rng=rng,
            save_at=window.save_at - window.start or None,
        )
        each, extra = self._losses(segment, targets, draw)
        total = dy.sum_batches(masked_loss(each, keep))
        loss = total if extra is None else total + dy.sum_batches(masked_loss(extra, keep))
        rows = {}
        if self._gradients is not None:
            rows = self.model.touched(inputs, targets, draw)
            loss = dy.esum([loss, *touch(rows)])
        nats = scalar(total)
        if not math.isfinite(nats):
            raise TrainingError(f"the loss is {nats}; lower the learning rate or clip")
        (loss * (1 / self.config.batch_size)).backward()
        if self._gradients is not None:
            self._gradients.add({table.name(): which for table, which in rows.items()})
        self.trainer.learning_rate = rate
        self.trainer.update()
        after = list(state) if window.save_at == window.start else read_states(segment.states)
        negative = negative_losses(each, keep) if self.objective.may_be_negative else 0
        return StepResult(nats, int(keep.sum()), after, negative)

    def _losses(
        self, segment: Segment, all_targets: np.ndarray, draw: Optional[Draw]
    ) -> tuple[dy.Expression, Optional[dy.Expression]]:
        """(loss of the targets, augmented loss or None), each (1,)x(T*B)."""
        config, output = self.config, self.model.output
        targets = all_targets[:, self.mine]
        if not config.augmented_gamma or not isinstance(output, TiedEmbeddings):
            own = None if draw is None else draw.columns(self.mine)
            return self.objective.loss(self.model, segment, targets, own), None
        ids, scores = targets.ravel(), output.scores(segment.h)
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

    def _draws(self, number: int) -> np.random.Generator:
        """What draws the noise words of one update, the same in every worker."""
        return np.random.default_rng((self.config.seed, 3, number))

    def _rng(self, number: int) -> Optional[np.random.Generator]:
        """The draws of one update; DyNet's own generator is set to the same point."""
        if not self._random:
            return None
        seed = np.random.SeedSequence((self.config.seed, number, self.rank))
        dy.reset_random_seed(int(seed.generate_state(1)[0]) or 1)
        return np.random.default_rng(seed)


def touch(rows: Mapping[Any, np.ndarray]) -> list[dy.Expression]:
    """A zero for every table that depends on these rows of it, each (1,).

    With it in the loss, DyNet lists the same rows as changed, in the same order, in every worker.
    """
    looked_up = [dy.lookup_batch(table, which.tolist()) for table, which in rows.items()]
    return [dy.sum_batches(dy.sum_elems(x)) * 0.0 for x in looked_up]


def share_of(batch_size: int, rank: int, processes: int) -> slice:
    """The columns of worker ``rank``: all have the same number, the first ones perhaps one more."""
    size, more = divmod(batch_size, processes)
    first = rank * size + min(rank, more)
    return slice(first, first + size + (rank < more))
