"""A training run of a parser: epochs over batches of like length, dev LAS, checkpoints, resuming.

The batches of an epoch, and all that an update draws, depend on the seed, the epoch and the number
of the update alone; parameters, the statistics of Adam and the place in the epoch are the rest.
So a run that is killed at any moment and resumed ends with the same bits.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import Any, Callable

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.treebank import GoldTrees, batch_of, length_batches, word_places
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.optimizer_state import load_state, save_state
from dynotes.training.parameters import memory_views, restore, snapshot
from dynotes.training.parser.command import RunData
from dynotes.training.parser.config import ParserConfig
from dynotes.training.parser.models import MODELS, Decoding
from dynotes.training.parser.step import ParserStepper, annealed, make_trainer
from dynotes.training.parser.trained import TrainedParser, write_parser
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder, Stopwatch

REPORT_EVERY = 0.1  # seconds
OPTIMIZER = "optimizer"  # beside the parameters, whose names begin with a slash


@dataclass
class Position:
    """Where a run is, as plain JSON values."""

    epoch: int = 0  # finished epochs
    batch: int = 0  # finished batches of the current one
    update: int = 0  # updates since the start
    nats: float = 0.0  # of this epoch so far
    words: int = 0
    train_seconds: float = 0.0
    best: float = -1.0  # dev LAS
    best_epoch: int = 0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class ParserRun:
    """One run; :meth:`train` does all of it.

    Args:
        config, data: settings and treebanks.
        folder: where checkpoints, the best model and the log go; it exists.
        multi_root: trees may have several roots.
        say: called with one line of text an epoch.
        progress: called with (epoch, words, words of an epoch, loss as text) now and then.
    """

    def __init__(
        self,
        config: ParserConfig,
        data: RunData,
        folder: RunFolder,
        *,
        multi_root: bool = False,
        say: Callable[[str], None] = print,
        progress: Callable[[int, int, int, str], None] = lambda *_: None,
    ) -> None:
        self.config, self.data, self.folder = config, data, folder
        self.say, self.progress = say, progress
        self.how = Decoding(single_root=not multi_root)
        kind = MODELS[config.algorithm]
        self.spec = kind.new_spec(config, data.symbols)
        dy.reset_random_seed(config.seed)
        self.pc = dy.ParameterCollection()
        self.model = kind(self.pc, self.spec)
        if data.vectors is not None:
            self.model.set_fixed(data.vectors.matrix)
        self.trainer = make_trainer(config, self.pc)
        self.stepper = ParserStepper(self.model, self.trainer, config)
        self.views = memory_views(self.pc)
        self.parser = TrainedParser(self.model, data.symbols, {"algorithm": config.algorithm})
        self.at = Position()
        self._stop = False
        self._watch, self._saved, self._shown = Stopwatch(), 0.0, 0.0

    @property
    def n_words(self) -> int:
        """Words of an epoch."""
        return len(self.data.train.words)

    @property
    def words_per_second(self) -> float:
        """Of the finished epochs, training alone."""
        return self.at.epoch * self.n_words / max(self.at.train_seconds, 1e-9)

    def train(self, *, resume: bool = False) -> Position:
        """Train to the end, from the start or from the folder's checkpoint.

        At the end the parameters are those of the best epoch, as in the model file.

        Raises:
            Interrupted: Ctrl-C.
            TrainingError: see `dynotes.training.parser.step`.
            InputError: a damaged checkpoint, or one of other settings.
        """
        if resume:
            self._load()
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            self._watch = Stopwatch(self.at.train_seconds)
            self._saved = time.perf_counter()
            while not self.at.finished:
                self._watch.start()
                self._one_epoch()
                self._watch.stop()
                if self._stop:
                    self._save()
                    raise Interrupted
                self._after_epoch()
        finally:
            signal.signal(signal.SIGINT, before)
        restore(self.pc, read_arrays(self.folder.model)[0], self.views)
        return self.at

    def _one_epoch(self) -> None:
        at, data = self.at, self.data
        lengths, rng = data.train.lengths, np.random.default_rng((self.config.seed, at.epoch))
        batches = length_batches(lengths, self.config.batch, rng)
        for which in batches[at.batch :]:
            places = word_places(lengths, which)
            gold = GoldTrees(data.gold.heads[places], data.gold.labels[places])
            batch = batch_of(data.train, which, data.symbols)
            at.nats += self.stepper.step(batch, gold, at.update)
            at.words += len(places)
            at.batch, at.update = at.batch + 1, at.update + 1
            if self._stop:
                return
            self._look_around()

    def _look_around(self) -> None:
        """Checkpoint and progress bar, when it is time."""
        now, at = time.perf_counter(), self.at
        if now - self._shown >= REPORT_EVERY:
            self._shown = now
            self.progress(at.epoch + 1, at.words, self.n_words, f"loss {at.nats / at.words:.3f}")
        if self._is_time():
            self._watch.stop()
            self._save()
            self._watch.start()

    def _is_time(self) -> bool:
        return time.perf_counter() - self._saved >= self.config.checkpoint_seconds

    def _after_epoch(self) -> None:
        at, config = self.at, self.config
        at.epoch, at.train_seconds = at.epoch + 1, self._watch.seconds
        scores = self.parser.score(self.data.dev, self.how)
        if scores.las > at.best:
            at.best, at.best_epoch = scores.las, at.epoch
            arrays = snapshot(self.pc, self.views)
            symbols = self.data.symbols
            write_parser(self.folder.model, config.algorithm, self.spec, symbols, arrays)
        entry = {
            "epoch": at.epoch,
            "loss": at.nats / max(1, at.words),
            "dev_uas": round(scores.uas, 3),
            "dev_las": round(scores.las, 3),
            "lr": annealed(config, at.update),
            "words": self.n_words,
            "train_seconds": round(at.train_seconds, 2),
            "words_per_second": round(self.words_per_second, 1),
        }
        at.history = [*at.history, entry]
        late = 0 < config.max_minutes * 60 <= at.train_seconds
        stale = 0 < config.patience < at.epoch - at.best_epoch
        at.finished = at.epoch >= config.epochs or late or stale
        at.batch, at.nats, at.words = 0, 0.0, 0
        if at.finished or self._is_time():
            self._save()
        best = " (best)" if at.best_epoch == at.epoch else ""
        self.say(
            f"epoch {at.epoch}/{config.epochs}  loss {entry['loss']:.4f}  "
            f"dev UAS {scores.uas:.2f} LAS {scores.las:.2f}{best}  "
            f"{entry['words_per_second']:.0f} words/s  {at.train_seconds:.0f} s"
        )

    def _save(self) -> None:
        self.at.train_seconds = self._watch.seconds
        arrays = snapshot(self.pc, self.views)
        arrays[OPTIMIZER] = np.frombuffer(save_state(self.trainer), np.uint8)
        write_arrays(self.folder.checkpoint, arrays, {"position": vars(self.at)})
        self.folder.write_log(self.at.history)
        self._saved = time.perf_counter()

    def _load(self) -> None:
        arrays, meta = read_arrays(self.folder.checkpoint)
        try:
            moments = arrays.pop(OPTIMIZER).tobytes()
            at = Position(**meta["position"])
            restore(self.pc, arrays, self.views)
            load_state(self.trainer, moments)
        except (KeyError, TypeError, ValueError) as error:
            found = f"damaged or of other settings ({error})"
            raise InputError(self.folder.checkpoint, found) from None
        self.at = at

    def _interrupt(self, *_: Any) -> None:
        self._stop = True
