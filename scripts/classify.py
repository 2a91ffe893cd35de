#!/usr/bin/env python
"""Train the fastText classifier, label texts with it, and measure it.

python scripts/classify.py train --out runs/classify     on the bundled toy language
python scripts/classify.py predict runs/classify texts.txt
python scripts/classify.py evaluate runs/classify texts-with-labels.txt
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import click

from dynotes.command_line import (
    FILE,
    clear_errors,
    dynet_options,
    given,
    preset_options,
    print_result,
    print_training,
    read_config_file,
    refuse_settings,
    run_options,
    settings_options,
    start_engine,
)
from dynotes.training.classify.config import PRESETS, ClassifyConfig, check_settings, resolve

CORPORA = ("toy", "cooking")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The fastText classifier: train, predict, evaluate."""


@main.command()
@run_options("runs/classify", CORPORA)
@click.option(
    "--train",
    type=FILE,
    metavar="FILE",
    help="Texts, a line each, with labels such as __label__a; or .gz.",
)
@click.option("--dev", type=FILE, metavar="FILE", help="Labelled texts, scored after every epoch.")
@click.option(
    "--vectors",
    type=FILE,
    metavar="FILE",
    help="Word vectors to start from, in a format of word2vec; their words are all kept.",
)
@preset_options(PRESETS, "; tutorial: those of fastText's tutorial with bigrams")
@settings_options(ClassifyConfig)
@dynet_options
def train(**options: Any) -> None:
    """Train a classifier; the last line of output is a JSON summary."""
    from dynotes.training.classify import command
    from dynotes.training.run_folder import RunFolder

    resume = options["resume"]
    with clear_errors():
        if resume is not None:
            refuse_settings(options, "data_dir")
            config, files = command.resumed(resume)
        else:
            file = read_config_file(options["config"], check_settings)
            config = resolve(options["preset"], file, given(options, ClassifyConfig))
            files = command.find_files(options)
            RunFolder(options["out"]).check_free()
        start_engine(options, config.seed)
        from dynotes.training.classify.session import run_training

        out = resume or options["out"]
        result = run_training(out, config, files, resume=resume is not None)
    print_training(result, out)


TOP = click.option(
    "-k",
    "--top",
    "k",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="K",
    help="How many labels of each text; 0: all.",
)
THRESHOLD = click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Labels that are less probable are left out.",
)


@main.command()
@click.argument("run", type=FILE, metavar="RUN_OR_MODEL")
@click.argument("texts", type=FILE, required=False, metavar="[FILE]")
@click.option("--out", type=FILE, metavar="FILE", help="Where to.  [default: standard output]")
@TOP
@THRESHOLD
@dynet_options
def predict(
    run: Path, texts: Optional[Path], out: Optional[Path], k: int, threshold: float, **options: Any
) -> None:
    """The best labels of each line of FILE, or of the standard input, with probabilities.

    A line of output is one of input: label, probability, label, probability, ..., between tabs.
    """
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.classify.session import run_prediction

        result = run_prediction(run, texts, out, k=k, threshold=threshold)
    print_result(result)


@main.command()
@click.argument("run", type=FILE, metavar="RUN_OR_MODEL")
@click.argument("texts", type=FILE, required=False, metavar="[FILE]")
@TOP
@THRESHOLD
@dynet_options
def evaluate(run: Path, texts: Optional[Path], k: int, threshold: float, **options: Any) -> None:
    """Precision and recall of the best labels on the labelled texts of FILE.

    Without FILE on the test texts of the toy language, for a run that was trained on it.
    """
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.classify.session import run_evaluation

        result = run_evaluation(run, texts, k=k, threshold=threshold)
    print_result(result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
