"""scripts/word2vec.py: phrases, the tensor model that composes them, n-grams; bad input."""

import json
import os
import signal

import numpy as np
import pytest

from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.word_vectors import read_vectors
from dynotes.training.model_file import read_arrays
from tests.scripts.word2vec_script import SMALL, last_line, run, start, text
from tests.training.word2vec.small_word2vec import log

TIM = ["--model", "tim", "--threshold", "1.2", "--discount", "0", "--rank", "2", *SMALL]
SEMBEI = ["--model", "sembei", "--ngrams", "12,40,20", *SMALL]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of a run of the tensor model, its summary)."""
    folder = tmp_path_factory.mktemp("tim")
    status, out, errors = run("train", *text(folder), *TIM, "--out", folder / "run")
    assert (status, errors) == (0, "")
    return folder / "run", last_line(out)


def test_the_summary_tells_the_held_out_cosines(trained):
    _, summary = trained
    names = ("tim", "linear", "additive", "multiplicative", "mean_phrase")
    assert all(-1 <= summary["metrics"][f"heldout_cosine_{name}"] <= 1 for name in names)
    about = summary["composition"]
    assert about["spec"] == {"n_embed": 6, "rank": 2, "diag": "identity", "types": 1}
    assert about["phrases"]["test"] > 0


def test_the_model_file_holds_the_tables_and_the_composition(trained):
    folder, summary = trained
    arrays, meta = read_arrays(folder / "model.safetensors")
    assert arrays["/tensor-indexing/type0/U"].shape == (2 * 6, 6)
    assert arrays["/skip-gram/V"].shape == (summary["words"], 6)
    assert meta["composition"]["types"] == ["other"]
    assert any("_" in word for word in meta["vocabulary"]["words"])


def test_compose_answers_with_neighbours_and_writes_vectors(trained, tmp_path):
    folder, _ = trained
    new = tmp_path / "new.txt"
    status, out, errors = run(
        "compose", folder, "a", "b", "a", "g", "--top", "2", "--write", new, "--type", "other"
    )
    assert (status, errors) == (0, "")
    found = last_line(out)
    assert list(found["phrases"]) == ["a_b", "a_g"]
    assert out.splitlines()[0].startswith("a_b\t")
    assert read_vectors(new).words == ["a_b", "a_g"]


def test_interrupted_it_ends_with_the_same_model_as_if_it_had_not_been(tmp_path):
    more = [*TIM, "--epochs", "60"]
    assert run("train", *text(tmp_path), *more, "--out", tmp_path / "whole")[0] == 0
    process = start("train", *text(tmp_path), *more, "--out", tmp_path / "part")
    try:
        process.stdout.readline()
        process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert run("train", "--resume", tmp_path / "part")[0] == 0
    files = [tmp_path / which / "model.safetensors" for which in ("whole", "part")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_types_of_phrases_come_from_a_tagged_text_and_have_parameters_of_their_own(tmp_path):
    lines = (toy_dir() / "train.txt").read_text().splitlines()[:3000]
    (tmp_path / "toy.txt").write_text("\n".join(lines) + "\n")
    args = ["--train", tmp_path / "toy.txt", "--phrase-types", toy_dir() / "train.conllu"]
    more = ["--threshold", "1", "--min-count", "2", "--epochs", "1", "--chunk", "500"]
    folder = tmp_path / "run"
    status, out, _ = run("train", *args, *TIM, *more, "--fit-epochs", "1", "--out", folder)
    assert status == 0
    about = last_line(out)["composition"]
    assert {"DET-NOUN", "other"} < set(about["types"])
    assert about["spec"]["types"] == len(about["types"])
    assert about["cosines"]["DET-NOUN"]["phrases"] > 0
    words = [w for w in read_vectors(folder / "vectors.bin").words if "_" not in w][:2]
    status, _, errors = run("compose", folder, *words)
    assert status == 1
    assert "name the type of the phrase: ADJ-NOUN, " in errors
    status, out, _ = run("compose", folder, *words, "--type", "DET-NOUN")
    assert (status, last_line(out)["type"]) == (0, "DET-NOUN")


def test_phrases_writes_a_text_and_a_list(tmp_path):
    (source,) = text(tmp_path)[1:]
    out, listed = tmp_path / "out.txt", tmp_path / "list.tsv"
    args = ["--threshold", "1.2", "--discount", "0", "--list", listed]
    status, printed, errors = run("phrases", source, out, *args)
    assert (status, errors) == (0, "")
    found = last_line(printed)
    assert found["phrases"] == len(listed.read_text().splitlines()) > 0
    assert found["best"][0][0] in out.read_text().split()
    assert len(out.read_text().splitlines()) == len(source.read_text().splitlines())


def test_ngrams_are_trained_and_answer_like_words(tmp_path):
    status, out, errors = run("train", *text(tmp_path), *SEMBEI, "--out", tmp_path / "run")
    assert (status, errors) == (0, "")
    summary = last_line(out)
    assert summary["model"] == "sembei"
    assert summary["throughput"]["characters_per_second"] > 0
    vectors = read_vectors(tmp_path / "run" / "vectors.bin")
    assert {len(word) for word in vectors.words} == {1, 2, 3}
    assert np.isfinite(vectors.matrix).all()
    assert [entry["characters"] for entry in log(tmp_path / "run")] == [120 * 9] * 2
    status, out, _ = run("neighbours", tmp_path / "run", "ab", "--top", "3")
    assert status == 0
    assert len(last_line(out)["neighbours"]["ab"]) == 3


def test_two_processes_share_the_ngrams_of_a_text(tmp_path):
    counts = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        args = ["train", *text(tmp_path), *SEMBEI, "--processes", processes, "--out", out]
        assert run(*args)[0] == 0
        counts.append([entry["predictions"] for entry in log(out)])
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", *TIM, "--threshold", "1e6"], "0 phrases that are frequent enough"),
        (["train", *TIM, "--phrase-types", "missing"], "missing: No such file"),
        (["train", *TIM, "--spaces"], "spaces: only with model sembei"),
        (["train", *SEMBEI, "--window", "2"], "window: only with model skipgram"),
        (["train", *SEMBEI, "--ngrams", "a,b"], "ngrams: expected whole numbers"),
        (["train", *SEMBEI, "--min-count", "99999"], "no n-gram occurs 99999 times"),
    ],
    ids=["no phrases", "types", "spaces", "window", "ngrams", "rare"],
)
def test_bad_settings_are_told_in_one_line_and_leave_nothing(tmp_path, command, message):
    given = text(tmp_path)
    before = sorted(tmp_path.iterdir())
    status, out, errors = run(*command, *given, "--out", tmp_path / "run")
    assert (status, out) == (1, "")
    assert message in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert sorted(tmp_path.iterdir()) == before


def test_phrases_and_compose_refuse_what_they_cannot_use(trained, tmp_path):
    (source,) = text(tmp_path)[1:]
    before = source.read_bytes()
    for args, message in (
        (["phrases", source, source], "is the text itself"),
        (["phrases", tmp_path / "none", tmp_path / "out"], "no such file"),
        (["phrases", source, tmp_path / "no" / "out"], "No such file or directory"),
        (["compose", trained[0], "a"], "expected pairs of words, found 1 words"),
        (["compose", trained[0], "a", "tea"], "'tea' is not among its"),
        (["compose", tmp_path, "a", "b"], "no such file"),
    ):
        status, out, errors = run(*args)
        assert (status, out, errors.count("\n")) == (1, "", 1)
        assert message in errors
    assert source.read_bytes() == before
    assert json.loads(json.dumps(sorted(p.name for p in tmp_path.iterdir()))) == ["text.txt"]
