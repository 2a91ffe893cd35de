"""Which way of using several processes learns most: summed gradients or Hogwild, an epoch each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from lm_problem import Size
from rounds import Result, Side, run_side, speed, table

from dynotes.corpora import datasets
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_data import LmData, LmFiles, load_data


def read_corpus(corpus: str, data_dir: Optional[Path]) -> LmData:
    """A known corpus as ids, its vocabulary that of the training text.

    Raises:
        InputError: it is not there, or not as expected.
    """
    files = datasets.lm_files(corpus, datasets.data_dir(data_dir))
    return load_data(LmFiles(files["train"], files["valid"]), LmConfig())


def write_text(path: Path, data: LmData, tokens: Optional[int] = None) -> None:
    """Store the ids for ``lm_epoch.py``, the training text cut to ``tokens``."""
    np.savez(
        path,
        train=data.texts["train"].ids[:tokens],
        dev=data.texts["dev"].ids,
        eos=np.int64(data.eos_id),
        words=np.int64(len(data.vocabulary)),
    )


def sides(
    text: Path, size: Size, *, python: str, processes: int, seed: int
) -> list[tuple[dict[str, Any], Side]]:
    """(settings, program) of every way of training."""
    less, more = max(1, size.batch // processes), size.batch * processes
    one = {"mode": "summed", "processes": 1, "batch": size.batch}
    summed = {**one, "processes": processes}
    hogwild = {**summed, "mode": "hogwild"}
    ways = {
        "one process": one,
        f"{processes} workers, batch {size.batch} in all": summed,
        f"{processes} workers, batch {more} in all": {**summed, "batch": more},
        f"Hogwild, batch {less} each": {**hogwild, "batch": less},
        f"Hogwild, batch {size.batch} each": hogwild,
    }
    common = {"text": str(text), "seed": seed, **size._asdict()}
    return [
        (way, Side(name, python, "lm_epoch.py", {**common, **way})) for name, way in ways.items()
    ]


def compare(
    ways: Sequence[tuple[dict[str, Any], Side]], say: Callable[[str], None]
) -> list[Result]:
    """An epoch of every way; a row each."""
    rows = []
    for way, side in ways:
        result = run_side(side)
        row = {
            "name": side.name,
            **way,
            "tokens_per_second": round(speed(result), 1),
            "minutes": round(result["seconds"] / 60, 4),
            "cpu_minutes": round(result["cpu_seconds"] / 60, 4),
            "sum_share": round(result["sum_seconds"] / result["seconds"], 4),
            "train_perplexity": round(result["train_perplexity"], 3),
            "dev_perplexity": round(result["dev_perplexity"], 3),
        }
        say(f"{side.name}: {row['minutes']:.2f} min, dev perplexity {row['dev_perplexity']:.2f}")
        rows.append(row)
    return rows


def as_table(rows: list[Result]) -> str:
    """The rows for a reader."""
    head = ("one epoch", "tokens/s", "minutes", "summing", "dev perplexity")
    return table(
        head,
        [
            (
                row["name"],
                f"{row['tokens_per_second']:.0f}",
                f"{row['minutes']:.2f}",
                f"{100 * row['sum_share']:.1f}%",
                f"{row['dev_perplexity']:.2f}",
            )
            for row in rows
        ],
    )
