#!/usr/bin/env python
"""Speed and quality of word2vec beside gensim's on the same text.

    python scripts/bench/word2vec.py --gensim-python PYTHON

Both sides run in turn in processes of their own, with the same window, dimension, negatives,
subsampling and epochs, and write their vectors; the same evaluation reads both.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import click

from dynotes.command_line import DATA_DIR, FILE, clear_errors, print_result

MODELS = ("skipgram", "cbow", "subword")
LARGE = "large"
CORPORA = ("toy", "brown", "wikitext2", LARGE)
OURS, PEER = "dynotes", "gensim"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--gensim-python",
    default=sys.executable,
    envvar="DYNOTES_GENSIM_PYTHON",
    metavar="PYTHON",
    help="Interpreter with gensim.  [default: this one]",
)
@click.option(
    "--corpus",
    type=click.Choice(CORPORA),
    default="brown",
    show_default=True,
    metavar="|".join(CORPORA),
    help="A known corpus; large: 100 novels, Brown and WikiText-2, 17 M words in lower case.",
)
@click.option(
    "--train", type=FILE, metavar="FILE", help="A text instead, a sentence a line, or .gz."
)
@DATA_DIR
@click.option(
    "--model",
    type=click.Choice(MODELS),
    default="skipgram",
    show_default=True,
    metavar="|".join(MODELS),
    help="What is trained.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Alternating runs of both sides, with seeds one after the other.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="N",
    help="Our workers, and gensim's.",
)
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Passes over the text.")  # fmt: skip
@click.option("--dim", type=click.IntRange(1), default=100, show_default=True, metavar="N",
              help="Size of a word vector.")  # fmt: skip
@click.option("--window", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Words on each side, at most.")  # fmt: skip
@click.option("--min-count", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Rarer words are left out.")  # fmt: skip
@click.option("--lr", type=float, default=None, metavar="X",
              help="Our learning rate.  [default: that of scripts/word2vec.py]")  # fmt: skip
@click.option("--peer-lr", type=float, default=0.05, show_default=True, metavar="X",
              help="gensim's learning rate.")  # fmt: skip
@click.option("--chunk", type=click.IntRange(1), default=None, metavar="N",
              help="Our words an update.  [default: that of scripts/word2vec.py]")  # fmt: skip
@click.option("--seed", type=click.IntRange(1, 2**32 - 1), default=1, show_default=True,
              metavar="N", help="Of the first round.")  # fmt: skip
def main(**options: Any) -> None:
    """Compare word2vec's speed and quality with gensim's; the last line is JSON."""
    from dynotes.training.word2vec.command import find_text

    began = time.perf_counter()
    with clear_errors(), tempfile.TemporaryDirectory() as folder:
        if options["train"] is not None:
            options["corpus"] = None
        if options["corpus"] == LARGE:
            from word2vec_texts import write_large_text

            text = write_large_text(Path(folder), options["data_dir"])
        else:
            text = find_text(options)
        task = task_of(text, options)
        tests = _tests(options)
        found = measure(Path(folder), task, tests, options)
    sides = {name: summarised(rounds) for name, rounds in found.items()}
    click.echo(as_table(sides))
    from rounds import median, ratios

    print_result(
        {
            "task": "bench-word2vec",
            "machine": f"{platform.machine()} {platform.system()}",
            "settings": task,
            "rounds": options["rounds"],
            "sides": sides,
            "speed_ratio": median(ratios(found[OURS], found[PEER]), 3),
            "cpu_ratio": median(ratios(found[OURS], found[PEER], "cpu_seconds"), 3),
            "seconds": round(time.perf_counter() - began, 1),
        }
    )


def task_of(text: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """What both sides are told, as JSON values; ours does not read what is gensim's."""
    from dynotes.training.word2vec.config import resolve

    named = ("model", "epochs", "dim", "window", "min_count", "processes", "lr", "chunk")
    config = resolve(None, {}, {n: options[n] for n in named if options[n] is not None})
    kept = (*named, "negatives", "power", "subsample", "shared", "damping")
    kept += ("minn", "maxn", "buckets")
    task = {name: getattr(config, name) for name in kept}
    return {**task, "text": str(text), "peer_lr": options["peer_lr"]}


def _tests(options: Mapping[str, Any]) -> Any:
    from dynotes.corpora import datasets
    from dynotes.training.word2vec.scoring import published_tests, toy_tests

    if options["corpus"] == "toy":
        return toy_tests()
    return published_tests(datasets.data_dir(options["data_dir"]))._replace(bats=None)


def measure(
    folder: Path, task: Mapping[str, Any], tests: Any, options: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """The results of every round of both sides, with their scores."""
    from rounds import Side, run_side, speed

    from dynotes.corpora.word_vectors import read_vectors
    from dynotes.training.word2vec.scoring import evaluate_vectors

    found: dict[str, list[dict[str, Any]]] = {OURS: [], PEER: []}
    programs = {
        OURS: (sys.executable, "word2vec_ours.py"),
        PEER: (options["gensim_python"], "word2vec_gensim.py"),
    }
    for number in range(options["rounds"]):
        for name, (python, script) in programs.items():
            own = {"seed": options["seed"] + number, "vectors": str(folder / f"{name}.bin")}
            result = run_side(Side(name, python, script, {**task, **own}))
            scores = evaluate_vectors(
                read_vectors(own["vectors"]), tests, methods=("add",), lower=True
            )
            result["scores"] = _scores(scores)
            found[name].append(result)
            shown = ", ".join(f"{k} {v}" for k, v in result["scores"].items())
            click.echo(
                f"round {number + 1}/{options['rounds']}  {name}: "
                f"{speed(result):.0f} words/s; {shown}",
                err=True,
            )
    return found


def _scores(evaluation: Mapping[str, Any]) -> dict[str, Optional[float]]:
    """Analogy accuracy, and rho of every similarity test."""
    graded = evaluation.get("similarity", {})
    scores = {name: score["spearman"] for name, score in graded.items()}
    return {"analogies": evaluation["metrics"].get("analogy_accuracy"), **scores}


def summarised(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds."""
    from rounds import median, speed

    scores = {
        name: [r["scores"][name] for r in rounds if r["scores"][name] is not None]
        for name in rounds[0]["scores"]
    }
    return {
        "version": rounds[0]["version"],
        "words": rounds[0]["words"],
        "words_per_second": median([speed(r) for r in rounds], 1),
        "cpu_words_per_second": median([speed(r, "cpu_seconds") for r in rounds], 1),
        "peak_mb": median([r["peak_mb"] for r in rounds], 1),
        "scores": {name: median(values, 4) for name, values in scores.items() if values},
    }


def as_table(sides: Mapping[str, Mapping[str, Any]]) -> str:
    """Both sides for a reader."""
    from rounds import table

    scores = list(next(iter(sides.values()))["scores"])
    rows = [
        (
            name,
            f"{side['words_per_second']:.0f}",
            f"{side['peak_mb']:.0f}",
            *(f"{side['scores'].get(score, float('nan')):.3f}" for score in scores),
        )
        for name, side in sides.items()
    ]
    return table(("", "words/s", "peak MB", *scores), rows)


if __name__ == "__main__":
    main()
