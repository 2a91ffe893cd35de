"""Bad input of scripts/lm.py: one clear line, status 1 or 2, and nothing on the disk changes."""

import gzip
import json
import os
import signal
from pathlib import Path

import dynet as dy
import numpy as np
import pytest
from safetensors.numpy import save_file

from dynotes import runtime
from dynotes.corpora.known_corpora import CORPORA
from dynotes.training.lm_run import LmRun
from dynotes.training.run_folder import RunFolder
from tests.scripts.lm_script import SMALL, invoke, last_line, texts, tree


@pytest.fixture(autouse=True)
def running_engine(monkeypatch):
    """The engine of the tests; the checks of its settings stay as they are."""

    def start(**settings):
        runtime.parse_memory(settings["mem"])
        runtime.parse_seed(settings["seed"])
        runtime.parse_devices(settings["devices"], settings["gpus"])
        return dy

    monkeypatch.setattr(runtime, "start", start)
    monkeypatch.setattr(RunFolder, "draw_curves", lambda *_: False)  # slow, and tested elsewhere
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def assert_refused(folder, args, *messages, status=1):
    """One error line with these texts in it, this status, and the same files as before."""
    before = tree(folder)
    found, out, errors = invoke(*args)
    assert (found, out) == (status, ""), errors
    *usage, line = errors.splitlines()
    if status == 1:
        assert not usage
        assert line.startswith("error: ")
    else:
        assert not usage or usage[0].startswith("Usage: ")
        assert line.startswith("Error: ")
    for message in messages:
        assert str(message) in line, line
    assert tree(folder) == before


def train_on(folder, *args, out="run"):
    return ["train", *texts(folder), "--out", folder / out, *SMALL, *args]


