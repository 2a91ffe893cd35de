#!/usr/bin/env python
"""Are the contexts of a sum of word vectors contexts of both words?

    python scripts/experiments/composition.py --out runs/composition --sum russian+river

Trains skip-gram, shows what is near some sums, and for many drawn pairs of words (a, b) measures on
the text itself: how well the scores u_c.(v_a + v_b) tell contexts that were seen with both words
from those that were seen with one of them, and how they go with the information PMI(c, a) +
PMI(c, b) that they stand for.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import click
import report
import trainings

from dynotes.command_line import DATA_DIR, Failure, clear_errors, print_result

SUMS = ("russian+river", "german+capital", "young+woman", "white+house", "music+teacher")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@report.out_option("runs/composition")
@click.option("--sum", "sums", multiple=True, default=SUMS, show_default=True, metavar="A+B",
              help="Words whose vectors are added and shown; repeatable.")  # fmt: skip
@click.option(
    "--text",
    default="brown",
    show_default=True,
    metavar="brown|wikitext2|FILE",
    help="What the vectors learn from.",
)
@DATA_DIR
@click.option("--pairs", type=click.IntRange(1), default=200, show_default=True, metavar="N",
              help="Drawn pairs of words.")  # fmt: skip
@click.option("--ranks", type=click.IntRange(0), nargs=2, default=(100, 2000), show_default=True,
              metavar="N N", help="The most frequent words that are drawn: from, to.")  # fmt: skip
@click.option("--window", type=click.IntRange(1), default=5, show_default=True, metavar="N",
              help="Words on each side.")  # fmt: skip
@click.option("--top", type=click.IntRange(1), default=6, show_default=True, metavar="N",
              help="How many words are shown.")  # fmt: skip
@click.option(
    "--setting",
    "settings",
    multiple=True,
    default=("epochs=8", "min_count=20"),
    show_default=True,
    metavar="NAME=VALUE",
    help="A further setting of the training; repeatable.",
)
@click.option("--seed", type=click.IntRange(1, 2**31), default=1, show_default=True, metavar="N",
              help="Of the training and of the drawn pairs.")  # fmt: skip
def main(**options: Any) -> None:
    """Show and measure sums of word vectors; the last line is JSON."""
    began = time.perf_counter()
    with clear_errors():
        further = dict(trainings.named("--setting", text) for text in options["settings"])
        pairs = [tuple(text.split("+")) for text in options["sums"]]
        for pair in pairs:
            if len(pair) != 2 or not all(pair):
                raise Failure(f"--sum: expected A+B, found {'+'.join(pair)!r}")
        folder = report.claim(options["out"])
        rows, found = measure(folder, options, further, pairs)
        report.write_rows(folder, rows)
        means = {name: report.mean_and_error(one[name] for one in found) for name in found[0]}
        result = {
            "task": "composition",
            "pairs": len(found),
            "auc": {name: round(means[name][0], 4) for name in ("sum", "first", "second")},
            "rho": round(means["rho"][0], 4),
            "sum_is_better_than_both": statistics.fmean(
                one["sum"] > max(one["first"], one["second"]) for one in found
            ),
            "seed": options["seed"],
            "run": str(folder),
            "seconds": round(time.perf_counter() - began, 1),
        }
        more = {"settings": report.plain(options), "rows": rows, "errors": means, "all": found}
        report.write_json(folder, {**result, **more})
    click.echo(report.markdown(rows, list(rows[0])))
    print_result(result)


def measure(
    folder: Path, options: dict[str, Any], further: dict[str, str], pairs: list[tuple[str, ...]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(what is near each sum, what each drawn pair gave)."""
    import composition_measure
    import pos_data

    from dynotes.corpora.token_store import store_tokens

    text, run = folder / "text.txt", folder / "skipgram"
    if not text.is_file():
        named = options["text"]
        data = pos_data.real_data(options["data_dir"]) if named in pos_data.TEXTS else Path()
        pos_data.write_text(text, [pos_data.lines_of(named, data)])
    settings = {"train": text, "window": options["window"], "seed": options["seed"], "lower": True}
    trainings.summary_of(run, "word2vec.py", trainings.options({**settings, **further}))
    space = composition_measure.read_space(run)
    least = int(further.get("min_count", 5))
    tokens = store_tokens(text, folder / "tokens", min_count=least, lower=True)
    if list(tokens.vocabulary.words) != space.inputs.words:
        raise Failure(f"{run}: not trained on the words of {text}")
    found = composition_measure.sample_of_pairs(
        space, tokens, options["pairs"], options["ranks"], options["window"], options["seed"]
    )
    return [composition_measure.described(space, p, options["top"]) for p in pairs], found


if __name__ == "__main__":
    main()
