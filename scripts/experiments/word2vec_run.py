"""A run of scripts/word2vec.py inside an experiment: trained once, then only read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dynotes.command_line import Failure
from dynotes.corpora.atomic import atomic_write
from dynotes.training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "summary.json"


def trained(run: Path, arguments: Sequence[Any]) -> dict[str, Any]:
    """The summary of a finished run; trains, or goes on training, where there is none.

    Args:
        run: its folder.
        arguments: options of ``scripts/word2vec.py train``, without the folder.

    Raises:
        Failure: the script did not end well, or was interrupted.
    """
    if (run / SUMMARY).exists():
        return json.loads((run / SUMMARY).read_text(encoding="utf-8"))
    resumed = RunFolder(run).checkpoint.exists()
    options = ["--resume", run] if resumed else ["--out", run, *arguments]
    command = [sys.executable, ROOT / "scripts" / "word2vec.py", "train", *options]
    click.echo(f"scripts/word2vec.py train {' '.join(map(str, options))}", err=True)
    last = ""
    with subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last = line
            if not line.startswith("{"):
                click.echo(line.rstrip(), err=True)
    if process.returncode:
        raise Failure(f"{run}: scripts/word2vec.py ended with status {process.returncode}")
    atomic_write(run / SUMMARY, last.encode())
    return json.loads(last)
