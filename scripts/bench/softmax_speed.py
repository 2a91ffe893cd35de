"""The output-layer comparison: parts x cores x engines, ratios and differences of the losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from lm_problem import ZIPF_WINDOWS, Size, task_of, zipf_ids
from lm_speed import COMPARED, KEPT_HEAP, PEER, Text, require_torch
from rounds import Result, Side, alternate, difference, median, ratios, speed, table
from softmax_problem import write_problem

FULL = "full softmax"
FULL_WINDOWS = 3  # the full softmax is slow: it warms up for these only


def find_text(
    corpus: Optional[str], data_dir: Optional[Path], words: int, seed: int, size: Size
) -> tuple[str, Text]:
    """(name, text): WikiText-2 where it is there and nothing else was asked for, else Zipf's.

    Raises:
        InputError: a corpus that was asked for is not there.
    """
    from dynotes.corpora import datasets

    folder = datasets.data_dir(data_dir)
    if corpus is None:
        there = folder is not None and (folder / "wikitext2").is_dir()
        corpus = "wikitext2" if there else "zipf"
    if corpus == "zipf":
        count = ZIPF_WINDOWS * size.batch * size.steps
        return corpus, Text(zipf_ids(np.random.default_rng(seed), count, words), words, 0)
    from lm_hogwild import read_corpus

    data = read_corpus(corpus, data_dir)
    return corpus, Text(data.texts["train"].ids, len(data.vocabulary), data.eos_id)


def side_by_side(
    folder: Path, text: Text, size: Size, options: Mapping[str, Any], say: Callable[[str], None]
) -> list[Result]:
    """A row for every part, number of cores and engine.

    Args:
        folder: an empty folder for the problem.
        text: what is read.
        size: H, B, T.
        options: those of ``softmax.py``.
        say: called with a line after every run.
    """
    require_torch(options["torch_python"])
    path = folder / "problem.npz"
    layer = {"cutoffs": list(options["cutoffs"]), "div": options["div"]}
    write_problem(path, text.ids, text.start, text.words, size, seed=options["seed"], **layer)
    task = task_of(path, size, {**layer, "warm_up": COMPARED, "seconds": options["seconds"]})
    rows = []
    for part, cores in settings(options):
        say(f"{part}, {cores} core(s)")
        found = alternate(sides_of(task, part, cores, options), options["rounds"], say)
        peer, full = found.pop(PEER), found.pop(FULL, None)
        for name, ours in found.items():
            row = {"part": part, "engine": name, **size._asdict(), "cores": cores}
            rows.append({**row, **row_of(ours, peer, full if name == "dynotes" else None)})
    return rows


def settings(options: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(part, cores): the layer alone on one core, the model on one and on several."""
    found = []
    for part in options["parts"]:
        found += [(part, 1)] + ([(part, options["processes"])] if part == "lm" else [])
    return found


def sides_of(
    task: Mapping[str, Any], part: str, cores: int, options: Mapping[str, Any]
) -> list[Side]:
    """Ours, PyTorch, ours with every other engine; on one core, ours with a full softmax as well.

    On several cores the other engines also run with threads of their own.
    """
    ours = {**task, "part": part, "softmax": "adaptive", "processes": cores}
    peer = {**task, "part": part, "threads": cores, "embedding": options["torch_embedding"]}
    heap = KEPT_HEAP if options["torch_heap"] == "kept" else {}
    sides = [
        Side("dynotes", options["python"], "softmax_ours.py", ours),
        Side(PEER, options["torch_python"], "softmax_torch.py", peer, cores, heap),
    ]
    for n, python in enumerate(options["engines"], 1):
        sides.append(Side(f"engine {n}", python, "softmax_ours.py", ours))
        if cores > 1:
            alone = {**ours, "processes": 1}
            sides.append(Side(f"engine {n}, threads", python, "softmax_ours.py", alone, cores))
    if cores == 1:
        full = {**ours, "softmax": "full", "warm_up": FULL_WINDOWS}
        sides.append(Side(FULL, options["python"], "softmax_ours.py", full))
    return sides


def row_of(
    ours: Sequence[Result], peer: Sequence[Result], full: Optional[Sequence[Result]]
) -> Result:
    """Medians over the rounds, and the differences of the losses of the first."""
    by_round = ratios(ours, peer)
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
        "sum_share": median([r["sum_seconds"] / r["seconds"] for r in ours], 4),
        "times_full": None if full is None else median(ratios(ours, full), 2),
        "loss_first": mine[0],
        "difference_first": difference(mine[0], theirs[0]),
        "compared": len(mine),
        "loss_last": mine[-1],
        "difference_last": difference(mine[-1], theirs[-1]),
    }


def as_table(rows: Sequence[Result]) -> str:
    """The rows for a reader: ratios above 1 mean that ours is the faster."""
    head = (
        "part, cores, engine", "tokens/s", "torch's", "ratio", "low-high", "by CPU time",
        "summing", "times our full softmax", "loss 1", "differs", "loss k", "differs", "k",
    )  # fmt: skip
    return table(head, [_cells(row) for row in rows])


def _cells(row: Result) -> tuple[str, ...]:
    return (
        f"{row['part']}, {row['cores']}, {row['engine']}",
        f"{row['tokens_per_second']:.0f}",
        f"{row['peer_tokens_per_second']:.0f}",
        f"{row['ratio']:.2f}",
        f"{row['ratio_low']:.2f}-{row['ratio_high']:.2f}",
        f"{row['cpu_ratio']:.2f}",
        f"{100 * row['sum_share']:.1f}%",
        "" if row["times_full"] is None else f"{row['times_full']:.1f}",
        f"{row['loss_first']:.4f}",
        f"{row['difference_first']:.0e}",
        f"{row['loss_last']:.4f}",
        f"{row['difference_last']:.0e}",
        f"{row['compared']}",
    )
