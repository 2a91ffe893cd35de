#!/usr/bin/env python
"""Do vectors of models that tell positions apart know more about parts of speech?

    python scripts/experiments/pos_probe.py --out runs/pos-probe

Every model is trained on the same text with the same settings and seeds by scripts/word2vec.py; a
linear classifier then tags the words of a treebank by the frozen vectors, of the word alone or of
its neighbours too.  Runs that were finished are not repeated.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, Failure, clear_errors, print_result

MODELS = ("skipgram", "structured-skipgram", "cwindow", "cbow")
BASE = "skipgram"
COLUMNS = (
    "model", "radius", "dev", "dev_std", "dev_gain", "dev_gain_std", "dev_new_words", "test",
    "test_std", "test_gain", "test_gain_std", "test_new_words", "train_seconds",
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/pos-probe")
@click.option(
    "--model",
    "models",
    type=click.Choice(MODELS),
    multiple=True,
    default=MODELS,
    show_default=True,
    metavar="|".join(MODELS),
    help="What to train; repeatable.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    default=("brown", "treebank"),
    show_default=True,
    metavar="brown|wikitext2|treebank|FILE",
    help="What the vectors learn from, treebank being its training words; repeatable.",
)
@click.option(
    "--treebank",
    default="ud_english_ewt_2.5",
    show_default=True,
    metavar="NAME",
    help="Folder of CoNLL-U files in the data folder.",
)
@DATA_DIR
@click.option("--dim", type=click.IntRange(1), default=50, show_default=True, metavar="N",
              help="Size of a word vector.")  # fmt: skip
@click.option("--window", type=click.IntRange(1), default=2, show_default=True, metavar="N",
              help="Words on each side.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Of every training.")  # fmt: skip
@click.option("--min-count", type=click.IntRange(1), default=2, show_default=True, metavar="N",
              help="Rarer words have no vector.")  # fmt: skip
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A further setting of every training, as in lr=0.1; repeatable.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    default=("skipgram=0.1", "structured-skipgram=0.1"),
    show_default=True,
    metavar="MODEL=X",
    help="Learning rate of a model, if not word2vec.py's; repeatable.",
)
@click.option(
    "--radius",
    "radii",
    type=click.IntRange(0, 10),
    multiple=True,
    default=(0, 1),
    show_default=True,
    metavar="N",
    help="Neighbours on each side that the classifier sees; repeatable.",
)
@click.option("--probe-epochs", type=click.IntRange(1), default=10, show_default=True,
              metavar="N", help="Of the classifier, at most.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N",
              help="Repetitions.")  # fmt: skip
@click.option("--seed", type=click.IntRange(1, 2**31), default=1, show_default=True, metavar="N",
              help="The first seed.")  # fmt: skip
@click.option(
    "--test/--no-test",
    default=False,
    show_default=True,
    help="Score the test set too; for the settings that the development set chose.",
)
def main(**options: Any) -> None:
    """Tag words by frozen vectors of every model; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        further = dict(trainings.named("--setting", text) for text in options["settings"])
        rates = dict(trainings.named("--rate", text) for text in options["rates"])
        if rates.keys() - set(MODELS):
            raise Failure(f"--rate: no model {min(rates.keys() - set(MODELS))!r}")
        folder = report.claim(options["out"])
        rows, runs = measure(folder, options, further, rates)
        report.write_rows(folder, rows, COLUMNS)
        scored = "test" if options["test"] else "dev"
        result = {
            "task": "pos-probe",
            "scored": scored,
            "accuracy": {f"{row['model']}, radius {row['radius']}": row[scored] for row in rows},
            "gain": {
                f"{row['model']}, radius {row['radius']}": row.get(f"{scored}_gain")
                for row in rows
                if row["model"] != BASE
            },
            "seeds": list(seeds(options)),
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        settings = report.plain(options)
        report.write_json(folder, {**result, "settings": settings, "rows": rows, "runs": runs})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def measure(
    folder: Path, options: dict[str, Any], further: dict[str, str], rates: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(a row a model and radius, what every single run gave)."""
    import pos_measure

    from dynotes import runtime

    runtime.start(mem="64", seed=options["seed"])
    bank = pos_measure.read_bank(options["data_dir"], options["treebank"], options["test"])
    text = pos_measure.make_text(folder / "text.txt", options["texts"], bank)
    names = ("dim", "window", "epochs", "min_count")
    common = {name: options[name] for name in names}
    runs = []
    for seed in seeds(options):
        for model in dict.fromkeys(options["models"]):
            settings = {"train": text, "model": model, "seed": seed, **common, **further}
            if model in rates:
                settings["lr"] = rates[model]
            run = folder / f"{model}-{seed}"
            summary = trainings.summary_of(run, "word2vec.py", trainings.options(settings))
            for radius in sorted(set(options["radii"])):
                found = pos_measure.probe(run, bank, radius, options["probe_epochs"], seed)
                about = {"model": model, "radius": radius, "seed": seed, **found}
                runs.append({**about, "train_seconds": summary["train_seconds"]})
                click.echo(f"{run.name}, radius {radius}: dev {found['dev']:.4f}", err=True)
    return summarised(runs), runs


def summarised(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and standard deviations over the seeds, and of the gain over the base model."""
    base = {(run["radius"], run["seed"]): run for run in runs if run["model"] == BASE}
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["model"], run["radius"]), []).append(run)
    rows = []
    for (model, radius), some in groups.items():
        row: dict[str, Any] = {"model": model, "radius": radius}
        for part in ("dev", "test"):
            if some[0].get(part) is None:
                continue
            row[part], row[f"{part}_std"] = spread([run[part] for run in some])
            row[f"{part}_new_words"] = statistics.fmean(run[f"{part}_new_words"] for run in some)
            if base and model != BASE:
                gains = [run[part] - base[radius, run["seed"]][part] for run in some]
                row[f"{part}_gain"], row[f"{part}_gain_std"] = spread(gains)
        row["train_seconds"] = statistics.fmean(run["train_seconds"] for run in some)
        rows.append(row)
    return rows


def spread(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation; that of one value is nan."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")


def seeds(options: dict[str, Any]) -> range:
    """The seeds of the repetitions."""
    return range(options["seed"], options["seed"] + options["seeds"])


if __name__ == "__main__":
    main()
