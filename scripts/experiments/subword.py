#!/usr/bin/env python
"""What n-grams of characters add to skip-gram: analogies and similarity, the rest being equal.

    python scripts/experiments/subword.py --out runs/subword

Every model is a run of scripts/word2vec.py in a folder of its own below --out; one that was
finished is not run again, one that was interrupted goes on.  The table counts the analogies as
gensim's comparison of 2016 does (case kept, among the 30,000 most frequent words): of its sections
`family` is the only semantic one, and the syntactic ones are all but the adjectives of
nationalities.  A similarity test named "all" grades all its pairs, words that the text lacks by
their n-grams; the others leave pairs with such words out.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, clear_errors, print_result

MODELS = {"skipgram": ("--model", "skipgram"), "subword": ("--model", "subword")}
RESTRICT = 30_000
LEFT_OUT = "gram6-nationality-adjective"
COLUMNS = ("model", "seed", "syntactic", "semantic", "analogies", "words_per_second")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/subword")
@click.option(
    "--model",
    "models",
    type=click.Choice(list(MODELS)),
    multiple=True,
    default=list(MODELS),
    show_default=True,
    metavar="|".join(MODELS),
    help="What to train; repeatable.",
)
@click.option(
    "--corpus",
    type=click.Choice(["toy", "brown", "wikitext2"]),
    default="brown",
    show_default=True,
    metavar="toy|brown|wikitext2",
    help="The text, and with it the tests.",
)
@DATA_DIR
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Of all runs.")  # fmt: skip
@click.option("--dim", type=click.IntRange(1), default=100, show_default=True, metavar="N",
              help="Size of a word vector.")  # fmt: skip
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(1, 2**32 - 1),
    multiple=True,
    default=[1],
    show_default=True,
    metavar="N",
    help="Of all models; repeatable.",
)
def main(**options: Any) -> None:
    """Train skip-gram with and without n-grams and compare; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        tests = tests_of(options)
        folder = report.claim(options["out"])
        rows = []
        for model in options["models"]:
            for seed in options["seeds"]:
                run = folder / f"{model}-{seed}"
                rows.append({"model": model, "seed": seed, **score(run, tests, options, model)})
        columns = [*COLUMNS, *(name for name in rows[-1] if name.startswith("similarity"))]
        report.write_rows(folder, rows, columns)
        result = {
            "task": "subword",
            "corpus": options["corpus"],
            "syntactic": {f"{row['model']}-{row['seed']}": row["syntactic"] for row in rows},
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "rows": rows})
    click.echo(report.markdown(rows, columns))
    print_result(result)


def tests_of(options: dict[str, Any]) -> Any:
    """The tests of the corpus; InputError if they are not there."""
    from dynotes.corpora import datasets
    from dynotes.training.word2vec.scoring import published_tests, toy_tests

    if options["corpus"] == "toy":
        return toy_tests()
    return published_tests(datasets.data_dir(options["data_dir"]))._replace(bats=None)


def score(run: Path, tests: Any, options: dict[str, Any], model: str) -> dict[str, Any]:
    """What the table shows of a run, which is trained if need be."""
    from dynotes.training.word2vec.tools import run_evaluation

    summary = train(run, model, options)
    found = run_evaluation(run, tests, methods=("add",), restrict_vocab=RESTRICT)
    (file,) = found["analogies"]["add"].values()
    known = {name: s for name, s in file["sections"].items() if s["answered"]}
    grammar = [name for name in known if name.startswith("gram")]
    row = {
        "syntactic": accuracy(known, [name for name in grammar if name != LEFT_OUT]),
        "semantic": accuracy(known, [name for name in known if name == "family"]),
        "analogies": accuracy(known, list(known)),
        "words_per_second": summary["throughput"]["words_per_second"],
        "counts": known,
    }
    for name, test in found["similarity"].items():
        row[f"similarity {short(name)}"] = test["spearman"]
    for name, test in found.get("similarity_from_ngrams", {}).items():
        row[f"similarity {short(name)}, all"] = test["spearman"]
    return row


def accuracy(sections: dict[str, Any], names: list[str]) -> Optional[float]:
    """Of the sections together; None if they have no question that could be answered."""
    answered = sum(sections[name]["answered"] for name in names)
    return sum(sections[name]["right"] for name in names) / answered if answered else None


def short(name: str) -> str:
    """The name of a test without what all names share."""
    return Path(name).stem.replace("EN-", "")


def train(run: Path, model: str, options: dict[str, Any]) -> dict[str, Any]:
    """The summary of a finished run; see `trainings.summary_of`."""
    settings = {name: options[name] for name in ("corpus", "epochs", "dim", "data_dir")}
    settings["seed"] = run.name.rpartition("-")[2]
    given = {name: value for name, value in settings.items() if value is not None}
    return trainings.summary_of(run, "word2vec.py", [*MODELS[model], *trainings.options(given)])


if __name__ == "__main__":
    main()
