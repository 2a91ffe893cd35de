#!/usr/bin/env python
"""Paragraph vectors as features of labelled sentences, beside bags of words and word vectors.

    python scripts/experiments/paragraphs.py --out runs/paragraphs

Subj and MR have no split: their vectors are trained on all sentences, without labels, and a
logistic regression on them is tested on each of ten folds.  TREC's are trained on its training
questions, those of the test questions are inferred.  Every training is a run of
scripts/word2vec.py in a folder of its own below --out; a finished one is not run again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, Failure, clear_errors, print_result
from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SETS = ("subj", "mr", "trec")
MIN_COUNT, WINDOW, RANKED = 2, 5, 1000
MODELS = {
    "dbow": ("--model", "pv-dbow"),
    "dm": ("--model", "pv-dm", "--mode", "mean", "--around"),
    "skip-gram": ("--model", "skipgram"),
}
COLUMNS = ("set", "method", "accuracy", "error", "seeds", "rank1", "train_minutes")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/paragraphs")
@click.option(
    "--set",
    "sets",
    type=click.Choice(SETS),
    multiple=True,
    default=SETS,
    show_default=True,
    metavar="|".join(SETS),
    help="Sentences; repeatable.",
)
@DATA_DIR
@click.option(
    "--gensim-python",
    default=None,
    envvar="DYNOTES_GENSIM_PYTHON",
    metavar="PYTHON",
    help="Interpreter with gensim, to compare with.  [default: no comparison]",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N",
              help="Trainings of each model, with the seeds 1, 2, ...")  # fmt: skip
@click.option("--dim", type=click.IntRange(1), default=100, show_default=True, metavar="N",
              help="Size of a vector.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, metavar="N",
              help="Passes over the sentences.")  # fmt: skip
@click.option("--lr", type=float, default=0.1, show_default=True, metavar="X",
              help="Learning rate of paragraph vectors.")  # fmt: skip
@click.option("--peer-lr", type=float, default=0.05, show_default=True, metavar="X",
              help="gensim's learning rate.")  # fmt: skip
def main(**options: Any) -> None:
    """Classify sentences by their vectors; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        from dynotes.corpora import datasets

        data = datasets.data_dir(options["data_dir"])
        if data is None:
            raise InputError("sentcls", "no data folder: name it by --data-dir or DYNOTES_DATA")
        _need_scikit_learn()
        folder = report.claim(options["out"])
        rows: list[dict[str, Any]] = []
        for name in options["sets"]:
            for row in measured(folder / name, data, name, options):
                rows.append(row)
                click.echo(f"{name}  {row['method']}: {row['accuracy']:.4f}", err=True)
        report.write_rows(folder, rows, COLUMNS)
        result = {
            "task": "paragraphs",
            "accuracy": {f"{r['set']}, {r['method']}": round(r["accuracy"], 4) for r in rows},
            "seeds": options["seeds"],
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "options": report.plain(options), "rows": rows})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def _need_scikit_learn() -> None:
    if find_spec("sklearn") is None:
        raise Failure("scikit-learn is not installed: pip install -e '.[dev]'")


