"""scripts/lm.py: what it offers, what it answers, how it is interrupted."""

import json
import math
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from functools import partial

import click
import pytest

from dynotes.corpora.toy_data import toy_dir
from dynotes.training.lm_model import load_model
from tests.scripts.lm_script import (
    SCRIPT,
    SMALL,
    environment,
    last_line,
    load,
    log,
    run,
    start,
    texts,
    tree,
)
from tests.training.small_lm import write_text

KILLS = int(os.environ.get("DYNOTES_KILLS", "3"))


# --help

HELP = """
import runpy, sys
sys.argv = ["lm.py", *{args}]
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as end:
    heavy = {{"numpy", "dynet", "_dynet", "dynet_config", "safetensors", "tqdm", "matplotlib"}}
    print(end.code, sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["generate"]])
def test_help_answers_without_the_engine_or_numpy(command):
    code = HELP.format(args=[*command, "--help"], script=str(SCRIPT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "Usage: lm.py" in done.stdout


WITHOUT_DEFAULT = {"resume", "train", "dev", "test", "preset", "config", "per_sentence", "prompt"}
WITHOUT_DEFAULT |= {"dynet_autobatch"}  # a flag: off


def options_of(name):
    command = load().main.commands[name]
    return [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]


@pytest.mark.parametrize("name", ["train", "evaluate", "generate"])
def test_every_option_has_a_help_text_a_metavar_and_tells_its_default(name):
    context = click.Context(load().main.commands[name])
    for option in options_of(name):
        assert option.help, option.name
        assert option.metavar or option.is_flag, option.name
        shown = option.get_help_record(context)[1]
        assert "[default: " in shown or option.name in WITHOUT_DEFAULT, option.name


def test_the_flags_of_dynet_keep_their_names():
    flags = {flag for option in options_of("train") for flag in option.opts}
    names = ("mem", "seed", "devices", "gpus", "autobatch", "weight-decay")
    assert {f"--dynet-{name}" for name in names} <= flags


# train, evaluate, generate


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with a test text: (folder with the texts, stdout)."""
    folder = tmp_path_factory.mktemp("finished")
    write_text(folder / "test.txt", 60, 3)
    status, out, errors = run(
        folder, "train", *texts(folder, train=300, dev=90), "--test", folder / "test.txt",
        "--out", folder / "run", "--epochs", 3, *SMALL,
    )  # fmt: skip
    assert (status, errors) == (0, "")
    return folder, out


def test_the_last_line_of_train_is_a_json_summary(finished):
    folder, out = finished
    result = last_line(out)
    assert (result["task"], result["model"]) == ("language-model", "lstm")
    assert set(result["metrics"]) == {"dev_perplexity", "test_perplexity"}
    assert result["throughput"]["tokens_per_second"] > 0
    assert (result["epochs"], result["seed"], result["run"]) == (3, 1, str(folder / "run"))
    assert result["seconds"] >= result["train_seconds"] > 0
    epochs = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == 3
    assert "seed 1" in out


def test_a_run_folder_holds_all_that_is_needed_to_repeat_the_run(finished):
    folder, out = finished
    names = {"config.json", "log.jsonl", "model.safetensors", "checkpoint.safetensors"}
    assert {p.name for p in (folder / "run").iterdir()} == names
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["settings"]["hidden"] == 6
    assert config["settings"]["seed"] == 1
    assert config["files"]["train"] == str((folder / "train.txt").resolve())
    assert len(config["sha256"]["train"]) == 64
    assert {"dynotes", "dynet", "numpy", "python"} <= set(config["versions"])
    lines = log(folder / "run")
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    best = min(line["dev_perplexity"] for line in lines)
    assert last_line(out)["metrics"]["dev_perplexity"] == round(best, 4)


def test_evaluate_gives_the_perplexity_that_train_gave_and_the_sentences_sum_to_it(finished):
    folder, out = finished
    table = folder / "sentences.tsv"
    status, told, errors = run(
        folder, "evaluate", folder / "run", folder / "test.txt", "--per-sentence", table
    )
    assert (status, errors) == (0, "")
    result = last_line(told)
    expected = last_line(out)["metrics"]["test_perplexity"]
    assert result["metrics"] == {"perplexity": expected}
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert rows[0] == ["line", "tokens", "nats", "perplexity"]
    assert [int(row[0]) for row in rows[1:]] == list(range(1, 61))
    words = [len(line.split()) + 1 for line in (folder / "test.txt").read_text().splitlines()]
    assert [int(row[1]) for row in rows[1:]] == words
    nats = sum(float(row[2]) for row in rows[1:])
    assert nats == pytest.approx(result["nats"], abs=0.01)
    assert math.exp(nats / sum(words)) == pytest.approx(expected, abs=1e-3)
    assert float(rows[1][3]) == pytest.approx(math.exp(float(rows[1][2]) / words[0]), rel=1e-4)
    assert (result["tokens"], result["unknown_tokens"]) == (sum(words), 0)


