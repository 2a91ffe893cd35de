"""scripts/word2vec.py says which words it made of n-grams, and converts a run for fastText."""

import json

import pytest
from click.testing import CliRunner

from dynotes.corpora.fasttext_binary import is_fasttext
from dynotes.training.word2vec.session import run_training
from tests.scripts.word2vec_script import load
from tests.training.word2vec.small_word2vec import config, write_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run over the words a to l."""
    folder = tmp_path_factory.mktemp("subword")
    settings = config(model="subword", minn=1, maxn=3, buckets=100, epochs=1)
    text = write_text(folder / "text.txt")
    assert run_training(folder / "run", settings, text, resume=False, data=folder)
    return folder / "run"


def invoke(*args):
    """(stdout, stderr) of a command that ends well."""
    try:
        runner = CliRunner(mix_stderr=False)
    except TypeError:  # click 8.2 never mixes them
        runner = CliRunner()
    done = runner.invoke(load().main, [str(arg) for arg in args])
    assert done.exit_code == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("args", [["neighbours", "ab", "c"], ["analogy", "a", "ab", "c"]])
def test_words_outside_the_vocabulary_are_answered_and_named(trained, args):
    command, *words = args
    out, err = invoke(command, trained, *words, "--top", 2)
    assert err == "ab: not in the vocabulary, its vector is that of its n-grams\n"
    assert json.loads(out.splitlines()[-1])["from_ngrams"] == ["ab"]


def test_words_of_the_vocabulary_are_answered_without_a_remark(trained):
    _, err = invoke("neighbours", trained, "a", "c")
    assert err == ""


def test_a_run_is_converted_for_fasttext_and_read_back(trained, tmp_path):
    out, _ = invoke("convert", trained, tmp_path / "m.bin", "--format", "fasttext")
    assert json.loads(out.splitlines()[-1])["format"] == "fasttext"
    assert is_fasttext(tmp_path / "m.bin")
    out, err = invoke("neighbours", tmp_path / "m.bin", "ab")
    assert "ab: not in the vocabulary" in err
    assert len(json.loads(out.splitlines()[-1])["neighbours"]["ab"]) == 10
