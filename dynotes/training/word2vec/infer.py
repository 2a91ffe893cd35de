"""Vectors of new paragraphs: descent on these alone, with everything else as it was trained.

    d^ = argmin_d J(d; all tables held)        d <- d - eta_t / (1 + eta_t beta n_d) dJ_t/dd

from a small random start, one step a pass over the paragraph.  J is the loss of training, thinned
out words and private noise included.  All draws of a paragraph come from a generator of its own,
made from the seed and its words: so its vector does not depend on the others that are inferred
with it, and equal paragraphs have equal vectors.  The vector of one without a known word is 0.

The vectors of several models, say of PV-DM and of PV-DBOW, are put side by side.

Note: Topic: Embeddings / Paragraph Vector by Le & Mikolov (T62)
Paper: Le & Mikolov 2014, arXiv:1405.4053, section 2.2
Differs: a paragraph is held in one graph and takes one step a pass; the paper steps word by word.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Optional

import dynet as dy
import numpy as np

from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.errors import InputError
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.lm_corpus import normalise
from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk, subsample_keep
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.embeddings.damped_rows import StepFactors
from dynotes.graph.arrays import parameter_array, scalar
from dynotes.training.lm_step import TrainingError
from dynotes.training.model_file import read_arrays
from dynotes.training.parameters import restore, set_value
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_settings import PARAGRAPH_MODELS
from dynotes.training.word2vec.models import new_model
from dynotes.training.word2vec.paragraph_models import paragraph_examples

ROOM = 512  # paragraphs of a graph
TOKENS = 1 << 13  # words of a graph; a longer paragraph takes several steps a pass
LINES = 2048  # of a file in memory
# shares of a run's rate that give new vectors the lengths of trained ones: those have learnt
# while the tables were still small
RATES = {"pv-dm": 0.5, "pv-dbow": 0.25}
AHEAD = 5  # passes for which a paragraph draws at once; another number would give other draws


class _Thinned(NamedTuple):
    """The words that a pass keeps of some paragraphs, in a row; noise (K, n), or None."""

    ids: np.ndarray
    paragraphs: np.ndarray
    windows: np.ndarray
    noise: Optional[np.ndarray]

    def piece(self, begin: int, end: int, window: int) -> tuple[Chunk, Optional[np.ndarray]]:
        """The words begin .. end-1 as centres, with their neighbours; and their noise."""
        low, high = max(0, begin - window), end + window
        ids, paragraphs = self.ids[low:high], self.paragraphs[low:high]
        chunk = Chunk(ids, paragraphs, begin - low, self.windows[begin:end], begin, end)
        return chunk, None if self.noise is None else self.noise[:, begin:end]


class ParagraphInference:
    """Infers vectors of paragraphs under a trained model, whose tables it never changes.

    Args:
        config: the settings of its run.
        vocabulary: the words of its run, with counts.
        arrays: all tables by name.
        steps: passes over each paragraph; 0: as many as the run had epochs.
        lr: learning rate at the start, which falls as in the run; 0: a quarter of the
            run's for pv-dbow, half of it for pv-dm.
        seed: of everything random.

    Raises:
        ConfigError: a model without vectors of paragraphs.
        ValueError: tables that are not those of the settings.
    """

    def __init__(
        self,
        config: Word2vecConfig,
        vocabulary: Vocabulary,
        arrays: Mapping[str, np.ndarray],
        *,
        steps: int = 0,
        lr: float = 0.0,
        seed: int = 1,
    ) -> None:
        name = f"/{config.model}/D"
        if config.model not in PARAGRAPH_MODELS:
            known = " and ".join(PARAGRAPH_MODELS)
            raise ConfigError(f"model {config.model}: only {known} have vectors of paragraphs")
        if name not in arrays or vocabulary.counts is None:
            raise ValueError("no vectors of paragraphs, or no counts of words")
        # noise that is shared would make the vector of a paragraph depend on the others
        self.config = dataclasses.replace(config, shared=0)
        self.vocabulary, self.steps, self.seed = vocabulary, steps or config.epochs, seed
        self.rate = lr or RATES[config.model] * config.first_rate
        lines = np.zeros(len(arrays[name]), np.int64)
        text = TokenText(vocabulary, np.zeros(0, np.int32), lines, 0, "")
        self.pc, self._new = dy.ParameterCollection(), dy.ParameterCollection()
        self.model = new_model(self.config, self.pc, text)
        restore(self.pc, arrays)
        self._examples = paragraph_examples(self.config)
        self._table = self._new.add_lookup_parameters((ROOM, config.dim))
        self._trainer = dy.SimpleSGDTrainer(self._new, self.rate)
        self._trainer.set_clip_threshold(-1.0)
        self._factors = StepFactors([ROOM])
        self._keep = subsample_keep(
            vocabulary.counts, config.subsample, formula=config.formula
        ).astype(np.float32)

    def ids(self, tokens: Sequence[str]) -> np.ndarray:
        """The known words of a paragraph, (n,)."""
        words = normalise(tokens, lower=True) if self.config.lower else tokens
        ids = self.vocabulary.lookup(words)
        return ids[ids >= 0]

    def vectors(self, paragraphs: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors of paragraphs, (n, D) float32.

        Args:
            paragraphs: n arrays of ids, as of `ids`; an empty one gets 0.

        Raises:
            TrainingError: a loss that is no number, or no memory.
        """
        found = np.zeros((len(paragraphs), self.config.dim), np.float32)
        for batch in _batches([len(ids) for ids in paragraphs]):
            try:
                found[batch] = self._inferred([paragraphs[i] for i in batch])
            except (RuntimeError, MemoryError) as error:
                dy.renew_cg()
                raise TrainingError(str(error)) from error
        return found

    def _inferred(self, paragraphs: Sequence[np.ndarray]) -> np.ndarray:
        config, size = self.config, self.config.dim
        rngs = [np.random.default_rng([self.seed, *ids.tolist()]) for ids in paragraphs]
        start = np.zeros((ROOM, size), np.float32)
        for row, rng in zip(start, rngs):
            row[:] = rng.uniform(-0.5 / size, 0.5 / size, size)
        set_value(self._table, start)
        for step, kept in enumerate(self._passes(paragraphs, rngs)):
            rate = self.rate * (1 - step / self.steps * (1 - config.min_lr))
            for begin in range(0, len(kept.ids), TOKENS):
                end = min(begin + TOKENS, len(kept.ids))
                self._update(*kept.piece(begin, end, config.window), rate)
        for table in self.model.tables:
            table.scale_gradient(0.0)  # what the passes left there is nobody's
        return parameter_array(self._table)[: len(paragraphs)]

    def _passes(
        self, paragraphs: Sequence[np.ndarray], rngs: Sequence[np.random.Generator]
    ) -> Iterator[_Thinned]:
        """What each pass keeps, every paragraph by draws of its own generator."""
        ids = np.concatenate(paragraphs)
        own = np.repeat(np.arange(len(paragraphs)), [len(words) for words in paragraphs])
        for step in range(0, self.steps, AHEAD):
            passes = min(AHEAD, self.steps - step)
            drawn = [self._drawn(passes, len(p), rng) for p, rng in zip(paragraphs, rngs)]
            chances, windows, noises = zip(*drawn)
            keep = np.concatenate(chances, axis=1) < self._keep[ids]
            widths = np.concatenate(windows, axis=1)
            noise = None if noises[0] is None else np.concatenate(noises, axis=2)
            for i in range(passes):
                (kept,) = np.nonzero(keep[i])
                some = None if noise is None else noise[:, i, kept]
                yield _Thinned(ids[kept], own[kept], widths[i, kept], some)

    def _drawn(
        self, passes: int, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]:
        """Chances and half windows, (passes, n) each, and noise words, (K, passes, n), or None."""
        config, shape = self.config, (passes, n)
        chances = rng.random(shape, np.float32)
        windows = np.full(shape, config.window, np.int32)
        if config.dynamic:
            windows = rng.integers(1, config.window, shape, np.int32, endpoint=True)
        noise = self.model.output.draw(passes * n, rng)
        return chances, windows, None if noise is None else noise.reshape(-1, *shape)

    def _update(self, chunk: Chunk, noise: Optional[np.ndarray], rate: float) -> None:
        encoder: Any = self.model.encoder  # one that takes a table of new documents
        output, made = self.model.output, self._examples(chunk)
        factors: Any = None
        if self.config.damping:
            held, _ = output.masses(made.predictions, noise, encoder.n_hidden(made.inputs))
            masses = encoder.masses(made.inputs, held)
            self._factors.set(rate * self.config.damping, masses[-1:])
            factors = [*[None] * (len(masses) - 1), *self._factors.tables]
        dy.renew_cg()
        H = encoder.hidden(made.inputs, factors, documents=self._table)
        total = output.loss(H, made.predictions, noise)
        nats = scalar(total)
        if not math.isfinite(nats):
            raise TrainingError(f"the loss is {nats}; lower the learning rate")
        total.backward()
        self._trainer.learning_rate = rate
        self._trainer.update()


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of paragraphs that are not empty, as many at a time as a graph takes."""
    batch: list[int] = []
    words = 0
    for number, length in enumerate(lengths):
        if batch and (len(batch) == ROOM or words + length > TOKENS):
            yield batch
            batch, words = [], 0
        if length:
            batch, words = [*batch, number], words + length
    if batch:
        yield batch


def open_paragraphs(
    run: Path, *, steps: int = 0, lr: float = 0.0, seed: int = 1
) -> ParagraphInference:
    """The inference of a run in a folder; other arguments as of `ParagraphInference`.

    Raises:
        InputError: no run there, a damaged one, or one without vectors of paragraphs.
    """
    folder = RunFolder(run)
    saved = folder.read_config()
    arrays, meta = read_arrays(folder.model)
    try:
        config = Word2vecConfig(**saved["settings"]).checked()
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        return ParagraphInference(config, vocabulary, arrays, steps=steps, lr=lr, seed=seed)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(run, f"no run to infer with ({error})") from None


def run_inference(
    runs: Sequence[Path],
    source: Path,
    target: Path,
    *,
    steps: int = 0,
    lr: float = 0.0,
    seed: int = 1,
) -> dict[str, Any]:
    """Write the vectors of the lines of a text, a line each, those of several runs side by side.

    Args:
        runs: folders of runs.
        source: plain or gzip text, a paragraph a line; it is read as a stream.
        target: replaced as a whole, once all is well.
        steps, lr, seed: see `ParagraphInference`.

    Raises:
        InputError: a run or a text that cannot be used.
    """
    began = time.perf_counter()
    models = [open_paragraphs(run, steps=steps, lr=lr, seed=seed) for run in runs]
    size = sum(model.config.dim for model in models)
    form = " ".join(["%.9g"] * size) + "\n"
    done = unknown = 0
    lines, first = read_tokens(source), time.perf_counter()
    with atomic_open(target) as file:
        while block := list(islice(lines, LINES)):
            ids = [[model.ids(tokens) for tokens in block] for model in models]
            found = np.concatenate([m.vectors(some) for m, some in zip(models, ids)], axis=1)
            file.write("".join(form % tuple(row) for row in found.tolist()).encode())
            done += len(block)
            unknown += sum(not any(map(len, each)) for each in zip(*ids))
    return {
        "task": "word2vec",
        "model": [str(run) for run in runs],
        "paragraphs": done,
        "without_known_words": unknown,
        "dimensions": size,
        "throughput": {"paragraphs_per_second": round(done / (time.perf_counter() - first), 1)},
        "written": str(target),
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 2),
    }
