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
    FILE,
    Failure,
    clear_errors,
    dynet_options,
    given,
    print_result,
    read_config_file,
    refuse_settings,
    settings_options,
    start_engine,
)
from dynotes.training.word2vec.config import PRESETS, Word2vecConfig, check_settings, resolve

CORPORA = ("toy", "brown", "wikitext2")
TESTS = ("toy", "published")
METHODS = ("add", "mul")
FORMATS = ("text", "binary", "npy", "fasttext")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Vectors of words, of lines of text, and of phrases."""


@main.command()
@click.option(
    "--out",
    type=FILE,
    default=Path("runs/word2vec"),
    show_default=True,
    metavar="DIR",
    help="Folder of the run; it must not hold one already.",
)
@click.option(
    "--resume",
    type=FILE,
    metavar="DIR",
    help="Continue the run in DIR from its checkpoint; takes no other setting.",
)
@click.option(
    "--corpus",
    type=click.Choice(CORPORA),
    default=None,
    metavar="|".join(CORPORA),
    help="A known corpus.  [default: toy, unless --train is given]",
)
@click.option(
    "--data-dir",
    type=FILE,
    metavar="DIR",
    help="Folder of the real corpora.  [default: $DYNOTES_DATA, else ../shared/data]",
)
@click.option(
    "--train", type=FILE, metavar="FILE", help="Training text, a sentence a line, or .gz."
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    metavar="|".join(PRESETS),
    help="Settings to start from.",
)
@click.option("--config", type=FILE, metavar="FILE", help="Settings as JSON or TOML.")
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
    if result is None:
        click.echo(f"interrupted; continue with --resume {out}", err=True)
        raise SystemExit(130)
    print_result(result)


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
@click.option(
    "--data-dir",
    type=FILE,
    metavar="DIR",
    help="Folder of the real corpora.  [default: $DYNOTES_DATA, else ../shared/data]",
)
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
    from dynotes.training.word2vec.tools import (
        WordTestFiles,
        published_tests,
        run_evaluation,
        toy_tests,
    )

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


TOP = click.option(
    "--top",
    type=click.IntRange(1, 100000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many words.",
)
RESTRICT = click.option(
    "--restrict-vocab",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Only the N most frequent words can be answers.  [default: all]",
)


def _say_unknown(result: dict[str, Any]) -> None:
    """Say which of the words asked are not in the vocabulary."""
    for word in result["from_ngrams"]:
        click.echo(f"{word}: not in the vocabulary, its vector is that of its n-grams", err=True)


@main.command()
@click.argument("vectors", type=FILE, metavar="RUN_OR_VECTORS")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@TOP
@RESTRICT
def neighbours(vectors: Path, words: tuple[str, ...], **options: Any) -> None:
    """The words with the largest cosines to each WORD."""
    from dynotes.training.word2vec.tools import run_neighbours

    with clear_errors():
        result = run_neighbours(vectors, words, **options)
    _say_unknown(result)
    for word, found in result["neighbours"].items():
        for other, cosine in found:
            click.echo(f"{word}\t{other}\t{cosine:.4f}")
    print_result(result)


@main.command()
@click.argument("vectors", type=FILE, metavar="RUN_OR_VECTORS")
@click.argument("words", nargs=3, metavar="A B C")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="add",
    show_default=True,
    metavar="|".join(METHODS),
    help="3CosAdd or 3CosMul.",
)
@TOP
@RESTRICT
def analogy(vectors: Path, words: tuple[str, str, str], **options: Any) -> None:
    """The best words D of A is to B as C is to D."""
    from dynotes.training.word2vec.tools import run_analogy

    with clear_errors():
        result = run_analogy(vectors, *words, **options)
    _say_unknown(result)
    for word, score in result["answers"]:
        click.echo(f"{word}\t{score:.4f}")
    print_result(result)


@main.command()
@click.argument("run", type=FILE, metavar="RUN")
@click.argument("sentence", metavar="SENTENCE")
@TOP
@dynet_options
def substitutes(run: Path, sentence: str, top: int, **options: Any) -> None:
    """The most probable words in the gap [] of SENTENCE, by a run of context2vec or cbow."""
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.word2vec.filling import run_substitutes

        result = run_substitutes(run, sentence, top=top)
    for word, probability in result["substitutes"]:
        click.echo(f"{word}\t{probability:.4f}")
    print_result(result)


@main.command()
@click.argument("run", type=FILE, metavar="RUN")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@TOP
@RESTRICT
@dynet_options
def spell(
    run: Path, words: tuple[str, ...], top: int, restrict_vocab: Optional[int], **options: Any
) -> None:
    """The nearest words of any WORD, seen or not, from its characters, by a run of c2w."""
    with clear_errors():
        start_engine(options, 1)
        from dynotes.training.word2vec.spelled_words import run_spelling

        result = run_spelling(run, words, top=top, restrict_vocab=restrict_vocab)
    for word, found in result["neighbours"].items():
        for other, cosine in found:
            click.echo(f"{word}\t{other}\t{cosine:.4f}")
    print_result(result)


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
@click.argument("run", type=FILE, metavar="RUN")
@click.argument("words", nargs=-1, required=True, metavar="FIRST SECOND...")
@click.option(
    "--type", "kind", metavar="TYPE", help="Type of the phrases.  [default: the only one]"
)
@TOP
@click.option(
    "--write", type=FILE, metavar="FILE", help="Also write the vectors there, by its name: .txt."
)
@dynet_options
def compose(run: Path, words: tuple[str, ...], **options: Any) -> None:
    """Vectors of new phrases of two words each, by a run of --model tim, and what is near them."""
    with clear_errors():
        if len(words) % 2:
            raise Failure(f"FIRST SECOND...: expected pairs of words, found {len(words)} words")
        start_engine(options, 1)
        from dynotes.training.word2vec.tim import run_composition

        pairs = list(zip(words[::2], words[1::2]))
        asked = {name: options[name] for name in ("kind", "top", "write")}
        result = run_composition(run, pairs, **asked)
    for phrase, found in result["phrases"].items():
        for other, cosine in found["neighbours"]:
            click.echo(f"{phrase}\t{other}\t{cosine:.4f}")
    print_result(result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core; see --processes
    main()
