#!/usr/bin/env python
"""How good is the best neighbour that hyperplane LSH finds?

    python scripts/experiments/lsh_rank.py --out runs/lsh-rank

The notes say: "For 10k 128dim points, best point found by LSH ranked ~23 among actual NNs."  That
depends on the bits of the code, on how many of the nearest codes are compared exactly, and on the
data; all three are varied here.  The data are described in lsh_data.py.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import report

from dynotes.command_line import FILE, clear_errors, print_result

DATA = ("gaussian", "clustered", "mixture")
BITS = (16, 32, 40, 64, 128, 256, 512, 800, 1024)
DEPTHS = (1, 10, 50, 200)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/lsh-rank")
@click.option(
    "--data",
    type=click.Choice(DATA),
    multiple=True,
    default=DATA,
    show_default=True,
    metavar="|".join(DATA),
    help="Kinds of drawn points; repeatable.",
)
@click.option(
    "--points",
    type=click.IntRange(2),
    default=10000,
    show_default=True,
    metavar="N",
    help="Drawn points.",
)
@click.option(
    "--dim",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    metavar="N",
    help="Their dimensions.",
)
@click.option(
    "--queries",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    metavar="N",
    help="Queries a seed.",
)
@click.option(
    "--bits",
    type=click.IntRange(1, 2**16),
    multiple=True,
    default=BITS,
    show_default=True,
    metavar="N",
    help="Hyperplanes of a code; repeatable.",
)
@click.option(
    "--rerank",
    type=click.IntRange(1),
    multiple=True,
    default=DEPTHS,
    show_default=True,
    metavar="N",
    help="How many of the nearest codes are compared exactly; repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Repetitions, with other data and hyperplanes; standard errors are over these.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31),
    default=1,
    show_default=True,
    metavar="N",
    help="The first seed.",
)
@click.option(
    "--model",
    type=FILE,
    metavar="RUN_OR_MODEL",
    help="A model of scripts/lm.py whose word vectors are searched as well.",
)
@click.option(
    "--text",
    type=FILE,
    metavar="FILE",
    help="A text for the model, whose hidden vectors then ask for words.  Needs DyNet.",
)
@click.option(
    "--target",
    type=click.FloatRange(1, min_open=True),
    default=23.0,
    show_default=True,
    metavar="X",
    help="The mean rank whose settings are looked for.",
)
def main(**options: Any) -> None:
    """Measure the true rank of LSH's best find; the last line is JSON."""
    if options["text"] is not None and options["model"] is None:
        raise click.UsageError("--text needs --model")
    if max(options["rerank"]) > options["points"]:
        raise click.UsageError(
            f"--rerank: at most --points {options['points']}, found {max(options['rerank'])}"
        )
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        rows, crossings = run(folder, options)
        result = {
            "task": "lsh-rank",
            "target": options["target"],
            "crossings": crossings,
            "seeds": list(seeds(options)),
            "queries": options["queries"],
            "model": None if options["model"] is None else str(options["model"]),
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        settings = report.plain(options)
        report.write_json(folder, {**result, "settings": settings, "rows": rows})
    print_result(result)


def run(folder: Path, options: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure, print the tables, write them; (rows, crossings of the target)."""
    import lsh_data
    import lsh_measure

    queries, depth = options["queries"], max(options["rerank"])
    sources = [
        lsh_data.drawn(name, options["points"], queries, options["dim"])
        for name in dict.fromkeys(options["data"])
    ]
    if options["model"] is not None:
        sources += lsh_data.trained(options["model"], queries, depth, options["text"])
    ticks = options["seeds"] * sum(len(source.similarities) for source in sources)
    bits, depths = (sorted(set(options[name])) for name in ("bits", "rerank"))
    with report.bar(ticks, "runs") as bar:
        rows = lsh_measure.measure(sources, bits, depths, seeds(options), bar.update)
    curves, target = lsh_measure.curves(rows), options["target"]
    for (data, similarity), by_depth in curves.items():
        lines = lsh_measure.pivot(by_depth)
        click.echo(f"{data}, {similarity}: mean ± standard error / median rank")
        click.echo(report.markdown(lines, list(lines[0])) + "\n")
    crossings = lsh_measure.crossings(rows, target)
    for crossing in crossings:
        click.echo(lsh_measure.told(crossing, target))
    if options["model"] is None:
        click.echo("trained embeddings: left out, no --model")
    report.write_rows(folder, rows, lsh_measure.COLUMNS)
    draw(folder, curves, target)
    return rows, crossings


def draw(folder: Path, curves: dict[Any, Any], target: float) -> None:
    """ranks.png: mean rank against bits, a panel for every kind of data."""
    panels = {
        f"{data}\n{similarity}": [
            report.Curve(
                f"re-ranking {depth}",
                [row["bits"] for row in rows],
                [row["mean_rank"] for row in rows],
                [row["mean_rank_error"] for row in rows],
            )
            for depth, rows in by_depth.items()
        ]
        for (data, similarity), by_depth in curves.items()
    }
    report.plot(
        folder / "ranks.png",
        panels,
        x_label="bits",
        y_label="mean true rank of the best find",
        x_log=True,
        y_log=True,
        level=(f"rank {target:g}", target),
    )


def seeds(options: dict[str, Any]) -> range:
    """The seeds of the repetitions."""
    return range(options["seed"], options["seed"] + options["seeds"])


if __name__ == "__main__":
    main()
