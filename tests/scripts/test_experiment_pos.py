"""The part-of-speech probe on a small treebank: readers, windows, classifier, the script."""

import json
import subprocess
import sys

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.word_vectors import WordVectors, write_vectors
from tests.scripts.experiment_script import FOLDER, module, run_script, table
from tests.scripts.lm_script import environment, last_line

SENTENCES = {  # words and tags that the words alone do not tell: "saw" is a noun after "the"
    "train": [("the saw saw", "DET NOUN VERB"), ("the dog saw the cat", "DET NOUN VERB DET NOUN")],
    "dev": [("the cat saw the saw", "DET NOUN VERB DET NOUN")],
    "test": [("The saw saw the Dog", "DET NOUN VERB DET NOUN")],
}
WORDS = ["the", "saw", "dog", "cat"]


def conllu(pairs, times=1):
    lines = []
    for words, tags in pairs * times:
        lines.append("# text = " + words)
        for i, (word, tag) in enumerate(zip(words.split(), tags.split()), start=1):
            lines.append("\t".join([str(i), word, "_", tag, *"______"]))
        lines.append("")
    return "\n".join(lines) + "\n"


def treebank(folder, times=1):
    """A data folder with a treebank "bank"."""
    (folder / "bank").mkdir(parents=True)
    for part, pairs in SENTENCES.items():
        (folder / "bank" / f"en-{part}.conllu").write_text(conllu(pairs, times))
    return folder


def test_words_and_tags_are_read_and_ranges_and_empty_nodes_are_not(tmp_path):
    path = tmp_path / "x.conllu"
    row = "\t".join
    path.write_text(
        "\n".join(
            [
                "# text = don't",
                row(["1-2", "don't", *"________"]),
                row(["1", "do", "_", "AUX", *"______"]),
                row(["2", "n't", "_", "PART", *"______"]),
                row(["2.1", "go", "_", "VERB", *"______"]),
                "",
                row(["1", "New York", "_", "PROPN", *"______"]),
            ]
        )
        + "\n"
    )
    found = module("pos_data").read_tagged(path)
    assert found.words == [["do", "n't"], ["New\u00a0York"]]
    assert found.tags == [["AUX", "PART"], ["PROPN"]]
    assert found.size == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [("1\tthe\t_\n", "x:1: expected 10 columns, found 3"), ("# nothing\n\n", "x: no sentences")],
)
def test_another_form_is_refused_with_its_line(text, message, tmp_path):
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError, match=message):
        module("pos_data").read_tagged(tmp_path / "x")


def test_the_majority_tag_of_a_word_is_its_most_frequent():
    pos_data = module("pos_data")
    tagged = pos_data.Tagged([["a", "a", "b"], ["a", "b"]], [["X", "Y", "Z"], ["Y", "X"]])
    assert pos_data.majority_tags(tagged) == {"a": "Y", "b": "Z"}
    assert pos_data.majority_tags(tagged, least=3) == {"a": "Y"}


def test_a_word_is_known_by_its_form_or_else_its_lower_case():
    rows = module("pos_data").word_rows(["The", "the", "Dog", "x"], {"the": 0, "Dog": 1}, 9)
    np.testing.assert_array_equal(rows, [0, 0, 1, 9])


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_windows_of_the_classifier_are_those_of_a_loop(radius):
    sentences = [np.array(s) for s in ([4, 2], [7], [1, 3, 5, 8])]
    found = module("pos_classifier").examples(sentences, np.arange(7), radius, outside=99)
    expected = [
        [s[i + o] if 0 <= i + o < len(s) else 99 for o in range(-radius, radius + 1)]
        for s in sentences
        for i in range(len(s))
    ]
    np.testing.assert_array_equal(found.rows.T, expected)


def examples(part, radius):
    """The sentences of a part for the four words, row 4 unknown, row 5 outside."""
    pos_data, classifier = module("pos_data"), module("pos_classifier")
    rows = {word: i for i, word in enumerate(WORDS)}
    words = [pos_data.word_rows(text.split(), rows, 4) for text, _ in SENTENCES[part]]
    tags = [["DET", "NOUN", "VERB"].index(t) for _, some in SENTENCES[part] for t in some.split()]
    return classifier.examples(words, np.array(tags), radius, 5)


@pytest.mark.parametrize(("radius", "accuracy"), [(0, 0.8), (1, 1.0)])
def test_a_tag_that_the_neighbour_tells_is_found_with_the_neighbour_alone(radius, accuracy):
    """Four different vectors: by itself "saw" has one tag, after "the" it has another."""
    vectors = WordVectors(WORDS, np.eye(4, dtype=np.float32))
    probe = module("pos_classifier").Probe(vectors, radius, 3)
    train, dev = examples("train", radius), examples("dev", radius)
    best, epoch = probe.fit(train, dev, 300, np.random.default_rng(1))
    assert best == probe.right(dev).mean() == pytest.approx(accuracy)
    assert 1 <= epoch <= 300


