"""scripts/word2vec.py in processes of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.training.word2vec.small_word2vec import write_text

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "word2vec.py"
SMALL = ["--dim", "6", "--epochs", "2", "--chunk", "50", "--min-count", "1", "--shared", "8"]


def load():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("word2vec_script_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(*args, **options):
    """A command in a process of its own, under warnings as errors, without the real corpora."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), *map(str, args)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(*args):
    """(status, stdout, stderr) of a command."""
    process = start(*args)
    try:
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out, errors


def text(folder):
    """Options that name a small text."""
    return ["--train", write_text(folder / "text.txt")]


def last_line(out):
    return json.loads(out.splitlines()[-1])
