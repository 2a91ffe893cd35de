"""scripts/word2vec.py: what it offers, what it answers, how it is interrupted, bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest

from dynotes.corpora.word_vectors import read_vectors
from dynotes.training.model_file import read_arrays
from tests.scripts.word2vec_script import SCRIPT, SMALL, last_line, load, run, start, text
from tests.training.word2vec.small_word2vec import log

COMMANDS = [
    *("train", "evaluate", "neighbours", "analogy", "convert"),
    *("infer", "substitutes", "spell", "phrases", "compose"),
]
HELP = """
import runpy, sys
sys.argv = ["word2vec.py", *{args}]
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
    assert "Usage: word2vec.py" in done.stdout


WITHOUT_DEFAULT = {"resume", "train", "preset", "config", "bats", "analogies", "similarity"}
WITHOUT_DEFAULT |= {"list_file", "write"}
WITHOUT_DEFAULT |= {"dynet_autobatch"}  # a flag: off


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
    folder = tmp_path_factory.mktemp("word2vec")
    status, out, errors = run("train", *text(folder), *SMALL, "--out", folder / "run")
    assert (status, errors) == (0, "")
    return folder / "run", last_line(out)


def test_train_ends_with_the_summary_of_the_contract(trained):
    folder, summary = trained
    assert summary["task"] == "word2vec"
    assert summary["model"] == "skipgram"
    assert summary["throughput"]["words_per_second"] > 0
    assert {"metrics", "seconds", "epochs", "seed"} <= summary.keys()
    assert summary["epochs"] == 2
    assert summary["run"] == str(folder)


def test_a_run_folder_holds_settings_log_model_vectors_and_checkpoint(trained):
    folder, _ = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json", "log.jsonl", "model.safetensors", "vectors.bin", "checkpoint.safetensors",
        "tokens",
    }  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["dim"] == 6
    assert len(config["sha256"]["train"]) == 64
    assert [entry["epoch"] for entry in log(folder)] == [1, 2]


def test_the_vectors_are_the_input_table_of_the_model(trained):
    folder, _ = trained
    vectors = read_vectors(folder / "vectors.bin")
    arrays, meta = read_arrays(folder / "model.safetensors")
    np.testing.assert_array_equal(vectors.matrix, arrays["/skip-gram/V"])
    assert vectors.words == meta["vocabulary"]["words"]
    assert meta["encoder"] == {"n_words": 12, "n_embed": 6}
    assert meta["output"]["n_embed"] == 6


def test_the_same_command_again_gives_the_same_bytes_of_vectors(trained, tmp_path):
    folder, _ = trained
    status, _, _ = run("train", *text(tmp_path), *SMALL, "--out", tmp_path / "run")
    assert status == 0
    found = (tmp_path / "run" / "vectors.bin").read_bytes()
    assert found == (folder / "vectors.bin").read_bytes()


def test_two_processes_train_the_same_words(trained, tmp_path):
    args = ["train", *text(tmp_path), *SMALL, "--processes", "2", "--out", tmp_path / "run"]
    status, out, errors = run(*args)
    assert (status, errors) == (0, "")
    assert [e["predictions"] for e in log(tmp_path / "run")] == [
        e["predictions"] for e in log(trained[0])
    ]
    assert np.isfinite(read_vectors(tmp_path / "run" / "vectors.bin").matrix).all()
    assert last_line(out)["epochs"] == 2


def test_neighbours_analogy_and_convert_answer(trained, tmp_path):
    folder, _ = trained
    status, out, _ = run("neighbours", folder, "a", "b", "--top", "3")
    assert status == 0
    assert {w: len(found) for w, found in last_line(out)["neighbours"].items()} == {"a": 3, "b": 3}
    assert out.splitlines()[0].startswith("a\t")
    status, out, _ = run("analogy", folder, "a", "b", "c", "--method", "mul", "--top", "2")
    assert status == 0
    assert len(last_line(out)["answers"]) == 2
    status, out, _ = run("convert", folder, tmp_path / "vectors.txt")
    assert status == 0
    one, other = read_vectors(folder / "vectors.bin"), read_vectors(tmp_path / "vectors.txt")
    assert one.words == other.words
    np.testing.assert_array_equal(one.matrix, other.matrix)


