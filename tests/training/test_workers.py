"""Every case runs in a process of its own, which forks the workers and reports as JSON."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dynotes.training.workers import Workers

HEAD = """
import json, os, signal, sys, time
import numpy as np
import dynet_config
dynet_config.set(mem="4")  # zeroing DyNet's default of 512 MB takes longer than the test
from dynotes.training.workers import WorkerError, Workers

folder = sys.argv[1]

def put(name, value):
    with open(os.path.join(folder, name), "w") as file:
        json.dump(value, file)

def start(n, rate=1.0, seed=0, sizes=(3, 70001)):
    rng = np.random.default_rng(seed)
    views = [rng.normal(size=size).astype(np.float32) for size in sizes]
    return views, Workers(n, views, rate)

def local(rank, step, view):
    "what a worker makes of its parameters"
    rng = np.random.default_rng((rank, step, view.size))
    view += rng.normal(size=view.size).astype(np.float32)

def digest(views):
    return [v.tobytes().hex()[:40] + str(hash(v.tobytes())) for v in views]
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


MERGE = """
n, rate = {n}, {rate}
views, workers = start(n, rate)
with workers.running():
    for step in range(3):
        for view in views:
            local(workers.rank, step, view)
        workers.merge()
    put(f"digest-{{workers.rank}}", digest(views))
    if workers.lead:
        np.save(os.path.join(folder, "../merged.npy"), np.concatenate(views))
"""


def merged_by_hand(n, rate, sizes=(3, 70001)):
    """theta_0 + rate / N sum_i (theta_i - theta_0), three times, in float64."""
    rng = np.random.default_rng(0)
    parts = []
    starts = [rng.normal(size=size).astype(np.float32) for size in sizes]
    for base in starts:
        for step in range(3):
            moved = []
            for rank in range(n):
                own = np.random.default_rng((rank, step, base.size))
                moved.append(base + own.normal(size=base.size).astype(np.float32))
            base = base + rate / n * sum(np.float64(m) - base for m in moved)
        parts.append(base)
    return np.concatenate(parts)


@pytest.mark.parametrize(("n", "rate"), [(2, 1.0), (2, 2.0), (3, 1.0), (3, 3.0), (3, 1.5)])
def test_a_merge_is_the_base_and_the_share_of_all_steps_and_bit_equal_everywhere(tmp_path, n, rate):
    (tmp_path / "out").mkdir()
    status, reports, errors = result_of(MERGE.format(n=n, rate=rate), tmp_path / "out")
    assert (status, errors) == (0, "")
    assert len(reports) == n
    assert len({json.dumps(d) for d in reports.values()}) == 1
    merged = np.load(tmp_path / "merged.npy")
    np.testing.assert_allclose(merged, merged_by_hand(n, rate), atol=1e-5)
    if rate == 1.0:
        assert merged.std() < merged_by_hand(n, float(n)).std()


def test_a_merge_is_repeatable_to_the_bit(tmp_path):
    found = []
    for run in "ab":
        (tmp_path / run).mkdir()
        found.append(result_of(MERGE.format(n=3, rate=1.5), tmp_path / run)[1])
    assert found[0] == found[1]


def test_adopt_gives_everyone_the_leads_parameters_as_the_new_base(tmp_path):
    body = """
views, workers = start(3, 3.0)
with workers.running():
    for view in views:
        view += workers.rank
    workers.adopt()
    put(f"first-{workers.rank}", digest(views))
    for view in views:
        view += workers.rank
    workers.merge()
    rng = np.random.default_rng(0)
    moves = [float(np.abs(v - rng.normal(size=v.size) - 3).max()) for v in views]
    put(f"moves-{workers.rank}", moves)
"""
    status, reports, errors = result_of(body, tmp_path)
    assert (status, errors) == (0, "")
    assert reports["first-0"] == reports["first-1"] == reports["first-2"]
    assert max(max(reports[f"moves-{rank}"]) for rank in range(3)) < 1e-5  # 0 + 1 + 2 = 3


def test_totals_are_the_same_sums_in_every_worker(tmp_path):
    body = """
views, workers = start(3)
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
views, workers = start(3)
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
views, workers = start(2)
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
views, workers = start(2)
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
views, workers = start(3)
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
views, workers = start(3)
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
    process.communicate()
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_ctrl_c_reaches_only_the_lead(tmp_path):
    body = """
views, workers = start(2)
with workers.running():
    put(f"pid-{workers.rank}", os.getpid())
    workers.barrier()
    try:
        time.sleep(1.0)
    except KeyboardInterrupt:
        put(f"interrupted-{workers.rank}", 1)
    workers.barrier()
    put(f"end-{workers.rank}", 1)
"""
    process = script(body, tmp_path, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    time.sleep(0.2)
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


def test_one_process_copies_and_forks_nothing():
    view = np.arange(3, dtype=np.float32)
    workers = Workers(1, [view])
    with workers.running():
        pid = os.getpid()
        workers.merge()
        workers.adopt()
        workers.barrier()
        assert workers.total(1, 2.5) == (1.0, 2.5)
        assert workers.from_lead(3) == 3.0
    assert workers.lead
    assert os.getpid() == pid
    np.testing.assert_array_equal(view, [0, 1, 2])


def test_an_error_with_one_process_is_just_raised():
    with pytest.raises(ZeroDivisionError), Workers(1, []).running():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("processes", "views", "rate", "message"),
    [
        (0, [], 1.0, "processes: expected 1 to 256, found 0"),
        (2.0, [], 1.0, "processes: expected a whole number"),
        (2, [], 0.0, "merge rate: expected 0 < rate <= 2, found 0"),
        (2, [], 2.5, "merge rate: expected 0 < rate <= 2, found 2.5"),
        (2, [], float("nan"), "merge rate"),
        (2, [np.zeros(3)], 1.0, "flat writeable float32"),
        (2, [np.zeros((3, 1), np.float32)], 1.0, "flat writeable float32"),
        (2, [np.frombuffer(bytes(8), np.float32)], 1.0, "flat writeable float32"),
    ],
)
def test_wrong_arguments_are_refused(processes, views, rate, message):
    with pytest.raises(ValueError, match=message):
        Workers(processes, views, rate)


def test_more_than_8_totals_are_refused():
    with pytest.raises(ValueError, match="at most 8 values, found 9"):
        Workers(1, []).total(*range(9))
