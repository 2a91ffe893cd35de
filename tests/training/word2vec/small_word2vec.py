"""A text of a few words and word2vec runs of milliseconds."""

import numpy as np

from dynotes.corpora.token_store import store_tokens
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.run import Word2vecRun

CLOCKS = ("train_seconds", "words_per_second")  # what differs between equal runs


def write_text(path, lines=120, seed=1):
    """Lines of words that like the next ones of the alphabet."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 12, lines)
    steps = rng.integers(0, 3, (lines, 9)).cumsum(axis=1)
    text = [" ".join("abcdefghijkl"[(s + k) % 12] for k in row) for s, row in zip(starts, steps)]
    path.write_text("\n".join(text) + "\n")
    return path


def config(**settings):
    small = {"dim": 6, "epochs": 2, "chunk": 50, "shared": 8, "min_count": 1, "subsample": 0.05}
    return Word2vecConfig(**{**small, **settings}).checked()


def run(folder, settings, **options):
    """A run over the small text in a folder of its own."""
    folder.mkdir(exist_ok=True)
    text = store_tokens(
        write_text(folder / "text.txt"), folder / "tokens", min_count=settings.min_count
    )
    return Word2vecRun(settings, text, RunFolder(folder), say=lambda _: None, **options)


def log(folder):
    """The epochs of the log without the times."""
    import json

    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCKS} for line in lines]
