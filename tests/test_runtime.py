import json
import re
import subprocess
import sys

import dynet as dy
import pytest

from dynotes import runtime
from dynotes.runtime import (
    RuntimeSettingError,
    engine_versions,
    parse_devices,
    parse_memory,
    parse_seed,
    start,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64", "64"), (" 512 ", "512"), (4, "4"), ("1,2,3,4", "1,2,3,4"), ("008", "8")],
)
def test_memory_is_one_number_or_four(text, expected):
    assert parse_memory(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected MB as N or N,N,N,N"),
        ("much", "expected MB as N or N,N,N,N"),
        ("64MB", "expected MB"),
        ("6.4", "expected MB"),
        ("-64", "expected MB"),
        ("1,2", "expected MB"),
        ("1,2,3", "expected MB"),
        ("1,2,3,4,5", "expected MB"),
        ("1,,2,3", "expected MB"),
        ("1, 2, 3, 4", "expected MB"),
        ("٣", "expected MB"),
        (None, "expected MB"),
        (True, "expected MB"),
        ("0", "at least 1 MB"),
        ("3", "at least 1 MB"),
        ("8,8,0,8", "at least 1 MB"),
        ("999999999", "999999999 MB asked for, the machine has"),
        ("1,1,999999999,1", "1000000002 MB asked for"),
        ("9" * 30, "expected MB"),
    ],
)
def test_memory_that_the_engine_would_abort_on_is_refused(text, message):
    with pytest.raises(RuntimeSettingError, match=f"^dynet memory: .*{message}"):
        parse_memory(text)


def test_memory_is_not_compared_where_the_machine_does_not_tell(monkeypatch):
    monkeypatch.setattr(runtime, "_physical_memory_mb", lambda: None)
    assert parse_memory("999999999") == "999999999"


@pytest.mark.parametrize("seed", [1, 2**32 - 1])
def test_a_seed_is_taken_literally(seed):
    assert parse_seed(seed) == seed


@pytest.mark.parametrize("seed", [0, -1, 2**32, 1.0, True, "1", None])
def test_another_seed_is_refused(seed):
    with pytest.raises(RuntimeSettingError, match="dynet seed: expected 1 to 4294967295, found"):
        parse_seed(seed)


@pytest.mark.parametrize(
    ("devices", "gpus", "count", "chosen"),
    [
        (None, 0, 0, None),
        ("", 0, 0, None),
        (None, 2, 2, None),
        ("CPU", 0, 0, None),
        ("CPU,GPU:0", 0, 1, [0]),
        ("GPU:1, GPU:255", 0, 2, [1, 255]),
        ("GPU:1,GPU:1", 0, 1, [1]),
    ],
)
def test_devices_become_a_number_of_gpus_and_a_mask(devices, gpus, count, chosen):
    found, mask = parse_devices(devices, gpus)
    assert found == count
    if chosen is None:
        assert mask is None
    else:
        assert len(mask) == 256
        assert [i for i, used in enumerate(mask) if used] == chosen


@pytest.mark.parametrize(
    ("devices", "gpus", "message"),
    [
        ("TPU", 0, "expected CPU or GPU:0 to GPU:255, found 'TPU'"),
        ("GPU", 0, "found 'GPU'"),
        ("GPU:256", 0, "found 'GPU:256'"),
        ("CPU,", 0, "found ''"),
        ("gpu:0", 0, "found 'gpu:0'"),
        ("GPU:0", 1, "--dynet-devices or --dynet-gpus, not both"),
        (None, -1, "dynet gpus: expected 0 to 256, found -1"),
        (None, 257, "dynet gpus: expected 0 to 256, found 257"),
        (None, True, "dynet gpus"),
        (None, 1.0, "dynet gpus"),
    ],
)
def test_other_devices_are_refused(devices, gpus, message):
    with pytest.raises(RuntimeSettingError, match=message):
        parse_devices(devices, gpus)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay": 1.0}, "weight decay: expected 0 <= lambda < 1, found 1.0"),
        ({"weight_decay": -0.1}, "weight decay"),
        ({"weight_decay": float("nan")}, "weight decay"),
        ({"weight_decay": "0.1"}, "weight decay"),
        ({"profiling": 3}, "profiling: expected 0, 1 or 2, found 3"),
        ({"mem": "0"}, "dynet memory"),
        ({"seed": 0}, "dynet seed"),
        ({"gpus": -1}, "dynet gpus"),
    ],
)
def test_start_checks_its_settings_first(settings, message):
    with pytest.raises(RuntimeSettingError, match=message):
        start(**settings)


