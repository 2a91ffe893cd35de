"""Labelled texts of a few words, and runs of the classifier of milliseconds."""

import json

import numpy as np

from dynotes.training.classify.command import RunData, TextFiles, data_of
from dynotes.training.classify.config import ClassifyConfig
from dynotes.training.classify.run import ClassifyRun
from dynotes.training.run_folder import RunFolder

CLOCKS = ("train_seconds", "words_per_second")  # what differs between equal runs
TOPICS = {"animals": "cat dog cow", "fruits": "fig lime pear", "tools": "saw axe file"}
FILLERS = ["the", "a", "is", "on", "of"]


def lines(count=90, seed=1, both=False):
    """Texts of a topic, its words among fillers; with ``both``, a third of them of two topics."""
    rng = np.random.default_rng(seed)
    names = list(TOPICS)
    found = []
    for i in range(count):
        topics = [names[i % 3]] + ([names[(i + 1) % 3]] if both and i % 3 == 0 else [])
        words = [w for t in topics for w in rng.choice(TOPICS[t].split(), 2)]
        words += list(rng.choice(FILLERS, 4))
        rng.shuffle(words)
        found.append(" ".join([*(f"__label__{t}" for t in topics), *words]))
    return found


def write_texts(path, count=90, seed=1, both=False):
    path.write_text("\n".join(lines(count, seed, both)) + "\n")
    return path


def config(**settings):
    small = {"dim": 5, "epochs": 3, "batch": 7, "word_ngrams": 2, "bucket": 300}
    return ClassifyConfig(**{**small, **settings}).checked()


def run(folder, settings, *, both=True, vectors=None, **options):
    """A run over the small texts in a folder of its own."""
    folder.mkdir(exist_ok=True)
    files = TextFiles(write_texts(folder / "texts.txt", both=both), None, None)
    data = data_of(RunFolder(folder), files, settings)
    data = RunData(data.examples, vectors)
    return ClassifyRun(settings, data, RunFolder(folder), say=lambda _: None, **options)


def log(folder):
    """The epochs of the log without the times."""
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k not in CLOCKS} for entry in entries]
