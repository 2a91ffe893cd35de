"""The word2vec benchmark trains what it says, on the same words on both sides; never a time."""

import json
import os
import subprocess
import sys

import pytest

from tests.scripts.word2vec_script import ROOT
from tests.training.word2vec.small_word2vec import write_text

BENCH = ROOT / "scripts" / "bench"
PEER = os.environ.get("DYNOTES_GENSIM_PYTHON", sys.executable)


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True
    )


def test_help_needs_neither_gensim_nor_dynet_nor_numpy():
    code = (
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(['gensim', 'dynet', '_dynet', 'numpy']))\n"
        "sys.argv = ['word2vec.py', '--help']\n"
        f"runpy.run_path({str(BENCH / 'word2vec.py')!r}, run_name='__main__')\n"
    )
    done = run("-c", code)
    assert done.returncode == 0
    assert "--gensim-python" in done.stdout


def task(folder, **more):
    settings = {
        **{"model": "skipgram", "dim": 6, "window": 2, "min_count": 1, "negatives": 3},
        **{"power": 0.75, "subsample": 0.0, "lr": 0.05, "peer_lr": 0.05, "processes": 1},
        **{"epochs": 2, "seed": 1, "shared": 8, "chunk": 50, "damping": 0.25},
        **{"minn": 3, "maxn": 6, "buckets": 2_000_000},
        **{"text": str(write_text(folder / "text.txt")), "vectors": str(folder / "v.bin")},
    }
    return json.dumps({**settings, **more})


@pytest.mark.parametrize("model", ["skipgram", "subword"])
def test_our_side_counts_the_words_of_all_epochs_and_writes_vectors(tmp_path, model):
    done = run(BENCH / "word2vec_ours.py", task(tmp_path, model=model))
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["tokens"], result["words"]) == (2 * 120 * 9, 12)
    assert (tmp_path / "v.bin").stat().st_size > 12 * 6 * 4


@pytest.mark.parametrize("model", ["skipgram", "subword"])
def test_the_peer_counts_the_same_words(tmp_path, model):
    if subprocess.run([PEER, "-c", "import gensim"], capture_output=True).returncode:
        pytest.skip("no gensim; name an interpreter that has it by DYNOTES_GENSIM_PYTHON")
    done = subprocess.run(
        [PEER, str(BENCH / "word2vec_gensim.py"), task(tmp_path, model=model, buckets=1000)],
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["tokens"], result["words"]) == (2 * 120 * 9, 12)


def test_an_interpreter_without_gensim_is_one_clear_line(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho 'No module named gensim' >&2\nexit 1\n")
    bare.chmod(0o755)
    arguments = ["--gensim-python", bare, "--corpus", "toy", "--rounds", "1", "--epochs", "1",
                 "--dim", "2", "--window", "1"]  # fmt: skip
    done = run(BENCH / "word2vec.py", *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: gensim (")
    assert "Traceback" not in done.stderr
