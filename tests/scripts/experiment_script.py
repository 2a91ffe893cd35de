"""The scripts of scripts/experiments in processes of their own, and what they write."""

import csv
import subprocess
import sys

from tests.scripts.lm_script import environment
from tests.training.small_lm import ROOT

FOLDER = ROOT / "scripts" / "experiments"


def run_script(folder, script, *arguments):
    """A finished process; warnings are errors, and there is no matplotlib."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / script), *map(str, arguments)],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def module(name):
    """A module of the folder, imported."""
    sys.path.insert(0, str(FOLDER))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(FOLDER))


def table(folder):
    """The rows of table.tsv."""
    with open(folder / "table.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