# settings


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--hidden", -1], ["hidden: expected 1 to 20000, found -1"]),
        (["--layers", 0], ["layers: expected 1 to 16, found 0"]),
        (["--batch-size", 0], ["batch_size: expected 1 to"]),
        (["--k1", 5, "--k2", 4], ["k2: expected at least k1 = 5, found 4"]),
        (["--dropout-x", 1.5], ["dropout_x: expected 0 to 0.999, found 1.5"]),
        (["--dropout-h", -0.1], ["dropout_h: expected 0 to"]),
        (["--lr", "nan"], ["lr: expected 0 to", "found nan"]),
        (["--lr", "inf"], ["lr: expected 0 to", "found inf"]),
        (["--seed", 0], ["seed: expected 1 to 4294967295, found 0"]),
        (["--seed", 2**32], ["seed: expected 1 to"]),
        (["--epochs", 0], ["epochs: expected 1 to"]),
        (["--processes", 9, "--batch-size", 8], ["processes: at most 8 (batch_size)"]),
        (["--augmented-gamma", 0.5], ["augmented_gamma: needs tie and the full softmax"]),
        (["--softmax", "importance", "--samples", 0], ["samples: expected 1 to", "found 0"]),
        (["--softmax", "importance"], ["samples: expected 1 to 13, found 1024"]),
        (["--softmax", "nce", "--samples", 14], ["samples: expected 1 to 13, found 14"]),
        (
            ["--softmax", "negative-sampling", "--samples", 14],
            ["samples: expected 1 to 13, found 14"],
        ),
        (
            ["--softmax", "nce", "--samples", 5, "--noise-power", -1],
            ["noise_power: expected 0 to 10, found -1.0"],
        ),
        (["--samples", 5], ["samples: only with softmax importance or nce"]),
        (["--softmax", "adaptive", "--cutoffs", "5,3"], ["cutoffs: expected rising ids", "'5,3'"]),
        (
            ["--softmax", "adaptive", "--cutoffs", "3,13"],
            ["cutoffs[1]: expected 1 to 12, found 13"],
        ),
        (["--softmax", "adaptive", "--cutoffs", "soon"], ["cutoffs: expected auto, measured"]),
        (["--softmax", "adaptive", "--div", 0.5], ["div: expected 1 to", "found 0.5"]),
        (["--softmax", "adaptive", "--tails", 8, "--head-share", 0.9], ["cutoffs: "]),
        (["--softmax", "class-factored", "--classes", 14], ["classes: expected", "found 14"]),
        (["--softmax", "class-factored", "--tie"], ["tie: not with softmax class-factored"]),
        (["--init", "cheerful"], ["init: ", "cheerful"]),
        (["--init", "uniform:wide"], ["init: ", "wide"]),
        (["--init", "uniform:-1"], ["init: ", "-1"]),
        (["--max-vocabulary", 1], ["max_size: expected"]),
        (["--dynet-mem", "much"], ["dynet memory: expected MB as N or N,N,N,N", "'much'"]),
        (["--dynet-mem", "0"], ["dynet memory: every pool needs at least 1 MB"]),
        (["--dynet-mem", "8,8,8"], ["dynet memory: expected MB as N or N,N,N,N"]),
        (["--dynet-mem", "-64"], ["dynet memory: expected MB"]),
        (["--dynet-mem", "999999999"], ["dynet memory: 999999999 MB asked for, the machine has"]),
        (["--dynet-seed", 0], ["dynet seed: expected 1 to 4294967295, found 0"]),
        (["--dynet-seed", 2**32], ["dynet seed: expected 1 to"]),
        (["--dynet-devices", "TPU"], ["dynet devices: expected CPU or GPU:0", "'TPU'"]),
        (["--dynet-gpus", -1], ["dynet gpus: expected 0 to 256, found -1"]),
        (["--dynet-gpus", 1, "--dynet-devices", "CPU"], ["--dynet-devices or --dynet-gpus"]),
        (["--dynet-weight-decay", 0.1], ["--dynet-weight-decay", "could not be saved"]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_bad_setting_is_refused(tmp_path, options, messages):
    assert_refused(tmp_path, train_on(tmp_path, *options), *messages)


@pytest.mark.parametrize(
    "args",
    [
        ["train", "--hiden", 5],
        ["train", "--hidden", "many"],
        ["train", "--preset", "huge"],
        ["train", "--corpus", "shakespeare"],
        ["train", "--trainer", "lbfgs"],
        ["train", "--epochs"],
        ["evaluate"],
        ["evaluate", "run", "--columns", 0],
        ["evaluate", "run", "text", "more"],
        ["generate", "run", "--temperature", 0],
        ["generate", "run", "--top-k", 0],
        ["generate", "run", "--sentences", 0],
        ["generate", "run", "--seed", -1],
        ["tune"],
    ],
    ids=str,
)
def test_a_command_line_that_is_none_is_told_with_status_2(tmp_path, args):
    assert_refused(tmp_path, args, status=2)


@pytest.mark.parametrize(
    ("name", "content", "messages"),
    [
        ("c.json", None, ["c.json: cannot read it (No such file or directory)"]),
        ("c.json", b"", ["c.json:1: not JSON"]),
        ("c.json", b'{"hidden": 5,\n "k1" 7}', ["c.json:2: not JSON"]),
        ("c.json", b"[1]", ["c.json: expected a table of settings"]),
        ("c.json", b"\xff\xfe\x00", ["c.json: cannot read it"]),
        ("c.json", b"[" * 100000, ["c.json: "]),
        ("c.toml", b"hidden = 5\nk1 = = 7\n", ["c.toml: not TOML", "line 2"]),
        ("c.json", b'{"hiden": 5}', ["c.json: unknown setting 'hiden'"]),
        ("c.json", b'{"hidden": "5"}', ["c.json: hidden: expected int, found '5'"]),
        ("c.json", b'{"hidden": 5.5}', ["c.json: hidden: expected int, found 5.5"]),
        ("c.json", b'{"lr": NaN}', ["c.json: lr: expected 0 to", "found nan"]),
        ("c.json", b'{"tie": 1}', ["c.json: tie: expected bool, found 1"]),
        ("c.json", b'{"lr": null}', ["c.json: lr: expected float, found None"]),
        ("c.toml", b"hidden = -1\n", ["c.toml: hidden: expected 1 to 20000, found -1"]),
        ("c.toml", b"[model]\nhidden = 5\n", ["c.toml: unknown setting 'model'"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_file_of_settings_is_refused(tmp_path, name, content, messages):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path, train_on(tmp_path, "--config", tmp_path / name), *messages)


def test_a_folder_as_file_of_settings_is_refused(tmp_path):
    assert_refused(tmp_path, train_on(tmp_path, "--config", tmp_path), "Is a directory")


# texts

GOOD = b"a b c\n" * 9
BAD_TEXTS = {
    "empty": (b"", "no text"),
    "blank": (b"\n \n\n", "no text"),
    "binary": (GOOD + b"a \0 b\n", ":10: NUL byte: a binary file?"),
    "Latin-1": (GOOD + "café\n".encode("latin-1"), ":10: not UTF-8: byte 0xe9 at byte 4"),
    "UTF-16": ("a b\n".encode("utf-16"), ":1: UTF-16 text"),
    "gzip cut off": (gzip.compress(bytes(range(256)) * 50 + GOOD)[:60], "truncated gzip file"),
    "gzip damaged": (gzip.compress(GOOD * 500)[:40] + b"\xff" * 40, "gzip"),
    "a line without end": (b"a" * 10_000_002, ":1: line of more than 10000000 bytes"),
}


@pytest.mark.parametrize("part", ["train", "dev", "test"])
@pytest.mark.parametrize(("content", "message"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_text_that_is_none_is_refused_with_its_name_and_line(tmp_path, part, content, message):
    command = train_on(tmp_path, "--test", tmp_path / "test.txt")
    (tmp_path / "test.txt").write_bytes(GOOD)
    (tmp_path / f"{part}.txt").write_bytes(content)
    assert_refused(tmp_path, command, f"error: {tmp_path / part}.txt", message)


def test_a_text_named_gz_that_is_no_gzip_is_refused(tmp_path):
    (tmp_path / "t.gz").write_bytes(GOOD)
    command = train_on(tmp_path, "--test", tmp_path / "t.gz")
    assert_refused(tmp_path, command, "t.gz: not a gzip file, though its name ends in .gz")


@pytest.mark.parametrize("part", ["train", "dev", "test", "vocabulary"])
def test_a_missing_text_and_a_folder_are_refused(tmp_path, part):
    options = [*texts(tmp_path), "--out", tmp_path / "run"]
    missing = ["train", *options, f"--{part}", tmp_path / "none.txt"]
    assert_refused(tmp_path, missing, f"{tmp_path / 'none.txt'}: no such file")
    assert_refused(tmp_path, ["train", *options, f"--{part}", tmp_path], f"{tmp_path}: not a file")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "x"], "--dev: needed with --train"),
        (["--dev", "x"], "--dev: only together with --train"),
        (["--vocabulary", "x"], "--vocabulary: only together with --train"),
        (["--corpus", "toy", "--train", "x", "--dev", "x"], "--corpus: not together with --train"),
    ],
)
def test_options_for_texts_that_contradict_each_other_are_refused(tmp_path, options, message):
    assert_refused(tmp_path, ["train", "--out", tmp_path / "run", *options], message)


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        ("", ["words.txt: no words"]),
        ("a\nb\na\n", ["words.txt:3: the word 'a' stands there twice"]),
        ("a\nb c\n", ["words.txt:2: expected one word, found 'b c'"]),
        ("a\nb\n", ["train.txt:", "is not in the vocabulary"]),
    ],
    ids=["empty", "twice", "two words", "too small"],
)
def test_a_bad_word_list_is_refused(tmp_path, words, messages):
    (tmp_path / "words.txt").write_text(words)
    command = train_on(tmp_path, "--vocabulary", tmp_path / "words.txt")
    assert_refused(tmp_path, command, *messages)


