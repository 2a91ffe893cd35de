"""The output-layer benchmark compares what it claims to compare: equal results, never a time."""

import json
import subprocess

import numpy as np
import pytest

from tests.reference.hierarchical import torch_adaptive_losses
from tests.scripts.test_bench import (
    BENCH,
    TORCH_PYTHON,
    bench_module,
    can_import_torch,
    run,
    torch_lstm,
    worker,
)

WORDS, CUTOFFS, DIV = 30, [8, 15], 2.0
TINY = ["--rounds", "1", "--seconds", "0.001", "--words", WORDS, "--size", "8x4x3"]
TINY += ["--corpus", "zipf", "--cutoffs", "8,15", "--div", DIV]


def test_help_needs_neither_torch_nor_dynet_nor_numpy():
    code = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(BENCH)!r})\n"
        "sys.modules.update(dict.fromkeys(['torch', 'dynet', '_dynet', 'numpy']))\n"
        "sys.argv = ['softmax.py', '--help']\n"
        f"runpy.run_path({str(BENCH / 'softmax.py')!r}, run_name='__main__')\n"
    )
    done = run("-c", code)
    assert done.returncode == 0
    assert "--torch-embedding" in done.stdout


def test_an_interpreter_without_torch_is_one_clear_line(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    done = run(BENCH / "softmax.py", *TINY, "--torch-python", bare)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "dynotes[bench]" in done.stderr


@pytest.mark.parametrize("cutoffs", ["", "5,5", "9,3", "0,4", "a", "4,"])
def test_cut_offs_that_do_not_rise_are_a_usage_error(cutoffs):
    done = run(BENCH / "softmax.py", "--cutoffs", cutoffs)
    assert done.returncode == 2
    assert "expected rising ids" in done.stderr


@pytest.fixture
def problem_task(tmp_path):
    problem, lm_problem = bench_module("softmax_problem"), bench_module("lm_problem")
    path, size = tmp_path / "problem.npz", lm_problem.Size(8, 4, 3)
    ids = lm_problem.zipf_ids(np.random.default_rng(1), 4 * 3 * 20 + 5, WORDS)
    problem.write_problem(path, ids, 0, WORDS, size, cutoffs=CUTOFFS, div=DIV, seed=1)
    clock = {"warm_up": 5, "seconds": 0.001, "processes": 1}
    layer = {"part": "layer", "softmax": "adaptive", "cutoffs": CUTOFFS, "div": DIV}
    return lm_problem, lm_problem.task_of(path, size, {**clock, **layer})


@pytest.mark.parametrize(
    ("cutoffs", "div", "message"),
    [
        ([8, WORDS], DIV, "must rise from 1 to 29"),
        ([8, 8], DIV, "must rise from 1 to 29"),
        ([8, 15], 4.0, "leave no dimension"),
    ],
)
def test_a_problem_without_such_a_layer_is_not_written(tmp_path, cutoffs, div, message):
    problem, lm_problem = bench_module("softmax_problem"), bench_module("lm_problem")
    ids, size = np.zeros(20, np.int32), lm_problem.Size(8, 4, 3)
    with pytest.raises(ValueError, match=message):
        problem.write_problem(
            tmp_path / "p.npz", ids, 0, WORDS, size, cutoffs=cutoffs, div=div, seed=1
        )
    assert not (tmp_path / "p.npz").exists()


def torch_losses(arrays, h, ids):
    """PyTorch's adaptive softmax on the parameters as PyTorch gets them; h (N, H)."""
    tails = [(arrays[f"project{j}"], arrays[f"tail{j}"]) for j in (1, 2)]
    return torch_adaptive_losses(
        h.astype(float), ids, CUTOFFS, WORDS, arrays["head"], arrays["head_b"], tails
    )


def test_our_loss_of_the_layer_is_that_of_pytorchs_equations(problem_task):
    lm_problem, task = problem_task
    arrays = lm_problem.read_problem(task["problem"])
    expected = torch_losses(arrays, arrays["h"].T, arrays["targets"][:3].ravel()).mean()
    found = worker("softmax_ours.py", task)
    np.testing.assert_allclose(found["losses"][0], expected, rtol=1e-6)
    assert found["tokens"] % (4 * 3) == 0


def test_our_loss_of_the_model_is_that_of_pytorchs_equations(problem_task):
    lm_problem, task = problem_task
    arrays = lm_problem.read_problem(task["problem"])
    forget = np.repeat([0.0, lm_problem.FORGET_BIAS, 0.0, 0.0], 8)
    wx, wh, b = (lm_problem.torch_gates(arrays[name]) for name in ("wx0", "wh0", "b0"))
    h = torch_lstm(arrays["embed"].astype(float)[arrays["inputs"][:3]], wx, wh, b, forget)
    expected = torch_losses(arrays, h.reshape(-1, 8), arrays["targets"][:3].ravel()).mean()
    found = worker("softmax_ours.py", {**task, "part": "lm"})
    np.testing.assert_allclose(found["losses"][0], expected, rtol=1e-6)


def test_the_full_softmax_is_over_its_own_table(problem_task):
    lm_problem, task = problem_task
    arrays = lm_problem.read_problem(task["problem"])
    scores = arrays["h"].T.astype(float) @ arrays["out"].T + arrays["out_b"]
    log_z = np.log(np.exp(scores).sum(axis=1))
    expected = (log_z - scores[np.arange(12), arrays["targets"][:3].ravel()]).mean()
    found = worker("softmax_ours.py", {**task, "softmax": "full"})
    np.testing.assert_allclose(found["losses"][0], expected, rtol=1e-6)


@pytest.mark.parametrize("part", ["layer", "lm"])
@pytest.mark.parametrize("softmax", ["adaptive", "full"])
def test_a_text_that_is_read_again_is_predicted_better(problem_task, part, softmax):
    _, task = problem_task
    losses = worker("softmax_ours.py", {**task, "part": part, "softmax": softmax, "warm_up": 40})
    first, again = np.split(np.array(losses["losses"]), 2)
    assert again.mean() < first.mean()


def test_two_processes_solve_the_same_problem_as_one(problem_task):
    _, task = problem_task
    model = {**task, "part": "lm"}
    one, two = (worker("softmax_ours.py", {**model, "processes": n}) for n in (1, 2))
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-6)


