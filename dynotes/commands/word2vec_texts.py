"""``scripts/word2vec.py``: vectors and texts from one file into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import click

from dynotes.command_line import (
    FILE,
    clear_errors,
    dynet_options,
    print_result,
    start_engine,
)

FORMATS = ("text", "binary", "npy", "fasttext")


@click.command()
@click.argument("source", type=FILE, metavar="RUN_OR_VECTORS")
@click.argument("target", type=FILE, metavar="FILE")
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default=None,
    metavar="|".join(FORMATS),
    help="fasttext, of a run of the subword model, keeps its n-grams.  "
    "[default: by the name of FILE: .txt and .vec, .bin, .npy]",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Only the N most frequent words.  [default: all]",
)
def convert(source: Path, target: Path, format: Optional[str], limit: Optional[int]) -> None:
    """Write vectors in another format."""
    from dynotes.training.word2vec.tools import run_conversion

    with clear_errors():
        result = run_conversion(source, target, format=format, limit=limit)
    print_result(result)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=FILE, metavar="RUN...")
@click.argument("text", type=FILE, metavar="FILE")
@click.argument("target", type=FILE, metavar="OUT")
@click.option(
    "--steps",
    type=click.IntRange(0, 100000),
    default=0,
    show_default=True,
    metavar="N",
    help="Passes over each paragraph; 0: as many as the run had epochs.",
)
@click.option(
    "--lr",
    type=click.FloatRange(0, 1000),
    default=0.0,
    show_default=True,
    metavar="X",
    help="Learning rate at the start; 0: a quarter of the run's for pv-dbow, half for pv-dm.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of everything random.",
)
@dynet_options
def infer(runs: tuple[Path, ...], text: Path, target: Path, **options: Any) -> None:
    """Vectors of the lines of FILE, a line each, from runs of pv-dm and pv-dbow, side by side."""
    with clear_errors():
        start_engine(options, options["seed"])
        from dynotes.training.word2vec.infer import run_inference

        names = ("steps", "lr", "seed")
        result = run_inference(runs, text, target, **{name: options[name] for name in names})
    print_result(result)


@click.command()
@click.argument("text", type=FILE, metavar="TEXT")
@click.argument("out", type=FILE, metavar="OUT")
@click.option(
    "--threshold",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="X",
    help="Two words are a phrase if (count - discount) / (counts of the words) * tokens is more.",
)
@click.option(
    "--discount",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    metavar="X",
    help="Taken from the count of a pair.",
)
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Rarer words and pairs make no phrase.",
)
@click.option(
    "--passes",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    metavar="N",
    help="2 finds phrases of 3 or 4 words.",
)
@click.option("--lower/--no-lower", default=False, show_default=True, help="Lower-case the text.")
@click.option(
    "--list",
    "list_file",
    type=FILE,
    metavar="FILE",
    help="Also write the phrases there: phrase, first, second, count, score, type.",
)
def phrases(text: Path, out: Path, list_file: Optional[Path], **options: Any) -> None:
    """Write TEXT to OUT with its phrases joined by "_"."""
    from dynotes.training.word2vec.texts import run_phrases

    with clear_errors():
        result = run_phrases(text, out, list_file, **options)
    print_result(result)
