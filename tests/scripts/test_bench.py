"""The benchmarks compare what they claim to compare: equal results, never a time."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"
TORCH_PYTHON = os.environ.get("DYNOTES_TORCH_PYTHON", sys.executable)
TINY = ["--rounds", "1", "--seconds", "0.001", "--words", "30", "--size", "8x4x3"]


def run(*arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True
    )


def can_import_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def test_help_needs_neither_torch_nor_dynet_nor_numpy():
    code = (
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'dynet', '_dynet', 'numpy']))\n"
        "sys.argv = ['lm.py', '--help']\n"
        f"runpy.run_path({str(BENCH / 'lm.py')!r}, run_name='__main__')\n"
    )
    done = run("-c", code)
    assert done.returncode == 0
    assert "--torch-python" in done.stdout


def test_an_interpreter_without_torch_is_one_clear_line(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    done = run(BENCH / "lm.py", *TINY, "--torch-python", bare)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "dynotes[bench]" in done.stderr


def test_nothing_to_do_is_said():
    done = run(BENCH / "lm.py", "--rounds", "0")
    assert done.returncode == 2
    assert "leaves nothing to do" in done.stderr


def bench_module(name):
    sys.path.insert(0, str(BENCH))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(BENCH))


def torch_lstm(x, wx, wh, b, forget):
    """PyTorch's documented LSTM: gates i, f, g, o; x (T, B, I) -> (T, B, H)."""
    hidden = wh.shape[1]
    h = c = np.zeros((x.shape[1], hidden))
    outputs = []
    for x_t in x:
        i, f, g, o = np.split(x_t @ wx.T + h @ wh.T + b + forget, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(h)
    return np.array(outputs)


def torch_loss(problem, arrays, steps):
    """Nats a word of the first window, from the parameters as PyTorch gets them."""
    hidden = arrays["wh0"].shape[1]
    forget = np.repeat([0.0, problem.FORGET_BIAS, 0.0, 0.0], hidden)
    h = arrays["embed"].astype(float)[arrays["inputs"][:steps]]
    for n in range(problem.LAYERS):
        wx, wh, b = (problem.torch_gates(arrays[f"{name}{n}"]) for name in ("wx", "wh", "b"))
        h = torch_lstm(h, wx, wh, b, forget)
    scores = h @ arrays["out"].T.astype(float) + arrays["out_b"]
    log_z = np.log(np.exp(scores).sum(axis=2))
    targets = arrays["targets"][:steps]
    return (log_z - np.take_along_axis(scores, targets[..., None], axis=2)[..., 0]).mean()


@pytest.fixture
def problem_task(tmp_path):
    problem = bench_module("lm_problem")
    path, size = tmp_path / "problem.npz", problem.Size(8, 4, 3)
    ids = problem.zipf_ids(np.random.default_rng(1), 4 * 3 * 20 + 5, 30)
    problem.write_problem(path, ids, 0, 30, size, 1)
    return problem, problem.task_of(path, size, {"warm_up": 5, "seconds": 0.001})


def worker(script, task):
    done = run(BENCH / script, json.dumps(task))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_our_loss_is_that_of_pytorchs_equations_on_the_converted_parameters(problem_task):
    problem, task = problem_task
    ours = worker("lm_ours.py", {**task, "processes": 1})
    expected = torch_loss(problem, problem.read_problem(task["problem"]), steps=3)
    np.testing.assert_allclose(ours["losses"][0], expected, rtol=1e-6)


def test_two_processes_solve_the_same_problem_as_one(problem_task):
    _, task = problem_task
    one, two = (worker("lm_ours.py", {**task, "processes": n}) for n in (1, 2))
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-6)
    assert one["losses"][-1] < one["losses"][0]
    assert two["tokens"] % (4 * 3) == 0


@pytest.mark.skipif(
    not can_import_torch(TORCH_PYTHON),
    reason="no PyTorch here (extra bench), none named by DYNOTES_TORCH_PYTHON",
)
def test_ours_and_pytorch_have_equal_losses_before_and_after_training():
    done = run(BENCH / "lm.py", *TINY, "--torch-python", TORCH_PYTHON)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["task"] == "bench-lm"
    assert [row["cores"] for row in result["rows"]] == [1, 2]
    for row in result["rows"]:
        assert row["difference_first"] < 1e-6
        assert row["difference_last"] < 1e-5
        assert row["loss_last"] < row["loss_first"]
        assert row["ratio"] > 0


def test_hogwild_shares_the_parameters_of_its_processes(tmp_path):
    """Both parts of the text repeat another word; only a model that saw both predicts both."""
    text = np.repeat(np.array([1, 2], np.int32), 600)
    path = tmp_path / "text.npz"
    np.savez(path, train=text, dev=np.array([1, 1, 2, 2] * 10, np.int32), eos=0, words=20)
    task = {"text": str(path), "hidden": 8, "batch": 4, "steps": 5, "seed": 1, "processes": 2}
    result = worker("lm_epoch.py", {**task, "mode": "hogwild"})
    assert result["tokens"] == len(text)
    assert result["dev_perplexity"] < 50  # 12 to 27 shared, 78 to 91 private (6 seeds each)


def test_the_ways_of_hogwild_are_measured_on_a_real_corpus_cut_short(tmp_path):
    folder = tmp_path / "ptb_lm"
    folder.mkdir()
    lines = "".join(f"a b c {'d' * (n % 3 + 1)}\n" for n in range(120))
    (folder / "ptb.train.txt.gz").write_bytes(gzip.compress(lines.encode()))
    for part in ("valid", "test"):
        (folder / f"ptb.{part}.txt").write_text(lines[:200])
    more = ["--rounds", "0", "--hogwild", "--data-dir", tmp_path, "--tokens", "400"]
    done = run(BENCH / "lm.py", *more)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["hogwild"]
    assert [row["mode"] for row in rows] == ["summed"] * 3 + ["hogwild"] * 2
    assert all(row["dev_perplexity"] > 1 for row in rows)
