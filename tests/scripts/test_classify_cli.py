"""scripts/classify.py: what it offers, what it answers, how it is interrupted, bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest

from dynotes.corpora.word_vectors import WordVectors, write_vectors
from dynotes.training.model_file import read_arrays
from tests.scripts.classify_script import SCRIPT, SMALL, last_line, load, run, start, texts
from tests.training.classify.small_classify import log, write_texts

COMMANDS = ["train", "predict", "evaluate"]
HELP = """
import runpy, sys
sys.argv = ["classify.py", *{args}]
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as end:
    heavy = {{"numpy", "dynet", "_dynet", "dynet_config", "safetensors", "tqdm"}}
    print(end.code, sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_answers_without_the_engine_or_numpy(command):
    code = HELP.format(args=[*command, "--help"], script=str(SCRIPT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "Usage: classify.py" in done.stdout


WITHOUT_DEFAULT = {"resume", "train", "dev", "vectors", "preset", "config", "dynet_autobatch"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_a_metavar_and_tells_its_default(name):
    command = load().main.commands[name]
    context = click.Context(command)
    for option in command.params:
        if not isinstance(option, click.Option) or option.name == "help":
            continue
        assert option.help, option.name
        assert option.metavar or option.is_flag, option.name
        shown = option.get_help_record(context)[1]
        assert "[default: " in shown or option.name in WITHOUT_DEFAULT, option.name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of a run, its summary)."""
    folder = tmp_path_factory.mktemp("classify")
    dev = ["--dev", write_texts(folder / "dev.txt", count=30, seed=2)]
    status, out, errors = run("train", *texts(folder), *dev, *SMALL, "--out", folder / "run")
    assert (status, errors) == (0, "")
    return folder / "run", last_line(out)


def test_train_ends_with_the_summary_of_the_contract(trained):
    folder, summary = trained
    assert summary["task"] == "classify"
    assert summary["model"] == "softmax"
    assert summary["metrics"]["dev_precision_at_1"] == 1.0
    assert summary["throughput"]["words_per_second"] > 0
    assert {"seconds", "epochs", "seed"} <= summary.keys()
    assert summary["epochs"] == 12
    assert summary["run"] == str(folder)


def test_a_run_folder_holds_settings_log_model_examples_and_checkpoint(trained):
    folder, _ = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json", "log.jsonl", "model.safetensors", "checkpoint.safetensors", "examples",
    }  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["dim"] == 5
    assert {len(digest) for digest in config["sha256"].values()} == {64}
    assert set(config["files"]) == {"train", "dev"}
    assert [entry["epoch"] for entry in log(folder)] == list(range(1, 13))


def test_the_same_command_again_gives_the_same_parameters(trained, tmp_path):
    status, _, _ = run("train", *texts(tmp_path), *SMALL, "--out", tmp_path / "run")
    assert status == 0
    found = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert found == (trained[0] / "model.safetensors").read_bytes()


def test_predict_writes_a_line_a_line_from_the_standard_input_or_a_file(trained, tmp_path):
    lines = "the cat\n\n__label__x pear on lime\n"
    status, out, errors = run("predict", trained[0], "-k", "2", stdin=lines)
    assert (status, errors) == (0, "")
    cat, blank, fruit, _ = out.splitlines()
    assert cat.split("\t")[0] == "animals"
    assert fruit.split("\t")[0] == "fruits"
    assert len(blank.split("\t")) == 4
    assert 0.5 < float(cat.split("\t")[1]) <= 1
    assert last_line(out)["lines"] == 3
    (tmp_path / "texts.txt").write_text(lines)
    more = ["-k", "2", "--out", tmp_path / "found.tsv"]
    status, out, _ = run("predict", trained[0], tmp_path / "texts.txt", *more)
    assert status == 0
    assert (tmp_path / "found.tsv").read_text().splitlines() == [cat, blank, fruit]


def test_a_pipe_that_is_closed_ends_predict_quietly(trained):
    process = start("predict", trained[0], stdin=subprocess.PIPE)
    try:
        process.stdout.close()
        _, errors = process.communicate("the cat\n" * 9000, timeout=60)
    except BrokenPipeError:
        errors = process.stderr.read()
    finally:
        process.kill()
    assert "Traceback" not in errors


def test_evaluate_answers_with_precision_and_recall(trained, tmp_path):
    file = write_texts(tmp_path / "test.txt", count=30, seed=3, both=True)
    status, out, _ = run("evaluate", trained[0], file)
    assert status == 0
    found = last_line(out)
    assert (found["examples"], found["k"]) == (30, 1)
    assert found["metrics"]["precision_at_1"] == 1.0
    assert found["metrics"]["recall_at_1"] == 0.75
    status, out, _ = run("evaluate", trained[0] / "model.safetensors", file, "-k", "0")
    assert last_line(out)["metrics"] == {"precision_at_all": 0.4444, "recall_at_all": 1.0}


@pytest.mark.parametrize("output", ["hierarchical-softmax", "one-vs-all"])
def test_every_output_trains_and_labels(tmp_path, output):
    file = texts(tmp_path, both=True)
    args = [*SMALL, "--output", output, "--maxn", "3", "--minn", "2", "--out", tmp_path / "run"]
    status, out, errors = run("train", *file, *args)
    assert (status, errors) == (0, "")
    assert last_line(out)["model"] == output
    status, out, _ = run("evaluate", tmp_path / "run", file[1])
    assert last_line(out)["metrics"]["precision_at_1"] > 0.9


def test_without_files_it_trains_on_the_toy_language(tmp_path):
    args = ["--preset", "toy", "--epochs", "1", "--out", tmp_path / "run"]
    status, out, errors = run("train", *args)
    assert (status, errors) == (0, "")
    assert last_line(out)["metrics"]["dev_precision_at_1"] > 0.95
    status, out, _ = run("evaluate", tmp_path / "run")
    assert last_line(out)["examples"] == 1500
    assert last_line(out)["metrics"]["precision_at_1"] > 0.95


def test_it_starts_from_word_vectors_and_keeps_their_words(tmp_path):
    words = ["cat", "tiger", "pear"]
    vectors = WordVectors(words, np.arange(15, dtype=np.float32).reshape(3, 5) / 9)
    write_vectors(tmp_path / "vectors.txt", vectors, format="text")
    args = [*SMALL, "--vectors", tmp_path / "vectors.txt", "--out", tmp_path / "run"]
    assert run("train", *texts(tmp_path), *args, "--lr", "0")[0] == 0
    arrays, meta = read_arrays(tmp_path / "run" / "model.safetensors")
    rows = [meta["vocabulary"]["words"].index(word) for word in words]
    np.testing.assert_array_equal(arrays["/fasttext-classifier/A"][rows], vectors.matrix)


def test_interrupted_it_exits_130_and_resumed_it_ends_as_if_it_had_not_been(tmp_path):
    more = [*SMALL, "--epochs", "90"]
    assert run("train", *texts(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *texts(tmp_path), *more, "--out", tmp_path / "part")
    try:
        process.stdout.readline()  # the texts are read
        process.stdout.readline()  # an epoch is over
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"interrupted; continue with --resume {tmp_path / 'part'}" in errors
    status, out, _ = run("train", "--resume", tmp_path / "part")
    assert status == 0
    assert last_line(out)["epochs"] == 90
    names = [tmp_path / which / "model.safetensors" for which in ("whole", "part")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path):
    more = [*SMALL, "--epochs", "5", "--checkpoint-seconds", "0"]
    assert run("train", *texts(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *texts(tmp_path), *more, "--out", tmp_path / "part")
    try:
        for _ in range(3):
            process.stdout.readline()
        time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    assert run("train", "--resume", tmp_path / "part")[0] == 0
    names = [tmp_path / which / "model.safetensors" for which in ("whole", "part")]
    assert names[0].read_bytes() == names[1].read_bytes()


# bad input: one line, status 1 or 2, nothing left behind


def refused(folder, *args):
    before = sorted(folder.iterdir())
    status, out, errors = run("train", *args, "--out", folder / "run")
    assert status in (1, 2)
    assert out == ""
    assert "Traceback" not in errors
    assert sorted(folder.iterdir()) == before
    return errors.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "texts.txt: no text"),
        (b"\n\n", "texts.txt: no text"),
        (b"__label__a x\nno label\n", "texts.txt:2: no label (expected a token that begins with"),
        (b"__label__a x\n__label__ y\n", "texts.txt:2: a label without a name"),
        (b"__label__a x\n__label__a y\n", "texts.txt: expected at least two labels, found 'a'"),
        (b"__label__a x\n__label__b \xff\n", "texts.txt:2: not UTF-8"),
    ],
    ids=["empty", "blank", "no label", "no name", "one label", "not UTF-8"],
)
def test_texts_that_cannot_be_used_are_told_in_one_line(tmp_path, content, message):
    (tmp_path / "texts.txt").write_bytes(content)
    assert message in refused(tmp_path, "--train", tmp_path / "texts.txt")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dim", "0"], "dim: expected 1 to 20000, found 0"),
        (["--maxn", "3"], "minn: expected 1 to maxn (3), found 0"),
        (["--output", "svm"], "'svm' is not one of 'softmax'"),
        (["--train", "missing.txt"], "missing.txt: no such file"),
        (["--dev", "missing.txt"], "missing.txt: no such file"),
        (["--dynet-mem", "0"], "dynet memory: every pool needs at least 1 MB"),
        (["--corpus", "toy"], "--corpus: not together with --train"),
    ],
    ids=["dim", "maxn", "output", "missing", "no dev", "memory", "two texts"],
)
def test_a_wrong_option_is_told_in_one_line(tmp_path, more, message):
    assert message in refused(tmp_path, *texts(tmp_path), *more)


def test_a_dev_text_and_vectors_that_do_not_fit_are_told_in_one_line(tmp_path):
    (tmp_path / "dev.txt").write_text("no label\n")
    message = refused(tmp_path, *texts(tmp_path), *SMALL, "--dev", tmp_path / "dev.txt")
    assert "dev.txt:1: no label" in message
    (tmp_path / "v.txt").write_text("1 2\ncat 0.5 1\n")
    message = refused(tmp_path, *texts(tmp_path), *SMALL, "--vectors", tmp_path / "v.txt")
    assert "dim: expected 2, that of" in message
    assert "--dev: only together with --train" in refused(tmp_path, "--dev", tmp_path / "dev.txt")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_or_text_that_cannot_be_used_is_told_in_one_line(trained, tmp_path, command):
    (tmp_path / "bad.txt").write_bytes(b"__label__a x\n\xff\n")
    for args, message in (
        ([tmp_path, tmp_path / "bad.txt"], "model.safetensors: no such file"),
        ([tmp_path / "bad.txt", tmp_path / "bad.txt"], "bad.txt: not a complete safetensors"),
        ([trained[0], tmp_path / "missing.txt"], "missing.txt: no such file"),
        ([trained[0], tmp_path / "bad.txt"], "bad.txt:2: not UTF-8"),
    ):
        status, _, errors = run(command, *args)
        assert (status, errors.count("\n")) == (1, 1)
        assert message in errors


def test_predictions_of_a_text_that_breaks_off_leave_no_file(trained, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"the cat\n" * 9 + b"\xff\n")
    found = tmp_path / "found.tsv"
    assert run("predict", trained[0], tmp_path / "bad.txt", "--out", found)[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.txt"]


def test_evaluate_without_a_text_is_for_runs_on_the_toy_language(trained):
    status, _, errors = run("evaluate", trained[0])
    assert status == 1
    assert "not trained on the toy language, so name a labelled text" in errors


def test_a_folder_with_a_run_is_not_touched(trained):
    folder, _ = trained
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    status, _, errors = run("train", *SMALL, "--out", folder)
    assert status == 1
    assert "holds a run already" in errors
    assert {p: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_resume_refuses_texts_that_changed_and_other_settings(tmp_path):
    assert run("train", *texts(tmp_path), *SMALL, "--out", tmp_path / "run")[0] == 0
    (tmp_path / "texts.txt").write_text("__label__a x\n")
    status, _, errors = run("train", "--resume", tmp_path / "run")
    assert (status, errors.count("\n")) == (1, 1)
    assert "changed since the run began" in errors
    status, _, errors = run("train", "--resume", tmp_path / "run", "--dim", "3")
    assert status == 1
    assert "--dim: not together with --resume" in errors
