#!/usr/bin/env python
"""What do the sampled approximations of the softmax cost?

    python scripts/experiments/softmax_bias.py --out runs/softmax-bias

For invented scores over few words: the bias of loss and gradient of every importance sampling
rule, by every draw or by many, beside the first-order formulas; how often a loss is negative; and
how far the expected gradients of NCE and negative sampling lie from that of the likelihood, in
closed form.  Recipe: counts are Zipf's, s_w = log count_w + spread N(0, 1), targets are drawn from
softmax(s); a cell is a mean over the targets, then over seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import report

from dynotes.command_line import clear_errors, print_result

SAMPLES = (1, 2, 5, 20, 100, 500)
K = (10, 100, 1000, 10_000)
GRAPH_DRAWS, GRAPH_K = 5000, 10  # multisets that the graph checks, at most; k of its contrasts
TITLES = {
    "loss_bias": "bias of the loss, nats",
    "gradient_error": "error of the expected gradient, relative",
    "drift": "norm of the mean gradient over targets drawn from P, at s = log P",
}
BESIDE = (
    "loss_bias",
    "loss_bias_first_order",
    "gradient_bias",
    "gradient_error",
    "catalogue_loss_bias",
    "catalogue_gradient",
)
Row = dict[str, Any]


def a_number(context: Any, option: Any, value: float) -> float:
    """Refuse nan, which passes every range of click's."""
    if math.isnan(value):
        raise click.BadParameter("expected a number, found nan")
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/softmax-bias")
@click.option(
    "--words",
    type=click.IntRange(2, 500),
    default=50,
    show_default=True,
    metavar="N",
    help="Size of the vocabulary.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 20),
    callback=a_number,
    default=1.5,
    show_default=True,
    metavar="X",
    help="How far scores differ from the logarithms of the counts.",
)
@click.option(
    "--targets",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="Words to be predicted, which are also those that the tilted rule favours.",
)
@click.option(
    "--tilt",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    callback=a_number,
    default=0.1,
    show_default=True,
    metavar="X",
    help="How much of the tilted noise distribution is on the targets.",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 100_000),
    multiple=True,
    default=SAMPLES,
    show_default=True,
    metavar="N",
    help="Words drawn for an importance sampling estimate; repeatable.",
)
@click.option(
    "--k",
    type=click.IntRange(1, 10**9),
    multiple=True,
    default=K,
    show_default=True,
    metavar="N",
    help="Noise words of NCE and negative sampling; repeatable.",
)
@click.option(
    "--draws",
    type=click.IntRange(10, 10**6),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Draws a cell; where no more are possible, all of them are summed exactly.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Repetitions, with other scores and targets; standard errors are over these.",
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
    """Measure the bias of sampled softmax losses; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        rows, difference = run(folder, options)
        result = {
            "task": "softmax-bias",
            "metrics": {
                "graph_difference": difference,
                **most_samples(rows),
            },
            "seeds": list(seeds(options)),
            "words": options["words"],
            "draws": options["draws"],
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        settings = report.plain(options)
        report.write_json(folder, {**result, "settings": settings, "rows": rows})
    print_result(result)


def run(folder: Path, options: dict[str, Any]) -> tuple[list[Row], float]:
    """Measure, print the tables, write them; (rows, difference between graph and numpy)."""
    from dynotes import runtime

    runtime.start(mem="64", seed=options["seed"])
    import bias_contrast
    import bias_measure

    names = ("words", "spread", "targets", "tilt", "draws")
    samples, k = (sorted(set(options[name])) for name in ("samples", "k"))
    sizes = bias_measure.Sizes(*(options[name] for name in names), samples, k)
    difference = graph_difference(sizes, options["seed"])
    click.echo(f"largest difference between graph and numpy: {difference:.2g}\n")
    with report.bar(options["seeds"] * len(bias_measure.NOISES), "distributions") as bar:
        rows = bias_measure.measure(sizes, seeds(options), bar.update)
    show(rows, bias_measure.SAMPLED, ("loss_bias", "gradient_error", "drift"))
    show(rows, bias_contrast.CONTRASTS, ("gradient_error", "drift"))
    click.echo("unigram noise, beside the catalogue's numbers for other scores")
    beside = [row for row in rows if row.get("catalogue_gradient") is not None]
    click.echo(report.markdown(beside, ("technique", "samples", *BESIDE)) + "\n")
    report.write_rows(folder, rows, bias_measure.COLUMNS)
    draw(folder, rows, bias_measure.SAMPLED)
    return rows, difference


def graph_difference(sizes: Any, seed: int) -> float:
    """The check of a few cells through the graph: the first target, unigram noise."""
    import bias_contrast
    import bias_graph
    import bias_measure
    from bias_draws import multisets

    found = bias_measure.world(sizes, seed)
    problem = bias_measure.problem_of(found, "unigram", sizes.tilt)
    problem = problem._replace(targets=found.targets[:1])
    return bias_graph.largest_difference(
        problem,
        bias_measure.SAMPLED,
        [m for m in (1, 2) if multisets(sizes.words, m) <= GRAPH_DRAWS],
        bias_contrast.CONTRASTS,
        GRAPH_K,
    )


def show(rows: Sequence[Row], techniques: Sequence[str], measures: Sequence[str]) -> None:
    """Print a table for every measure and noise distribution."""
    chosen = [row for row in rows if row["technique"] in techniques]
    for measure in measures:
        for noise in dict.fromkeys(row["noise"] for row in chosen):
            lines = pivot([row for row in chosen if row["noise"] == noise], measure)
            click.echo(f"{TITLES[measure]}; {noise} noise")
            click.echo(report.markdown(lines, list(lines[0])) + "\n")


def pivot(rows: Sequence[Row], measure: str) -> list[Row]:
    """A line for every number of samples, a column for every technique: mean ± standard error."""
    lines: dict[int, Row] = {}
    for row in rows:
        cell = f"{row[measure]:.3g} ± {row[measure + '_error']:.1g}"
        lines.setdefault(row["samples"], {"samples": row["samples"]})[row["technique"]] = cell
    return [lines[samples] for samples in sorted(lines)]


def most_samples(rows: Sequence[Row]) -> dict[str, float]:
    """Error of the gradient and drift of every rule, with unigram noise and the most samples."""
    chosen = [row for row in rows if row["noise"] == "unigram" and row["by"] != "closed form"]
    most = max(row["samples"] for row in chosen)
    return {
        f"{measure}_{row['technique']}": row[measure]
        for measure in ("gradient_error", "drift")
        for row in chosen
        if row["samples"] == most
    }


def draw(folder: Path, rows: Sequence[Row], rules: Sequence[str]) -> None:
    """gradient.png: relative error of the gradient against samples, a panel for every noise."""

    def curve(noise: str, rule: str) -> report.Curve:
        cells = [row for row in rows if (row["noise"], row["technique"]) == (noise, rule)]
        names = ("samples", "gradient_error", "gradient_error_error")
        return report.Curve(rule, *([row[name] for row in cells] for name in names))

    noises = dict.fromkeys(row["noise"] for row in rows)
    report.plot(
        folder / "gradient.png",
        {noise: [curve(noise, rule) for rule in rules] for noise in noises},
        x_label="samples",
        y_label="error of the expected gradient, relative",
        x_log=True,
        y_log=True,
    )


def seeds(options: dict[str, Any]) -> range:
    """The seeds of the repetitions."""
    return range(options["seed"], options["seed"] + options["seeds"])


if __name__ == "__main__":
    main()
