#!/usr/bin/env python
"""Do word vectors composed of characters make a better language model than a table of them?

    python scripts/experiments/c2w.py --out runs/c2w

Two language models a treebank that differ in nothing but the vectors of the words they read: a
table, in which words seen once or never share a vector, or C2W, which spells every word.  Both
predict the same words by the same softmax, words seen once or never as one.  Every tenth sentence
of the training text is held back and chooses the epoch; the development part of the treebank is
read once, with the model of that epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import click
import report

from dynotes.command_line import DATA_DIR, clear_errors, print_result

TREEBANKS = {  # language: file of a part in the data folder, plain or .gz
    "afrikaans": "ud_afrikaans_afribooms_2.5/af_afribooms-ud-{}.conllu",
    "basque": "ud_basque_bdt_1.4/eu-ud-{}.conllu",
    "english": "ud_english_ewt_2.5/en_ewt-ud-{}.conllu",
    "hungarian": "ud_hungarian_szeged_2.5/hu_szeged-ud-{}.conllu",
}
DEFAULT = ("hungarian", "afrikaans", "basque")
VECTORS = ("table", "c2w")
COLUMNS = (
    *("treebank", "vectors", "seed", "epoch", "held_back_perplexity", "perplexity"),
    *("perplexity_after_unseen", "unseen_share", "word_parameters", "train_seconds"),
)
Row = dict[str, Any]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/c2w")
@click.option(
    "--treebank",
    "treebanks",
    type=click.Choice(list(TREEBANKS)),
    multiple=True,
    default=DEFAULT,
    show_default=True,
    metavar="|".join(TREEBANKS),
    help="Repeatable.",
)
@DATA_DIR
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Passes over the training text.",
)
@click.option(
    "--embed",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    metavar="N",
    help="Size of a word vector.",
)
@click.option(
    "--hidden",
    type=click.IntRange(1),
    default=150,
    show_default=True,
    metavar="N",
    help="Size of the LSTM over the words.",
)
@click.option(
    "--char-hidden",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="N",
    help="Size of each LSTM over characters.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 0.95),
    default=0.3,
    show_default=True,
    metavar="X",
    help="Of what the softmax reads.",
)
@click.option(
    "--lr",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.004,
    show_default=True,
    metavar="X",
    help="Learning rate of Adam.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Sentences an update.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Repetitions, from --seed on.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**31),
    default=1,
    show_default=True,
    metavar="N",
    help="The first seed.",
)
def main(**options: Any) -> None:
    """Compare the perplexity with a table and with C2W; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        texts = {
            name: read(name, options["data_dir"]) for name in dict.fromkeys(options["treebanks"])
        }
        folder = report.claim(options["out"])
        rows = run(texts, options)
        report.write_rows(folder, rows, COLUMNS)
        summary = [summarised(name, rows) for name in texts]
        click.echo(report.markdown(summary, list(summary[0])) + "\n")
        result = {
            "task": "c2w",
            "metrics": {
                f"gain_{line['treebank']}": gain(line["treebank"], rows) for line in summary
            },
            "seeds": list(range(options["seed"], options["seed"] + options["seeds"])),
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        report.write_json(folder, {**result, "settings": report.plain(options), "rows": rows})
    print_result(result)


def read(name: str, data: Optional[Path]) -> tuple[list[list[str]], list[list[str]]]:
    """(training sentences, those of the development part) of a treebank.

    Raises:
        InputError: no data folder, no such file, or no CoNLL-U.
    """
    from dynotes.corpora.datasets import data_dir
    from dynotes.corpora.errors import InputError, existing_file

    folder = data_dir(data)
    if folder is None:
        raise InputError(name, "no data folder: name it by --data-dir or DYNOTES_DATA")
    found = []
    for part in ("train", "dev"):
        plain = folder / TREEBANKS[name].format(part)
        packed = plain.with_name(plain.name + ".gz")
        found.append(list(sentences(existing_file(packed if packed.is_file() else plain))))
    return found[0], found[1]


def sentences(path: Path) -> Iterator[list[str]]:
    """The words (FORM) of every sentence of a CoNLL-U file, without multiword tokens."""
    from dynotes.corpora.errors import InputError
    from dynotes.corpora.lines import read_lines

    words: list[str] = []
    for number, line in read_lines(path):
        fields = line.split("\t")
        if not line.strip() and words:
            yield words
            words = []
        elif line.strip() and not line.startswith("#"):
            if len(fields) != 10 or not fields[1]:
                raise InputError(path, f"expected 10 columns, found {len(fields)}", number)
            if fields[0].isdigit():
                words.append(fields[1])
    if words:
        yield words


def run(texts: dict[str, Any], options: dict[str, Any]) -> list[Row]:
    """A row for every treebank, kind of vectors and seed."""
    from dynotes import runtime

    runtime.start(mem="64", seed=options["seed"])
    import c2w_train

    names = ("embed", "hidden", "char_hidden", "dropout", "lr", "batch", "epochs")
    settings = c2w_train.Settings(**{name: options[name] for name in names})
    rows = []
    with report.bar(len(texts) * len(VECTORS) * options["seeds"], "models") as bar:
        for name, (train, test) in texts.items():
            text = c2w_train.prepared(train, test)
            for seed in range(options["seed"], options["seed"] + options["seeds"]):
                for vectors in VECTORS:
                    measured = c2w_train.measure(text, vectors, settings, seed)
                    rows.append({"treebank": name, "vectors": vectors, "seed": seed, **measured})
                    click.echo(report.markdown(rows[-1:], COLUMNS).splitlines()[-1], err=True)
                    bar.update(1)
    return rows


def column(rows: Sequence[Row], name: str, vectors: str, key: str) -> list[float]:
    """A number of every seed."""
    return [r[key] for r in rows if r["treebank"] == name and r["vectors"] == vectors]


def gain(name: str, rows: Sequence[Row]) -> float:
    """By how many per cent C2W's perplexity is lower, the mean over the seeds of the logarithm."""
    pairs = zip(*(column(rows, name, vectors, "perplexity") for vectors in VECTORS))
    ratio, _ = report.mean_and_error(math.log(c2w / table) for table, c2w in pairs)
    return round(100 * (1 - math.exp(ratio)), 2)


def summarised(name: str, rows: Sequence[Row]) -> Row:
    """Mean ± standard error over seeds."""
    line: Row = {"treebank": name}
    for title, key in (("perplexity", "perplexity"), ("after unseen", "perplexity_after_unseen")):
        for vectors in VECTORS:
            mean, error = report.mean_and_error(column(rows, name, vectors, key))
            line[f"{title}, {vectors}"] = f"{mean:.1f} ± {error:.1g}"
    line["gain of C2W, %"] = gain(name, rows)
    return line


if __name__ == "__main__":
    main()
