#!/usr/bin/env python
"""Do composed vectors come near those of phrases that the composition has not seen?

    python scripts/experiments/phrase_composition.py --out runs/phrases

Words and phrases are trained together by scripts/word2vec.py train --model tim, on the Brown corpus
and WikiText-2.  Then every composition is fitted to one part of the phrases, its epoch is chosen by
another, and the mean cosine with the vectors of a third is reported; each seed splits anew.
"""

from __future__ import annotations

import gzip
import shutil
import time
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import (
    DATA_DIR,
    FILE,
    clear_errors,
    dynet_options,
    print_result,
    start_engine,
)

DIAGONALS = ("identity", "learned", "none", "unit")
TREEBANK = "ud_english_ewt_2.16"
CORPORA = ("embed_corpus/brown_tokens.txt.gz", "wikitext2/train.txt.gz")
COLUMNS = ("composition", "test_cosine", "test_error", "dev_cosine", "gain")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/phrases")
@click.option(
    "--text",
    type=FILE,
    metavar="FILE",
    help="Another text to train on.  [default: Brown and WikiText-2]",
)
@DATA_DIR
@click.option(
    "--tagged",
    type=FILE,
    metavar="FILE",
    help="CoNLL-U that tells types of phrases.  [default: UD English EWT, unless --text is given]",
)
@click.option(
    "--dim", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="D."
)
@click.option(
    "--rank", type=click.IntRange(1), default=5, show_default=True, metavar="N", help="r."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Passes over the text.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="X",
    help="Score of a phrase.",
)
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="N",
    help="Of a word or a phrase.",
)
@click.option(
    "--ridge",
    type=click.FloatRange(0),
    default=1e-3,
    show_default=True,
    metavar="X",
    help="Lambda of all fits.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Splits of the phrases; standard errors are over these.",
)
@dynet_options
def main(**options: Any) -> None:
    """Compare compositions on held-out phrases; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        text, tagged = options["text"], options["tagged"]
        if text is None:
            text = together(folder / "text.txt", options["data_dir"])
            tagged = tagged or treebank(options["data_dir"])
        settings = {"train": text, "model": "tim", "lower": True, "fit_epochs": 1}
        names = ("dim", "rank", "epochs", "threshold", "min_count")
        settings |= {name: options[name] for name in names}
        summary = trainings.summary_of(folder / "run", "word2vec.py", trainings.options(settings))
        start_engine(options, 1)
        rows = compared(folder / "run", tagged, options)
        result = {
            "task": "phrase-composition",
            "phrases": sum(summary["composition"]["phrases"].values()),
            "test_cosine": {row["composition"]: row["mean_test_cosine"] for row in rows},
            "seeds": options["seeds"],
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_rows(folder, rows, COLUMNS)
        report.write_json(folder, {**result, "options": report.plain(options), "rows": rows})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def together(path: Path, data_dir: Path | None) -> Path:
    """Brown and WikiText-2 as one file."""
    from dynotes.corpora.atomic import atomic_open
    from dynotes.corpora.datasets import data_dir as find_data
    from dynotes.corpora.errors import InputError, existing_file

    data = find_data(data_dir)
    if data is None:
        raise InputError("Brown, WikiText-2", "no data folder: name it by --data-dir")
    places = [existing_file(data / name) for name in CORPORA]
    with atomic_open(path) as file:
        for place in places:
            with gzip.open(place) as packed:
                shutil.copyfileobj(packed, file)
    return path


def treebank(data_dir: Path | None) -> Path:
    """The training part of UD English EWT."""
    import pos_data

    return pos_data.treebank(pos_data.real_data(data_dir), TREEBANK)["train"]


def compared(run: Path, tagged: Path | None, options: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each composition, its numbers as means over the seeds."""
    from composition_seed import one_seed

    seeds = range(1, options["seeds"] + 1)
    with report.bar(options["seeds"], "seeds") as bar:
        found = []
        for seed in seeds:
            sizes = (options["rank"], options["ridge"])
            found.append(one_seed(run, *sizes, seed, DIAGONALS, tagged))
            bar.update(1)
    rows = []
    for name in found[0]:
        row: dict[str, Any] = {"composition": name}
        for key in ("test_cosine", "test_error", "dev_cosine"):
            mean, error = report.mean_and_error(one[name][key] for one in found)
            row[f"mean_{key}"] = mean
            row[key] = f"{mean:.4f} ± {error:.4f}"
        # of the same phrases, so that the split does not count
        gains = [one[name]["test_cosine"] - one["additive"]["test_cosine"] for one in found]
        mean, error = report.mean_and_error(gains)
        row["gain"] = f"{mean:+.4f} ± {error:.4f}"
        rows.append(row)
    return sorted(rows, key=lambda row: -row["mean_test_cosine"])


if __name__ == "__main__":
    main()
