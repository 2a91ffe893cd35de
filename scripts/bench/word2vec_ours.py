"""Our side: a run of word2vec as scripts/word2vec.py makes it.

    python scripts/bench/word2vec_ours.py TASK        TASK: JSON of word2vec.task_of

The last line of stdout is JSON: version, tokens (words of the text times epochs), seconds of
training alone, cpu_seconds (of this process and its workers), peak_mb (of this
process).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def train(task: dict[str, Any]) -> dict[str, Any]:
    """Train and write the vectors in word2vec's binary format."""
    from dynotes import runtime

    runtime.start(seed=task["seed"], shared=task["processes"] > 1)
    from dynotes.corpora.word_vectors import WordVectors, write_vectors
    from dynotes.training.run_folder import RunFolder, peak_memory_mb
    from dynotes.training.word2vec.command import tokens_of
    from dynotes.training.word2vec.config import Word2vecConfig
    from dynotes.training.word2vec.run import Word2vecRun

    known = {f.name for f in dataclasses.fields(Word2vecConfig)}
    config = Word2vecConfig(**{k: v for k, v in task.items() if k in known}).checked()
    with tempfile.TemporaryDirectory() as folder:
        run_folder = RunFolder(folder)
        text = tokens_of(run_folder, Path(task["text"]), config)
        run = Word2vecRun(config, text, run_folder, say=lambda _: None)
        before = cpu_seconds()
        at = run.train()
        cpu = cpu_seconds() - before
        words = list(text.vocabulary.words)
        write_vectors(task["vectors"], WordVectors(words, run.vectors()), format="binary")
        return {
            "version": runtime.engine_versions()["dynet"],
            "tokens": run.words_an_epoch * at.epoch,
            "words": len(words),
            "seconds": at.train_seconds,
            "cpu_seconds": cpu,
            "peak_mb": peak_memory_mb(),
        }


def cpu_seconds() -> float:
    """Work of this process and of its children that have ended."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
