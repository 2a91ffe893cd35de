"""Every case runs in a process of its own, which forks the workers and reports as JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from dynotes.training.workers import GradientSum, Workers, shared_array

HEAD = """
import json, os, signal, sys, time
import numpy as np
from dynotes import runtime
runtime.start(mem="4")  # zeroing DyNet's default of 512 MB takes longer than the test
from dynotes.training.workers import GradientSum, WorkerError, Workers

folder = sys.argv[1]

def put(name, value):
    with open(os.path.join(folder, name), "w") as file:
        json.dump(value, file)

def gradient(rank, step, size):
    "what a worker adds at a step"
    return np.random.default_rng((rank, step, size)).normal(size=size).astype(np.float32)
"""


def script(body, folder, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", HEAD + body, str(folder)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def result_of(body, folder):
    """Exit status and everything the workers reported, by name."""
    process = script(body, folder)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    reports = {p.name: json.loads(p.read_text()) for p in folder.iterdir()}
    return process.returncode, reports, errors


SUM = """
n = {n}
dense = [np.zeros(size, np.float32) for size in (3, 70001)]
table = np.full((6, 4), 7.0, np.float32)
workers = Workers(n)
sums = GradientSum(workers, dense, {{"t": table}})
with workers.running():
    for step in range(3):
        for view in dense:
            view[:] = gradient(workers.rank, step, view.size)
        table[:] = 7.0
        table[[1, 4]] = gradient(workers.rank, step, 8).reshape(2, 4)
        sums.add({{"t": np.array([1, 4])}})
        values = [v.tobytes().hex() for v in (*dense[:1], table)]
        put(f"step-{{step}}-{{workers.rank}}", [*values, hash(dense[1].tobytes())])
    if workers.lead:
        np.savez(os.path.join(folder, "../sums.npz"), *dense, table)
"""


def summed_by_hand(n, size):
    parts = [np.random.default_rng((rank, 2, size)).normal(size=size) for rank in range(n)]
    return np.sum([part.astype(np.float32) for part in parts], axis=0, dtype=np.float64)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_are_summed_over_the_workers_to_the_same_bits_in_each(tmp_path, n):
    (tmp_path / "out").mkdir()
    status, reports, errors = result_of(SUM.format(n=n), tmp_path / "out")
    assert (status, errors) == (0, "")
    assert len(reports) == 3 * n
    for step in range(3):
        assert len({json.dumps(reports[f"step-{step}-{rank}"]) for rank in range(n)}) == 1
    found = list(np.load(tmp_path / "sums.npz").values())
    for view in found[:2]:
        np.testing.assert_allclose(view, summed_by_hand(n, view.size), atol=1e-5)
    table = np.full((6, 4), 7.0)  # rows that nobody looked up are left alone
    table[[1, 4]] = summed_by_hand(n, 8).reshape(2, 4)
    np.testing.assert_allclose(found[2], table, atol=1e-5)


def test_the_sum_is_repeatable_to_the_bit(tmp_path):
    found = []
    for run in "ab":
        (tmp_path / run).mkdir()
        found.append(result_of(SUM.format(n=3), tmp_path / run)[1])
    assert found[0] == found[1]


@pytest.mark.parametrize("n", [1, 2])
def test_views_of_another_type_are_refused(n):
    for view in (np.zeros(3), np.frombuffer(bytes(8), np.float32)):
        with pytest.raises(ValueError, match="expected writeable float32 views"):
            GradientSum(Workers(n), [view], {})


def test_totals_are_the_same_sums_in_every_worker(tmp_path):
    body = """
workers = Workers(3)
with workers.running():
    rank = workers.rank
    found = [workers.total(rank, 0.5), workers.total(*range(8)), workers.from_lead(7.0 + rank)]
    for step in range(200):
        found.append(workers.total(step * (rank + 1))[0])
    put(f"found-{rank}", found)
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    expected = [[3.0, 1.5], [3.0 * i for i in range(8)], 7.0, *(6.0 * s for s in range(200))]
    assert reports == {f"found-{rank}": expected for rank in range(3)}


