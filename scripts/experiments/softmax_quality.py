#!/usr/bin/env python
"""Perplexity against training time for every output layer, the same model and epochs for all.

    python scripts/experiments/softmax_quality.py --out runs/softmax-quality

Every method is a run of scripts/lm.py in a folder of its own below --out.  One that was finished is
not run again, one that was interrupted goes on, so the experiment can be stopped at any moment.
Dev and test are scored by the exact output layer, whatever the training loss was.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, clear_errors, print_result
from dynotes.training.lm_presets import PRESETS
from dynotes.training.run_folder import RunFolder

METHODS = {
    "full": ("--tie",),
    "importance": ("--tie", "--softmax", "importance"),
    "importance-stratified": ("--tie", "--softmax", "importance", "--rule", "stratified"),
    "nce": ("--tie", "--softmax", "nce"),
    "negative-sampling": ("--tie", "--softmax", "negative-sampling"),
    "adaptive": ("--tie", "--softmax", "adaptive"),
    "class-factored": ("--no-tie", "--softmax", "class-factored"),
}
COLUMNS = (
    "method", "dev_perplexity", "test_perplexity", "test_ratio", "tokens_per_second", "speed_up",
    "train_minutes", "epochs", "best_epoch", "log_z_mean", "log_z_std",
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/softmax-quality")
@click.option(
    "--method",
    "methods",
    type=click.Choice(list(METHODS)),
    multiple=True,
    default=list(METHODS),
    show_default=True,
    metavar="|".join(METHODS),
    help="What to train; repeatable.",
)
@click.option(
    "--corpus",
    type=click.Choice(["toy", "ptb_lm", "wikitext2"]),
    default="wikitext2",
    show_default=True,
    metavar="toy|ptb_lm|wikitext2",
    help="The text.",
)
@DATA_DIR
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="softmax-256",
    show_default=True,
    metavar="|".join(PRESETS),
    help="Settings of all runs.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Of all runs.  [default: the preset's]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="N",
    help="Worker processes of every run.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of all runs.",
)
def main(**options: Any) -> None:
    """Train with every output layer and compare; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        runs = {method: train(folder / method, method, options) for method in options["methods"]}
        rows = [row_of(method, summary) for method, summary in runs.items()]
        add_ratios(rows)
        report.write_rows(folder, rows, COLUMNS)
        draw(folder, list(runs))
        result = {
            "task": "softmax-quality",
            "corpus": options["corpus"],
            "preset": options["preset"],
            "seed": options["seed"],
            "test_perplexity": {row["method"]: row["test_perplexity"] for row in rows},
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "rows": rows, "summaries": runs})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def train(run: Path, method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The summary of the run of a method, which is trained if need be."""
    arguments = ["--corpus", options["corpus"], *METHODS[method]]
    arguments += ["--preset", options["preset"], "--seed", options["seed"]]
    arguments += ["--processes", options["processes"]]
    for name in ("epochs", "data_dir"):
        if options[name] is not None:
            arguments += [f"--{name.replace('_', '-')}", options[name]]
    return trainings.summary_of(run, "lm.py", arguments)


def row_of(method: str, summary: dict[str, Any]) -> dict[str, Any]:
    """What the table shows of a run."""
    metrics = summary["metrics"]
    return {
        "method": method,
        "dev_perplexity": metrics["dev_perplexity"],
        "test_perplexity": metrics.get("test_perplexity"),
        "tokens_per_second": summary["throughput"]["tokens_per_second"],
        "train_minutes": summary["train_seconds"] / 60,
        "epochs": summary["epochs"],
        "best_epoch": summary["best_epoch"],
        "log_z_mean": metrics.get("dev_log_z_mean"),
        "log_z_std": metrics.get("dev_log_z_std"),
    }


def add_ratios(rows: list[dict[str, Any]]) -> None:
    """Test perplexity and speed over those of the full softmax, where it was run."""
    full = next((row for row in rows if row["method"] == "full"), None)
    for row in rows:
        row["test_ratio"] = full and row["test_perplexity"] / full["test_perplexity"]
        row["speed_up"] = full and row["tokens_per_second"] / full["tokens_per_second"]


def draw(folder: Path, methods: list[str]) -> bool:
    """quality.png: dev perplexity against minutes of training."""
    curves = []
    for method in methods:
        text = RunFolder(folder / method).log.read_text(encoding="utf-8")
        log = [json.loads(line) for line in text.splitlines()]
        minutes = [entry["train_seconds"] / 60 for entry in log]
        curves.append(report.Curve(method, minutes, [entry["dev_perplexity"] for entry in log]))
    return report.plot(
        folder / "quality.png",
        {"": curves},
        x_label="minutes of training",
        y_label="dev perplexity",
    )


if __name__ == "__main__":
    main()
