"""``scripts/classify.py`` once the engine runs: train, predict, evaluate."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Optional

import dynet as dy

from dynotes import runtime
from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.labelled_text import TextStyle, read_labelled, split_labels
from dynotes.corpora.lines import read_lines
from dynotes.training.classify.classifier import (
    Classifier,
    Scores,
    read_classifier,
    write_classifier,
)
from dynotes.training.classify.command import (
    TOY,
    RunData,
    TextFiles,
    data_of,
    new_run,
    write_config,
)
from dynotes.training.classify.config import ClassifyConfig
from dynotes.training.classify.run import ClassifyRun
from dynotes.training.progress import Interrupted, reporter
from dynotes.training.run_folder import RunFolder, finite, peak_memory_mb


def run_training(
    out: Path, config: ClassifyConfig, files: Optional[TextFiles], *, resume: bool
) -> Optional[dict[str, Any]]:
    """Train in the folder ``out``; the summary, or None after Ctrl-C.

    Args:
        out, config: the folder of the run and its settings.
        files: None for the toy texts, which are then written into the folder.
        resume: the run is there already.
    """
    began = time.perf_counter()
    say, progress, close = reporter("words")
    try:
        if resume and files is not None:
            folder = RunFolder(out)
            folder.remove_temporary()
            run = _run(config, data_of(folder, files, config), folder, files, say, progress)
        else:
            with new_run(out, files, config) as (folder, files, data):
                run = _run(config, data, folder, files, say, progress)
                write_config(folder, config, files, runtime.engine_versions())
        features = run.examples.features
        say(
            f"{run.n_texts} texts, {run.examples.n_words} words, "
            f"{len(features.vocabulary)} different ones, {len(features.used)} buckets of n-grams, "
            f"{len(run.examples.labels)} labels, seed {config.seed}"
        )
        run.train(resume=resume and folder.checkpoint.exists())
    except Interrupted:
        return None
    finally:
        close()
    write_classifier(folder.model, _classifier(run), run.parameters())
    result = _summary(config, run, files)
    result["seconds"] = round(time.perf_counter() - began, 3)
    return finite(result)


def run_prediction(
    path: Path, text: Optional[Path], out: Optional[Path], *, k: int, threshold: float
) -> dict[str, Any]:
    """Write the best labels of each line, ``label probability`` between tabs, a line a line.

    Args:
        path: of the model or of the folder of its run.
        text: plain or gzip text; None for the standard input.
        out: a file, written as a whole or not at all; None for the standard output.
        k: how many labels; 0: all.
        threshold: less probable ones are left out.

    Raises:
        InputError: a model or text that cannot be used.
    """
    began = time.perf_counter()
    classifier, pc = read_classifier(path)
    lines = 0
    with contextlib.ExitStack() as stack:
        stream = sys.stdout.buffer if out is None else stack.enter_context(atomic_open(out))
        words = _lines(text, classifier.style)
        for found in classifier.predict(words, k=k, threshold=threshold):
            _write(stream, found.labels, found.probabilities)
            lines += 1
        stream.flush()
    return {**_about(path, classifier, pc, began), "lines": lines, "k": k}


def run_evaluation(path: Path, text: Optional[Path], *, k: int, threshold: float) -> dict[str, Any]:
    """P@k and R@k on labelled texts.

    Args:
        path: of the model or of the folder of its run.
        text: labelled; None for the toy language's test texts of a run that was trained on it.
        k, threshold: as of `run_prediction`.

    Raises:
        InputError: a model or text that cannot be used.
    """
    began = time.perf_counter()
    text = _test_text(path) if text is None else existing_file(text)
    classifier, pc = read_classifier(path)
    scores = classifier.score(read_labelled(text, classifier.style), k=k, threshold=threshold)
    found = {"metrics": _metrics(scores, k), "examples": scores.examples, "k": k}
    return {**_about(path, classifier, pc, began), "text": str(text), **found}


def _about(
    path: Path, classifier: Classifier, pc: dy.ParameterCollection, began: float
) -> dict[str, Any]:
    """What the summaries of a trained model have in common."""
    about: dict[str, Any] = {"task": "classify", "model": str(path)}
    about |= {"labels": len(classifier.labels), "parameters": int(pc.parameter_count())}
    return {**about, "seconds": round(time.perf_counter() - began, 3)}


def _test_text(path: Path) -> Path:
    """The test texts of the toy language in the folder of a run."""
    found = path / TOY / "test.txt"
    if not found.is_file():
        raise InputError(path, "not trained on the toy language, so name a labelled text")
    return found


def _lines(text: Optional[Path], style: TextStyle) -> Iterator[list[str]]:
    """The words of each line; labels are passed over."""
    path = "/dev/stdin" if text is None else existing_file(text)
    for _, line in read_lines(path):
        yield split_labels(line, style)[1]


def _write(stream: BinaryIO, labels: list[str], probabilities: list[float]) -> None:
    parts = (f"{label}\t{p:.6g}" for label, p in zip(labels, probabilities))
    stream.write(("\t".join(parts) + "\n").encode())


def _run(
    config: ClassifyConfig,
    data: RunData,
    folder: RunFolder,
    files: TextFiles,
    say: Callable[[str], None],
    progress: Callable[[int, int, int, str], None],
) -> ClassifyRun:
    run = ClassifyRun(config, data, folder, say=say, progress=progress)
    if files.dev is not None:
        dev = files.dev
        _dev_scores(run, dev)  # a text that cannot be read ends the run before it begins
        run.score = lambda _: _dev_scores(run, dev)
    return run


def _dev_scores(run: ClassifyRun, dev: Path) -> dict[str, float]:
    scores = _classifier(run).score(read_labelled(dev, run.config.style))
    return {f"dev_{name}": value for name, value in _metrics(scores, 1).items()}


def _metrics(scores: Scores, k: int) -> dict[str, float]:
    at = k or "all"
    return {
        f"precision_at_{at}": round(scores.precision, 4),
        f"recall_at_{at}": round(scores.recall, 4),
    }


def _classifier(run: ClassifyRun) -> Classifier:
    x = run.examples
    return Classifier(run.model, x.features, x.labels, run.config.style)


def _summary(config: ClassifyConfig, run: ClassifyRun, files: TextFiles) -> dict[str, Any]:
    at = run.at
    last = at.history[-1]
    metrics = {"loss": round(last["loss"], 4)}
    metrics |= {name: value for name, value in last.items() if name.startswith("dev_")}
    return {
        "task": "classify",
        "model": config.output,
        "metrics": metrics,
        "throughput": {"words_per_second": round(run.words_per_second, 1)},
        "train_seconds": round(at.train_seconds, 3),
        "seconds": 0.0,
        "epochs": at.epoch,
        "texts": run.n_texts,
        "labels": len(run.examples.labels),
        "seed": config.seed,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "train": str(files.train),
        "run": str(run.folder.path),
    }
