#!/usr/bin/env python
"""How a training step grows with the vocabulary, for every output layer of the language model.

    python scripts/experiments/softmax_scaling.py --out runs/softmax-scaling

Each point (softmax, vocabulary) is a process of its own; the points take turns for some rounds.
The text is invented, with Zipf's frequencies.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import report

from dynotes.command_line import Failure, clear_errors, print_result
from dynotes.training.lm_config import SOFTMAXES

HERE = Path(__file__).resolve().parent
VOCABULARIES = (1000, 10_000, 100_000, 1_000_000)
FROM, TO = 10_000, 100_000  # the pair of vocabularies whose ratio is reported
COLUMNS = (
    "softmax", "words", "step_ms", "tokens_per_second", "graph_mb", "parameters_mb",
    "time_ratio", "graph_ratio",
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/softmax-scaling")
@click.option(
    "--softmax",
    "softmaxes",
    type=click.Choice(SOFTMAXES),
    multiple=True,
    default=SOFTMAXES,
    show_default=True,
    metavar="|".join(SOFTMAXES),
    help="Output layers; repeatable.",
)
@click.option(
    "--words",
    type=click.IntRange(2),
    multiple=True,
    default=VOCABULARIES,
    show_default=True,
    metavar="N",
    help="Vocabularies; repeatable.",
)
@click.option(
    "--full-up-to",
    type=click.IntRange(2),
    default=100_000,
    show_default=True,
    metavar="N",
    help="Largest vocabulary of the full softmax (gigabytes beyond).",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    metavar="N",
    help="Noise words a draw; at most the vocabulary is taken.",
)
@click.option(
    "--hidden",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    metavar="N",
    help="Units of the LSTM's layer.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Columns of the text.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=35,
    show_default=True,
    metavar="N",
    help="Time steps of a window.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Times that every point is measured.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="X",
    help="Timed in every round, after warming up.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**31),
    default=1,
    show_default=True,
    metavar="N",
    help="Of text and parameters.",
)
def main(**options: Any) -> None:
    """Time and memory of a training step against the vocabulary; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        rows = measure_all(options)
        add_ratios(rows)
        report.write_rows(folder, rows, COLUMNS)
        draw(folder, rows)
        settings = report.plain(options)
        result = {
            "task": "softmax-scaling",
            "ratios": {
                row["softmax"]: {"time": row["time_ratio"], "graph": row["graph_ratio"]}
                for row in rows
                if row["words"] == TO and row["time_ratio"] is not None
            },
            "from_words": FROM,
            "to_words": TO,
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "settings": settings, "rows": rows})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def measure_all(options: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for every output layer and vocabulary: medians over the rounds."""
    points = [
        (softmax, words)
        for softmax in options["softmaxes"]
        for words in sorted(set(options["words"]))
        if softmax != "full" or words <= options["full_up_to"]
    ]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {point: [] for point in points}
    with report.bar(options["rounds"] * len(points), "points") as shown:
        for _ in range(options["rounds"]):
            for softmax, words in points:
                found[softmax, words].append(measure(softmax, words, options))
                shown.update(1)
    return [row_of(point, results, options) for point, results in found.items()]


def measure(softmax: str, words: int, options: dict[str, Any]) -> dict[str, Any]:
    """Run scaling_step.py once, on one thread.

    Raises:
        Failure: it did not end well.
    """
    names = ("samples", "hidden", "batch", "steps", "seconds", "seed")
    task = {"softmax": softmax, "words": words, **{name: options[name] for name in names}}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, str(HERE / "scaling_step.py"), json.dumps(task)],
        env={**os.environ, **threads, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failure(f"softmax {softmax}, {words} words: {said[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def row_of(
    point: tuple[str, int], results: list[dict[str, Any]], options: dict[str, Any]
) -> dict[str, Any]:
    """The medians of a point."""
    middle = {name: statistics.median(r[name] for r in results) for name in results[0]}
    return {
        "softmax": point[0],
        "words": point[1],
        "step_ms": 1000 * middle["step_seconds"],
        "step_ms_low": 1000 * min(r["step_seconds"] for r in results),
        "step_ms_high": 1000 * max(r["step_seconds"] for r in results),
        "tokens_per_second": options["batch"] * options["steps"] / middle["step_seconds"],
        "graph_mb": middle["graph_mb"],
        "parameters_mb": middle["parameters_mb"],
    }


def add_ratios(rows: list[dict[str, Any]]) -> None:
    """Time and graph of every row over those of the same layer with ``FROM`` words."""
    base = {row["softmax"]: row for row in rows if row["words"] == FROM}
    for row in rows:
        start = base.get(row["softmax"])
        row["time_ratio"] = start and row["step_ms"] / start["step_ms"]
        row["graph_ratio"] = start and row["graph_mb"] / max(start["graph_mb"], 1e-9)


def draw(folder: Path, rows: list[dict[str, Any]]) -> bool:
    """scaling.png: milliseconds a step, and megabytes of its graph, against the vocabulary."""
    panels = {}
    for title, key in (("step [ms]", "step_ms"), ("graph [MB]", "graph_mb")):
        panels[title] = [
            report.Curve(
                softmax,
                [r["words"] for r in rows if r["softmax"] == softmax],
                [r[key] for r in rows if r["softmax"] == softmax],
            )
            for softmax in dict.fromkeys(row["softmax"] for row in rows)
        ]
    return report.plot(
        folder / "scaling.png", panels, x_label="words", y_label="", x_log=True, y_log=True
    )


if __name__ == "__main__":
    main()
