#!/usr/bin/env python
"""Do small windows make syntactic vectors, and large ones semantic ones?

    python scripts/experiments/window_size.py --out runs/window-size

Skip-gram with several windows and equally many pairs: a run with the window c makes 1/c as many
epochs as one with the window 1, in updates of equally many pairs.  Sentences are joined into long
lines, as the released code cuts its texts, so that wide windows are not cut short.  Finished runs
are not repeated.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, clear_errors, print_result

WINDOWS = (1, 2, 5, 10, 20)
PAIRS = 4000  # an update


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/window-size")
@click.option(
    "--window",
    "windows",
    type=click.IntRange(1, 1000),
    multiple=True,
    default=WINDOWS,
    show_default=True,
    metavar="N",
    help="Words on each side; repeatable.",
)
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Epochs of the window 1; all others get as many pairs.",
)
@click.option(
    "--dynamic/--fixed",
    default=False,
    show_default=True,
    help="Windows of a size drawn from 1 to N, or all of size N.",
)
@click.option(
    "--text",
    default="brown",
    show_default=True,
    metavar="brown|wikitext2|FILE",
    help="What the vectors learn from.",
)
@click.option(
    "--line",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Words of a line that sentences are joined into; 0: a sentence a line.",
)
@click.option(
    "--treebank",
    default="ud_english_ewt_2.5",
    show_default=True,
    metavar="NAME",
    help="Folder of CoNLL-U files in the data folder, whose tags make the purity.",
)
@DATA_DIR
@click.option("--dim", type=click.IntRange(1), default=50, show_default=True, metavar="N",
              help="Size of a word vector.")  # fmt: skip
@click.option("--min-count", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Rarer words have no vector.")  # fmt: skip
@click.option("--nearest", type=click.IntRange(1), default=10, show_default=True, metavar="N",
              help="Neighbours of a word whose tags are compared with its own.")  # fmt: skip
@click.option(
    "--setting",
    "settings",
    multiple=True,
    default=("damping=0.25",),
    show_default=True,
    metavar="NAME=VALUE",
    help="A further setting of every training; repeatable.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N",
              help="Repetitions.")  # fmt: skip
@click.option("--seed", type=click.IntRange(1, 2**31), default=1, show_default=True, metavar="N",
              help="The first seed.")  # fmt: skip
def main(**options: Any) -> None:
    """Measure vectors of every window; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        further = dict(trainings.named("--setting", text) for text in options["settings"])
        folder = report.claim(options["out"])
        runs = measure(folder, options, further)
        import window_measure

        rows, trends = summarised(runs), window_measure.trends(runs)
        report.write_rows(folder, rows)
        draw(folder, rows)
        result = {
            "task": "window-size",
            "spearman": {row["measure"]: row["spearman"] for row in trends},
            "as_expected": [row["measure"] for row in trends if row["right"]],
            "not_as_expected": [row["measure"] for row in trends if row["right"] is False],
            "seeds": list(seeds(options)),
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        more = {"settings": report.plain(options), "rows": rows, "trends": trends, "runs": runs}
        report.write_json(folder, {**result, **more})
    click.echo(report.markdown(rows, list(rows[0])) + "\n")
    click.echo(report.markdown(trends, list(trends[0])))
    print_result(result)


def measure(folder: Path, options: dict[str, Any], further: dict[str, str]) -> list[dict[str, Any]]:
    """What every single run gave."""
    import pos_data
    import window_measure

    data = pos_data.real_data(options["data_dir"])
    files = pos_data.treebank(data, options["treebank"])
    tags = pos_data.majority_tags(pos_data.lowered(pos_data.read_tagged(files["train"])), least=2)
    text = folder / "text.txt"
    if not text.is_file():
        lines = pos_data.lines_of(options["text"], data)
        pos_data.write_text(text, [window_measure.joined_lines(lines, options["line"])])
    common = {"train": text, "dim": options["dim"], "min_count": options["min_count"]}
    runs = []
    for seed in seeds(options):
        for window in sorted(set(options["windows"])):
            run = folder / f"window-{window}-{seed}"
            settings = {"seed": seed, **common, **of_window(window, options), **further}
            summary = trainings.summary_of(run, "word2vec.py", trainings.options(settings))
            found = window_measure.measures(run, data, tags, options["nearest"])
            about = {"window": window, "seed": seed, "epochs": summary["epochs"]}
            pairs = trainings.predictions(run)
            runs.append({**about, "pairs": pairs, **found, "seconds": summary["train_seconds"]})
    return runs


def of_window(window: int, options: dict[str, Any]) -> dict[str, Any]:
    """Settings that depend on the window: epochs, and words of an update, for equal pairs."""
    pairs = window + 1 if options["dynamic"] else 2 * window  # a word
    return {
        "window": window,
        "dynamic": options["dynamic"],
        "lower": True,
        "epochs": max(1, round(2 * options["budget"] / pairs)),
        "chunk": max(1, round(PAIRS / pairs)),
    }


def summarised(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a window: means over the seeds, and standard deviations of the measures."""
    rows = []
    for window in dict.fromkeys(run["window"] for run in runs):
        some = [run for run in runs if run["window"] == window]
        row: dict[str, Any] = {"window": window}
        for name in some[0].keys() - {"window", "seed"}:
            values = [run[name] for run in some if run[name] is not None]
            row[name] = statistics.fmean(values) if values else None
            if name not in ("epochs", "pairs", "seconds"):
                row[f"{name}_std"] = statistics.stdev(values) if len(values) > 1 else None
        first = ("window", "epochs", "pairs", "seconds")
        rows.append({name: row[name] for name in (*first, *sorted(row.keys() - set(first)))})
    return rows


def draw(folder: Path, rows: list[dict[str, Any]]) -> bool:
    """windows.png: every measure against the window."""
    import window_measure

    curves = [
        report.Curve(
            name,
            [row["window"] for row in rows if row[name] is not None],
            [row[name] for row in rows if row[name] is not None],
            [row[f"{name}_std"] or 0.0 for row in rows if row[name] is not None],
        )
        for name in window_measure.SIGNS
    ]
    return report.plot(
        folder / "windows.png", {"": curves}, x_label="window", y_label="score", x_log=True
    )


def seeds(options: dict[str, Any]) -> range:
    """The seeds of the repetitions."""
    return range(options["seed"], options["seed"] + options["seeds"])


if __name__ == "__main__":
    main()
