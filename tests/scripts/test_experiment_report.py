"""What experiments share: the claim on a folder, tables, results, plots."""

import json
import math
import os
import stat
import subprocess
import sys

import pytest

from tests.scripts.experiment_script import FOLDER, module
from tests.training.small_lm import ROOT

ROWS = [
    {"name": "a|b", "count": 3, "value": 12.3456789, "more": 1},
    {"name": "two\nlines", "value": 123456789.0},
    {"name": "c", "count": None, "value": math.nan},
]


@pytest.fixture(scope="module")
def report():
    return module("report")


def test_a_claimed_folder_is_made_with_its_parents(report, tmp_path):
    folder = report.claim(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert folder.is_dir()


def test_a_folder_that_was_claimed_but_holds_no_result_can_be_claimed_again(report, tmp_path):
    report.claim(tmp_path / "a")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert report.claim(tmp_path / "a") == tmp_path / "a"


@pytest.mark.parametrize("name", ["result.json", "table.tsv", "table.md"])
def test_a_folder_with_a_result_is_refused(report, tmp_path, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(ValueError, match="holds a result already; use another folder"):
        report.claim(tmp_path)
    assert (tmp_path / name).read_text() == "old"


def test_what_is_no_folder_is_refused(report, tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(ValueError, match="file: not a folder"):
        report.claim(tmp_path / "file")
    with pytest.raises(ValueError, match="cannot make the folder"):
        report.claim(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(report, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(ValueError, match="cannot write into the folder"):
        report.claim(tmp_path)


def test_tables_hold_the_chosen_columns_with_empty_cells_for_what_is_missing(report, tmp_path):
    report.write_rows(tmp_path, ROWS, ["name", "value", "count"])
    assert (tmp_path / "table.tsv").read_text().splitlines() == [
        "name\tvalue\tcount",
        "a|b\t12.3457\t3",
        "two lines\t123456789\t",
        "c\tnan\t",
    ]
    assert (tmp_path / "table.md").read_text().splitlines() == [
        "| name | value | count |",
        "| --- | --- | --- |",
        r"| a\|b | 12.35 | 3 |",
        "| two lines | 123456789 |  |",
        "| c | nan |  |",
    ]


def test_without_names_the_columns_are_those_of_the_first_row(report, tmp_path):
    report.write_rows(tmp_path, ROWS)
    assert (tmp_path / "table.tsv").read_text().startswith("name\tcount\tvalue\tmore\n")


def test_a_result_holds_null_for_what_json_cannot_hold(report, tmp_path):
    report.write_json(tmp_path, {"a": math.nan, "b": [math.inf, 1.5]})
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": None, "b": [None, 1.5]}


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(12.345, 3, "12.3"), (1234.5, 3, "1234"), (0.00123, 2, "0.0012"), (-99999.0, 2, "-99999")],
)
def test_numbers_lose_no_digit_before_the_point(report, value, digits, text):
    assert report.short(value, digits) == text


def test_mean_and_standard_error_over_seeds(report):
    mean, error = report.mean_and_error([1.0, 2.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(math.sqrt(7.0) / math.sqrt(3.0))
    assert report.mean_and_error([4])[0] == 4.0
    assert math.isnan(report.mean_and_error([4])[1])


PLOT = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from pathlib import Path\n"
    "import report\n"
    "curves = [report.Curve('a', [1, 2], [3.0, 4.0], [0.1, 0.2]), report.Curve('b', [1], [2.0])]\n"
    "print(report.plot(Path(sys.argv[2]), {'one': curves, 'two': curves[:1]}, x_label='x',\n"
    "      y_label='y', x_log=True, y_log=True, level=('l', 3.0)))\n"
)


def plot(path, **variables):
    command = [sys.executable, "-W", "error", "-c", PLOT, str(FOLDER), str(path)]
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_plot_is_a_png(tmp_path):
    pytest.importorskip("matplotlib")
    assert plot(tmp_path / "p.png", MPLCONFIGDIR=str(tmp_path)) == "True"
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_plot(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    assert plot(tmp_path / "p.png", PYTHONPATH=str(tmp_path)) == "False"
    assert not (tmp_path / "p.png").exists()