def test_a_text_that_is_not_there_is_invented(tmp_path):
    speed, lm_problem = bench_module("softmax_speed"), bench_module("lm_problem")
    name, text = speed.find_text(None, tmp_path, WORDS, 1, lm_problem.Size(8, 4, 3))
    assert name == "zipf"
    assert text.words == WORDS
    assert len(text.ids) == 100 * 4 * 3


needs_torch = pytest.mark.skipif(
    not can_import_torch(TORCH_PYTHON),
    reason="no PyTorch here (extra bench), none named by DYNOTES_TORCH_PYTHON",
)


@needs_torch
def test_ours_and_pytorch_have_equal_losses_before_and_after_training():
    done = run(BENCH / "softmax.py", *TINY, "--torch-python", TORCH_PYTHON)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["task"] == "bench-softmax"
    found = [(row["part"], row["cores"], row["times_full"] is None) for row in result["rows"]]
    assert found == [("layer", 1, False), ("lm", 1, False), ("lm", 2, True)]
    for row in result["rows"]:
        assert row["difference_first"] < 1e-6
        assert row["difference_last"] < 1e-5
        assert row["ratio"] > 0


@needs_torch
def test_pytorchs_sparse_gradients_are_clipped_like_its_dense_ones(problem_task):
    _, task = problem_task
    losses = []
    for embedding in ("dense", "sparse"):
        told = {**task, "part": "lm", "threads": 1, "warm_up": 30, "embedding": embedding}
        code = (
            f"import sys; sys.path.insert(0, {str(BENCH)!r}); import json, softmax_torch as side\n"
            "side.CLIP = 0.05\n"  # smaller than every gradient
            f"print(json.dumps(side.measure({told!r})))"
        )
        done = subprocess.run([TORCH_PYTHON, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        losses.append(json.loads(done.stdout.splitlines()[-1])["losses"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_predicted_and_measured_times_of_cut_offs_stand_side_by_side():
    tiny = ["--size", "64x4x3", "--words", 40, "--corpus", "zipf", "--windows", 1]
    choices = ["--cutoffs", "5,20", "--cutoffs", "9", "--cutoffs", "3,9,30"]
    done = run(BENCH / "softmax_clusters.py", *tiny, *choices)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [row["cutoffs"] for row in result["rows"]][:3] == [[5, 20], [9], [3, 9, 30]]
    assert len(result["rows"]) == 5
    for row in result["rows"]:
        assert min(row["milliseconds"], row["built_in"], row["calibrated"]) > 0
    assert set(result["rank_correlation"]) == {"built_in", "calibrated"}


@pytest.mark.parametrize(
    ("b", "expected"), [([10.0, 20.0, 90.0], 1.0), ([3.0, 2.0, 1.0], -1.0), ([2.0, 1.0, 3.0], 0.5)]
)
def test_the_rank_correlation_is_spearmans(b, expected):
    clusters = bench_module("softmax_clusters")
    assert clusters.rank_correlation([1.0, 5.0, 6.0], b) == pytest.approx(expected)
