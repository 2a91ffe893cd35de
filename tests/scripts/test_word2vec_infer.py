"""scripts/word2vec.py on paragraphs: train pv-dbow and pv-dm, infer new lines, side by side."""

import json

import numpy as np
import pytest

from tests.scripts.word2vec_script import SMALL, last_line, run
from tests.training.word2vec.small_word2vec import write_text

NEW = ["a b c d e f g", "", "never seen", "k l a b", "a b c d e f g", "c c d e"]
MODELS = {"dbow": ["--model", "pv-dbow"], "dm": ["--model", "pv-dm", "--window", "2"]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of a run of each model, by name, and their summaries."""
    folder = tmp_path_factory.mktemp("paragraphs")
    text = write_text(folder / "text.txt", lines=40)
    found = {}
    for name, options in MODELS.items():
        status, out, errors = run(
            "train", "--train", text, *SMALL, *options, "--out", folder / name
        )
        assert (status, errors) == (0, "")
        found[name] = (folder / name, last_line(out))
    status, _, _ = run("train", "--train", text, *SMALL, "--out", folder / "skipgram")
    assert status == 0
    found["skipgram"] = (folder / "skipgram", None)
    return found


@pytest.fixture
def new(tmp_path):
    path = tmp_path / "new.txt"
    path.write_text("\n".join(NEW) + "\n")
    return path


def vectors(path):
    lines = path.read_text().splitlines()
    return np.array([[float(x) for x in line.split(" ")] for line in lines])


@pytest.mark.parametrize("name", MODELS)
def test_train_writes_the_vectors_of_the_lines_beside_those_of_the_words(runs, name):
    folder, summary = runs[name]
    assert summary["model"] == MODELS[name][1]
    assert summary["documents"] == str(folder / "documents.npy")
    documents = np.load(folder / "documents.npy", allow_pickle=False)
    assert (documents.shape, documents.dtype) == ((40, 6), np.float32)
    assert np.isfinite(documents).all()
    assert (folder / "vectors.bin").exists()


def test_infer_writes_a_vector_a_line_and_those_of_several_runs_side_by_side(runs, new, tmp_path):
    folders = [runs[name][0] for name in MODELS]
    status, out, errors = run("infer", *folders, new, tmp_path / "both.txt")
    assert (status, errors) == (0, "")
    summary = last_line(out)
    assert (summary["task"], summary["paragraphs"], summary["dimensions"]) == ("word2vec", 6, 12)
    assert summary["without_known_words"] == 2
    assert summary["throughput"]["paragraphs_per_second"] > 0
    both = vectors(tmp_path / "both.txt")
    assert both.shape == (6, 12)
    assert not both[[1, 2]].any()
    assert np.abs(both[[0, 3, 5]]).max(axis=1).min() > 0
    np.testing.assert_allclose(both[0], both[4], atol=1e-5)
    for i, folder in enumerate(folders):
        assert run("infer", folder, new, tmp_path / "one.txt")[0] == 0
        one = vectors(tmp_path / "one.txt")
        np.testing.assert_array_equal(one, both[:, 6 * i : 6 * i + 6])


def test_the_same_command_gives_the_same_bytes_and_another_seed_or_more_steps_do_not(
    runs, new, tmp_path
):
    found = []
    for name, more in {"a": [], "b": [], "c": ["--seed", "2"], "d": ["--steps", "9"]}.items():
        assert run("infer", runs["dbow"][0], new, tmp_path / name, *more)[0] == 0
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1]
    assert len({*found}) == 3


def test_inference_leaves_the_run_as_it_was(runs, new, tmp_path):
    folder = runs["dm"][0]
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    assert run("infer", folder, new, tmp_path / "out.txt")[0] == 0
    assert {p: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def refused(tmp_path, *arguments):
    """The error of a command that must leave its target as it was."""
    (tmp_path / "out.txt").write_text("before")
    status, out, errors = run("infer", *arguments, tmp_path / "out.txt")
    assert status in (1, 2)
    assert out == ""
    assert "Traceback" not in errors
    assert (tmp_path / "out.txt").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.txt", "out.txt"]
    return errors.splitlines()[-1]


def test_a_run_without_vectors_of_lines_is_refused(runs, new, tmp_path):
    message = refused(tmp_path, runs["skipgram"][0], new)
    assert "model skipgram: only pv-dm and pv-dbow have vectors of paragraphs" in message


def test_a_missing_run_or_text_is_refused(runs, new, tmp_path):
    assert "config.json: no such file" in refused(tmp_path, tmp_path / "nowhere", new)
    assert "nothing.txt" in refused(tmp_path, runs["dm"][0], tmp_path / "nothing.txt")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "no text"), (b"a b\nc \xff\n", "new.txt:2: ")]
)
def test_a_text_that_cannot_be_used_is_told_in_one_line(runs, new, tmp_path, content, message):
    new.write_bytes(content)
    assert message in refused(tmp_path, runs["dbow"][0], new)


def test_a_damaged_run_is_refused(runs, new, tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((runs["dbow"][0] / name).read_bytes())
    saved = json.loads((folder / "config.json").read_text())
    saved["settings"]["dim"] = 7
    (folder / "config.json").write_text(json.dumps(saved))
    assert "no run to infer with (parameters do not fit" in refused(tmp_path, folder, new)
