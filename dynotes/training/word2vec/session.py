"""``scripts/word2vec.py train`` once the engine runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

import numpy as np

from dynotes import runtime
from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.corpora.word_vectors import WordVectors, write_vectors
from dynotes.training.model_file import write_arrays
from dynotes.training.progress import Interrupted, reporter
from dynotes.training.run_folder import RunFolder, finite, peak_memory_mb
from dynotes.training.word2vec.command import TOKENS, new_run, tokens_of, write_config
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.model_parts import EmbeddingModel
from dynotes.training.word2vec.run import Word2vecRun
from dynotes.training.word2vec.scoring import (
    WordTestFiles,
    evaluate_vectors,
    published_tests,
    toy_tests,
)
from dynotes.training.word2vec.texts import Text
from dynotes.training.word2vec.tim import (
    META,
    Composition,
    checked_phrases,
    heldout_metrics,
    learn_composition,
)

VECTORS = "vectors.bin"
DOCUMENTS = "documents.npy"


def run_training(
    out: Path, config: Word2vecConfig, path: Path, *, resume: bool, data: Optional[Path] = None
) -> Optional[dict[str, Any]]:
    """Train in the folder ``out``; the summary, or None after Ctrl-C.

    Args:
        out, config, path: the folder of the run, its settings, its text.
        resume: the run is there already.
        data: folder of the real corpora, with the published tests; None for the usual one.
    """
    began = time.perf_counter()
    say, progress, close = reporter(config.unit)
    try:
        if resume:
            folder = RunFolder(out)
            folder.remove_temporary()
            text = tokens_of(folder, path, config)
            run = Word2vecRun(config, text, folder, say=say, progress=progress)
        else:
            with new_run(out, path, config) as (folder, text):
                if config.model == "tim":
                    checked_phrases(path, folder.path / TOKENS, text.vocabulary.words)
                run = Word2vecRun(config, text, folder, say=say, progress=progress)
                write_config(folder, config, path, text, runtime.engine_versions())
        say(
            f"{run.words_an_epoch} {config.unit} of text, {text.dropped} of them left out, "
            f"{len(text.vocabulary)} vectors, {config.processes} process(es), "
            f"seed {config.seed}"
        )
        run.train(resume=resume and folder.checkpoint.exists())
    except Interrupted:
        return None
    finally:
        close()
    matrix, learned = run.vectors(), None
    vectors = None if matrix is None else WordVectors(list(text.vocabulary.words), matrix)
    if config.model == "tim" and vectors is not None:
        phrases = checked_phrases(path, folder.path / TOKENS, vectors.words)
        learned = learn_composition(config, vectors, phrases)
    _write(folder, config, vectors, text, run, learned)
    result = _summary(config, run, vectors, _tests(path, data) if vectors else None)
    if learned is not None:
        result["metrics"] |= heldout_metrics(learned)
        result["composition"] = {**learned.meta, "cosines": learned.cosines}
    result["seconds"] = round(time.perf_counter() - began, 3)
    return finite(result)


def model_meta(
    config: Word2vecConfig, vocabulary: Vocabulary, model: EmbeddingModel
) -> dict[str, Any]:
    """What a model file says beside its parameters, as plain JSON values."""
    return {
        "model": config.model,
        "encoder": model.encoder.spec,
        "output": model.output.spec,
        "vocabulary": vocabulary.to_json(),
        "loss": config.loss,
        "lower": config.lower,
        "window": config.window,
        **model.about,
    }


def _write(
    folder: RunFolder,
    config: Word2vecConfig,
    vectors: Optional[WordVectors],
    text: Text,
    run: Word2vecRun,
    learned: Optional[Composition],
) -> None:
    """The model with all tables and what composes phrases; the vectors of words and of lines."""
    meta, arrays = model_meta(config, text.vocabulary, run.model), run.parameters()
    if learned is not None:
        arrays, meta = {**arrays, **learned.arrays}, {**meta, META: learned.meta}
    write_arrays(folder.model, arrays, meta)
    documents = run.documents()
    if documents is not None:
        with atomic_open(folder.path / DOCUMENTS) as file:
            np.save(file, documents, allow_pickle=False)
    if vectors is not None:
        write_vectors(folder.path / VECTORS, vectors, format="binary")


def _tests(path: Path, data: Optional[Path]) -> Optional[WordTestFiles]:
    """The tests of the toy language for its text, else the published ones, if they are there."""
    if path.resolve().parent == toy_dir().resolve():
        return toy_tests()
    try:
        return published_tests(data_dir(data))._replace(bats=None)  # a minute of answers
    except InputError:
        return None


def _summary(
    config: Word2vecConfig,
    run: Word2vecRun,
    vectors: Optional[WordVectors],
    tests: Optional[WordTestFiles],
) -> dict[str, Any]:
    at, folder = run.at, run.folder.path
    metrics: dict[str, Any] = {"loss": round(at.history[-1]["loss"], 4)}
    details: dict[str, Any] = {}
    if vectors is not None and tests is not None:
        details = evaluate_vectors(vectors, tests, methods=("add",), lower=not config.lower)
        metrics |= details.pop("metrics")
    paths = {"vectors": folder / VECTORS} if vectors else {}
    if run.model.documents is not None:
        paths["documents"] = folder / DOCUMENTS
    return {
        "task": "word2vec",
        "model": config.model,
        "metrics": metrics,
        "similarity": details.get("similarity", {}),
        "throughput": {f"{config.unit}_per_second": round(run.words_per_second, 1)},
        "train_seconds": round(at.train_seconds, 3),
        "seconds": 0.0,
        "epochs": at.epoch,
        "words": len(run.text.vocabulary),
        "seed": config.seed,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        **{name: str(path) for name, path in paths.items()},
        "run": str(folder),
    }
