"""Timing several programs side by side: subprocesses in turn, medians of the ratios of a round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from dynotes.command_line import Failure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Result = dict[str, Any]


class Side(NamedTuple):
    """One of the programs compared.

    script: a file of this folder that takes a task as JSON and ends with one line of JSON.
    """

    name: str
    python: str
    script: str
    task: Mapping[str, Any]
    threads: int = 1
    environment: Mapping[str, str] = {}


def run_side(side: Side) -> Result:
    """Run a side once, in its own process with its number of threads.

    Raises:
        Failure: it did not end well; the message is the last line it wrote.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **side.environment}
    variables |= dict.fromkeys(THREAD_VARIABLES, str(side.threads))
    command = [side.python, str(HERE / side.script), json.dumps(dict(side.task))]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failure(f"{side.name} ({side.python}, {side.script}): {said[-1]}")
    return json.loads(lines[-1])


def alternate(
    sides: Sequence[Side], rounds: int, say: Callable[[str], None]
) -> dict[str, list[Result]]:
    """Run all sides in turn, ``rounds`` times; the results of each by its name, in that order."""
    found: dict[str, list[Result]] = {side.name: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            result = run_side(side)
            found[side.name].append(result)
            say(f"round {number}/{rounds}  {side.name}: {speed(result):.0f} tokens/s")
    return found


def speed(result: Result, clock: str = "seconds") -> float:
    """Tokens a second of the clock (``seconds``) or of all cores' work (``cpu_seconds``)."""
    return result["tokens"] / max(result[clock], 1e-9)


def ratios(ours: Sequence[Result], peer: Sequence[Result], clock: str = "seconds") -> list[float]:
    """Our speed over the peer's, round by round."""
    return [speed(a, clock) / speed(b, clock) for a, b in zip(ours, peer)]


def median(values: Sequence[float], digits: Optional[int] = None) -> float:
    """The median, rounded if asked for."""
    middle = statistics.median(values)
    return middle if digits is None else round(middle, digits)


def difference(value: float, reference: float) -> float:
    """|value - reference| / |reference|."""
    return abs(value - reference) / max(abs(reference), 1e-30)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first aligned left and the others right."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
