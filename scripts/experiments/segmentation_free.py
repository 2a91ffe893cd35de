#!/usr/bin/env python
"""Do n-grams of a text without spaces learn to be words?

    python scripts/experiments/segmentation_free.py --out runs/sembei

The Brown corpus in lower case without spaces, by three models of scripts/word2vec.py:

    sembei     n-grams and all that they touch, no segmentation
    greedy     skip-gram on the text cut into the longest n-grams of the same inventory
    words      skip-gram on the words as they were written: what the others cannot know

A linear probe tells the part of speech (of UD English EWT) of those words that all three have a
vector for; and of the nearest n-grams of these words it is counted how many are words.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, FILE, Failure, clear_errors, print_result

NGRAMS = "200,2000,6000,8000,8000,6000,4000,3000"
TREEBANK = ("en_ewt-ud-train.conllu.gz", "en_ewt-ud-dev.conllu.gz")
COLUMNS = ("model", "vectors", "coverage", "pos_accuracy", "words_near", "words_in_all")
LEAST_TAGGED = 3  # occurrences of a word in the treebank


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/sembei")
@click.option(
    "--text",
    type=FILE,
    metavar="FILE",
    help="Another text, with spaces, which are dropped.  [default: Brown]",
)
@click.option(
    "--tagged",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="CoNLL-U with the parts of speech; repeatable.  [default: UD English EWT]",
)
@DATA_DIR
@click.option(
    "--ngrams",
    default=NGRAMS,
    show_default=True,
    metavar="N,N,...",
    help="N-grams of 1, 2, ... characters.",
)
@click.option(
    "--dim", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="D."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="N",
    help="Passes of sembei over the text; the others take 5.",
)
@click.option(
    "--subsample",
    type=click.FloatRange(0, 1),
    default=1e-5,
    show_default=True,
    metavar="X",
    help="Of sembei: share above which n-grams are thinned out.",
)
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Of an n-gram; of a word that is asked for.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Splits of the words; standard errors are over these.",
)
def main(**options: Any) -> None:
    """Compare n-gram vectors with and without a segmentation; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        folder = report.claim(options["out"])
        text, tagged = sources(options)
        runs = train_all(folder, text, options)
        rows, words = measured(runs, text, tagged, options)
        report.write_rows(folder, rows, COLUMNS)
        result = {
            "task": "segmentation-free",
            "words": words,
            "pos_accuracy": {row["model"]: row["mean_accuracy"] for row in rows},
            "seeds": options["seeds"],
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        asked_for = {**report.plain(options), "tagged": list(map(str, tagged))}
        report.write_json(folder, {**result, "options": asked_for, "rows": rows})
    click.echo(report.markdown(rows, COLUMNS))
    print_result(result)


def sources(options: dict[str, Any]) -> tuple[Path, list[Path]]:
    """The text and the tagged files."""
    from dynotes.corpora.datasets import data_dir
    from dynotes.corpora.errors import InputError, existing_file

    text, tagged = options["text"], list(options["tagged"])
    data = data_dir(options["data_dir"])
    if data is None and not (text and tagged):
        raise InputError("Brown, UD English EWT", "no data folder: name it by --data-dir")
    if data is not None:
        text = text or data / "embed_corpus" / "brown_tokens.txt.gz"
        tagged = tagged or [data / "ud_english_ewt_2.16" / name for name in TREEBANK]
    return existing_file(text), [existing_file(file) for file in tagged]


def train_all(folder: Path, text: Path, options: dict[str, Any]) -> dict[str, Path]:
    """The three runs, by name."""
    runs = {name: folder / name for name in ("sembei", "greedy", "words")}
    own = {name: options[name] for name in ("ngrams", "subsample", "min_count", "epochs")}

    def train(name: str, source: Path, **settings: Any) -> None:
        settings = {"train": source, "lower": True, "dim": options["dim"], **settings}
        trainings.summary_of(runs[name], "word2vec.py", trainings.options(settings))

    train("sembei", text, model="sembei", **own)
    train("greedy", segmented(folder / "greedy.txt", text, runs["sembei"]))
    train("words", text)
    return runs


def segmented(path: Path, text: Path, run: Path) -> Path:
    """The text cut by longest matches with the n-grams of a run."""
    from segmentation_probe import longest_matches

    from dynotes.corpora.atomic import atomic_open
    from dynotes.corpora.lines import read_tokens
    from dynotes.corpora.word_vectors import read_vectors
    from dynotes.training.word2vec.sources import find_vectors

    inventory = read_vectors(find_vectors(run)).words
    lines = ("".join(tokens).lower() for tokens in read_tokens(text))
    with atomic_open(path) as file:
        for units in longest_matches(lines, inventory):
            file.write((" ".join(units) + "\n").encode())
    return path


def measured(
    runs: dict[str, Path], text: Path, tagged: list[Path], options: dict[str, Any]
) -> tuple[list[dict[str, Any]], int]:
    """A row for each model, and how many words all of them were asked for."""
    from segmentation_probe import pos_accuracy, tags, words_near

    from dynotes.corpora.lines import read_tokens
    from dynotes.corpora.word_vectors import read_vectors
    from dynotes.training.word2vec.sources import find_vectors

    counts = Counter(word.lower() for line in read_tokens(text) for word in line)
    real = {word for word, n in counts.items() if n >= 5 and word.isalpha()}
    gold = tags(tagged, LEAST_TAGGED)
    frequent = [w for w, n in counts.items() if n >= options["min_count"]]
    wanted = sorted(w for w in frequent if len(w) > 1 and w in gold)
    vectors = {name: read_vectors(find_vectors(run)) for name, run in runs.items()}
    known = [set(v.words) for v in vectors.values()]
    common = [word for word in wanted if all(word in some for some in known)]
    if len(common) < 10:
        raise Failure(f"only {len(common)} tagged words have vectors in all models")
    rows = []
    for name, some in vectors.items():
        seeds = range(1, options["seeds"] + 1)
        scores = [pos_accuracy(some, common, gold, seed) for seed in seeds]
        mean, error = report.mean_and_error(scores)
        near = words_near(some, common, real)
        rows.append(
            {
                "model": name,
                "vectors": len(some.words),
                "coverage": len(set(wanted) & set(some.words)) / len(wanted),
                "pos_accuracy": f"{mean:.4f} ± {error:.4f}",
                "mean_accuracy": mean,
                "words_near": near["near"],
                "words_in_all": near["all"],
            }
        )
    most = Counter(gold[word] for word in common).most_common(1)[0][1] / len(common)
    rows.append({"model": "most frequent class", "pos_accuracy": most, "mean_accuracy": most})
    return rows, len(common)


if __name__ == "__main__":
    main()
