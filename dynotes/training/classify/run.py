"""A training run of the classifier: epochs over shuffled texts, checkpoints, resuming.

The order of the texts, and which of several labels is drawn, depend on the seed and the epoch
alone, and plain SGD has no memory: a run is its place and its parameters, and killed and resumed
it ends with the same bits.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759
Differs: the released code reads the texts in the order of the file in every epoch.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.corpora.labelled_store import LabelledExamples
from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.text_bags import Gold, TextBags, stretches, text_bags
from dynotes.training.classify.command import RunData
from dynotes.training.classify.config import ClassifyConfig
from dynotes.training.classify.step import ClassifyStepper
from dynotes.training.parameters import memory_views, restore, snapshot
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder, Stopwatch
from dynotes.training.word2vec.checkpoint import Position, read_checkpoint, write_checkpoint

REPORT_EVERY = 0.1  # seconds
Scorer = Callable[[FastTextClassifier], dict[str, float]]


class ClassifyRun:
    """One run; :meth:`train` does all of it.

    Args:
        config, data: settings, texts and vectors.
        folder: where checkpoints and the log go; it exists.
        say: called with one line of text an epoch.
        progress: called with (epoch, words, words of an epoch, loss as text) now and then.
        score: metrics of the model after an epoch, which go into the log.
    """

    def __init__(
        self,
        config: ClassifyConfig,
        data: RunData,
        folder: RunFolder,
        *,
        say: Callable[[str], None] = print,
        progress: Callable[[int, int, int, str], None] = lambda *_: None,
        score: Optional[Scorer] = None,
    ) -> None:
        self.config, self.examples, self.folder = config, data.examples, folder
        self.say, self.progress, self.score = say, progress, score
        dy.reset_random_seed(config.seed)
        self.pc = dy.ParameterCollection()
        self.model = new_model(config, self.pc, data.examples)
        self.trainer = dy.SimpleSGDTrainer(self.pc, config.lr)
        self.trainer.set_clip_threshold(config.clip_of(len(data.examples.labels)) or -1.0)
        self.stepper = ClassifyStepper(self.model, self.trainer)
        self.views = memory_views(self.pc)
        if data.vectors is not None:
            self._start_from(data.vectors)
        self.at = Position()
        self._stop = False
        self._begin_epoch()
        self._watch, self._saved, self._shown = Stopwatch(), 0.0, 0.0

    @property
    def n_texts(self) -> int:
        """Texts of an epoch."""
        return len(self.examples.row_ends)

    @property
    def words_per_second(self) -> float:
        """Of the finished epochs, training alone."""
        return self.at.epoch * self.examples.n_words / max(self.at.train_seconds, 1e-9)

    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of all parameters by name."""
        return snapshot(self.pc, self.views)

    def train(self, *, resume: bool = False) -> Position:
        """Train to the end, from the start or from the folder's checkpoint.

        Raises:
            Interrupted: Ctrl-C.
            TrainingError: see `dynotes.training.classify.step`.
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
        return self.at

    def _one_epoch(self) -> None:
        config, at, n = self.config, self.at, self.n_texts
        for bags, gold, end in self._batches():
            done = (at.epoch + at.places[0] / n) / config.epochs
            rate = config.lr * (1 - done * (1 - config.min_lr))
            at.nats[0] += self.stepper.step(bags, gold, rate)
            at.losses[0] += bags.n_texts
            at.places[0] = end
            if self._stop:
                return
            self._look_around()

    def _batches(self) -> Iterator[tuple[TextBags, Gold, int]]:
        """The texts of this epoch from the place on, and the place after each batch."""
        x, n = self.examples, self.n_texts
        rng = np.random.default_rng((self.config.seed, self.at.epoch))
        order, draws = rng.permutation(n), rng.random(n)
        size = self.config.batch
        for begin in range(self.at.places[0], n, size):
            which = order[begin : begin + size]
            places, ends = stretches(x.row_ends, which)
            bags = text_bags(x.rows[places], ends)
            yield bags, self._gold(which, draws[begin : begin + len(which)]), begin + len(which)

    def _gold(self, which: np.ndarray, draws: np.ndarray) -> Gold:
        """All labels of some texts, or one of each."""
        x = self.examples
        places, ends = stretches(x.label_ends, which)
        sizes = np.diff(ends, prepend=0)
        if self.config.output == "one-vs-all":
            return Gold(np.repeat(np.arange(len(which)), sizes), x.label_ids[places])
        chosen = ends - sizes + (draws * sizes).astype(np.int64)
        return Gold(np.arange(len(which)), x.label_ids[places[chosen]])

    def _look_around(self) -> None:
        """Checkpoint and progress bar, when it is time."""
        now, at = time.perf_counter(), self.at
        if now - self._shown >= REPORT_EVERY:
            self._shown, words = now, self.examples.n_words
            loss = at.nats[0] / max(1, at.losses[0])
            done = words * at.places[0] // self.n_texts
            self.progress(at.epoch + 1, done, words, f"loss {loss:.3f}")
        if self._is_time():
            self._watch.stop()
            self._save()
            self._watch.start()

    def _is_time(self) -> bool:
        return time.perf_counter() - self._saved >= self.config.checkpoint_seconds

    def _after_epoch(self) -> None:
        at = self.at
        entry: dict[str, Any] = {
            "epoch": at.epoch + 1,
            "loss": at.nats[0] / max(1, at.losses[0]),
            "words": self.examples.n_words,
        }
        at.epoch += 1
        at.train_seconds = self._watch.seconds
        entry["train_seconds"] = round(at.train_seconds, 2)
        entry["words_per_second"] = round(self.words_per_second, 1)
        if self.score is not None:
            entry.update(self.score(self.model))
        at.history = [*at.history, entry]
        at.finished = at.epoch >= self.config.epochs
        self._begin_epoch()
        if at.finished or self._is_time():
            self._save()
        scores = "".join(f"  {k} {entry[k]:.4f}" for k in entry if k.startswith("dev_"))
        self.say(
            f"epoch {at.epoch}/{self.config.epochs}  loss {entry['loss']:.4f}{scores}  "
            f"{entry['words_per_second']:.0f} words/s  {at.train_seconds:.0f} s"
        )

    def _begin_epoch(self) -> None:
        self.at.places, self.at.nats, self.at.losses = [0], [0.0], [0]

    def _save(self) -> None:
        self.at.train_seconds = self._watch.seconds
        write_checkpoint(self.folder, self.at, self.parameters())
        self._saved = time.perf_counter()

    def _load(self) -> None:
        at, arrays, _ = read_checkpoint(self.folder)
        try:
            if not all(len(x) == 1 for x in (at.places, at.nats, at.losses)):
                raise ValueError("of several processes")
            if not 0 <= at.places[0] <= self.n_texts:
                raise ValueError("a place that is not in the text")
            restore(self.pc, arrays, self.views)
        except ValueError as error:
            raise InputError(self.folder.checkpoint, f"of other settings ({error})") from None
        self.at = at

    def _start_from(self, vectors: WordVectors) -> None:
        """The rows of words that have a vector become it."""
        ids = self.examples.features.vocabulary.lookup(vectors.words)
        arrays = self.parameters()
        name = self.model.A.name()
        arrays[name][ids[ids >= 0]] = vectors.matrix[ids >= 0]
        restore(self.pc, arrays, self.views)

    def _interrupt(self, *_: Any) -> None:
        self._stop = True


def new_model(
    config: ClassifyConfig, pc: dy.ParameterCollection, examples: LabelledExamples
) -> FastTextClassifier:
    """The model of the settings for some texts."""
    counts = examples.labels.counts
    if counts is None:
        raise ValueError("the labels have no counts")
    return FastTextClassifier(
        pc,
        n_rows=examples.features.n_rows,
        n_embed=config.dim,
        counts=counts.tolist(),
        output=config.output,
    )