def test_an_error_in_a_worker_is_reported_in_the_lead_and_ends_all(tmp_path):
    body = """
workers = Workers(3)
try:
    with workers.running():
        put(f"pid-{workers.rank}", os.getpid())
        workers.barrier()
        if workers.rank == 1:
            raise ValueError("the reason")
        workers.barrier()
        put("too-far", 1)
except WorkerError as error:
    put("error", str(error))
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    assert reports["error"] == "ValueError: the reason"
    assert "too-far" not in reports
    assert not any(alive(reports[f"pid-{rank}"]) for rank in range(3))


def test_an_error_in_a_worker_after_the_last_barrier_is_reported_too(tmp_path):
    body = """
workers = Workers(2)
try:
    with workers.running():
        workers.barrier()
        if not workers.lead:
            raise ValueError("late")
except WorkerError as error:
    put("error", str(error))
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    assert reports == {"error": "ValueError: late"}


def test_an_error_in_the_lead_is_raised_there_and_ends_the_workers(tmp_path):
    body = """
workers = Workers(2)
try:
    with workers.running():
        put(f"pid-{workers.rank}", os.getpid())
        workers.barrier()
        if workers.lead:
            raise KeyError("mine")
        workers.barrier()
        put("too-far", 1)
except KeyError as error:
    put("error", str(error))
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    assert reports["error"] == "'mine'"
    assert "too-far" not in reports
    assert not alive(reports["pid-1"])


@pytest.mark.parametrize("late", [False, True])
def test_a_worker_killed_by_the_system_is_noticed(tmp_path, late):
    body = f"""
workers = Workers(3)
try:
    with workers.running():
        put(f"pid-{{workers.rank}}", os.getpid())
        workers.barrier()
        if workers.rank == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if not {late}:
            workers.barrier()
except WorkerError as error:
    put("error", str(error))
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    assert reports["error"] == f"worker process {reports['pid-2']} ended unexpectedly"
    assert not any(alive(reports[f"pid-{rank}"]) for rank in range(3))


def test_the_workers_end_when_the_lead_is_killed(tmp_path):
    body = """
workers = Workers(3)
with workers.running():
    put(f"pid-{workers.rank}", os.getpid())
    workers.barrier()
    if workers.lead:
        time.sleep(60)
    workers.barrier()
"""
    process = script(body, tmp_path)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 3)
    time.sleep(0.1)
    pids = [int((tmp_path / f"pid-{rank}").read_text()) for rank in (1, 2)]
    assert all(alive(pid) for pid in pids)
    process.kill()
    try:
        wait_for(lambda: not any(alive(pid) for pid in pids))
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def test_ctrl_c_reaches_only_the_lead(tmp_path):
    body = """
workers = Workers(2)
with workers.running():
    workers.barrier()
    try:
        put(f"pid-{workers.rank}", os.getpid())
        time.sleep(30.0 if workers.lead else 1.5)  # the lead's sleep is cut short
    except KeyboardInterrupt:
        put(f"interrupted-{workers.rank}", 1)
    workers.barrier()
    put(f"end-{workers.rank}", 1)
"""
    listen = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    # jobs in the background ignore Ctrl-C
    process = script(body, tmp_path, start_new_session=True, preexec_fn=listen)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"pid-0", "pid-1", "interrupted-0", "end-0", "end-1"}


def alive(pid):
    """Whether a process runs; one that has ended and waits to be fetched does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


# one process


def test_one_process_forks_nothing():
    workers = Workers(1)
    with workers.running():
        pid = os.getpid()
        workers.barrier()
        assert workers.total(1, 2.5) == (1.0, 2.5)
        assert workers.from_lead(3) == 3.0
    assert workers.lead
    assert os.getpid() == pid


def test_an_error_with_one_process_is_just_raised():
    with pytest.raises(ZeroDivisionError), Workers(1).running():
        raise ZeroDivisionError


@pytest.mark.parametrize("processes", [0, -1, 257, 2.0, True, None])
def test_a_wrong_number_of_processes_is_refused(processes):
    with pytest.raises(ValueError, match="processes: expected"):
        Workers(processes)


def test_more_than_8_totals_are_refused():
    with pytest.raises(ValueError, match="at most 8 values, found 9"):
        Workers(1).total(*range(9))


def test_a_shared_array_is_zeros_of_the_shape_asked_for():
    for shape, dtype in (((2, 3), np.float32), ((4,), np.int64), ((2, 0), np.uint8)):
        array = shared_array(shape, dtype)
        assert (array.shape, array.dtype) == (shape, dtype)
        assert not array.any()
        array[...] = 1
        assert array.all()
