#!/usr/bin/env python
"""Does the cost model know which cut-offs are fast?  Predicted beside measured time of the layer.

    python scripts/bench/softmax_clusters.py

Every choice of cut-offs trains an adaptive softmax alone on the same words (forward, backward and
update).  The built-in constants and constants calibrated just before predict its time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from lm import SizeType, machine, say
from softmax import CORPORA, CutoffsType

from dynotes import runtime
from dynotes.command_line import DATA_DIR, clear_errors, print_result

CHOICES = ("300,3000", "1000,8000", "2000,10000", "4000", "4000,16000", "1000,4000,12000", "10000")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--cutoffs",
    "choices",
    type=CutoffsType(),
    multiple=True,
    default=CHOICES,
    show_default=True,
    metavar="ID,ID",
    help="A choice of cut-offs; repeatable.  The cheapest two by the built-in model come on top.",
)
@click.option(
    "--size",
    type=SizeType(),
    default="256x20x35",
    show_default=True,
    metavar="HxBxT",
    help="Units, columns and steps of a window.",
)
@click.option(
    "--corpus",
    type=click.Choice(CORPORA),
    default=None,
    metavar="|".join(CORPORA),
    help="The words.  [default: wikitext2 where it is there, else zipf]",
)
@click.option(
    "--words",
    type=click.IntRange(2),
    default=33278,
    show_default=True,
    metavar="N",
    help="Vocabulary of zipf.",
)
@DATA_DIR
@click.option(
    "--windows",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Timed for every choice, in turn; the median counts.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of words, vectors and parameters.",
)
def main(**options: Any) -> None:
    """Compare predicted and measured times of cut-offs; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        runtime.start(mem="256", seed=options["seed"])
        result = compare(options)
    seconds = round(time.perf_counter() - began, 1)
    print_result({"task": "bench-clusters", "machine": machine(), **result, "seconds": seconds})


def compare(options: dict[str, Any]) -> dict[str, Any]:
    """Measure, predict, print the table; the rows and the rank correlations."""
    from lm_problem import Size
    from rounds import table
    from softmax_speed import find_text

    from dynotes.structures.cluster_costs import default_cost, expected_cost, optimal_cutoffs
    from dynotes.training.calibration import calibrated_cost

    size = Size(*options["size"])
    corpus, text = find_text(*(options[n] for n in ("corpus", "data_dir", "words", "seed")), size)
    counts = np.sort(np.bincount(text.ids, minlength=text.words))[::-1]
    columns = size.batch * size.steps
    built_in = default_cost(clusters=3, n_hidden=size.hidden, columns=columns)
    choices = [list(c) for c in options["choices"]]
    choices += [optimal_cutoffs(counts, 2, built_in, head_share=s) for s in (0.0, 0.75)]
    tails = max(map(len, choices))
    say("calibrating")
    here = calibrated_cost(n_hidden=size.hidden, columns=columns, clusters=tails)
    if tails > 3:
        built_in = default_cost(clusters=tails, n_hidden=size.hidden, columns=columns)
    say("measuring")
    measured = measure(choices, text, size, options)
    rows = [
        {
            "cutoffs": cuts,
            "milliseconds": 1e3 * seconds,
            "built_in": 1e3 * expected_cost(counts, cuts, built_in),
            "calibrated": 1e3 * expected_cost(counts, cuts, here),
        }
        for cuts, seconds in zip(choices, measured)
    ]
    names = ("milliseconds", "built_in", "calibrated")
    cells = [[str(row["cutoffs"]), *(f"{row[n]:.1f}" for n in names)] for row in rows]
    click.echo(table(("cut-offs", "measured ms", "built-in model", "calibrated"), cells))
    ranks = {n: round(rank_correlation([r[n] for r in rows], measured), 4) for n in names[1:]}
    return {"corpus": corpus, "words": text.words, "rows": rows, "rank_correlation": ranks}


def measure(
    choices: Sequence[Sequence[int]], text: Any, size: Any, options: dict[str, Any]
) -> list[float]:
    """Median seconds of a window for every choice, all on the same windows, in turn."""
    from lm_problem import read_problem, task_of
    from softmax_ours import LayerTraining
    from softmax_problem import write_problem

    trainings = []
    for cutoffs in choices:
        layer = {"cutoffs": list(cutoffs), "div": 4.0}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            write_problem(
                path, text.ids, text.start, text.words, size, seed=options["seed"], **layer
            )
            task = task_of(path, size, {"softmax": "adaptive", **layer})
            trainings.append(LayerTraining(task, read_problem(str(path))))
    times = []
    for _ in range(options["windows"] + 1):  # the first is not counted
        row = []
        for training in trainings:
            began = time.perf_counter()
            training.loss()
            row.append(time.perf_counter() - began)
        times.append(row)
    return np.median(times[1:], axis=0).tolist()


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, for values without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