def test_a_word_outside_a_fixed_vocabulary_is_told_with_its_line(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb\nc\n")
    options = ["--vocabulary", tmp_path / "words.txt", "--out", tmp_path / "run", *SMALL]
    (tmp_path / "train.txt").write_bytes(GOOD)
    (tmp_path / "dev.txt").write_bytes(GOOD + b"b xyzzy\n")
    command = ["train", "--train", tmp_path / "train.txt", "--dev", tmp_path / "dev.txt", *options]
    assert_refused(tmp_path, command, "dev.txt:10: 'xyzzy' is not in the vocabulary")


def test_a_corpus_that_is_not_there_is_told_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("DYNOTES_DATA", raising=False)
    options = ["--out", tmp_path / "run", "--data-dir"]
    for name in ("ptb_lm", "wikitext2"):
        command = ["train", "--corpus", name, *options]
        way = "download it by" if CORPORA[name].address else "to be obtained by hand"
        assert_refused(tmp_path, [*command, tmp_path], name, "missing", way)
        assert_refused(tmp_path, [*command, tmp_path / "none"], "no such folder of corpora")


# folders


def test_a_run_is_not_overwritten(tmp_path):
    assert invoke(*train_on(tmp_path, "--epochs", 1))[0] == 0
    assert_refused(tmp_path, train_on(tmp_path), "run: holds a run already; use --resume")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert_refused(tmp_path, train_on(tmp_path, out="file"), "file: not a folder")
    assert_refused(tmp_path, train_on(tmp_path, out="file/run"), "file/run: ")
    command = train_on(tmp_path)
    command[command.index("--out") + 1] = "/proc/none/run"
    before = tree(tmp_path)
    status, _, errors = invoke(*command)
    assert (status, errors.startswith("error: /proc/none/run: cannot make the folder")) == (1, True)
    assert tree(tmp_path) == before


def test_after_a_mistake_in_a_text_the_corrected_command_runs(tmp_path):
    command = train_on(tmp_path, "--epochs", 1)
    good = (tmp_path / "dev.txt").read_bytes()
    (tmp_path / "dev.txt").write_bytes(b"\xff")
    assert_refused(tmp_path, command, "dev.txt:1: not UTF-8")
    (tmp_path / "dev.txt").write_bytes(good)
    assert invoke(*command)[0] == 0


# resuming


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """The folder of a run that Ctrl-C ended in its second epoch."""
    report = LmRun._report

    def watch(run, plan):
        report(run, plan)
        if (run.at.epoch, run.at.window) == (1, 3):
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(LmRun, "_report", watch)
        status, out, errors = invoke(*train_on(tmp_path, "--epochs", 2, "--trainer", "momentum"))
    assert (status, errors) == (130, f"interrupted; continue with --resume {tmp_path / 'run'}\n")
    assert out.count("\n") == 2  # the header and one epoch
    return tmp_path / "run"


def test_an_interrupted_run_is_finished_by_resume(interrupted):
    status, out, errors = invoke("train", "--resume", interrupted)
    assert (status, errors) == (0, "")
    assert last_line(out)["epochs"] == 2


@pytest.mark.parametrize("options", [["--hidden", 6], ["--out", "x"], ["--tie"], ["--train", "x"]])
def test_resume_takes_no_other_settings(tmp_path, interrupted, options):
    command = ["train", "--resume", interrupted, *options]
    assert_refused(tmp_path, command, f"{options[0]}: not together with --resume")


def test_resume_needs_the_folder_of_a_run(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("none", "empty", "file"):
        assert_refused(tmp_path, ["train", "--resume", tmp_path / name], f"{name}/config.json: ")


CONFIG_DAMAGE = {
    "no JSON": lambda config: None,
    "a list": lambda config: [1],
    "no settings": lambda config: config.pop("settings"),
    "settings of another version": lambda config: config["settings"].update(depth=3),
    "a bad setting": lambda config: config["settings"].update(hidden=0),
    "no files": lambda config: config.pop("files"),
    "files of another kind": lambda config: config.update(files=5),
    "no training text": lambda config: config["files"].update(train=None),
    "a path of another kind": lambda config: config["files"].update(train=3),
    "no sums": lambda config: config.pop("sha256"),
    "sums of another kind": lambda config: config.update(sha256="x"),
}


@pytest.mark.parametrize("change", CONFIG_DAMAGE.values(), ids=CONFIG_DAMAGE)
def test_a_damaged_config_json_is_refused(tmp_path, interrupted, change):
    path = interrupted / "config.json"
    config = json.loads(path.read_text())
    content = change(config)
    path.write_text("{" if content is None and "sha256" in config else json.dumps(config))
    if isinstance(content, list) and content == [1]:
        path.write_text("[1]")
    assert_refused(tmp_path, ["train", "--resume", interrupted], f"error: {path}: ")


@pytest.mark.parametrize("part", ["train", "dev"])
def test_resume_notices_a_changed_or_missing_text(tmp_path, interrupted, part):
    path = tmp_path / f"{part}.txt"
    with open(path, "a") as file:
        file.write("a\n")
    command = ["train", "--resume", interrupted]
    assert_refused(tmp_path, command, f"{path}: changed since the run began")
    path.unlink()
    assert_refused(tmp_path, command, f"{path}: no such file")


def damaged_bytes(data):
    yield "empty", b""
    yield "cut off", data[:-1]
    yield "cut in half", data[: len(data) // 2]
    yield "garbage", b"garbage" * 50
    yield "zeros", bytes(len(data))


def test_a_damaged_checkpoint_is_refused(tmp_path, interrupted):
    path = interrupted / "checkpoint.safetensors"
    for _, data in damaged_bytes(path.read_bytes()):
        path.write_bytes(data)
        command = ["train", "--resume", interrupted]
        before = tree(tmp_path)
        status, _, errors = invoke(*command)
        assert (status, len(errors.splitlines())) == (1, 1)
        assert errors.startswith(f"error: {path}: not a complete safetensors file")
        assert tree(tmp_path) == before


# models


@pytest.fixture
def model(tmp_path):
    """A model file and, beside it, a text."""
    status, _, errors = invoke(*train_on(tmp_path, "--epochs", 1))
    assert (status, errors) == (0, "")
    return tmp_path / "run" / "model.safetensors"


@pytest.mark.parametrize("command", ["evaluate", "generate"])
def test_a_missing_damaged_or_foreign_model_is_refused(tmp_path, model, command):
    text = [tmp_path / "dev.txt"] if command == "evaluate" else []
    assert_refused(tmp_path, [command, tmp_path / "none", *text], "none: no such file")
    (tmp_path / "empty").mkdir()
    missing = "empty/model.safetensors: no such file"
    assert_refused(tmp_path, [command, tmp_path / "empty", *text], missing)
    for _, data in damaged_bytes(model.read_bytes()):
        (tmp_path / "m").write_bytes(data)
        assert_refused(tmp_path, [command, tmp_path / "m", *text], "m: not a complete safetensors")
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "m")
    assert_refused(tmp_path, [command, tmp_path / "m", *text], "m: a safetensors file, but not")
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    assert_refused(tmp_path, [command, checkpoint, *text], "not a language model of dynotes")


def test_evaluate_refuses_a_text_that_is_none(tmp_path, model):
    assert_refused(tmp_path, ["evaluate", model, tmp_path / "none"], "none: No such file")
    assert_refused(tmp_path, ["evaluate", model, tmp_path], "Is a directory")
    (tmp_path / "bad").write_bytes(GOOD + b"\xff\n")
    assert_refused(tmp_path, ["evaluate", model, tmp_path / "bad"], "bad:10: not UTF-8")


def test_a_table_of_sentences_that_cannot_be_written_is_told(tmp_path, model):
    command = ["evaluate", model, tmp_path / "dev.txt", "--per-sentence"]
    assert_refused(tmp_path, [*command, tmp_path / "none" / "t.tsv"], "No such file or directory")
    assert_refused(tmp_path, [*command, tmp_path], "not a regular file")


def test_generate_refuses_more_words_than_there_are_and_a_temperature_that_is_none(tmp_path, model):
    command = ["generate", model, "--top-k", 14]
    assert_refused(tmp_path, command, "top-k: at most 13 (words), found 14")
    command = ["generate", model, "--temperature", "nan"]
    assert_refused(tmp_path, command, "temperature: expected a positive number, found nan")


def test_generate_refuses_a_prompt_outside_a_fixed_vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join("abcdefghijk"))
    command = train_on(tmp_path, "--vocabulary", tmp_path / "words.txt", "--epochs", 1)
    assert invoke(*command)[0] == 0
    command = ["generate", tmp_path / "run", "--prompt", "a xyzzy"]
    assert_refused(tmp_path, command, "'xyzzy' is not in the vocabulary")


def test_a_prompt_is_normalised_as_the_training_text_was(tmp_path):
    assert invoke(*train_on(tmp_path, "--lower", "--epochs", 1))[0] == 0
    status, out, errors = invoke("generate", tmp_path / "run", "--prompt", "A B", "--sentences", 2)
    assert (status, errors) == (0, "")
    assert all(line.startswith("a b") for line in out.splitlines()[:2])


def test_no_message_names_a_file_of_this_package(tmp_path):
    _, _, errors = invoke(*train_on(tmp_path, "--init", "cheerful"))
    assert str(Path(runtime.__file__).parent) not in errors
