#!/usr/bin/env python
"""The fastText classifier with random vectors: accuracy on small sets, P@1 on cooking.

    python scripts/experiments/classify.py --out runs/exp-classify

Sets without a split are cut into ten folds.  For every fold a tenth of its training texts, which
take no part in any other decision, chooses among GRID (seed 1); then the chosen settings are
trained on all its training texts with every seed, and the fold is scored once.  TREC has a test
set, and is treated as one fold.  Cooking is trained with the settings of fastText's tutorial.

Every training is a run of scripts/classify.py; what is finished is not run again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import report

from dynotes.command_line import DATA_DIR, Failure, clear_errors, print_result
from dynotes.corpora import datasets
from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError
from dynotes.corpora.lines import open_bytes

SCRIPT = Path(__file__).resolve().parents[1] / "classify.py"
FOLDS = 10
SETS = {  # name: the texts, and those of the test set if there is one
    "subj": ("sentcls/subj/subj.all.gz", None),
    "mr": ("sentcls/mr/rt-polarity.all.gz", None),
    "trec": ("sentcls/trec/TREC.train.all", "sentcls/trec/TREC.test.all"),
}
COOKING = ("softmax", "hierarchical-softmax", "one-vs-all")
GRID = [
    {"word_ngrams": n, "lr": lr, "epochs": epochs}
    for n in (1, 2)
    for lr, epochs in ((0.25, 5), (1.0, 10))
]
SMALL = {"dim": 20, "lower": True, "bucket": 200_000}
COLUMNS = ("set", "mean", "error", "runs", "chosen", "train_seconds")


class Texts(NamedTuple):
    """Lines ``__label__y words``: to train, and to score."""

    train: list[str]
    test: list[str]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/exp-classify")
@click.option(
    "--set",
    "sets",
    type=click.Choice([*SETS, "cooking"]),
    multiple=True,
    default=[*SETS, "cooking"],
    show_default=True,
    metavar="|".join([*SETS, "cooking"]),
    help="What to train on; repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    metavar="N",
    help="Trainings of every fold, with the seeds 1 to N.",
)
@click.option(
    "--folds",
    type=click.IntRange(1, FOLDS),
    default=FOLDS,
    show_default=True,
    metavar="N",
    help=f"How many of the {FOLDS} folds to score.",
)
@DATA_DIR
def main(out: Path, sets: Sequence[str], seeds: int, folds: int, data_dir: Path) -> None:
    """Train and score; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(out)
        data = datasets.data_dir(data_dir)
        if data is None:
            raise Failure("no data folder: name it by --data-dir or DYNOTES_DATA")
        rows: list[dict[str, Any]] = []
        for name in sets:
            made = cooking(folder, data, seeds) if name == "cooking" else [
                small(folder / name, name, data, seeds, folds)
            ]  # fmt: skip
            rows += made
            for row in made:
                click.echo(report.markdown([row], COLUMNS).splitlines()[-1])
        report.write_rows(folder, rows, COLUMNS)
        seconds = round(time.perf_counter() - began, 1)
        result = {"experiment": "classify", "rows": rows, "seeds": seeds, "folds": folds}
        report.write_json(folder, {**result, "grid": GRID, "seconds": seconds})
    print_result({**result, "seconds": seconds})


def cooking(folder: Path, data: Path, seeds: int) -> list[dict[str, Any]]:
    """P@1 with every output layer, the tutorial's settings (one-vs-all and the tree: lr 0.5)."""
    rows = []
    for output in COOKING:
        settings = ["--corpus", "cooking", "--data-dir", data, "--preset", "tutorial"]
        settings += ["--output", output, *([] if output == "softmax" else ["--lr", 0.5])]
        runs = [
            trained(folder / "cooking" / f"{output}-{seed}", [*settings, "--seed", seed])
            for seed in range(1, seeds + 1)
        ]
        rows.append(row_of(f"cooking, {output}", runs, ""))
    return rows