def measured(
    folder: Path, data: Path, name: str, options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The rows of a set."""
    from paragraph_data import read_sentences, write_shuffled
    from paragraph_head import accuracy, bags_of_words

    folder.mkdir(parents=True, exist_ok=True)
    sentences = read_sentences(data, name)
    known = len(sentences.lines) - sentences.n_test
    order = write_shuffled(folder / "text.txt", sentences.lines[:known])
    new = folder / "new.txt" if sentences.n_test else None
    if new is not None:
        atomic_write(new, "".join(s + "\n" for s in sentences.lines[known:]).encode())

    def row(method: str, features: Sequence[Any], minutes: float, rank: Any = None) -> dict:
        found = [accuracy(X, sentences.labels, sentences.n_test) for X in features]
        mean, error = report.mean_and_error(found)
        return {
            **{"set": name, "method": method, "accuracy": mean, "error": error},
            **{"seeds": len(found), "rank1": rank, "train_minutes": minutes},
        }

    yield row("bag of words", [bags_of_words(sentences.lines, MIN_COUNT)], 0.0)
    seeds = range(1, options["seeds"] + 1)
    runs = {m: [trained(folder, m, seed, options) for seed in seeds] for m in MODELS}
    minutes = {m: sum(s["train_seconds"] for s in some) / 60 for m, some in runs.items()}
    averaged = [average(run, sentences.lines) for run in runs["skip-gram"]]
    yield row("skip-gram", averaged, minutes["skip-gram"])
    found = {m: [documents(run, order, new) for run in runs[m]] for m in ("dbow", "dm")}
    ranks = {m: rank_one(runs[m][0], folder) for m in found}
    yield from _rows_of_paragraphs(row, found, minutes, ranks, "")
    if options["gensim_python"]:
        yield from _peer_rows(row, folder, order, new, options)


def _rows_of_paragraphs(
    row: Any,
    found: Mapping[str, Sequence[Any]],
    minutes: Mapping[str, float],
    ranks: Mapping[str, Optional[float]],
    prefix: str,
) -> Iterator[dict[str, Any]]:
    """PV-DBOW, PV-DM, and both side by side."""
    import numpy as np

    for m in ("dbow", "dm"):
        yield row(prefix + m, found[m], minutes[m], ranks.get(m))
    both = [np.concatenate(pair, axis=1) for pair in zip(found["dbow"], found["dm"])]
    yield row(prefix + "dbow + dm", both, minutes["dbow"] + minutes["dm"])


def trained(folder: Path, model: str, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a finished run; see `trainings.summary_of`."""
    settings = {
        **{"train": folder / "text.txt", "min_count": MIN_COUNT, "window": WINDOW},
        **{"dim": options["dim"], "epochs": options["epochs"], "seed": seed},
        **({} if model == "skip-gram" else {"lr": options["lr"]}),
    }
    arguments = [*MODELS[model], *trainings.options(settings)]
    return trainings.summary_of(folder / f"{model}-{seed}", "word2vec.py", arguments)


def word2vec(arguments: Sequence[str]) -> dict[str, Any]:
    """The summary of a command of scripts/word2vec.py; Failure if it did not end well."""
    return _summary([sys.executable, str(ROOT / "scripts" / "word2vec.py"), *arguments])


def _summary(command: Sequence[str]) -> dict[str, Any]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise Failure(f"{' '.join(command[1:3])} ended with status {done.returncode}")
    return json.loads(lines[-1])


def average(run: Mapping[str, Any], lines: Sequence[str]) -> Any:
    """The mean word vectors of lines."""
    from paragraph_head import averages

    from dynotes.corpora.word_vectors import read_vectors

    vectors = read_vectors(run["vectors"])
    return averages(lines, vectors.words, vectors.matrix)


def documents(run: Mapping[str, Any], order: Sequence[int], new: Optional[Path]) -> Any:
    """The vectors of all sentences, those of new ones inferred."""
    import numpy as np

    shuffled = np.load(run["documents"])
    known = np.empty_like(shuffled)
    known[np.asarray(order)] = shuffled
    return known if new is None else np.concatenate([known, inferred(run, new)])


def inferred(run: Mapping[str, Any], text: Path) -> Any:
    """The vectors of the lines of a text by a run, in the order of the text."""
    import numpy as np

    out = Path(run["run"]) / f"inferred-{text.name}"
    if not out.exists():
        word2vec(["infer", run["run"], str(text), str(out)])
    return np.loadtxt(out, dtype=np.float32, ndmin=2)


def rank_one(run: Mapping[str, Any], folder: Path) -> float:
    """The share of training sentences whose inferred vector is nearest to their trained one."""
    import numpy as np

    trained = np.load(run["documents"])
    with open(folder / "text.txt", encoding="utf-8") as file:
        first = [line for line, _ in zip(file, range(RANKED))]
    atomic_write(folder / "first.txt", "".join(first).encode())
    again = inferred(run, folder / "first.txt")
    lengths = np.maximum(np.linalg.norm(trained, axis=1), 1e-12)
    nearest = (again @ trained.T / lengths).argmax(axis=1)
    return float((nearest == np.arange(len(again))).mean())


def _peer_rows(
    row: Any, folder: Path, order: Sequence[int], new: Optional[Path], options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """gensim's vectors, trained and inferred as ours."""
    import numpy as np

    found: dict[str, list[Any]] = {"dbow": [], "dm": []}
    minutes = dict.fromkeys(found, 0.0)
    for m, vectors in found.items():
        for seed in range(1, options["seeds"] + 1):
            task = peer_task(folder, m, seed, new, options)
            command = [options["gensim_python"], str(HERE / "paragraphs_gensim.py")]
            minutes[m] += _summary([*command, json.dumps(task)])["seconds"] / 60
            shuffled = np.load(task["vectors"])
            known = shuffled.copy()
            known[np.asarray(order)] = shuffled[: len(order)]
            vectors.append(known)
    yield from _rows_of_paragraphs(row, found, minutes, {}, "gensim ")


def peer_task(
    folder: Path, model: str, seed: int, new: Optional[Path], options: Mapping[str, Any]
) -> dict[str, Any]:
    """What the peer is told, as JSON values."""
    return {
        **{"text": str(folder / "text.txt"), "new": None if new is None else str(new)},
        **{"model": MODELS[model][1], "dim": options["dim"], "epochs": options["epochs"]},
        **{"window": WINDOW, "min_count": MIN_COUNT, "negatives": 5, "subsample": 1e-3},
        **{"peer_lr": options["peer_lr"], "seed": seed},
        "vectors": str(folder / f"gensim-{model}-{seed}.npy"),
    }


if __name__ == "__main__":
    main()
