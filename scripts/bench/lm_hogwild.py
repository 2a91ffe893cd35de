"""Which way of using two processes learns most in an epoch: one, merged workers, Hogwild."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np
from lm_problem import Size
from rounds import Result, Side, run_side, speed, table

SYNC_EVERY = (1, 5, 10, 20)


def write_text(path: Path, corpus: str, data_dir: Optional[Path], tokens: Optional[int]) -> int:
    """Store a known corpus as ids; returns the number of training words, cut to ``tokens``."""
    from dynotes.corpora import datasets
    from dynotes.training.lm_config import LmConfig
    from dynotes.training.lm_data import LmFiles, load_data

    files = datasets.lm_files(corpus, datasets.data_dir(data_dir))
    data = load_data(LmFiles(files["train"], files["valid"]), LmConfig())
    train = data.texts["train"].ids[:tokens]
    np.savez(
        path,
        train=train,
        dev=data.texts["dev"].ids,
        eos=np.int64(data.eos_id),
        words=np.int64(len(data.vocabulary)),
    )
    return len(train)


def sides(
    text: Path, size: Size, *, python: str, processes: int, seed: int
) -> list[tuple[str, dict[str, Any], Side]]:
    """(name, settings, program) of every way."""
    ways: list[tuple[str, dict[str, Any]]] = [
        ("one process", {"mode": "one", "processes": 1, "sync_every": 1, "merge_rate": 0.0})
    ]
    for rate in (float(processes), 1.0):
        for every in SYNC_EVERY:
            way = {"mode": "merged", "sync_every": every, "merge_rate": rate}
            ways.append((f"merged, rate {rate:g}, every {every}", {**way, "processes": processes}))
    shared = {"mode": "hogwild", "sync_every": 1, "merge_rate": 0.0, "processes": processes}
    ways.append(("Hogwild", shared))
    common = {"text": str(text), "seed": seed, **size._asdict()}
    return [
        (name, way, Side(name, python, "lm_epoch.py", {**common, **way})) for name, way in ways
    ]


def compare(
    text: Path,
    size: Size,
    *,
    python: str,
    processes: int,
    seed: int,
    say: Callable[[str], None],
) -> list[Result]:
    """An epoch of every way; a row each."""
    rows = []
    for name, way, side in sides(text, size, python=python, processes=processes, seed=seed):
        result = run_side(side)
        rows.append(
            {
                "name": name,
                **way,
                "tokens_per_second": round(speed(result), 1),
                "minutes": round(result["seconds"] / 60, 3),
                "cpu_minutes": round(result["cpu_seconds"] / 60, 3),
                "merge_share": round(result["merge_seconds"] / result["seconds"], 4),
                "train_perplexity": round(result["train_perplexity"], 3),
                "dev_perplexity": round(result["dev_perplexity"], 3),
            }
        )
        say(f"{name}: {rows[-1]['minutes']} min, dev perplexity {rows[-1]['dev_perplexity']}")
    return rows


def as_table(rows: list[Result]) -> str:
    """The rows for a reader."""
    head = ("one epoch", "tokens/s", "minutes", "merging", "dev perplexity")
    return table(
        head,
        [
            (
                row["name"],
                f"{row['tokens_per_second']:.0f}",
                f"{row['minutes']:.2f}",
                f"{100 * row['merge_share']:.1f}%",
                f"{row['dev_perplexity']:.2f}",
            )
            for row in rows
        ],
    )
