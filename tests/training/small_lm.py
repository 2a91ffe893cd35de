"""A language of a dozen words and language models small enough to be trained in milliseconds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from dynotes.corpora.lm_corpus import LmText
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_data import LmData
from dynotes.training.lm_run import LmRun
from dynotes.training.progress import Interrupted
from dynotes.training.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
WORDS = ["<eos>", *"abcdefghijk"]
CLOCKS = ("train_seconds", "tokens_per_second")  # what differs between equal runs


def sentences(count, seed):
    """Lines in which a word depends on the one before."""
    rng = np.random.default_rng(seed)
    table = np.random.default_rng(7).dirichlet(np.full(len(WORDS), 0.3), len(WORDS))
    lines = []
    for _ in range(count):
        word, line = 0, []
        while (word := int(rng.choice(len(WORDS), p=table[word]))) and len(line) < 12:
            line.append(WORDS[word])
        lines.append(line)
    return lines


def text(count, seed):
    lines = [[WORDS.index(w) for w in line] + [0] for line in sentences(count, seed)]
    return LmText(np.concatenate(lines).astype(np.int32), np.cumsum([len(x) for x in lines]), 0)


def write_text(path, count, seed):
    path.write_text("".join(" ".join(line) + "\n" for line in sentences(count, seed)))
    return path


def vocabulary(counts=None):
    return Vocabulary(WORDS, eos="<eos>", counts=counts)


def data(train=100, dev=60):
    """100 sentences of 5 to 6 tokens to train on; counts as if ids followed frequency."""
    words = vocabulary(list(range(3 * len(WORDS), 2 * len(WORDS), -1)))
    return LmData(words, {"train": text(train, 1), "dev": text(dev, 2)}, 0)


def config(**settings):
    small = {"hidden": 5, "batch_size": 4, "k1": 8, "epochs": 2, "lr": 0.3, "init": "uniform:0.3"}
    return LmConfig(**{**small, **settings}).checked()


def train(folder, settings, *, texts=None, resume=False, stop_at=None, watch=lambda run: None):
    """Train in a folder; (run, None if Ctrl-C came after the updates ``stop_at``)."""
    folder.mkdir(exist_ok=True)
    box = []

    def progress(*_):
        if box[0].at.update == stop_at:
            signal.raise_signal(signal.SIGINT)

    run = LmRun(
        settings, texts or data(), RunFolder(folder), say=lambda _: watch(box[0]), progress=progress
    )
    box.append(run)
    try:
        return run, run.train(resume=resume)
    except Interrupted:
        return run, None


def timeless(history):
    """The log without the times."""
    return [{k: v for k, v in entry.items() if k not in CLOCKS} for entry in history]


def outcome(run):
    """Everything about a finished run that does not depend on the clock, to the bit."""
    values = {name: a.tobytes() for name, a in run.owned.arrays().items()}
    at = run.at
    best = run.folder.model.read_bytes()
    return values, timeless(at.history), at.best, at.best_epoch, at.trained_tokens, at.update, best


def python(code, *args, **options):
    """Run code in a process of its own, one thread, no plots; (status, stdout, stderr).

    Lines that a self-built engine prints at import are not part of stderr.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    errors = [e for e in found.stderr.splitlines(True) if not e.startswith("[dynet]")]
    return found.returncode, found.stdout, "".join(errors)
