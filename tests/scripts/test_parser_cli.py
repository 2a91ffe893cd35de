"""scripts/parser.py: help, a whole session, formats of text, resuming, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynotes.corpora.conllu import read_conllu
from tests.training.parser.small_parser import SETTINGS, files

SCRIPT = Path(__file__).parents[2] / "scripts" / "parser.py"
SMALL = [w for k, v in SETTINGS.items() for w in (f"--{k.replace('_', '-')}", str(v))]
HELP = """
import runpy, sys
sys.argv = ["parser.py", *{args}]
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as end:
    heavy = {{"numpy", "dynet", "_dynet", "dynet_config", "safetensors", "tqdm"}}
    print(end.code, sorted(heavy & set(sys.modules)))
"""


def run(*args, given=""):
    """(status, stdout, stderr) of a command."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        input=given,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def last_line(out):
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("command", [[], ["train"], ["parse"], ["evaluate"]])
def test_help_answers_without_the_engine_or_numpy(command):
    code = HELP.format(args=[*command, "--help"], script=str(SCRIPT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "Usage: parser.py" in done.stdout


def options(folder):
    paths = files(folder)
    return ["--train", paths.train, "--dev", paths.dev, "--test", paths.test]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """(folder of a run, summary of its training)."""
    folder = tmp_path_factory.mktemp("session")
    status, out, errors = run("train", "--out", folder / "run", *options(folder), *SMALL)
    assert (status, errors) == (0, "")
    return folder / "run", last_line(out)


def test_training_ends_with_a_summary_and_a_folder(session):
    folder, summary = session
    assert summary["task"] == "parser"
    assert set(summary["metrics"]) >= {"dev_uas", "dev_las", "test_uas", "test_las"}
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "log.jsonl", "model.safetensors", "checkpoint.safetensors"}


def test_evaluation_repeats_the_scores_of_the_test_file(session):
    folder, summary = session
    status, out, errors = run("evaluate", folder)
    assert (status, errors) == (0, "")
    metrics = last_line(out)["metrics"]
    assert metrics["las"] == summary["metrics"]["test_las"]
    assert metrics["uas"] == summary["metrics"]["test_uas"]


def test_conllu_comes_back_with_trees_and_all_else_as_it_was(session, tmp_path):
    text = tmp_path / "in.conllu"
    rows = [
        "# text = dogs sleep\n",
        "1-2\tdogssleep\t_\t_\t_\t_\t_\t_\t_\t_\n",
        "1\tdogs\tdog\tN\t_\t_\t_\t_\t_\tA=b\n",
        "2\tsleep\t_\tV\t_\t_\t9\tx\t_\t_\n",
        "\n",
    ]
    text.write_text("".join(rows))
    status, out, errors = run("parse", session[0], text, "--out", tmp_path / "out.conllu")
    assert (status, errors) == (0, "")
    assert last_line(out)["trees"] == last_line(out)["sentences"] == 1
    (parsed,) = read_conllu(tmp_path / "out.conllu")
    assert parsed.lines[:2] == tuple(rows[:2])
    assert parsed.lines[2].startswith("1\tdogs\tdog\tN\t")
    assert parsed.lines[2].endswith("\t_\tA=b\n")


def test_plain_lines_of_standard_input_are_parsed_in_their_order(session):
    status, out, errors = run("parse", session[0], "--plain", given="dogs sleep\n\nsee the cats\n")
    assert (status, errors) == (0, "")
    forms = [line.split("\t")[1] for line in out.splitlines() if "\t" in line]
    assert forms == ["dogs", "sleep", "see", "the", "cats"]
    assert last_line(out)["throughput"]["sentences_per_second"] > 0


def test_show_draws_the_trees(session):
    status, out, _ = run("parse", session[0], "--plain", "--show", given="dogs sleep\n")
    assert status == 0
    assert "ROOT" in out
    assert "> dogs" in out


def test_a_finished_run_resumes_to_the_same_summary(session):
    status, out, errors = run("train", "--resume", session[0])
    assert (status, errors) == (0, "")
    assert last_line(out)["metrics"] == session[1]["metrics"]


BAD = {
    "cycle": ("1\ta\t_\t_\t_\t_\t2\tx\t_\t_\n2\tb\t_\t_\t_\t_\t1\tx\t_\t_\n\n", ":1: no root"),
    "columns": ("1\ta\t_\n\n", ":1: expected 10 columns, found 3"),
    "range": ("1\ta\t_\t_\t_\t_\t5\tx\t_\t_\n\n", ":1: head 5 out of range"),
    "empty": ("", ": no sentence"),
    "words": ("# only a comment\n\n", ":2: a sentence without words"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_treebank_gives_one_line_and_leaves_no_folder(tmp_path, fault):
    text, message = BAD[fault]
    bad = tmp_path / "bad.conllu"
    bad.write_text(text)
    status, out, errors = run("train", "--out", tmp_path / "run", "--train", bad, "--dev", bad)
    assert (status, out) == (1, "")
    assert f"error: {bad}{message}" in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dev", "x"], "--dev: only together with --train"),
        (["--train", SCRIPT], "--train: needs --dev"),
        (["--train", "missing.conllu", "--dev", "x"], "missing.conllu: no such file"),
        (["--hidden", "0"], "hidden: expected 1 to"),
    ],
)
def test_bad_options_give_one_line(tmp_path, arguments, message):
    status, _, errors = run("train", "--out", tmp_path / "run", *arguments)
    assert status == 1
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_a_bad_text_leaves_the_output_as_it_was(session, tmp_path):
    out, text = tmp_path / "out.conllu", tmp_path / "bad.conllu"
    out.write_text("before\n")
    text.write_text("1\ta\t_\n\n")
    status, _, errors = run("parse", session[0], text, "--out", out)
    assert status == 1
    assert f"{text}:1: expected 10 columns" in errors
    assert out.read_text() == "before\n"


def test_a_parser_by_transitions_trains_parses_and_refuses_decoders(tmp_path):
    shared = {k: v for k, v in SETTINGS.items() if k not in ("arc_size", "label_size")}
    small = [w for k, v in shared.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    folder = tmp_path / "run"
    more = ["--algorithm", "arc-hybrid", "--out", folder]
    status, out, errors = run("train", *options(tmp_path), *small, *more)
    assert (status, errors) == (0, "")
    assert last_line(out)["model"] == "arc-hybrid"
    text = options(tmp_path)[-1]
    status, out, errors = run("parse", folder, text, "--out", tmp_path / "parsed.conllu")
    assert (status, errors) == (0, "")
    assert last_line(out)["trees"] == last_line(out)["sentences"]
    status, _, errors = run("evaluate", folder, text, "--decoder", "eisner")
    assert status == 1
    assert "--decoder eisner: arc-hybrid builds its trees itself" in errors