def test_the_vectors_stay_as_they_are_while_the_classifier_learns():
    vectors = WordVectors(WORDS, np.arange(8, dtype=np.float32).reshape(4, 2))
    probe = module("pos_classifier").Probe(vectors, 1, 3)
    before = np.array(probe._table.as_array())
    probe.fit(examples("train", 1), examples("dev", 1), 3, np.random.default_rng(1))
    np.testing.assert_array_equal(probe._table.as_array(), before)
    assert np.mean(before[:4] ** 2) == pytest.approx(1, rel=1e-5)
    assert not before[4:].any()


def finished(folder, name, quality):
    """A run that was trained before: its summary and vectors, better ones for a high quality."""
    (folder / name).mkdir(parents=True)
    (folder / name / "summary.json").write_text(json.dumps({"train_seconds": 1.5}))
    matrix = np.eye(4, dtype=np.float32)[:, :quality]
    write_vectors(folder / name / "vectors.bin", WordVectors(WORDS, matrix), format="binary")


OPTIONS = ["--treebank", "bank", "--text", "treebank", "--seeds", 2, "--probe-epochs", 400]
MODELS = ["--model", "skipgram", "--model", "cbow"]


def test_the_script_compares_finished_runs_seed_by_seed(tmp_path):
    out, data = tmp_path / "out", treebank(tmp_path / "data")
    for seed in (1, 2):
        finished(out, f"skipgram-{seed}", 1)
        finished(out, f"cbow-{seed}", 4)
    options = [*OPTIONS, *MODELS, "--radius", 0, "--radius", 1, "--data-dir", data, "--test"]
    done = run_script(tmp_path, "pos_probe.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = {(row["model"], row["radius"]): row for row in table(out)}
    assert list(rows) == [(m, r) for m in ("skipgram", "cbow") for r in "01"]
    best = rows["cbow", "1"]
    assert [float(best[name]) for name in ("dev", "test", "test_std")] == [1, 1, 0]
    gain = 1 - float(rows["skipgram", "1"]["test"])
    assert float(best["test_gain"]) == pytest.approx(gain, abs=1e-5)
    found = last_line(done.stdout)
    assert found["accuracy"]["cbow, radius 1"] == 1
    assert found["scored"] == "test"
    assert (out / "text.txt").read_text() == "the saw saw\nthe dog saw the cat\n"
    assert len(json.loads((out / "result.json").read_text())["runs"]) == 8


def test_without_test_the_test_part_is_not_even_opened(tmp_path):
    out, data = tmp_path / "out", treebank(tmp_path / "data")
    (data / "bank" / "en-test.conllu").write_text("no treebank\n")
    finished(out, "cbow-1", 4)
    options = [*OPTIONS, "--model", "cbow", "--seeds", 1, "--data-dir", data]
    done = run_script(tmp_path, "pos_probe.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    assert table(out)[0]["test"] == ""


def test_the_script_trains_what_is_not_there(tmp_path):
    out, data = tmp_path / "out", treebank(tmp_path / "data", times=20)
    options = [*OPTIONS, "--model", "skipgram", "--seeds", 1, "--epochs", 1, "--dim", 4]
    options += ["--setting", "negatives=2", "--setting", "chunk=20", "--data-dir", data]
    done = run_script(tmp_path, "pos_probe.py", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    config = json.loads((out / "skipgram-1" / "config.json").read_text())["settings"]
    assert [config[k] for k in ("dim", "chunk", "negatives", "seed")] == [4, 20, 2, 1]
    assert 0 < float(table(out)[0]["dev"]) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--treebank", "gone"], "gone: no such folder of a treebank"),
        (["--setting", "lr"], "--setting: expected NAME=VALUE, found 'lr'"),
        (["--text", "gone.txt"], "gone.txt"),
        (["--setting", "lrr=1"], "ended with status 2"),
    ],
)
def test_what_is_wrong_is_one_line(options, message, tmp_path):
    data = treebank(tmp_path / "data")
    all_options = [*OPTIONS, *options, "--data-dir", data, "--model", "skipgram"]
    done = run_script(tmp_path, "pos_probe.py", *all_options, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["pos_probe.py", "window_size.py", "composition.py"])
def test_help_needs_neither_dynet_nor_numpy(script, tmp_path):
    code = (
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(['dynet', '_dynet', 'numpy', 'matplotlib']))\n"
        f"sys.path.insert(0, {str(FOLDER)!r})\n"
        "sys.argv = ['x', '--help']\n"
        f"runpy.run_path({str(FOLDER / script)!r}, run_name='__main__')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "--out" in process.stdout
