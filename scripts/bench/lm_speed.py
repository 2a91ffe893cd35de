"""The comparison with PyTorch: sizes x settings x engines, ratios and differences of the losses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lm_problem import ZIPF_WINDOWS, Size, task_of, write_problem, zipf_ids
from rounds import Result, Side, alternate, difference, median, ratios, speed, table

from dynotes.command_line import Failure

COMPARED = 10  # windows that warm up, and whose losses are compared
PEER = "torch"
KEPT_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}  # glibc's malloc


class Text(NamedTuple):
    """A text of ids below ``words``; ``start`` is read before its first word."""

    ids: np.ndarray
    words: int
    start: int


def require_torch(python: str) -> None:
    """Failure unless an interpreter can import PyTorch."""
    found = subprocess.run([python, "-c", "import numpy, torch"], capture_output=True, check=False)
    if found.returncode:
        raise Failure(
            f"{python} cannot import PyTorch: pip install 'dynotes[bench]', "
            "or name an interpreter that can by --torch-python"
        )


def side_by_side(
    folder: Path, text: Text | None, options: Mapping[str, Any], say: Callable[[str], None]
) -> list[Result]:
    """A row for every size, setting and engine.

    Args:
        folder: an empty folder for the problems.
        text: a real one, or None for an invented one of ``options["words"]`` words.
        options: those of ``lm.py``.
        say: called with a line after every run.
    """
    require_torch(options["torch_python"])
    rows = []
    for numbers in options["sizes"]:
        size = Size(*numbers)
        path = folder / f"{'x'.join(map(str, size))}.npz"
        _write(path, text or invented(size, options["words"], options["seed"]), size, options)
        for cores in (1, options["processes"]):
            say(f"{'x'.join(map(str, size))}, {cores} core(s)")
            found = alternate(sides_of(path, size, cores, options), options["rounds"], say)
            peer = found.pop(PEER)
            for name, ours in found.items():
                row = {"engine": name, **size._asdict(), "cores": cores}
                rows.append({**row, **row_of(ours, peer)})
    return rows


def invented(size: Size, words: int, seed: int) -> Text:
    """A text of independent words with Zipf's frequencies."""
    count = ZIPF_WINDOWS * size.batch * size.steps
    return Text(zipf_ids(np.random.default_rng(seed), count, words), words, 0)


def _write(path: Path, text: Text, size: Size, options: Mapping[str, Any]) -> None:
    write_problem(path, text.ids, text.start, text.words, size, options["seed"])


def sides_of(problem: Path, size: Size, cores: int, options: Mapping[str, Any]) -> list[Side]:
    """Ours, PyTorch, and ours with every other engine; these with threads of their own as well."""
    clock = {"warm_up": COMPARED, "seconds": options["seconds"]}
    ours = task_of(problem, size, {**clock, "processes": cores})
    alone = task_of(problem, size, {**clock, "processes": 1})
    peer = task_of(problem, size, {**clock, "threads": cores})
    heap = KEPT_HEAP if options["torch_heap"] == "kept" else {}
    sides = [
        Side("dynotes", options["python"], "lm_ours.py", ours),
        Side(PEER, options["torch_python"], "lm_torch.py", peer, cores, heap),
    ]
    for n, python in enumerate(options["engines"], 1):
        sides.append(Side(f"engine {n}", python, "lm_ours.py", ours))
        if cores > 1:
            sides.append(Side(f"engine {n}, threads", python, "lm_ours.py", alone, cores))
    return sides


def row_of(ours: Sequence[Result], peer: Sequence[Result]) -> Result:
    """Medians over the rounds, and the differences of the losses of the first."""
    by_round = ratios(ours, peer)
    summing = [r["sum_seconds"] / r["seconds"] for r in ours]
    mine, theirs = ours[0]["losses"], peer[0]["losses"]
    return {
        "version": ours[0]["version"],
        "peer": peer[0]["version"],
        "tokens_per_second": median([speed(r) for r in ours], 1),
        "peer_tokens_per_second": median([speed(r) for r in peer], 1),
        "ratio": median(by_round, 4),
        "ratio_low": round(min(by_round), 4),
        "ratio_high": round(max(by_round), 4),
        "cpu_ratio": median(ratios(ours, peer, "cpu_seconds"), 4),
        "sum_share": median(summing, 4),
        "loss_first": mine[0],
        "peer_loss_first": theirs[0],
        "difference_first": difference(mine[0], theirs[0]),
        "compared": len(mine),
        "loss_last": mine[-1],
        "peer_loss_last": theirs[-1],
        "difference_last": difference(mine[-1], theirs[-1]),
    }


def as_table(rows: Sequence[Result]) -> str:
    """The rows for a reader: ratios above 1 mean that ours is the faster."""
    head = (
        "size, cores, engine", "tokens/s", "torch's", "ratio", "low-high", "by CPU time", "summing",
        "loss 1", "differs", "loss k", "differs", "k",
    )  # fmt: skip
    return table(head, [_cells(row) for row in rows])


def _cells(row: Result) -> tuple[str, ...]:
    size = f"{row['hidden']}x{row['batch']}x{row['steps']}"
    return (
        f"{size}, {row['cores']}, {row['engine']}",
        f"{row['tokens_per_second']:.0f}",
        f"{row['peer_tokens_per_second']:.0f}",
        f"{row['ratio']:.2f}",
        f"{row['ratio_low']:.2f}-{row['ratio_high']:.2f}",
        f"{row['cpu_ratio']:.2f}",
        f"{100 * row['sum_share']:.1f}%",
        f"{row['loss_first']:.4f}",
        f"{row['difference_first']:.0e}",
        f"{row['loss_last']:.4f}",
        f"{row['difference_last']:.0e}",
        f"{row['compared']}",
    )
