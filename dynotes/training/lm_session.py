"""``scripts/lm.py`` once the engine runs: train, evaluate, generate."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np

from dynotes import runtime
from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError
from dynotes.corpora.lm_corpus import normalise, read_lm_text
from dynotes.tips.divergences import perplexity
from dynotes.training.lm_checkpoint import Position
from dynotes.training.lm_command import prepare, toy_files
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_data import LmData, LmFiles, load_data
from dynotes.training.lm_evaluate import log_partitions, sentence_totals, stream_nll
from dynotes.training.lm_generate import generate
from dynotes.training.lm_model import OwnedLm, load_model
from dynotes.training.lm_objective import with_measured_cutoffs
from dynotes.training.lm_run import LmRun
from dynotes.training.lm_step import TrainingError
from dynotes.training.model_file import read_arrays
from dynotes.training.progress import Interrupted, reporter
from dynotes.training.run_folder import MODEL, RunFolder, finite, peak_memory_mb

EVALUATION = {  # what the perplexities of dev and test are normalised by
    "full": "exact: full softmax",
    "sampled": "exact: full softmax, no sampling",
    "adaptive": "exact: adaptive softmax, sums to 1 over all words",
    "class-factored": "exact: class-factored softmax, sums to 1 over all words",
}
SELF_NORMALISING = ("nce", "negative-sampling")
LOG_Z_TOKENS = 20000  # of dev, whose log Z is reported
TOY_FILES = ("train.txt", "dev.txt", "test.txt")


def run_training(
    out: Path, config: LmConfig, files: LmFiles, *, resume: bool
) -> Optional[dict[str, Any]]:
    """Train in the folder ``out``; the summary, or None after Ctrl-C."""
    began = time.perf_counter()
    folder = RunFolder(out)
    folder.remove_temporary()
    data = load_data(files, config)
    config = with_measured_cutoffs(config, data.vocabulary.counts)
    say, progress, close = reporter("tokens")
    run = LmRun(config, data, folder, say=say, progress=progress)
    if not resume:  # not before all input has proved right
        prepare(folder, config, files, runtime.engine_versions())
    parameters = sum(a.size for a in run.owned.arrays().values())
    say(
        f"{len(data.texts['train'].ids)} training tokens, {len(data.vocabulary)} words, "
        f"{parameters} parameters, {config.processes} process(es), seed {config.seed}"
    )
    try:
        at = run.train(resume=resume and folder.checkpoint.exists())
    except Interrupted:
        return None
    finally:
        close()
    if math.isinf(at.best):
        raise TrainingError("dev was infinite in every epoch; lower the learning rate or clip")
    run.owned.restore(read_arrays(folder.model)[0])  # dev chose it; test is read once
    result = _summary(config, data, files, run, at)
    folder.draw_curves(at.history, result["metrics"].get("optimum_perplexity"))
    result["seconds"] = round(time.perf_counter() - began, 3)
    return finite(result)


def _summary(
    config: LmConfig, data: LmData, files: LmFiles, run: LmRun, at: Position
) -> dict[str, Any]:
    metrics: dict[str, Any] = {"dev_perplexity": at.best}
    if "test" in data.texts:
        metrics["test_perplexity"] = text_perplexity(run.owned, data.texts["test"].ids, data.eos_id)
        optimum = toy_optimum_of(files.test)
        if optimum is not None:
            metrics["optimum_perplexity"] = optimum
            metrics["gap_percent"] = round(100 * (metrics["test_perplexity"] / optimum - 1), 2)
    if config.softmax in SELF_NORMALISING:
        log_z = log_partitions(run.owned.model, data.texts["dev"].ids[:LOG_Z_TOKENS], data.eos_id)
        metrics |= {"dev_log_z_mean": float(log_z.mean()), "dev_log_z_std": float(log_z.std())}
    return {
        "task": "language-model",
        "model": "lstm",
        "softmax": config.softmax,
        "evaluation": EVALUATION[run.owned.model.spec["softmax"]],
        "metrics": {name: round(value, 4) for name, value in metrics.items()},
        "throughput": {
            "tokens_per_second": round(at.trained_tokens / max(at.train_seconds, 1e-9), 1)
        },
        "train_seconds": round(at.train_seconds, 3),
        "seconds": 0.0,
        "epochs": at.epoch,
        "best_epoch": at.best_epoch,
        "seed": config.seed,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "run": str(run.folder.path),
    }


def text_perplexity(owned: OwnedLm, ids: np.ndarray, eos_id: int) -> float:
    """Perplexity of a stream, every token counted."""
    nll = stream_nll(owned.model, ids, eos_id)
    return perplexity(float(nll.sum()), len(nll))


def toy_optimum_of(path: Optional[Path]) -> Optional[float]:
    """The lowest reachable perplexity if ``path`` is a text of the toy language, else None."""
    if path is None or path.name not in TOY_FILES:
        return None
    from dynotes.corpora.toy_data import toy_dir, toy_optimum

    return toy_optimum(path) if path.resolve().parent == toy_dir().resolve() else None


def run_evaluation(
    model: Path, text: Optional[Path], columns: int, per_sentence: Optional[Path]
) -> dict[str, Any]:
    """Exact perplexity of a text under a saved model, and a table of its sentences on request."""
    began = time.perf_counter()
    owned, vocabulary, normalised = load_model(_model_path(model))
    path = text or toy_files().test
    if path is None or vocabulary.eos_id is None:
        raise InputError(model, "the model has no end of sentence")
    stream = read_lm_text(
        path, vocabulary, lower=normalised["lower"], numbers=normalised["numbers"]
    )
    nll = stream_nll(owned.model, stream.ids, vocabulary.eos_id, columns=columns)
    if per_sentence is not None:
        _write_sentences(per_sentence, nll, stream.sentence_ends)
    metrics = {"perplexity": round(perplexity(float(nll.sum()), len(nll)), 4)}
    optimum = toy_optimum_of(path)
    if optimum is not None:
        metrics["optimum_perplexity"] = round(optimum, 4)
    seconds = time.perf_counter() - began
    return finite(
        {
            "task": "language-model",
            "model": str(model),
            "metrics": metrics,
            "tokens": len(nll),
            "unknown_tokens": stream.unknown,
            "nats": round(float(nll.sum()), 3),
            "throughput": {"tokens_per_second": round(len(nll) / seconds, 1)},
            "seconds": round(seconds, 2),
        }
    )


def _write_sentences(path: Path, nll: np.ndarray, ends: np.ndarray) -> None:
    tokens = np.diff(ends, prepend=0)
    rows = ["line\ttokens\tnats\tperplexity"]
    for number, (nats, count) in enumerate(zip(sentence_totals(nll, ends), tokens), 1):
        rows.append(f"{number}\t{count}\t{nats:.5f}\t{math.exp(min(nats / count, 700)):.4f}")
    atomic_write(path, ("\n".join(rows) + "\n").encode())


def run_generation(
    model: Path,
    seed: int,
    *,
    sentences: int,
    prompt: str,
    temperature: float,
    top_k: Optional[int],
    max_words: int,
) -> tuple[list[str], dict[str, Any]]:
    """Sampled sentences as text, and the summary."""
    began = time.perf_counter()
    owned, vocabulary, normalised = load_model(_model_path(model))
    if vocabulary.eos_id is None:
        raise InputError(model, "the model has no end of sentence")
    if top_k is not None and top_k > len(vocabulary):
        raise ValueError(f"top-k: at most {len(vocabulary)} (words), found {top_k}")
    first = normalise(prompt.split(), **normalised)
    words = generate(
        owned.model,
        eos_id=vocabulary.eos_id,
        rng=np.random.default_rng(seed),
        sentences=sentences,
        prompt=vocabulary.encode(first).tolist(),
        temperature=temperature,
        top_k=top_k,
        max_words=max_words,
        banned=() if vocabulary.unk_id is None else (vocabulary.unk_id,),
    )
    lines = [" ".join(vocabulary.decode(sentence)) for sentence in words]
    summary = {
        "task": "language-model",
        "model": str(model),
        "metrics": {"sentences": len(lines), "words": sum(map(len, words))},
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 2),
    }
    return lines, summary


def _model_path(path: Path) -> Path:
    """A model file, or the one in the folder of a run."""
    return path / MODEL if path.is_dir() else path
