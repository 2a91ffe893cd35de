"""The slot filling experiment on finished runs, and its ranks by loops."""

import itertools
import json

import numpy as np
import pytest

from dynotes.corpora.token_store import store_tokens
from dynotes.corpora.toy_data import toy_dir
from dynotes.training.model_file import write_arrays
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.filling import open_filler
from dynotes.training.word2vec.run import Word2vecRun
from dynotes.training.word2vec.session import model_meta
from tests.scripts.experiment_script import module, run_script, table
from tests.scripts.lm_script import last_line, tree
from tests.training.word2vec.small_word2vec import config

METHODS = ("cbow-2", "cbow-5", "cbow-10", "context2vec")


def finished(folder, method):
    """A run of a few sentences of the toy text, with the summary that the experiment reads."""
    folder.mkdir(parents=True)
    with open(toy_dir() / "train.txt", encoding="utf-8") as file:
        (folder / "text.txt").write_text("".join(itertools.islice(file, 60)))
    text = store_tokens(folder / "text.txt", folder / "tokens", min_count=1)
    name, _, window = method.partition("-")
    settings = {"window": int(window)} if window else {}
    chosen = config(model=name, subsample=1e-3, epochs=1, **settings)
    run = Word2vecRun(chosen, text, RunFolder(folder), say=lambda _: None)
    run.train()
    meta = model_meta(chosen, text.vocabulary, run.model)
    write_arrays(run.folder.model, run.parameters(), meta)
    summary = {"epochs": 1, "throughput": {"words_per_second": 7.0}, "train_seconds": 2.0}
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(finished process, its folder, the files of the runs before)."""
    folder = tmp_path_factory.mktemp("slots")
    for method in METHODS:
        finished(folder / "out" / f"{method}-1", method)
    before = tree(folder / "out" / "context2vec-1")
    options = ["--corpus", "toy", "--gaps", 60, "--out", folder / "out"]
    return run_script(folder, "slot_filling.py", *options), folder / "out", before


def test_there_is_a_row_for_the_frequencies_and_for_every_run(done):
    process, out, before = done
    assert process.returncode == 0, process.stderr
    assert [row["method"] for row in table(out)] == ["frequency", *METHODS]
    assert tree(out / "context2vec-1") == before
    for row in table(out):
        assert 0 < float(row["mrr"]) <= 1
        assert 40 < int(row["gaps"]) <= 60
    found = last_line(process.stdout)
    assert found["task"] == "slot-filling"
    assert found["metrics"]["mrr_context2vec"] == pytest.approx(
        float(table(out)[-1]["mrr"]), abs=1e-4
    )


def test_ranks_are_those_of_loops_over_the_test_sentences(done):
    _, out, _ = done
    filler = open_filler(out / "cbow-2-1")
    with open(toy_dir() / "train.txt", encoding="utf-8") as file:
        sentences = [line.split() for i, line in enumerate(file) if i % 20 == 19]
    reciprocal = []
    for sentence in sentences:
        ids = [int(i) for i in filler.vocabulary.lookup(sentence) if i >= 0]
        if len(ids) < 2:
            continue
        if len(reciprocal) + len(ids) > 60:
            break
        for place, target in enumerate(ids):
            (c,) = filler.contexts([np.array(ids)], [place])
            scores = filler.outputs @ c + filler.shift
            reciprocal.append(1 / (1 + (scores > scores[target]).sum()))
    row = next(row for row in table(out) if row["method"] == "cbow-2")
    assert int(row["gaps"]) == len(reciprocal)
    assert float(row["mrr"]) == pytest.approx(np.mean(reciprocal), rel=0.02)  # ties aside


def test_train_dev_and_test_are_different_sentences_that_cover_the_text(tmp_path):
    script = module("slot_filling")
    dev, test = script.split(tmp_path / "train.txt", {"corpus": "toy", "data_dir": None})
    with open(toy_dir() / "train.txt", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    train = [line.split() for line in (tmp_path / "train.txt").read_text().splitlines()]
    assert dev == lines[18::20]
    assert test == lines[19::20]
    assert train == [line for i, line in enumerate(lines) if i % 20 < 18]


def test_the_best_cbow_is_the_one_that_is_best_on_dev():
    rows = [
        {"method": "frequency", "dev_mrr": 0.1, "mrr": 0.1},
        {"method": "cbow-2", "dev_mrr": 0.3, "mrr": 0.2},
        {"method": "cbow-5", "dev_mrr": 0.2, "mrr": 0.4},
        {"method": "context2vec", "dev_mrr": 0.5, "mrr": 0.5},
        {"method": "context2vec", "dev_mrr": 0.5, "mrr": 0.7},
    ]
    found = module("slot_filling").metrics(rows)
    assert found == {"mrr_context2vec": 0.6, "mrr_cbow-2": 0.2, "mrr_frequency": 0.1}


def test_a_run_that_fails_is_named(tmp_path):
    options = ["--corpus", "toy", "--dim", 2, "--negatives", 10**6, "--out", tmp_path / "out"]
    failed = run_script(tmp_path, "slot_filling.py", *options)
    assert failed.returncode == 1
    assert "error: negatives: expected 1 to" in failed.stderr
    last = failed.stderr.splitlines()[-1]
    assert last.startswith("error: cbow-2: the run in ")
