#!/usr/bin/env python
"""Train word vectors, test them, look into them, and write them for other tools.

python scripts/word2vec.py train --out runs/word2vec     on the bundled toy language
python scripts/word2vec.py evaluate runs/word2vec
python scripts/word2vec.py neighbours runs/word2vec WORD
python scripts/word2vec.py analogy runs/word2vec A B C
python scripts/word2vec.py substitutes runs/context2vec "this is a [] book"
python scripts/word2vec.py spell runs/c2w WORD
python scripts/word2vec.py convert runs/word2vec vectors.txt
python scripts/word2vec.py infer runs/pv-dm runs/pv-dbow new.txt new-vectors.txt
python scripts/word2vec.py phrases TEXT OUT              new york becomes new_york
python scripts/word2vec.py compose runs/tim FIRST SECOND  by a run of --model tim
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import click

from dynotes.command_line import (
    DATA_DIR,
    FILE,
    Failure,
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
from dynotes.commands.word2vec_questions import (
    METHODS,
    analogy,
    compose,
    neighbours,
    spell,
    substitutes,
)
from dynotes.commands.word2vec_texts import convert, infer, phrases
from dynotes.training.word2vec.config import PRESETS, Word2vecConfig, check_settings, resolve

CORPORA = ("toy", "brown", "wikitext2")
TESTS = ("toy", "published")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Vectors of words, of lines of text, and of phrases."""


@main.command()
@run_options("runs/word2vec", CORPORA)
@click.option(
    "--train", type=FILE, metavar="FILE", help="Training text, a sentence a line, or .gz."
)
@preset_options(PRESETS)
@settings_options(Word2vecConfig)
@dynet_options
def train(**options: Any) -> None:
    """Train word vectors; the last line of output is a JSON summary."""
    from dynotes.training.run_folder import RunFolder
    from dynotes.training.word2vec import command

    resume = options["resume"]
    with clear_errors():
        if resume is not None:
            refuse_settings(options, "data_dir")
            config, text = command.resumed(resume)
        else:
            file = read_config_file(options["config"], check_settings)
            config = resolve(options["preset"], file, given(options, Word2vecConfig))
            text = command.find_text(options)
            RunFolder(options["out"]).check_free()
        start_engine(options, config.seed, shared=config.processes > 1)
        from dynotes.training.word2vec.session import run_training

        out = resume or options["out"]
        result = run_training(
            out, config, text, resume=resume is not None, data=options["data_dir"]
        )
    print_training(result, out)


@main.command()
@click.argument("vectors", type=FILE, metavar="RUN_OR_VECTORS")
@click.option(
    "--tests",
    type=click.Choice(TESTS),
    default=None,
    metavar="|".join(TESTS),
    help="Which tests, the published ones from the data folder.  "
    "[default: toy, unless files are named]",
)
@click.option(
    "--analogies",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Questions a b c d below headings ': name'; may be repeated.",
)
@click.option(
    "--similarity",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Pairs of words with a score; may be repeated.",
)
@click.option("--bats", type=FILE, metavar="DIR", help="Folder of the BATS test.")
@DATA_DIR
@click.option(
    "--restrict-vocab",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Only the N most frequent words are known.  [default: all]",
)
@click.option(
    "--lower/--no-lower",
    default=False,
    show_default=True,
    help="Words are the same if they are in lower case.",
)
def evaluate(
    vectors: Path,
    tests: Optional[str],
    analogies: tuple[Path, ...],
    similarity: tuple[Path, ...],
    bats: Optional[Path],
    data_dir: Optional[Path],
    restrict_vocab: Optional[int],
    lower: bool,
) -> None:
    """Analogies by 3CosAdd and 3CosMul, and word similarity by Spearman's rho.

    Similarity is graded a second time with vectors from n-grams for unknown words, if the vectors
    are a run of the subword model or a .bin file of fastText.
    """
    from dynotes.corpora import datasets
    from dynotes.training.word2vec.scoring import WordTestFiles, published_tests, toy_tests
    from dynotes.training.word2vec.tools import run_evaluation

    named = WordTestFiles(list(analogies), list(similarity), bats)
    with clear_errors():
        if any(named) and tests is not None:
            raise Failure("--tests: not together with files")
        if not any(named):
            published = tests == "published"
            named = published_tests(datasets.data_dir(data_dir)) if published else toy_tests()
        result = run_evaluation(
            vectors, named, methods=METHODS, restrict_vocab=restrict_vocab, lower=lower
        )
    print_result(result)


for command in (neighbours, analogy, substitutes, spell, compose, convert, infer, phrases):
    main.add_command(command)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core; see --processes
    main()
