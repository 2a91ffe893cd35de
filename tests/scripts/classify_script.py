"""scripts/classify.py in processes of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.training.classify.small_classify import write_texts

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "classify.py"
SMALL = ["--dim", "5", "--epochs", "12", "--batch", "7", "--word-ngrams", "2", "--bucket", "300"]


def load():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("classify_script_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(*args, **options):
    """A command in a process of its own, under warnings as errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(*args, stdin=None):
    """(status, stdout, stderr) of a command."""
    process = start(*args, stdin=subprocess.PIPE)
    try:
        out, errors = process.communicate(stdin, timeout=300)
    finally:
        process.kill()
    return process.returncode, out, errors


def texts(folder, **options):
    """Options that name small labelled texts."""
    return ["--train", write_texts(folder / "texts.txt", **options)]


def last_line(out):
    return json.loads(out.splitlines()[-1])
