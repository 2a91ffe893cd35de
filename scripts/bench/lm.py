#!/usr/bin/env python
"""Speed of the LSTM language model beside the same model in PyTorch on the CPU.

    python scripts/bench/lm.py

Both sides get the same words and the same initial parameters, run in turn in processes of their
own, and report the losses of their first windows: how far these differ stands beside the ratio.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from dynotes.command_line import DATA_DIR, clear_errors, print_result

SIZES = ("200x20x20", "650x20x35")
CORPORA = ("ptb_lm", "wikitext2")
HOGWILD_SIZE = (200, 20, 20)


class SizeType(click.ParamType):
    """``HxBxT``: three whole numbers >= 1."""

    name = "HxBxT"

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, ...]:
        parts = str(value).split("x")
        if len(parts) != 3 or not all(p.isdecimal() and int(p) >= 1 for p in parts):
            self.fail(f"expected HxBxT, three whole numbers >= 1, found {value!r}", param, context)
        return tuple(map(int, parts))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--size",
    "sizes",
    type=SizeType(),
    multiple=True,
    default=SIZES,
    show_default=True,
    metavar="HxBxT",
    help="Units, columns and steps of a window; repeatable.",
)
@click.option(
    "--words",
    type=click.IntRange(2),
    default=10000,
    show_default=True,
    metavar="N",
    help="Vocabulary of the invented text, whose frequencies are Zipf's.",
)
@click.option(
    "--corpus",
    type=click.Choice(CORPORA),
    default=None,
    metavar="|".join(CORPORA),
    help="A real text instead.  [default: invented; ptb_lm for --hogwild]",
)
@DATA_DIR
@click.option(
    "--rounds",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    metavar="N",
    help="Alternating runs of every side; 0 leaves out the comparison with PyTorch.",
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
    help="Our workers, and PyTorch's threads, in the parallel setting.",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="PYTHON",
    help="Interpreter with another build of DyNet, measured as well: one process, workers, "
    "and threads of the build's own; repeatable.",
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
    "--hogwild",
    is_flag=True,
    help="Also train an epoch in one process, with workers, and Hogwild (minutes each).",
)
@click.option(
    "--tokens",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Cut the training text of --hogwild.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, 2**32 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of text and parameters.",
)
def main(**options: Any) -> None:
    """Compare the language model's training speed with PyTorch's; the last line is JSON."""
    if not options["rounds"] and not options["hogwild"]:
        raise click.UsageError("--rounds 0 without --hogwild leaves nothing to do")
    options["python"] = sys.executable
    began = time.perf_counter()
    named = ("rounds", "processes", "torch_heap", "seed")
    result = {"task": "bench-lm", "machine": machine(), **{name: options[name] for name in named}}
    with clear_errors(), tempfile.TemporaryDirectory() as folder:
        if options["rounds"]:
            result["rows"] = measure_speed(Path(folder), options)
        if options["hogwild"]:
            result["hogwild"] = measure_epochs(Path(folder), options)
    print_result({**result, "seconds": round(time.perf_counter() - began, 1)})


def measure_speed(folder: Path, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the comparison with PyTorch; prints their table."""
    import lm_speed
    from lm_hogwild import read_corpus

    text = None
    if options["corpus"]:
        data = read_corpus(options["corpus"], options["data_dir"])
        text = lm_speed.Text(data.texts["train"].ids, len(data.vocabulary), data.eos_id)
    rows = lm_speed.side_by_side(folder, text, options, say)
    click.echo(lm_speed.as_table(rows))
    return rows


def measure_epochs(folder: Path, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the ways to use several processes; prints their table."""
    import lm_hogwild
    from lm_problem import Size

    path = folder / "text.npz"
    data = lm_hogwild.read_corpus(options["corpus"] or CORPORA[0], options["data_dir"])
    lm_hogwild.write_text(path, data, options["tokens"])
    size = Size(*HOGWILD_SIZE)
    sides = lm_hogwild.sides(
        path, size, python=options["python"], processes=options["processes"], seed=options["seed"]
    )
    rows = lm_hogwild.compare(sides, say)
    click.echo(lm_hogwild.as_table(rows))
    return rows


def machine() -> str:
    """Kind of processor and system."""
    return f"{platform.machine()} {platform.system()}"


def say(text: str) -> None:
    """A line of progress, on stderr."""
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
