import json
import math
import os

import pytest

from dynotes.corpora.errors import InputError
from dynotes.training.run_folder import RunFolder, Stopwatch, finite, peak_memory_mb

HISTORY = [
    {"epoch": 1, "train_perplexity": 9.5, "dev_perplexity": math.inf},
    {"epoch": 2, "train_perplexity": 8.5, "dev_perplexity": 8.25},
]


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    RunFolder(tmp_path / "a" / "b").create()
    assert (tmp_path / "a" / "b").is_dir()


def test_an_empty_or_foreign_folder_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).create()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["config.json", "checkpoint.safetensors", "model.safetensors"])
def test_a_run_is_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(InputError, match="holds a run already; use --resume or another folder"):
        RunFolder(tmp_path).create()
    assert (tmp_path / name).read_text() == "old"


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "f").write_text("old")
    for path in (tmp_path / "f", tmp_path / "f" / "run"):
        with pytest.raises(InputError, match=r"not a folder|cannot make the folder"):
            RunFolder(path).create()
    assert (tmp_path / "f").read_text() == "old"


def test_the_configuration_comes_back_as_written(tmp_path):
    config = {"settings": {"lr": 0.1, "tie": True}, "files": {"test": None}}
    RunFolder(tmp_path).write_config(config)
    assert RunFolder(tmp_path).read_config() == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file: not the folder of a run"),
        ("", "not a JSON file"),
        ('{"a":', "not a JSON file"),
        ("[1]", "expected a JSON object"),
        ("\udcff", "not a JSON file"),
    ],
)
def test_a_missing_or_damaged_configuration_is_refused(tmp_path, text, message):
    folder = RunFolder(tmp_path)
    if text is not None:
        folder.config.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        folder.read_config()


def test_the_log_has_one_json_line_an_epoch_with_null_for_what_is_no_number(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_log(HISTORY)
    lines = folder.log.read_text().splitlines()
    refuse = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}
    assert [json.loads(line, **refuse) for line in lines] == [
        {**HISTORY[0], "dev_perplexity": None},
        HISTORY[1],
    ]


def test_the_log_is_replaced_as_a_whole(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_log(HISTORY)
    folder.write_log(HISTORY[:1])
    assert len(folder.log.read_text().splitlines()) == 1
    assert os.listdir(tmp_path) == ["log.jsonl"]


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("model.safetensors.12ab34cd.tmp", "config.json", "mine.txt"):
        (tmp_path / name).write_text("x")
    folder.remove_temporary()
    assert sorted(os.listdir(tmp_path)) == ["config.json", "mine.txt"]


def test_curves_are_drawn_where_matplotlib_is_there(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra dynotes[plot] is not installed")
    folder = RunFolder(tmp_path)
    for optimum in (None, 7.5):
        assert folder.draw_curves(HISTORY, optimum)
        assert folder.curves.read_bytes().startswith(b"\x89PNG")
    assert os.listdir(tmp_path) == ["curves.png"]


def test_finite_replaces_only_what_json_lacks():
    value = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": None, "d": "nan"}, "e": True}
    assert finite(value) == {
        "a": [1.5, None, [None, None]],
        "b": {"c": None, "d": "nan"},
        "e": True,
    }


def test_a_stopwatch_counts_only_between_start_and_stop(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("dynotes.training.run_folder.time.perf_counter", lambda: now[0])
    watch = Stopwatch(10.0)
    assert watch.seconds == 10.0
    for step in ("start", "stop", "stop", "start"):
        now[0] += 1.0 if step == "start" else 2.0
        getattr(watch, step)()
    now[0] += 16.0
    assert watch.seconds == 10.0 + 2.0 + 16.0  # start to the first stop, start to now


def test_the_peak_memory_is_that_of_a_process_with_numpy():
    assert 10 < peak_memory_mb() < 1e6