def test_evaluate_answers_with_the_metrics_of_the_contract(trained, tmp_path):
    (tmp_path / "questions.txt").write_text(": near\na b c d\nb c d e\n")
    (tmp_path / "pairs.tsv").write_text("a\tb\t9.0\na\tg\t1.0\nc\td\t8.0\n")
    status, out, _ = run(
        "evaluate", trained[0],
        "--analogies", tmp_path / "questions.txt", "--similarity", tmp_path / "pairs.tsv",
    )  # fmt: skip
    assert status == 0
    metrics = last_line(out)["metrics"]
    assert {"analogy_accuracy", "analogy_accuracy_mul", "similarity_spearman"} <= metrics.keys()


def test_interrupted_it_exits_130_and_resumed_it_ends_as_if_it_had_not_been(tmp_path):
    more = [*SMALL, "--epochs", "60"]
    assert run("train", *text(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *text(tmp_path), *more, "--out", tmp_path / "part")
    try:
        process.stdout.readline()  # the text is read
        process.stdout.readline()  # an epoch is over
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"interrupted; continue with --resume {tmp_path / 'part'}" in errors
    status, out, _ = run("train", "--resume", tmp_path / "part")
    assert status == 0
    assert last_line(out)["epochs"] == 60
    names = [tmp_path / which / "vectors.bin" for which in ("whole", "part")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path):
    more = [*SMALL, "--epochs", "60", "--checkpoint-seconds", "0"]
    assert run("train", *text(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *text(tmp_path), *more, "--out", tmp_path / "part")
    try:
        for _ in range(3):
            process.stdout.readline()
        time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    assert run("train", "--resume", tmp_path / "part")[0] == 0
    names = [tmp_path / which / "vectors.bin" for which in ("whole", "part")]
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
    ("content", "more", "message"),
    [
        (b"", [], "text.txt: "),
        (b"\n\n\n", [], "text.txt: "),
        (b"a b c\nd e f\n", ["--min-count", "5"], "no word occurs 5 times"),
        (b"a a a a a\n", ["--min-count", "2"], "the text has 1 word(s) left"),
        (b"a b\nc \xff d\n", ["--min-count", "1"], "text.txt:2: "),
        (b"a b c d e\n" * 9, ["--negatives", "6"], "negatives: expected 1 to 5 (the vocabulary)"),
    ],
    ids=["empty", "blank", "rare", "one word", "not UTF-8", "negatives"],
)
def test_a_text_that_cannot_be_used_is_told_in_one_line(tmp_path, content, more, message):
    (tmp_path / "text.txt").write_bytes(content)
    assert message in refused(tmp_path, "--train", tmp_path / "text.txt", *more)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--window", "0"], "window: expected 1 to 1000, found 0"),
        (["--negatives", "0"], "negatives: expected 1 to"),
        (["--model", "glove"], "'glove' is not one of 'skipgram', 'cbow',"),
        (["--train", "missing.txt"], "missing.txt: no such file"),
        (["--dynet-mem", "0"], "dynet memory: every pool needs at least 1 MB"),
        (["--corpus", "toy"], "--corpus: not together with --train"),
    ],
    ids=["window", "negatives", "model", "missing", "memory", "two texts"],
)
def test_a_wrong_option_is_told_in_one_line(tmp_path, more, message):
    assert message in refused(tmp_path, *text(tmp_path), *more)


def test_a_folder_with_a_run_is_not_touched(trained):
    folder, _ = trained
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    status, _, errors = run("train", *SMALL, "--out", folder)
    assert status == 1
    assert "holds a run already" in errors
    assert {p: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_resume_refuses_a_text_that_changed_and_other_settings(tmp_path):
    assert run("train", *text(tmp_path), *SMALL, "--out", tmp_path / "run")[0] == 0
    (tmp_path / "text.txt").write_text("a b c\n")
    status, _, errors = run("train", "--resume", tmp_path / "run")
    assert (status, errors.count("\n")) == (1, 1)
    assert "changed since the run began" in errors
    status, _, errors = run("train", "--resume", tmp_path / "run", "--dim", "3")
    assert status == 1
    assert "--dim: not together with --resume" in errors
