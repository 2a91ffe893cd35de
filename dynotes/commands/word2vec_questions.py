"""``scripts/word2vec.py``: questions to trained vectors and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import click

from dynotes.command_line import (
    FILE,
    Failure,
    clear_errors,
    dynet_options,
    print_result,
    start_engine,
)

METHODS = ("add", "mul")

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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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