def test_a_second_start_is_refused():
    with pytest.raises(RuntimeSettingError, match="dynet was imported before"):
        start()


def test_the_versions_are_plain_text():
    versions = engine_versions()
    assert {"dynotes", "dynet", "cuda", "numpy", "python", "machine"} == set(versions)
    assert all(isinstance(v, str) and v for v in versions.values())


# in processes of their own

BANNER = re.compile(r"\[dynet\].*\n")  # of a self-built engine that runtime did not import
HEAD = "import json, sys\nfrom dynotes import runtime\n"


def python(code, *args):
    """(status, what it printed as JSON or None, stderr); every warning is an error."""
    command = [sys.executable, "-W", "error", "-c", HEAD + code, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    last = done.stdout.splitlines()[-1:]
    return done.returncode, json.loads(last[0]) if last else None, done.stderr


def test_numpy_does_not_warn_about_the_engines_denormals():
    code = """
runtime.start(mem="8")
import numpy as np
print(json.dumps([float(np.finfo(t).smallest_subnormal) >= 0 for t in (np.float32, np.float64)]))
"""
    assert python(code) == (0, [True, True], "")


def test_importing_the_module_imports_no_engine():
    code = "print(json.dumps([m for m in ('dynet', '_dynet', 'numpy') if m in sys.modules]))"
    assert python(code) == (0, [], "")


def test_the_settings_reach_the_engine():
    code = """
def draws(seed):
    dy.reset_random_seed(seed)
    return dy.random_gumbel(3).npvalue().tolist()
dy = runtime.start(mem="8", seed=7)
first = dy.random_gumbel(3).npvalue().tolist()
print(json.dumps([first == draws(7), first == draws(8)]))
"""
    assert python(code) == (0, [True, False], "")


def test_flags_of_dynet_in_the_command_line_are_not_read_by_the_engine():
    code = """
runtime.start(mem="8")
print(json.dumps(sys.argv[1:]))
"""
    flags = ["--dynet-mem", "garbage", "--dynet-mem=-1", "--dynet_gpus", "9", "--dynet-viz", "-x"]
    assert python(code, *flags) == (0, flags, "")


def test_an_engine_that_was_imported_before_is_told():
    code = """
import dynet_config
dynet_config.set(mem="8")
import dynet
try:
    runtime.start()
except runtime.RuntimeSettingError as error:
    print(json.dumps(str(error)))
"""
    status, told, errors = python(code)
    assert (status, told) == (0, "dynet was imported before dynotes.runtime.start()")
    assert BANNER.sub("", errors) == ""


@pytest.mark.skipif(dy.HAVE_CUDA, reason="this DyNet has CUDA")
@pytest.mark.parametrize("settings", ["gpus=1", "devices='CPU,GPU:0'"])
def test_a_gpu_on_a_cpu_build_is_told(settings):
    code = f"""
try:
    runtime.start(mem="8", {settings})
except runtime.RuntimeSettingError as error:
    print(json.dumps(str(error)))
"""
    expected = "a GPU was asked for, but this DyNet is a CPU build"
    assert python(code) == (0, expected, "")


def test_a_missing_engine_is_told():
    code = """
sys.modules["dynet_config"] = None
try:
    runtime.start()
except runtime.RuntimeSettingError as error:
    print(json.dumps(str(error)))
"""
    expected = "no DyNet: install dynotes[cpu], or build dyNET for this machine"
    assert python(code) == (0, expected, "")
