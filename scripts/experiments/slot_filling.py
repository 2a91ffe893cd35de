#!/usr/bin/env python
"""Does reading a whole sentence in order help to tell which word is missing in it?

    python scripts/experiments/slot_filling.py --out runs/slot-filling

context2vec beside CBOW with windows of several widths, trained on the same sentences with the same
negative sampling.  Every twentieth sentence is a test sentence, the ones before them choose the
best CBOW; each of their words in turn is a gap, and all words of the vocabulary are ranked for it.
Every model is a run of scripts/word2vec.py in a folder of its own below --out: one that was
finished is not run again, one that was interrupted goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import report

from dynotes.command_line import DATA_DIR, Failure, clear_errors, print_result
from dynotes.corpora.atomic import atomic_write

ROOT = Path(__file__).resolve().parents[2]
TRAIN, SUMMARY = "train.txt", "summary.json"
EVERY, DEV, TEST = 20, 18, 19  # sentence i is dev or test where i % EVERY is
WINDOWS = (2, 5, 10)
CBOW = ("--subsample", 0, "--damping", 0.25)  # the default of 0.1 is for thinned out text
CONTEXT2VEC = "context2vec"
METHODS = {
    **{f"cbow-{c}": ("--model", "cbow", "--window", c, "--no-dynamic", *CBOW) for c in WINDOWS},
    CONTEXT2VEC: ("--model", "context2vec", "--chunk", 250),
}
MEASURES = ("mrr", "mrr_unshifted", "first", "in_ten", "median_rank")
COLUMNS = (
    "method", "seed", "dev_mrr", *MEASURES, "gaps", "epochs", "words_per_second", "train_seconds",
)  # fmt: skip
Row = dict[str, Any]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/slot-filling")
@click.option(
    "--corpus",
    type=click.Choice(["toy", "brown", "wikitext2"]),
    default="brown",
    show_default=True,
    metavar="toy|brown|wikitext2",
    help="The text.",
)
@DATA_DIR
@click.option(
    "--dim",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    metavar="N",
    help="Size of a word vector.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Of context2vec.",
)
@click.option(
    "--cbow-epochs",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Of CBOW.",
)
@click.option(
    "--lr",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.003,
    show_default=True,
    metavar="X",
    help="Learning rate of context2vec.",
)
@click.option(
    "--negatives",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="N",
    help="Noise words a prediction.",
)
@click.option(
    "--gaps",
    type=click.IntRange(1),
    default=20000,
    show_default=True,
    metavar="N",
    help="In the dev and in the test sentences, at most.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Repetitions, from --seed on.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**31),
    default=1,
    show_default=True,
    metavar="N",
    help="The first seed.",
)
def main(**options: Any) -> None:
    """Compare how well gaps are filled; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        dev, test = split(folder / TRAIN, options)
        seeds = range(options["seed"], options["seed"] + options["seeds"])
        runs = {
            (method, seed): train(folder / f"{method}-{seed}", method, seed, folder, options)
            for seed in seeds
            for method in METHODS
        }
        rows = measure(folder, runs, dev, test, options["gaps"])
        report.write_rows(folder, rows, COLUMNS)
        click.echo(report.markdown(rows, COLUMNS) + "\n")
        result = {
            "task": "slot-filling",
            "metrics": metrics(rows),
            "seeds": list(seeds),
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "settings": report.plain(options), "rows": rows})
    print_result(result)


def split(train: Path, options: dict[str, Any]) -> tuple[list[list[str]], list[list[str]]]:
    """Write the training sentences; returns those of dev and test."""
    from dynotes.corpora.lines import read_tokens
    from dynotes.training.word2vec.command import find_text

    text = find_text({"train": None, "corpus": options["corpus"], "data_dir": options["data_dir"]})
    sentences = [tokens for tokens in read_tokens(text) if tokens]
    kept = [s for i, s in enumerate(sentences) if i % EVERY not in (DEV, TEST)]
    written = "".join(" ".join(s) + "\n" for s in kept).encode()
    if not train.exists() or train.read_bytes() != written:
        atomic_write(train, written)
    return sentences[DEV::EVERY], sentences[TEST::EVERY]


def train(run: Path, method: str, seed: int, folder: Path, options: dict[str, Any]) -> Row:
    """The summary of a run, which is made, continued or only read."""
    summary = run / SUMMARY
    if summary.exists():
        return dict(json.loads(summary.read_bytes()))
    lstm = method == CONTEXT2VEC
    settings = {
        "train": folder / TRAIN,
        "dim": options["dim"],
        "negatives": options["negatives"],
        "min-count": 1 if options["corpus"] == "toy" else 5,
        "epochs": options["epochs" if lstm else "cbow_epochs"],
        "seed": seed,
        **({"lr": options["lr"]} if lstm else {}),
    }
    flags = [str(x) for name, value in settings.items() for x in (f"--{name}", value)]
    fresh = ["--out", str(run), *map(str, METHODS[method]), *flags]
    resumes = (run / "checkpoint.safetensors").exists()
    command = [sys.executable, str(ROOT / "scripts" / "word2vec.py"), "train"]
    done = subprocess.run(
        [*command, *(["--resume", str(run)] if resumes else fresh)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    if done.returncode:
        raise Failure(f"{method}: the run in {run} ended with status {done.returncode}")
    last = done.stdout.splitlines()[-1]
    atomic_write(summary, (last + "\n").encode())
    return dict(json.loads(last))


def measure(
    folder: Path,
    runs: dict[tuple[str, int], Row],
    dev: Sequence[Sequence[str]],
    test: Sequence[Sequence[str]],
    gaps: int,
) -> list[Row]:
    """A row for every run, and one for the frequencies of the words alone."""
    from dynotes import runtime

    runtime.start(mem="64", seed=1)
    import slot_ranks

    from dynotes.training.word2vec.filling import open_filler

    rows: list[Row] = []
    for (method, seed), summary in runs.items():
        filler = open_filler(folder / f"{method}-{seed}")
        texts = [slot_ranks.known(filler, some, gaps) for some in (dev, test)]
        if not rows:
            rows.append({"method": "frequency", **slot_ranks.by_frequency(filler, *texts)})
        rows.append(
            {
                "method": method,
                "seed": seed,
                **slot_ranks.scores(filler, *texts),
                "epochs": summary["epochs"],
                "words_per_second": summary["throughput"]["words_per_second"],
                "train_seconds": summary["train_seconds"],
            }
        )
    return rows


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """MRR on test of context2vec and of the CBOW that is best on dev, means over seeds."""
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    means = {
        method: {key: report.mean_and_error(r[key] for r in some)[0] for key in ("dev_mrr", "mrr")}
        for method, some in by_method.items()
    }
    best = max((m for m in means if m.startswith("cbow")), key=lambda m: means[m]["dev_mrr"])
    return {
        f"mrr_{CONTEXT2VEC}": round(means[CONTEXT2VEC]["mrr"], 4),
        f"mrr_{best}": round(means[best]["mrr"], 4),
        "mrr_frequency": round(means["frequency"]["mrr"], 4),
    }


if __name__ == "__main__":
    main()