def test_generate_prints_the_sentences_and_a_summary(finished):
    folder, _ = finished
    command = ["generate", folder / "run", "--sentences", 7, "--prompt", "a b", "--seed", 5]
    status, out, errors = run(folder, *command)
    assert (status, errors) == (0, "")
    *lines, _ = out.splitlines()
    result = last_line(out)
    assert len(lines) == result["metrics"]["sentences"] == 7
    assert all(line.split()[:2] == ["a", "b"] for line in lines)
    assert sum(len(line.split()) for line in lines) == result["metrics"]["words"]
    assert "<unk>" not in out
    assert run(folder, *command)[1].splitlines()[:-1] == lines
    command[-1] = 6
    assert run(folder, *command)[1].splitlines()[:-1] != lines


def test_a_finished_run_can_be_resumed_and_says_the_same(finished):
    folder, out = finished
    before = {p: p.read_bytes() for p in (folder / "run").iterdir()}
    status, again, errors = run(folder, "train", "--resume", folder / "run")
    assert (status, errors) == (0, "")
    assert last_line(again)["metrics"] == last_line(out)["metrics"]
    assert {p: p.read_bytes() for p in (folder / "run").iterdir()} == before


def test_without_file_arguments_the_toy_language_is_learnt_and_its_optimum_told(tmp_path):
    status, out, errors = run(
        tmp_path, "train", "--out", tmp_path / "run", "--hidden", 16, "--layers", 1,
        "--batch-size", 100, "--max-minutes", 0.02,
    )  # fmt: skip
    assert (status, errors) == (0, "")
    metrics = last_line(out)["metrics"]
    assert 1 < metrics["optimum_perplexity"] < metrics["test_perplexity"]
    gap = 100 * (metrics["test_perplexity"] / metrics["optimum_perplexity"] - 1)
    assert metrics["gap_percent"] == pytest.approx(gap, rel=1e-4)
    _, told, _ = run(tmp_path, "evaluate", tmp_path / "run")
    found = last_line(told)["metrics"]
    assert found["perplexity"] == metrics["test_perplexity"]
    assert found["optimum_perplexity"] == metrics["optimum_perplexity"]
    owned, vocabulary, _ = load_model(tmp_path / "run" / "model.safetensors")
    words = (toy_dir() / "vocabulary.txt").read_text().split()
    assert set(words) <= set(vocabulary.decode(range(owned.model.n_words)))


def test_settings_come_from_a_file_and_the_command_line_wins(tmp_path):
    (tmp_path / "c.toml").write_text("hidden = 4\nbatch-size = 3\nk1 = 5\n")
    status, _, errors = run(
        tmp_path, "train", *texts(tmp_path), "--out", tmp_path / "run", "--config",
        tmp_path / "c.toml", "--k1", 7, "--epochs", 1,
    )  # fmt: skip
    assert (status, errors) == (0, "")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert (settings["hidden"], settings["batch_size"], settings["k1"]) == (4, 3, 7)


def test_a_pipe_that_is_closed_ends_the_program_quietly(finished):
    folder, _ = finished
    command = (
        f"'{sys.executable}' '{SCRIPT}' generate '{folder / 'run'}' --sentences 9000 | head -1"
    )
    done = subprocess.run(
        command, shell=True, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


# interrupted


def long_run(folder, out, *more):
    """A command that trains for a second or two."""
    settings = [*SMALL, "--hidden", 12, "--epochs", 4, "--dropout-x", 0.2, "--zero-state", 0.1]
    settings += ["--trainer", "momentum", "--lr", 0.05, "--checkpoint-seconds", 0.2, *more]
    return ["train", *texts(folder, train=1200), "--out", out, *settings]


def parameters(folder):
    """Name and bits of every parameter of the model of a run."""
    arrays = load_model(folder / "model.safetensors")[0].arrays()
    return {name: value.tobytes() for name, value in arrays.items()}


def wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.005)


