#!/usr/bin/env python
"""Train a dependency parser, parse text with it, and measure it.

python scripts/parser.py train --out runs/parser         on the bundled toy treebank
python scripts/parser.py parse runs/parser --plain --show text.txt
python scripts/parser.py evaluate runs/parser treebank.conllu
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
from dynotes.training.parser.config import (
    CORPORA,
    PRESETS,
    ParserConfig,
    check_settings,
    resolve,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Dependency parsers: train, parse, evaluate."""


@main.command()
@run_options("runs/parser", ["toy", *CORPORA])
@click.option("--train", type=FILE, metavar="FILE", help="Treebank in CoNLL-U; or .gz.")
@click.option("--dev", type=FILE, metavar="FILE", help="Treebank that chooses the best epoch.")
@click.option(
    "--test", type=FILE, metavar="FILE", help="Treebank that the best model parses at the end."
)
@click.option(
    "--vectors",
    type=FILE,
    metavar="FILE",
    help="Word vectors that are added to the learned ones and stay as they are, in a format of "
    "word2vec; word-size must be theirs.",
)
@click.option("--multi-root", is_flag=True, show_default=True, help="Trees may have several roots.")
@preset_options(PRESETS, "; the toy treebank takes toy by itself")
@settings_options(ParserConfig)
@dynet_options
def train(**options: Any) -> None:
    """Train a parser; the last line of output is a JSON summary."""
    from dynotes.training.parser import command
    from dynotes.training.run_folder import RunFolder

    resume = options["resume"]
    with clear_errors():
        if resume is not None:
            refuse_settings(options)
            config, files = command.resumed(resume)
        else:
            RunFolder(options["out"]).check_free()
            toy = options["train"] is None and options["corpus"] in (None, command.TOY)
            file = read_config_file(options["config"], check_settings)
            preset = options["preset"] or ("toy" if toy else None)
            config = resolve(preset, file, given(options, ParserConfig))
            files = command.find_files(options)
        start_engine(options, config.seed)
        from dynotes.training.parser.session import run_training

        out = resume or options["out"]
        result = run_training(out, config, files, resume=resume is not None)
    print_training(result, out)


DECODER = click.option(
    "--decoder",
    type=click.Choice(["mst", "eisner"]),
    default="mst",
    show_default=True,
    metavar="mst|eisner",
    help="The best tree of all, or of the projective ones.",
)
MULTI_ROOT = click.option(
    "--multi-root", is_flag=True, show_default=True, help="Trees may have several roots."
)


@main.command()
@click.argument("run", type=FILE, metavar="RUN_OR_MODEL")
@click.argument("text", type=FILE, required=False, metavar="[FILE]")
@click.option("--out", type=FILE, metavar="FILE", help="Where to.  [default: standard output]")
@click.option(
    "--plain", is_flag=True, show_default=True, help="A sentence a line, words between spaces."
)
@click.option("--show", is_flag=True, show_default=True, help="Draw the trees as text.")
@DECODER
@MULTI_ROOT
@dynet_options
def parse(
    run: Path,
    text: Optional[Path],
    out: Optional[Path],
    plain: bool,
    show: bool,
    decoder: str,
    multi_root: bool,
    **options: Any,
) -> None:
    """Trees for the sentences of FILE (CoNLL-U, its heads are not read), or of standard input.

    The parsed sentences go to standard output or --out, in CoNLL-U, the summary to the last line.
    """
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.parser.models import Decoding
        from dynotes.training.parser.session import run_parsing

        how = Decoding(decoder, not multi_root)
        result = run_parsing(run, text, out, plain=plain, show=show, how=how)
    print_result(result)


@main.command()
@click.argument("run", type=FILE, metavar="RUN_OR_MODEL")
@click.argument("treebank", type=FILE, required=False, metavar="[FILE]")
@click.option(
    "--punctuation/--no-punctuation", default=True, show_default=True, help="Score punctuation."
)
@click.option(
    "--subtypes/--no-subtypes",
    default=False,
    show_default=True,
    help="Compare whole labels, not only the part before a colon.",
)
@DECODER
@MULTI_ROOT
@dynet_options
def evaluate(
    run: Path,
    treebank: Optional[Path],
    punctuation: bool,
    subtypes: bool,
    decoder: str,
    multi_root: bool,
    **options: Any,
) -> None:
    """UAS, LAS and label accuracy on the trees of FILE.

    Without FILE on the test file that the run was trained beside.
    """
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.parser.models import Decoding
        from dynotes.training.parser.session import run_evaluation

        how = Decoding(decoder, not multi_root)
        result = run_evaluation(run, treebank, how=how, punctuation=punctuation, subtypes=subtypes)
    print_result(result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
