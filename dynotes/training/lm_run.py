"""A training run of a language model: epochs, dev set, checkpoints, several processes, resuming.

Every random draw is a function of (seed, update, worker), so the state of a run is its position,
the parameters, the optimizer's statistics and the carried LSTM state; a run that was killed and
resumed ends with the same bits as one that was not.

Note: Tips in Training / Tuning on the Development Set (T27, T28, T29)
Note: Tips in Training / Truncated Backprop (T14)
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import numpy as np

from dynotes.corpora.bptt import columns
from dynotes.corpora.errors import InputError
from dynotes.tips.dev_tuning import EarlyStopping
from dynotes.tips.divergences import perplexity
from dynotes.tips.truncated_bptt import Window, random_lengths, windows
from dynotes.training.lm_checkpoint import (
    Checkpoint,
    Position,
    as_bytes_array,
    read_checkpoint,
    write_checkpoint,
)
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_data import LmData
from dynotes.training.lm_evaluate import stream_nll
from dynotes.training.lm_model import OwnedLm, new_model, save_model
from dynotes.training.lm_objective import Objective
from dynotes.training.lm_step import LmStepper, TrainingError
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.optimizer_state import load_state, roll_back, save_state
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder, Stopwatch
from dynotes.training.trainers import make_schedule, make_trainer
from dynotes.training.workers import GradientSum, Workers, shared_array

EVALUATION_COLUMNS = 20
LOOK_EVERY = 8  # updates between two agreements of several workers on what the lead sees
FIT_AFTER = 60.0  # seconds of training before its speed is trusted


class LmRun:
    """One run; :meth:`train` does all of it.

    Args:
        config, data: settings and texts.
        folder: where everything is written; it exists.
        say: called with one line of text an epoch.
        progress: called with (epoch, tokens, tokens of an epoch, loss as text) now and then.
    """

    def __init__(
        self,
        config: LmConfig,
        data: LmData,
        folder: RunFolder,
        *,
        say: Callable[[str], None] = print,
        progress: Callable[[int, int, int, str], None] = lambda *_: None,
    ) -> None:
        self.config, self.data, self.folder = config, data, folder
        self.say, self.progress = say, progress
        self.owned: OwnedLm = new_model(config, len(data.vocabulary), data.vocabulary.counts)
        self.objective = Objective(config, data.vocabulary.counts)
        self.trainer = make_trainer(config, self.owned.pc)
        self.schedule = make_schedule(config)
        self.stopping = EarlyStopping(config.patience or 10**6)
        self.at = Position(rate=config.lr, epochs=config.epochs)
        self.columns = columns(data.texts["train"].ids, config.batch_size, data.eos_id)
        self.workers = Workers(config.processes)
        self.state: list[np.ndarray] = []
        self._interrupted = False
        self._watch, self._began, self._saved = Stopwatch(), time.perf_counter(), 0.0

    def train(self, *, resume: bool = False) -> Position:
        """Train to the end, from the start or from the folder's checkpoint.

        Raises:
            Interrupted: Ctrl-C.
            TrainingError: see lm_step.
            InputError: a damaged checkpoint, or one of other settings.
        """
        several = self.config.processes > 1
        gradients = GradientSum(self.workers, *self.owned.gradient_views()) if several else None
        size = 2 * self.config.layers * self.config.hidden * self.config.batch_size
        self._states = shared_array((size,), np.float32)
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            with self.workers.running():
                self._epochs(gradients, resume)
        finally:
            signal.signal(signal.SIGINT, before)
        return self.at

    def _epochs(self, gradients: Optional[GradientSum], resume: bool) -> None:
        self.stepper = LmStepper(
            self.owned.model,
            self.trainer,
            self.columns,
            self.config,
            rank=self.workers.rank,
            gradients=gradients,
            vocabulary=self.data.vocabulary,
            objective=self.objective,
        )
        self._fresh_state()
        if resume:
            self._load()
        self._watch = Stopwatch(self.at.train_seconds)
        self._began = time.perf_counter() - self.at.run_seconds
        self._saved = time.perf_counter()
        while not self.at.finished:
            self._one_epoch()
            self._after_epoch()
            self._save()

    def _one_epoch(self) -> None:
        plan = list(self._plan())
        self._watch.start()
        for number in range(self.at.window, len(plan)):
            window, scale = plan[number]
            progress = min(1.0, (self.at.epoch + number / len(plan)) / self.at.epochs)
            rate = self.schedule.at(self.at.rate, progress) * scale
            result = self.stepper.step(window, self.state, self.at.update, rate)
            self.state = result.state
            at = self.at
            at.nats, at.tokens = at.nats + result.nats, at.tokens + result.tokens
            at.negative += result.negative
            at.update, at.window = at.update + 1, number + 1
            self._report(plan)
            last = at.window == len(plan)
            if self.workers.processes > 1 and at.update % LOOK_EVERY and not last:
                continue
            if self.config.fit_minutes and not at.fitted:
                self._fit_epochs(len(plan))
            if self._look_around(last=last):
                break
        self._watch.stop()

    def _plan(self) -> Iterator[tuple[Window, float]]:
        """The windows of the current epoch and the factor of the rate in each."""
        config, n = self.config, len(self.columns)
        drawn = None
        if config.random_lengths:
            rng = np.random.default_rng((config.seed, 1, self.at.epoch))
            drawn = list(random_lengths(n, config.k1, rng))
        plan = windows(
            n,
            config.k1,
            config.steps_back,
            config.bptt_variant,
            None if drawn is None else [d.length for d in drawn],
        )
        for number, window in enumerate(plan):
            yield window, 1.0 if drawn is None else drawn[number].rate_scale

    def _fit_epochs(self, windows_an_epoch: int) -> None:
        """After a minute, plan as many epochs as fit into the minutes of the settings."""
        at = self.at
        if self.workers.from_lead(self._watch.seconds) < FIT_AFTER:
            return
        sizes = {part: len(text.ids) for part, text in self.data.texts.items()}
        forward_only = sizes["dev"] / (2 * sizes["train"])  # a third of the work, and some slack
        epoch = self._watch.seconds / at.update * windows_an_epoch * (1 + forward_only)
        planned = max(1, int(self.config.fit_minutes * 60 / epoch))
        at.epochs, at.fitted = int(self.workers.from_lead(planned)), True

    def _look_around(self, *, last: bool) -> bool:
        """Checkpoint if it is time to; True if the time given for training is over.

        Raises:
            Interrupted: Ctrl-C was pressed.
        """
        now = time.perf_counter()
        due = now - self._saved >= self.config.checkpoint_seconds and not last
        late = 0 < self.config.max_minutes * 60 <= now - self._began
        lead = self.workers.lead
        stop, save, over = self.workers.total(
            lead and self._interrupted, lead and due, lead and late
        )
        if stop or (save and not over):
            self._watch.stop()
            self._save()
            self._watch.start()
        if stop:
            raise Interrupted
        if over:
            self.at.finished = True
        return bool(over)

    def _after_epoch(self) -> None:
        """Dev set, learning rate, best model, history."""
        at, config = self.at, self.config
        nats, tokens, negative = self.workers.total(at.nats, at.tokens, at.negative)
        dev = self.evaluate("dev")
        at.epoch += 1
        at.trained_tokens += int(tokens)
        at.train_seconds = self.workers.from_lead(self._watch.seconds)
        if dev < at.best or at.best_epoch == 0:
            at.best, at.best_epoch = dev, at.epoch
            self._save_best()
        entry = {
            "epoch": at.epoch,
            "update": at.update,
            "lr": at.rate,
            **self._train_entry(nats, int(tokens), int(negative)),
            "dev_perplexity": dev,
            "tokens": int(tokens),
            "train_seconds": round(at.train_seconds, 2),
            "tokens_per_second": round(at.trained_tokens / max(at.train_seconds, 1e-9), 1),
        }
        at.history = [*at.history, entry]
        action = self.schedule.after_epoch(at.epoch, at.rate, dev)
        at.rate = action.rate
        verdict = self.stopping.update(dev)
        if action.rollback:
            self._roll_back()
        if action.stop or (config.patience and verdict.stop) or at.epoch >= at.epochs:
            at.finished = True
        at.window, at.nats, at.tokens, at.negative = 0, 0.0, 0, 0
        self._fresh_state()
        if self.workers.lead:
            best = " (best)" if at.best_epoch == at.epoch else ""
            self.say(
                f"epoch {at.epoch}/{at.epochs}  lr {entry['lr']:.4g}  "
                f"{_shown(nats, tokens, self.objective)}  dev {dev:.2f}{best}  "
                f"{entry['tokens_per_second']:.0f} tokens/s  {at.train_seconds:.0f} s"
            )

    def _train_entry(self, nats: float, tokens: int, negative: int) -> dict[str, Any]:
        """What the log says of the training loss; a perplexity only where it is one."""
        objective = self.objective
        if objective.is_likelihood:
            return {"train_perplexity": perplexity(nats, tokens)}
        entry: dict[str, Any] = {"train_loss": nats / tokens}
        return {**entry, "negative_losses": negative} if objective.may_be_negative else entry

    def evaluate(self, part: str) -> float:
        """Perplexity of a text, its columns shared by the workers; the same value in each."""
        text = self.data.texts[part]
        only = range(self.workers.rank, EVALUATION_COLUMNS, self.workers.processes)
        nll = stream_nll(
            self.owned.model, text.ids, self.data.eos_id, columns=EVALUATION_COLUMNS, only=only
        )
        mine = ~np.isnan(nll)
        nats, tokens = self.workers.total(float(nll[mine].sum()), int(mine.sum()))
        if tokens < len(text.ids):
            raise TrainingError(f"the {part} loss is nan; lower the learning rate or clip")
        return perplexity(nats, int(tokens))

    def _fresh_state(self) -> None:
        mine = self.stepper.mine
        self.state = self.owned.model.zero_state(mine.stop - mine.start)

    def _save_best(self) -> None:
        if self.workers.lead:
            text = {"lower": self.config.lower, "numbers": self.config.numbers}
            save_model(self.folder.model, self.owned, self.data.vocabulary, text)
            if self._restores_moments:
                moments = {"optimizer": as_bytes_array(save_state(self.trainer))}
                write_arrays(self.folder.best_optimizer, moments, None)
        self.workers.barrier()

    @property
    def _restores_moments(self) -> bool:
        return self.config.schedule == "rollback" and self.config.rollback_optimizer == "restore"

    def _roll_back(self) -> None:
        """Best parameters, and the optimizer's statistics by the strategy of the settings (T29)."""
        self.owned.restore(read_arrays(self.folder.model)[0])
        state = None
        if self._restores_moments:
            state = read_arrays(self.folder.best_optimizer)[0]["optimizer"].tobytes()
        self.trainer = roll_back(
            self.config.rollback_optimizer,
            self.trainer,
            state=state,
            new_trainer=lambda: make_trainer(self.config, self.owned.pc),
        )
        self.stepper.trainer = self.trainer

    def _save(self) -> None:
        """Write the checkpoint: what all workers share, and the LSTM state of every column."""
        at = self.at
        at.train_seconds = self._watch.seconds
        at.run_seconds = time.perf_counter() - self._began
        states = self._all_states()
        states[:, :, self.stepper.mine] = self.state
        at.nats, at.tokens, at.negative = self._only_lead(at.nats, at.tokens, at.negative)
        if self.workers.lead:
            checkpoint = Checkpoint(
                at,
                self.schedule.state_dict(),
                self.stopping.state_dict(),
                self.owned.arrays(),
                states,
                b"" if self.config.trainer == "sgd" else save_state(self.trainer),
            )
            write_checkpoint(self.folder, checkpoint)
        self.workers.barrier()
        self._saved = time.perf_counter()

    def _all_states(self) -> np.ndarray:
        """The carried state of all columns, shared by the workers: (2 layers, H, B)."""
        config = self.config
        return self._states.reshape(2 * config.layers, config.hidden, config.batch_size)

    def _only_lead(self, nats: float, tokens: int, negative: int) -> tuple[float, int, int]:
        """The sums of all workers in the lead and zeros elsewhere; also a barrier."""
        nats, *counts = self.workers.total(nats, tokens, negative)
        return (nats, int(counts[0]), int(counts[1])) if self.workers.lead else (0.0, 0, 0)

    def _load(self) -> None:
        saved = read_checkpoint(self.folder)
        try:
            self.owned.restore(saved.parameters)
            self.schedule.load_state_dict(saved.schedule)
            self.stopping.load_state_dict(saved.stopping)
            if saved.moments:
                load_state(self.trainer, saved.moments)
            states = saved.states.reshape(self._all_states().shape)
        except ValueError as error:
            raise InputError(self.folder.checkpoint, f"of other settings ({error})") from None
        self.state = [np.ascontiguousarray(a) for a in states[:, :, self.stepper.mine]]
        self.at = saved.position
        if not self.workers.lead:
            self.at.nats, self.at.tokens, self.at.negative = 0.0, 0, 0

    def _report(self, plan: list[tuple[Window, float]]) -> None:
        if self.workers.lead:
            at = self.at
            whole = len(self.data.texts["train"].ids)
            done = int(whole * at.window / len(plan))
            text = _shown(at.nats, max(at.tokens, 1), self.objective)
            self.progress(at.epoch + 1, done, whole, text)

    def _interrupt(self, *_: Any) -> None:
        self._interrupted = True


def _shown(nats: float, tokens: float, objective: Objective) -> str:
    """The training loss for a reader: no perplexity of what is no likelihood."""
    if objective.is_likelihood:
        return f"train {perplexity(nats, int(tokens)):.2f}"
    return f"loss {nats / tokens:.3f}"
