#!/usr/bin/env python
"""Train, evaluate and sample an LSTM language model.

python scripts/lm.py train --out runs/lm             on the bundled toy language
python scripts/lm.py evaluate runs/lm FILE
python scripts/lm.py generate runs/lm
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
from dynotes.training.lm_config import LmConfig, check_settings
from dynotes.training.lm_presets import PRESETS, resolve

CORPORA = ("toy", "ptb_lm", "wikitext2")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An LSTM language model: train, evaluate, generate."""


@main.command()
@run_options("runs/lm", CORPORA)
@click.option(
    "--train", type=FILE, metavar="FILE", help="Training text, a sentence a line, or .gz."
)
@click.option("--dev", type=FILE, metavar="FILE", help="Development text; needed with --train.")
@click.option("--test", type=FILE, metavar="FILE", help="Test text, read once at the end.")
@click.option(
    "--vocabulary",
    type=FILE,
    metavar="FILE",
    help="Word list, one a line.  [default: the words of the training text]",
)
@preset_options(PRESETS)
@settings_options(LmConfig)
@dynet_options
def train(**options: Any) -> None:
    """Train a model; the last line of output is a JSON summary."""
    from dynotes.training import lm_command
    from dynotes.training.run_folder import RunFolder

    with clear_errors():
        if options["resume"] is not None:
            refuse_settings(options)
            config, files = lm_command.resumed(options["resume"])
        else:
            file = read_config_file(options["config"], check_settings)
            config = resolve(options["preset"], file, given(options, LmConfig))
            files = lm_command.find_files(options)
            RunFolder(options["out"]).check_free()
        start_engine(options, config.seed)
        from dynotes.training.lm_session import run_training

        out = options["resume"] or options["out"]
        result = run_training(out, config, files, resume=options["resume"] is not None)
    print_training(result, out)


@main.command()
@click.argument("model", type=FILE, metavar="RUN_OR_MODEL")
@click.argument("text", type=FILE, required=False, metavar="[FILE]")
@click.option(
    "--columns",
    type=click.IntRange(1, 10000),
    default=20,
    show_default=True,
    metavar="N",
    help="Stretches scored side by side; 1 is a single pass.",
)
@click.option(
    "--per-sentence",
    type=FILE,
    metavar="FILE",
    help="Write line number, tokens, nats and perplexity of every line there (TSV).",
)
@dynet_options
def evaluate(
    model: Path, text: Optional[Path], columns: int, per_sentence: Optional[Path], **options: Any
) -> None:
    """Exact perplexity of FILE (default: the toy test text), every <eos> counted."""
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.lm_session import run_evaluation

        result = run_evaluation(model, text, columns, per_sentence)
    print_result(result)


@main.command()
@click.argument("model", type=FILE, metavar="RUN_OR_MODEL")
@click.option(
    "--sentences",
    type=click.IntRange(1, 100000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many sentences.",
)
@click.option("--prompt", default="", metavar="TEXT", help="Words every sentence begins with.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Below 1 bolder, above 1 wilder.",
)
@click.option(
    "--top-k",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Draw from the N most probable words only.  [default: all]",
)
@click.option(
    "--max-words",
    type=click.IntRange(1, 100000),
    default=60,
    show_default=True,
    metavar="N",
    help="Cut a sentence after so many words.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of the draws.",
)
@dynet_options
def generate(model: Path, seed: int, **options: Any) -> None:
    """Sample sentences, one a line; the last line of output is a JSON summary."""
    with clear_errors():
        start_engine(options, max(1, seed))
        from dynotes.training.lm_session import run_generation

        names = ("sentences", "prompt", "temperature", "top_k", "max_words")
        lines, result = run_generation(model, seed, **{n: options[n] for n in names})
    for line in lines:
        click.echo(line)
    print_result(result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core; see --processes
    main()