def test_ctrl_c_saves_a_checkpoint_and_the_resumed_run_equals_an_uninterrupted_one(tmp_path):
    status, _, errors = run(tmp_path, *long_run(tmp_path, tmp_path / "whole"))
    assert (status, errors) == (0, "")
    part = tmp_path / "part"
    process = start(tmp_path, *long_run(tmp_path, part))
    wait_for(part / "checkpoint.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == f"interrupted; continue with --resume {part}\n"
    assert not list(part.glob("*.tmp"))
    status, _, errors = run(tmp_path, "train", "--resume", part)
    assert (status, errors) == (0, "")
    assert parameters(part) == parameters(tmp_path / "whole")
    assert log(part) == log(tmp_path / "whole")


def test_ctrl_c_outside_of_training_ends_with_130_too(finished):
    folder, _ = finished
    listen = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    command = ["generate", folder / "run", "--sentences", 100000]
    process = start(folder, *command, preexec_fn=listen)  # jobs in the background ignore Ctrl-C
    time.sleep(1.5)  # started, and far from its end
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (130, "", "interrupted\n")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_at_any_moment_and_resumed_ends_with_the_same_bits(tmp_path, processes):
    more = ["--processes", processes, "--batch-size", 8 * processes]
    began = time.monotonic()
    status, _, errors = run(tmp_path, *long_run(tmp_path, tmp_path / "whole", *more))
    seconds = time.monotonic() - began
    assert (status, errors) == (0, "")
    rng, part = random.Random(processes), tmp_path / "part"
    for number in range(KILLS // 2 if processes == 2 else KILLS - KILLS // 2):
        process = begin(tmp_path, part, more)
        time.sleep(rng.uniform(0.1, 0.8) * seconds)
        if process.poll() is not None:  # it came to its end: kill another run
            assert_finished(process, part, tmp_path / "whole")
            part = tmp_path / f"part-{number}"
        process.kill()
        process.communicate()
    assert_finished(begin(tmp_path, part, more), part, tmp_path / "whole")


def assert_finished(process, part, whole):
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert parameters(part) == parameters(whole)
    assert log(part) == log(whole)
    assert not list(part.glob("*.tmp"))


def begin(folder, part, more):
    """Resume the run, or start it if it was killed before there was one."""
    if (part / "config.json").exists():
        return start(folder, "train", "--resume", part)
    return start(folder, *long_run(folder, part, *more))


# no room


def no_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def test_a_file_that_cannot_be_written_leaves_the_checkpoint_and_the_run_can_go_on(tmp_path):
    command = ["train", *texts(tmp_path), *SMALL, "--epochs", 4]
    run(tmp_path, *command, "--out", tmp_path / "whole")
    part = tmp_path / "part"
    process = start(tmp_path, *command, "--out", part, "--checkpoint-seconds", 0)
    wait_for(part / "checkpoint.safetensors", process)
    process.kill()
    process.communicate()
    before = tree(part)
    status, _, errors = run(tmp_path, "train", "--resume", part, preexec_fn=no_room)
    if status == 0:
        pytest.skip("the run was over before it could be killed")
    assert status == 1
    assert errors.startswith("error: ")
    assert "File too large" in errors
    assert len(errors.splitlines()) == 1
    assert {p: b for p, b in tree(part).items() if not p.name.endswith(".tmp")} == {
        p: b for p, b in before.items() if not p.name.endswith(".tmp")
    }
    assert run(tmp_path, "train", "--resume", part)[0] == 0
    assert parameters(part) == parameters(tmp_path / "whole")


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder with room for 32 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told(tmp_path, tiny_disk):
    status, _, errors = run(
        tmp_path, "train", *texts(tmp_path), "--out", tiny_disk / "run", "--hidden", 40
    )
    assert (status, errors) == (1, "error: the disk is full\n")
    assert [p.name for p in (tiny_disk / "run").iterdir()] == ["config.json"]


# what only the engine can tell


def test_a_gpu_on_a_cpu_build_is_refused(finished):
    import dynet as dy

    if dy.HAVE_CUDA:
        pytest.skip("this DyNet has CUDA")
    folder, _ = finished
    for flag in (["--dynet-gpus", 1], ["--dynet-devices", "CPU,GPU:0"]):
        status, out, errors = run(folder, "evaluate", folder / "run", folder / "dev.txt", *flag)
        assert (status, out) == (1, "")
        assert errors == "error: a GPU was asked for, but this DyNet is a CPU build\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tie", "--embed", 3], r"update \d+: the loss is nan"),
        (["--tie", "--embed", 3, "--processes", 2], r"update \d+: the loss is nan"),
        ([], "dev was infinite in every epoch"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run_with_one_line(tmp_path, more, message):
    status, _, errors = run(
        tmp_path, "train", *texts(tmp_path), *SMALL, "--out", tmp_path / "run", "--lr", "1e30",
        "--clip", 0, *more,
    )  # fmt: skip
    assert status == 1
    assert re.fullmatch(rf"error: .*{message}; lower the learning rate or clip\n", errors)


def test_a_memory_pool_of_4_numbers_and_autobatching_are_accepted(finished):
    folder, _ = finished
    expected = run(folder, "evaluate", folder / "run", folder / "dev.txt")[1]
    flags = ["--dynet-mem", "8,8,8,8", "--dynet-autobatch", "--dynet-seed", 7]
    status, out, errors = run(folder, "evaluate", folder / "run", folder / "dev.txt", *flags)
    assert (status, errors) == (0, "")
    assert last_line(out)["metrics"]["perplexity"] == pytest.approx(
        last_line(expected)["metrics"]["perplexity"], rel=1e-4
    )
