#!/usr/bin/env python
"""Speed of the LSTM language model beside the same model in PyTorch on the CPU.

    python scripts/bench/lm.py

Both sides get the same words and the same initial parameters, run in turn in processes of their
own, and report the losses of their first windows: how far these differ stands beside the ratio.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dynotes.command_line import FILE, Failure, clear_errors, print_result

SIZES = ("200x20x20", "650x20x35")
CORPORA = ("ptb_lm", "wikitext2")
COMPARED = 10  # windows whose losses are compared


class SizeType(click.ParamType):
    """``HxBxT``: three whole numbers >= 1."""

    name = "HxBxT"

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, ...]:
        parts = str(value).split("x")
        if len(parts) != 3 or not all(p.isdecimal() and int(p) >= 1 for p in parts):
            self.fail(f"expected HxBxT, three whole numbers >= 1, found {value!r}", param, context)
        return tuple(map(int, parts))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--size", "sizes", type=SizeType(), multiple=True, default=SIZES, show_default=True,
              metavar="HxBxT", help="Units, columns and steps of a window; repeatable.")
@click.option("--words", type=click.IntRange(2), default=10000, show_default=True, metavar="N",
              help="Vocabulary of the invented text, whose frequencies are Zipf's.")
@click.option("--corpus", type=click.Choice(CORPORA), default=None, metavar="|".join(CORPORA),
              help="A real text instead.  [default: invented; ptb_lm for --hogwild]")
@click.option("--data-dir", type=FILE, metavar="DIR",
              help="Folder of the real corpora.  [default: $DYNOTES_DATA, else ../shared/data]")
@click.option("--rounds", type=click.IntRange(0), default=5, show_default=True, metavar="N",
              help="Alternating runs of every side; 0 leaves out the comparison with PyTorch.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True,
              metavar="X", help="Timed in every run, after warming up.")
@click.option("--processes", type=click.IntRange(2, 256), default=2, show_default=True, metavar="N",
              help="Our workers, and PyTorch's threads, in the parallel setting.")
@click.option("--sync-every", type=click.IntRange(1), default=None, metavar="N",
              help="Updates between two merges of our workers.  [default: as in training]")
@click.option("--engine", "engines", multiple=True, metavar="PYTHON",
              help="Interpreter with another build of DyNet, measured as well; repeatable.")
@click.option("--torch-python", default=sys.executable, envvar="DYNOTES_TORCH_PYTHON",
              metavar="PYTHON", help="Interpreter with PyTorch.  [default: this one]")
@click.option("--torch-heap", type=click.Choice(["kept", "system"]), default="kept",
              show_default=True, metavar="kept|system",
              help="Let PyTorch keep freed memory, which is faster, or as installed.")
@click.option("--hogwild", is_flag=True,
              help="Also train an epoch in one process, merged workers and Hogwild (minutes each).")
@click.option("--tokens", type=click.IntRange(1), default=None, metavar="N",
              help="Cut the training text of --hogwild.")
@click.option("--seed", type=click.IntRange(1, 2**32 - 1), default=1, show_default=True,
              metavar="N", help="Of text and parameters.")
def main(**options: Any) -> None:
    """Compare the language model's training speed with PyTorch's; the last line is JSON."""
    if not options["rounds"] and not options["hogwild"]:
        raise click.UsageError("--rounds 0 without --hogwild leaves nothing to do")
    began = time.perf_counter()
    with clear_errors(), tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {"task": "bench-lm", "machine": platform.machine(), **{
            name: options[name] for name in ("rounds", "processes", "torch_heap", "seed")
        }}  # fmt: skip
        if options["rounds"]:
            result["rows"] = side_by_side(Path(folder), options)
        if options["hogwild"]:
            result["hogwild"] = hogwild(Path(folder), options)
    print_result({**result, "seconds": round(time.perf_counter() - began, 1)})
