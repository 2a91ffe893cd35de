"""scripts/lm.py inside this process, and in processes of its own."""

import importlib.util
import json
import os
import subprocess
import sys

from click.testing import CliRunner

from tests.training.small_lm import CLOCKS, ROOT, write_text

SCRIPT = ROOT / "scripts" / "lm.py"
SMALL = ["--hidden", "6", "--batch-size", "4", "--k1", "8", "--lr", "0.3", "--init", "uniform:0.3"]


def load():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("lm_script_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoke(*args):
    """(status, stdout, stderr) of a command run in this process."""
    try:
        runner = CliRunner(mix_stderr=False)
    except TypeError:  # click 8.2 never mixes them
        runner = CliRunner()
    result = runner.invoke(load().main, [str(a) for a in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def environment(folder):
    """One thread, this package; without matplotlib, whose import takes longer than these runs."""
    hidden = folder / "no-plots"
    hidden.mkdir(exist_ok=True)
    (hidden / "matplotlib.py").write_text("raise ImportError")
    path = os.pathsep.join(map(str, (hidden, ROOT)))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def start(folder, *args, **options):
    """A command in a process of its own, under warnings as errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), *map(str, args)],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(folder, *args, **options):
    """(status, stdout, stderr) of a command run in a process of its own."""
    process = start(folder, *args, **options)
    try:
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out, errors


def texts(folder, train=100, dev=40):
    """Options that name small texts."""
    write_text(folder / "train.txt", train, 1)
    write_text(folder / "dev.txt", dev, 2)
    return ["--train", folder / "train.txt", "--dev", folder / "dev.txt"]


def last_line(out):
    return json.loads(out.splitlines()[-1])


def log(folder):
    """The lines of log.jsonl without the times."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCKS} for line in lines]


def tree(folder):
    """Every file below a folder with its bytes, and every folder."""
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}
