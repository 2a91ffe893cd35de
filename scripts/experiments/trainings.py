"""Trainings by the project's own scripts as parts of an experiment.

Every training is a run in a folder of its own.  One that was finished is not run again, one that
was interrupted goes on, so an experiment can be stopped at any moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dynotes.command_line import Failure
from dynotes.corpora.atomic import atomic_write
from dynotes.training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "summary.json"


def summary_of(run: Path, script: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """The summary of a finished run; trains, or goes on training, where there is none.

    Args:
        run: its folder.
        script: "lm.py" or "word2vec.py".
        arguments: of ``train``, without --out and --resume.

    Raises:
        Failure: the script did not end well, or the run was interrupted.
    """
    if (run / SUMMARY).exists():
        return json.loads((run / SUMMARY).read_text(encoding="utf-8"))
    begun = RunFolder(run).config.exists()
    words = ["--resume", run] if begun else ["--out", run, *arguments]
    command = [script, "train", *map(str, words)]
    click.echo(f"{run.name}: scripts/{' '.join(command)}", err=True)
    last = ""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / script), *command[1:]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last = line
            if not line.startswith("{"):
                click.echo(line.rstrip(), err=True)
    if process.returncode:
        raise Failure(f"{run.name}: scripts/{script} ended with status {process.returncode}")
    atomic_write(run / SUMMARY, last.encode())
    return json.loads(last)


def options(values: Mapping[str, Any]) -> list[str]:
    """Settings as options of a command line: --name value, --name or --no-name for a switch."""
    found: list[str] = []
    for name, value in values.items():
        text = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{text}" if value else f"--no-{text}")
        else:
            found += [f"--{text}", str(value)]
    return found


def named(option: str, text: str) -> tuple[str, str]:
    """(name, value) of ``name=value``, given to an option; Failure for another form."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise Failure(f"{option}: expected NAME=VALUE, found {text!r}")
    return name, value


def predictions(run: Path) -> int:
    """How many losses a run of word2vec.py learned from, all epochs together."""
    lines = RunFolder(run).log.read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line)["predictions"] for line in lines)
