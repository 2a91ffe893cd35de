"""Runs of a parser: bits, interruptions, the best model, trees of a trained parser, bad files."""

import os
import signal

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.parse_scores import score_sentence
from dynotes.corpora.trees import is_tree
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.parameters import snapshot
from dynotes.training.parser.models import Decoding, best_labels
from dynotes.training.parser.step import annealed
from dynotes.training.parser.trained import read_parser
from dynotes.training.progress import Interrupted
from dynotes.training.settings import ConfigError
from tests.parsing.small_treebank import sentence, sentences, symbols
from tests.training.parser.small_parser import config, log, run


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_two_runs_with_one_seed_give_equal_bits_and_another_seed_others(tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        r = run(tmp_path / name, config(seed=seed))
        r.train()
        found.append(snapshot(r.pc))
    assert_equal(found[0], found[1])
    assert any((found[0][name] != found[2][name]).any() for name in found[0])


@pytest.mark.parametrize("stop_at", [1, 7, 14, 20])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tmp_path, stop_at):
    settings = config(loss="tree" if stop_at == 7 else "local")
    whole = run(tmp_path / "whole", settings)
    whole.train()
    part = run(tmp_path / "part", settings)
    step, steps = part.stepper.step, []

    def counted(*args):
        steps.append(1)
        if len(steps) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    part.stepper.step = counted
    with pytest.raises(Interrupted):
        part.train()
    rest = run(tmp_path / "part", settings)
    at = rest.train(resume=True)
    assert at.epoch == 3
    assert at.update > 20
    files = [
        read_arrays(tmp_path / name / "run" / file)[0]
        for name in ("whole", "part")
        for file in ("checkpoint.safetensors", "model.safetensors")
    ]
    assert_equal(files[0], files[2])
    assert_equal(files[1], files[3])
    assert log(tmp_path / "part") == log(tmp_path / "whole")


def test_the_model_file_is_that_of_the_best_epoch_and_gives_its_scores(tmp_path):
    r = run(tmp_path, config(epochs=12))
    at = r.train()
    best = max(at.history, key=lambda entry: (entry["dev_las"], -entry["epoch"]))
    assert at.best_epoch == best["epoch"]
    parser, pc = read_parser(tmp_path / "run")
    assert round(parser.score(sentences()).las, 3) == best["dev_las"]
    assert_equal(snapshot(pc), snapshot(r.pc))


def test_it_learns_the_treebank_by_heart(tmp_path):
    """15 sentences of 5 kinds: UAS and LAS of 100 by the 30th epoch, without dropout."""
    none = dict.fromkeys(("dropout_embed", "dropout_x", "dropout_h", "dropout_mlp"), 0.0)
    r = run(tmp_path, config(epochs=30, **none))
    r.train()
    assert r.at.history[-1]["dev_uas"] == r.at.history[-1]["dev_las"] == 100


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    run(folder, config()).train()
    parser, pc = read_parser(folder / "run" / "model.safetensors")
    yield parser
    del pc


def many(count=40):
    rng = np.random.default_rng(1)
    words = ["the", "dog", "sees", "cats", "unseen", "go"]
    for n in rng.integers(1, 12, count):
        some = rng.choice(words, n)
        yield sentence(" ".join(some), " ".join(rng.choice(list("NVX_"), n)), [0] * n, "x " * n)


@pytest.mark.parametrize("decoder", ["mst", "eisner"])
@pytest.mark.parametrize("single_root", [True, False])
def test_every_output_is_a_tree_in_the_order_of_the_input(trained, decoder, single_root):
    given = list(many())
    found = list(trained.parse(given, Decoding(decoder, single_root)))
    assert [s.forms for s in found] == [s.forms for s in given]
    for s in found:
        assert is_tree(s.heads, multi_root=not single_root)
        labels = [label == "root" for label in s.labels]
        assert labels == (s.heads == 0).tolist()


def test_sentences_parse_alone_as_they_do_among_others(trained):
    together = [s.text() for s in trained.parse(many())]
    assert [s.text() for one in many() for s in trained.parse([one])] == together


def test_a_long_input_is_parsed_in_blocks(trained, monkeypatch):
    together = [s.text() for s in trained.parse(many())]
    monkeypatch.setattr("dynotes.training.parser.trained.BLOCK", 10)
    taken = []

    def counted():
        for one in many():
            taken.append(one)
            yield one

    stream = trained.parse(counted())
    first = next(stream).text()
    assert len(taken) < 15
    assert [first, *(s.text() for s in stream)] == together


def test_scores_are_those_of_the_parsed_sentences(trained):
    total = trained.score(sentences())
    parsed = list(trained.parse(sentences()))
    each = [score_sentence(a, b) for a, b in zip(sentences(), parsed)]
    assert total.both == sum(s.both for s in each)
    assert total.words == 15
    assert total.las <= total.uas


def test_the_label_of_a_root_is_only_for_roots():
    table = symbols()
    scores = np.tile(np.where(np.array(table.labels.words) == "root", 1.0, 0.0)[:, None], 3)
    found = table.labels.decode(best_labels(scores, np.array([0, 1, 1]), table))
    assert found[0] == "root"
    assert "root" not in found[1:]
    found = best_labels(-scores, np.array([0, 1, 1]), table)
    assert table.labels.decode(found)[0] == "root"


def test_the_rate_falls_by_the_factor_over_the_steps():
    settings = config(lr=2e-3, decay=0.75, decay_steps=5000)
    assert annealed(settings, 0) == 2e-3
    assert annealed(settings, 5000) == pytest.approx(1.5e-3)
    assert annealed(settings, 2500) == pytest.approx(2e-3 * 0.75**0.5)


def test_vectors_are_added_and_kept(tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("2 6\ndog 1 2 3 4 5 6\ncats -1 0 1 0 -1 0\n")
    r = run(tmp_path, config(), vectors=vectors)
    r.train()
    fixed = next(a for name, a in snapshot(r.pc).items() if name.endswith("/fixed"))
    np.testing.assert_array_equal(fixed, [[1, 2, 3, 4, 5, 6], [-1, 0, 1, 0, -1, 0]])
    with pytest.raises(ConfigError, match="word_size: expected 6"):
        run(tmp_path / "other", config(word_size=7), vectors=vectors)


def test_training_stops_when_dev_stays_as_it_is(tmp_path):
    r = run(tmp_path, config(epochs=50, lr=0.0, patience=2))
    assert r.train().epoch == 4


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    run(tmp_path, config()).train()
    with pytest.raises(InputError, match="damaged or of other settings"):
        run(tmp_path, config(hidden=7)).train(resume=True)


def test_a_file_that_is_no_parser_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match="no such file"):
        read_parser(path)
    write_arrays(path, {"a": np.zeros(2, np.float32)}, {"task": "lm"})
    with pytest.raises(InputError, match=r"not a model of scripts/parser\.py"):
        read_parser(path)
    write_arrays(path, {}, {"task": "parser", "algorithm": "guess"})
    with pytest.raises(InputError, match="a damaged model"):
        read_parser(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"word_size": 0, "char_size": 0, "tags": "none"}, "nothing would be read"),
        ({"loss": "best"}, "loss: expected one of"),
        ({"dropout_mlp": 1.0}, "dropout_mlp: expected 0 to 0.999"),
        ({"hidden": 0}, "hidden: expected 1 to"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        config(**settings)