def small(folder: Path, name: str, data: Path, seeds: int, folds: int) -> dict[str, Any]:
    """Accuracy on one of the small sets."""
    runs, chosen = [], []
    for k, texts in enumerate(folds_of(name, data)[:folds]):
        where = folder / str(k)
        best = chosen_settings(where, texts, k)
        chosen.append(f"n={best['word_ngrams']} lr={best['lr']} epochs={best['epochs']}")
        for seed in range(1, seeds + 1):
            runs.append(scored(where / f"test-{seed}", texts, {**best, "seed": seed}))
    most = max(chosen, key=chosen.count)
    return row_of(name, runs, f"{most} ({chosen.count(most)} of {len(chosen)})")


def folds_of(name: str, data: Path) -> list[Texts]:
    """The folds of a set, or its one split."""
    train, test = SETS[name]
    lines = labelled(data / train)
    if test is not None:
        return [Texts(lines, labelled(data / test))]
    order = np.random.default_rng(1).permutation(len(lines))
    parts = [[lines[i] for i in part] for part in np.array_split(order, FOLDS)]
    others = ([parts[i] for i in range(FOLDS) if i != k] for k in range(FOLDS))
    return [Texts(list(chain.from_iterable(rest)), part) for rest, part in zip(others, parts)]


def labelled(path: Path) -> list[str]:
    """``0 the text`` as ``__label__0 the text``; the sets are not all UTF-8."""
    if not path.is_file():
        raise InputError(path, "no such file")
    with open_bytes(path) as stream:
        lines = stream.read().decode("latin-1").split("\n")
    return [f"__label__{line.strip()}" for line in lines if line.strip()]


def chosen_settings(folder: Path, texts: Texts, fold: int) -> dict[str, Any]:
    """The settings that are best on a tenth of the training texts."""
    order = np.random.default_rng((2, fold)).permutation(len(texts.train))
    cut = len(order) // 10
    dev, rest = ([texts.train[i] for i in part] for part in (order[:cut], order[cut:]))
    scores = [
        scored(folder / f"dev-{i}", Texts(rest, dev), {**settings, "seed": 1})
        for i, settings in enumerate(GRID)
    ]
    return GRID[int(np.argmax([s["metrics"]["dev_precision_at_1"] for s in scores]))]


def scored(folder: Path, texts: Texts, settings: dict[str, Any]) -> dict[str, Any]:
    """The summary of a run that is trained and scored on some texts."""
    files = []
    for part in Texts._fields:
        files.append(folder.with_name(f"{folder.name}.{part}.txt"))
        if not summary_of(folder).exists():
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            atomic_write(files[-1], "\n".join([*getattr(texts, part), ""]).encode())
    options: list[Any] = ["--train", files[0], "--dev", files[1]]
    for name, value in {**SMALL, **settings}.items():
        option = f"--{name.replace('_', '-')}"
        options += [option] if value is True else [option, value]
    try:
        return trained(folder, options)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def trained(folder: Path, options: Sequence[Any]) -> dict[str, Any]:
    """The summary of a run of scripts/classify.py, of which nothing else is kept."""
    kept = summary_of(folder)
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, str(SCRIPT), "train", "--out", str(folder), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={
        **os.environ, "OMP_NUM_THREADS": "1"
    })  # fmt: skip
    if done.returncode:
        raise Failure(f"{folder}: {done.stderr.strip() or done.returncode}")
    summary = json.loads(done.stdout.splitlines()[-1])
    atomic_write(kept, json.dumps(summary).encode() + b"\n")
    shutil.rmtree(folder)
    return summary


def summary_of(folder: Path) -> Path:
    """Where the summary of a run is kept."""
    return folder.with_name(f"{folder.name}.json")


def row_of(name: str, runs: Sequence[dict[str, Any]], chosen: str) -> dict[str, Any]:
    """Mean over all runs in per cent, and its standard error over the seeds."""
    seeds = sorted({run["seed"] for run in runs})
    by_seed = [
        np.mean([run["metrics"]["dev_precision_at_1"] for run in runs if run["seed"] == seed])
        for seed in seeds
    ]
    mean, error = report.mean_and_error(100 * score for score in by_seed)
    seconds = sum(run["train_seconds"] for run in runs)
    return {
        **{"set": name, "mean": mean, "error": error, "runs": len(runs), "chosen": chosen},
        "train_seconds": seconds / len(runs),
    }


if __name__ == "__main__":
    main()
