"""A training run of word2vec: epochs over chunks of text, checkpoints, several processes, resuming.

One process: every random draw is a function of (seed, epoch, place in the text), so a run is its
place, its parameters and the statistics of its trainer (plain SGD has none, Adam its moments):
killed and resumed it ends with the same bits.  Adam's moments of a row of a table move only when
the row is looked up (DyNet's sparse updates).

Several processes share the tables without locks (Hogwild), each with a stretch of the text of its
own.  The pairs of an epoch and their number are then still the same in every run; the vectors are
not, since the updates meet in an order that nobody controls, and now and then one is lost.

Note: Topic: Embeddings / word2vec by Mikolov et al (T54)
Paper: Niu et al. 2011, arXiv:1106.5730 (Hogwild)
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.token_stream import chunks, subsample_keep, token_ranges
from dynotes.training.optimizer_state import load_state, save_state
from dynotes.training.parameters import memory_views, restore, snapshot
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder, Stopwatch
from dynotes.training.word2vec.checkpoint import Position, read_checkpoint, write_checkpoint
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.models import new_model
from dynotes.training.word2vec.step import Word2vecStepper
from dynotes.training.word2vec.texts import Text
from dynotes.training.workers import Workers, shared_array

REPORT_EVERY = 0.1  # seconds


class Word2vecRun:
    """One run; :meth:`train` does all of it.

    With several processes the engine must have been started with ``shared=True``.

    Args:
        config, text: settings and text.
        folder: where checkpoints and the log go; it exists.
        say: called with one line of text an epoch.
        progress: called with (epoch, words, words of an epoch, loss as text) now and then.

    Raises:
        ConfigError: a vocabulary that is too small or too large for the settings.
    """

    def __init__(
        self,
        config: Word2vecConfig,
        text: Text,
        folder: RunFolder,
        *,
        say: Callable[[str], None] = print,
        progress: Callable[[int, int, int, str], None] = lambda *_: None,
    ) -> None:
        self.config, self.text, self.folder = config, text, folder
        self.say, self.progress = say, progress
        counts = text.vocabulary.counts
        if counts is None:
            raise ValueError("the vocabulary has no counts")
        config.check_vocabulary(len(counts))
        dy.reset_random_seed(config.seed)
        self.pc = dy.ParameterCollection()
        self.model = new_model(config, self.pc, text)
        kind = dy.AdamTrainer if config.whole_sentences else dy.SimpleSGDTrainer
        self.trainer = kind(self.pc, config.first_rate)
        self.trainer.set_clip_threshold(-1.0)
        self.stepper = Word2vecStepper(self.model, self.trainer, config)
        self.views = memory_views(self.pc)
        self.keep = subsample_keep(counts, config.thinning, formula=config.formula)
        self.workers = Workers(config.processes)
        self.ranges = token_ranges(len(text.ids), config.processes)
        self.at = Position()
        self._places = shared_array((config.processes,), np.int64)
        self._losses = shared_array((config.processes,), np.int64)
        self._nats = shared_array((config.processes,), np.float64)
        self._stop = shared_array((1,), np.int64)
        self._watch, self._saved, self._shown = Stopwatch(), 0.0, 0.0

    @property
    def words_an_epoch(self) -> int:
        """Words (or characters) of the text, those included that were left out."""
        return len(self.text.ids) + self.text.dropped

    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of all tables by name."""
        return snapshot(self.pc, self.views)

    def vectors(self) -> Optional[np.ndarray]:
        """The word vectors, (V, D) float32, if the model has any."""
        return self.model.vectors and self.model.vectors(self.parameters())

    def documents(self) -> Optional[np.ndarray]:
        """The vectors of the lines of the text, (N, D) float32, if the model has any."""
        return self.model.documents and self.model.documents(self.parameters())

    def train(self, *, resume: bool = False) -> Position:
        """Train to the end, from the start or from the folder's checkpoint.

        Raises:
            Interrupted: Ctrl-C.
            TrainingError: see `dynotes.training.word2vec.step`.
            InputError: a damaged checkpoint, or one of other settings.
        """
        self._begin_epoch()
        if resume:
            self._load()
        if self.config.processes > 1:
            self._settle_memory()
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            with self.workers.running():
                self._epochs()
        finally:
            signal.signal(signal.SIGINT, before)
        return self.at

    def _epochs(self) -> None:
        self._watch = Stopwatch(self.at.train_seconds)
        self._saved = time.perf_counter()
        while not self.at.finished:
            self._watch.start()
            self._one_epoch()
            stop = self.workers.from_lead(int(self._stop[0]))  # the same answer for everybody
            self._watch.stop()
            if stop:
                self._save()
                raise Interrupted
            self._after_epoch()
            self.workers.barrier()

    def _one_epoch(self) -> None:
        config, rank, epoch = self.config, self.workers.rank, self.at.epoch
        low, high = self.ranges[rank]
        for chunk in self._chunks(int(self._places[rank]), high):
            done = (epoch + (chunk.begin - low) / (high - low)) / config.epochs
            rate = config.first_rate * (1 - done * (1 - config.min_lr))
            rng = np.random.default_rng((config.seed, 3, epoch, chunk.begin))
            result = self.stepper.step(chunk, rate, rng)
            self._nats[rank] += result.nats
            self._losses[rank] += result.losses
            self._places[rank] = chunk.end
            if self._stop[0]:
                return
            if self.workers.lead:
                self._look_around()
        self._places[rank] = high

    def _chunks(self, begin: int, end: int) -> Iterator[Any]:
        """The chunks of a stretch of the text in this epoch."""
        config, text = self.config, self.text
        options: dict[str, Any] = {"keep": self.keep, "size": config.chunk, "seed": config.seed}
        options.update(epoch=self.at.epoch, begin=begin, end=end)
        if self.model.chunks is not None:
            return self.model.chunks(**options)
        options.update(window=config.reach, dynamic=config.dynamic)
        return chunks(text.ids, text.sentence_ends, **options)

    def _look_around(self) -> None:
        """The lead's checkpoint and progress bar, when it is time."""
        now = time.perf_counter()
        if now - self._shown >= REPORT_EVERY:
            self._shown = now
            read = sum(int(p) - low for p, (low, _) in zip(self._places, self.ranges))
            whole = len(self.text.ids)
            self.progress(
                self.at.epoch + 1,
                int(self.words_an_epoch * read / whole),
                self.words_an_epoch,
                f"loss {self._nats.sum() / max(1, int(self._losses.sum())):.3f}",
            )
        if now - self._saved >= self.config.checkpoint_seconds:
            self._watch.stop()
            self._save()
            self._watch.start()

    def _after_epoch(self) -> None:
        at, nats, losses = self.at, float(self._nats.sum()), int(self._losses.sum())
        unit = self.config.unit
        self.workers.barrier()  # everybody has read the sums
        at.epoch += 1
        at.train_seconds = self._watch.seconds
        entry: dict[str, Any] = {
            "epoch": at.epoch,
            "loss": nats / max(1, losses),
            "predictions": losses,
            unit: self.words_an_epoch,
            "train_seconds": round(at.train_seconds, 2),
            f"{unit}_per_second": round(self.words_per_second, 1),
        }
        at.history = [*at.history, entry]
        at.finished = at.epoch >= self.config.epochs
        if self.workers.lead:
            self._begin_epoch()
            self._save()
            self.say(
                f"epoch {at.epoch}/{self.config.epochs}  loss {entry['loss']:.4f}  "
                f"{self.words_per_second:.0f} {unit}/s  {at.train_seconds:.0f} s"
            )

    @property
    def words_per_second(self) -> float:
        """Of the finished epochs, training alone."""
        return self.at.epoch * self.words_an_epoch / max(self.at.train_seconds, 1e-9)

    def _begin_epoch(self) -> None:
        self._places[:] = [low for low, _ in self.ranges]
        self._nats[:], self._losses[:] = 0.0, 0

    def _save(self) -> None:
        """Write the checkpoint; the other workers may go on meanwhile."""
        at = self.at
        if self.workers.lead:
            at.train_seconds = self._watch.seconds
            at.places = self._places.tolist()
            at.nats, at.losses = self._nats.tolist(), self._losses.tolist()
            write_checkpoint(self.folder, at, self.parameters(), save_state(self.trainer))
        self._saved = time.perf_counter()

    def _load(self) -> None:
        at, arrays, moments = read_checkpoint(self.folder)
        fits = all(len(x) == len(self.ranges) for x in (at.places, at.nats, at.losses)) and all(
            low <= place <= high for place, (low, high) in zip(at.places, self.ranges)
        )
        try:
            if not fits:
                raise ValueError("places that are not in the text")
            restore(self.pc, arrays, self.views)
            load_state(self.trainer, moments)
        except ValueError as error:
            raise InputError(self.folder.checkpoint, f"of other settings ({error})") from None
        self.at = at
        self._places[:], self._nats[:], self._losses[:] = at.places, at.nats, at.losses

    def _settle_memory(self) -> None:
        """One update that changes nothing: what the engine allocates then must be shared too."""
        dy.renew_cg()
        rows = [dy.sum_elems(dy.lookup(table, 0)) for table in self.model.tables]
        (dy.esum(rows) * 0.0).backward()
        self.trainer.update()

    def _interrupt(self, *_: Any) -> None:
        self._stop[0] = 1
