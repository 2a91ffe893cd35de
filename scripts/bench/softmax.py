#!/usr/bin/env python
"""Speed of the adaptive softmax beside PyTorch's on the CPU, alone and inside a language model.

    python scripts/bench/softmax.py

Both sides get the same cut-offs, parameters, vectors and words, run in turn in processes of their
own, and report the losses of their first windows: how far these differ stands beside the ratio.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from lm import SizeType, machine, say

from dynotes.command_line import DATA_DIR, clear_errors, print_result

PARTS = ("layer", "lm")
CORPORA = ("wikitext2", "ptb_lm", "zipf")


class CutoffsType(click.ParamType):
    """``2000,10000``: rising whole numbers >= 1."""

    name = "ID,ID"

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        ids = [int(p) if p.isascii() and p.isdecimal() else 0 for p in parts]
        if any(a >= b for a, b in zip([0, *ids], ids)):
            self.fail(f"expected rising ids >= 1, as 2000,10000, found {value!r}", param, context)
        return tuple(ids)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=PARTS,
    show_default=True,
    metavar="|".join(PARTS),
    help="The output layer alone, or a step of an LSTM language model; repeatable.",
)
@click.option(
    "--size",
    type=SizeType(),
    default="256x20x35",
    show_default=True,
    metavar="HxBxT",
    help="Units, columns and steps of a window.",
)
@click.option(
    "--cutoffs",
    type=CutoffsType(),
    default="2000,10000",
    show_default=True,
    metavar="ID,ID",
    help="First ids of the tails.",
)
@click.option(
    "--div",
    type=click.FloatRange(1),
    default=4.0,
    show_default=True,
    metavar="X",
    help="Every tail's vectors are so much shorter than those of the one before.",
)
@click.option(
    "--corpus",
    type=click.Choice(CORPORA),
    default=None,
    metavar="|".join(CORPORA),
    help="The words.  [default: wikitext2 where it is there, else zipf]",
)
@click.option(
    "--words",
    type=click.IntRange(2),
    default=33278,
    show_default=True,
    metavar="N",
    help="Vocabulary of zipf.",
)
@DATA_DIR
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Alternating runs of every side.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="X",
    help="Timed in every run, after warming up.",
)
@click.option(
    "--processes",
    type=click.IntRange(2, 256),
    default=2,
    show_default=True,
    metavar="N",
    help="Our workers, and PyTorch's threads, in the parallel setting of lm.",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="PYTHON",
    help="Interpreter with another build of DyNet, measured as well; repeatable.",
)
@click.option(
    "--torch-python",
    default=sys.executable,
    envvar="DYNOTES_TORCH_PYTHON",
    metavar="PYTHON",
    help="Interpreter with PyTorch.  [default: this one]",
)
@click.option(
    "--torch-heap",
    type=click.Choice(["kept", "system"]),
    default="kept",
    show_default=True,
    metavar="kept|system",
    help="Let PyTorch keep freed memory, which is faster, or as installed.",
)
@click.option(
    "--torch-embedding",
    type=click.Choice(["dense", "sparse"]),
    default="sparse",
    show_default=True,
    metavar="dense|sparse",
    help="Gradient of PyTorch's input table: as usual, or of the words at hand, which is faster.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of words, vectors and parameters.",
)
def main(**options: Any) -> None:
    """Compare the adaptive softmax's training speed with PyTorch's; the last line is JSON."""
    options["python"] = sys.executable
    began = time.perf_counter()
    named = ("cutoffs", "div", "rounds", "processes", "torch_heap", "torch_embedding", "seed")
    result = {"task": "bench-softmax", "machine": machine(), **{n: options[n] for n in named}}
    with clear_errors(), tempfile.TemporaryDirectory() as folder:
        import softmax_speed
        from lm_problem import Size

        size = Size(*options["size"])
        read = ("corpus", "data_dir", "words", "seed")
        name, text = softmax_speed.find_text(*(options[n] for n in read), size)
        rows = softmax_speed.side_by_side(Path(folder), text, size, options, say)
        click.echo(softmax_speed.as_table(rows))
        result |= {"corpus": name, "words": text.words, "rows": rows}
    print_result({**result, "seconds": round(time.perf_counter() - began, 1)})


if __name__ == "__main__":
    main()
