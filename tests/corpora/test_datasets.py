"""Finding, checking and fetching the real corpora, tried on small ones made up here."""

import gzip
import hashlib

import pytest
from click.testing import CliRunner

from dynotes.corpora import datasets
from dynotes.corpora.datasets import (
    check_or_fetch,
    corpus_files,
    data_dir,
    lm_files,
    main,
    verify,
)
from dynotes.corpora.errors import InputError
from dynotes.corpora.known_corpora import CORPORA, Corpus
from dynotes.corpora.lines import unpacked_digest

TEXTS = {"train": b"a b c\n", "test": b"d\n"}


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def corpora(monkeypatch):
    """Two small corpora in place of the real ones: one to download, one to get by hand."""
    digests = {role: sha(data) for role, data in TEXTS.items()}
    table = {
        "free": Corpus("lm", "free", "http://127.0.0.1/none", "{}.txt", digests),
        "closed": Corpus("treebank", "ask the owner", None, "x-{}.conllu", digests),
    }
    for name in list(CORPORA):
        monkeypatch.delitem(CORPORA, name)
    for name, corpus in table.items():
        monkeypatch.setitem(CORPORA, name, corpus)

    def fake(url, path, sha256, *, retries, progress):
        data = next(data for data in TEXTS.values() if sha(data) == sha256)
        if "fail" in fake.mode:
            raise InputError(path, f"{url}: no network")
        progress(len(data), len(data))
        path.write_bytes(data)
        fake.urls.append(url)

    fake.urls, fake.mode = [], ""
    monkeypatch.setattr(datasets, "download", fake)
    monkeypatch.delenv("DYNOTES_DATA", raising=False)
    return fake


def store(folder, name, *, packed=()):
    (folder / name).mkdir()
    for role, data in TEXTS.items():
        path = folder / name / CORPORA[name].pattern.format(role)
        if role in packed:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
        else:
            path.write_bytes(data)


def test_the_option_goes_before_the_environment_before_the_default(tmp_path, monkeypatch):
    for name in ("work", "option", "environment", "shared/data"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("DYNOTES_DATA", str(tmp_path / "environment"))
    assert data_dir(tmp_path / "option") == tmp_path / "option"
    assert data_dir() == tmp_path / "environment"
    monkeypatch.delenv("DYNOTES_DATA")
    assert data_dir().resolve() == tmp_path / "shared/data"
    monkeypatch.chdir(tmp_path)
    assert data_dir() is None


def test_a_named_folder_must_exist(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        data_dir(tmp_path / "nowhere")
    monkeypatch.setenv("DYNOTES_DATA", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="gone: no such folder"):
        data_dir()


def test_files_are_found_plain_or_packed(corpora, tmp_path):
    store(tmp_path, "free", packed=["train"])
    assert lm_files("free", tmp_path) == {
        "train": tmp_path / "free/train.txt.gz",
        "test": tmp_path / "free/test.txt",
    }


def test_a_missing_file_is_named_with_the_way_to_get_it(corpora, tmp_path):
    with pytest.raises(InputError, match=r"free/train\.txt: missing; download it by: python -m"):
        corpus_files("free", tmp_path)
    with pytest.raises(InputError, match=r"x-train\.conllu: missing; .* by hand: ask the owner"):
        corpus_files("closed", tmp_path)
    with pytest.raises(InputError, match="no data folder"):
        corpus_files("free", None)


def test_unknown_names_are_refused_with_the_known_ones(corpora, tmp_path):
    with pytest.raises(ValueError, match="expected one of free, closed, found 'nine'"):
        corpus_files("nine", tmp_path)
    with pytest.raises(ValueError, match="expected one of free, found 'closed'"):
        lm_files("closed", tmp_path)


def test_a_file_is_checked_by_its_text_and_fetched_if_missing(corpora, tmp_path):
    store(tmp_path, "closed", packed=["test"])
    assert check_or_fetch("closed", "train", tmp_path) == "ok"
    assert check_or_fetch("closed", "test", tmp_path) == "ok"
    (tmp_path / "closed/x-train.conllu").write_bytes(b"other")
    with pytest.raises(InputError, match=sha(b"other")):
        check_or_fetch("closed", "train", tmp_path)
    (tmp_path / "closed/x-train.conllu").unlink()
    assert check_or_fetch("closed", "train", tmp_path) == "missing"
    assert check_or_fetch("free", "train", tmp_path / "new") == "downloaded"
    assert corpora.urls == ["http://127.0.0.1/none/train.txt"]
    assert check_or_fetch("free", "train", tmp_path / "new") == "ok"


def manifest(folder, rows):
    lines = ["path\tbytes\tstored_sha256", *("\t".join(row) for row in rows)]
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n")


def test_a_folder_is_compared_with_its_manifest(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    manifest(tmp_path, [("a", "1", sha(b"a")), ("b", "1", sha(b"c")), ("c", "1", sha(b"c"))])
    assert verify(tmp_path) == {"a": "ok", "b": "differs", "c": "missing"}


def test_a_malformed_manifest_is_refused_by_its_line(tmp_path):
    with pytest.raises(InputError, match=r"MANIFEST\.tsv: No such file"):
        verify(tmp_path)
    manifest(tmp_path, [("a",)])
    with pytest.raises(InputError, match=r"MANIFEST\.tsv:2: expected 3 columns, found 1"):
        verify(tmp_path)
    (tmp_path / "MANIFEST.tsv").write_text("path\tsize\n")
    with pytest.raises(InputError, match=r"MANIFEST\.tsv:1: expected a column 'stored_sha256'"):
        verify(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_fetches_what_is_free_and_names_the_rest(corpora, tmp_path):
    result = run("--data-dir", tmp_path / "new")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[:4] == [
        "free train: downloaded",
        "free test: downloaded",
        "closed train: missing",
        "closed test: missing",
    ]
    assert "by hand: ask the owner" in lines[4]
    again = run("--data-dir", tmp_path / "new", "free")
    assert again.output.splitlines() == ["free train: ok", "free test: ok"]


def test_the_command_fails_where_a_download_does(corpora, tmp_path):
    corpora.mode = "fail"
    result = run("--data-dir", tmp_path, "free")
    assert result.exit_code == 1
    assert "no network" in result.output
    assert "2 of the files" in result.output


def test_the_command_fails_where_a_file_differs_from_the_manifest(corpora, tmp_path):
    store(tmp_path, "closed")
    (tmp_path / "more").write_bytes(b"other")
    manifest(tmp_path, [("more", "1", sha(b"more"))])
    result = run("--data-dir", tmp_path, "closed")
    assert result.exit_code == 1
    assert "more: differs from MANIFEST.tsv" in result.output
    assert "MANIFEST.tsv: 1 differs" in result.output


def test_the_command_refuses_an_unknown_name(corpora, tmp_path):
    result = run("--data-dir", tmp_path / "new", "nine")
    assert result.exit_code == 2
    assert "expected some of free, closed, found 'nine'" in result.output
    assert not (tmp_path / "new").exists()


def test_the_command_needs_a_folder_that_can_be_made(corpora, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert "--data-dir or DYNOTES_DATA" in result.output
    (tmp_path / "file").write_text("x")
    result = run("--data-dir", tmp_path / "file/below")
    assert result.exit_code == 1
    assert "Not a directory" in result.output


def test_the_table_is_well_formed():
    for name, corpus in CORPORA.items():
        assert corpus.kind in ("lm", "treebank")
        assert corpus.address is None or corpus.address.startswith("https://")
        assert corpus.pattern.count("{}") == 1
        for role, digest in corpus.digests.items():
            assert role in ("train", "valid", "dev", "test")
            assert len(bytes.fromhex(digest)) == 32
        assert not name.startswith("ptb") or corpus.address is None


def test_the_real_files_have_the_bytes_of_the_table():
    try:
        folder = data_dir() or pytest.skip("real data: no DYNOTES_DATA and no ../shared/data")
    except InputError as e:
        pytest.skip(f"real data: {e}")
    complete = [name for name in CORPORA if (folder / name).is_dir()]
    if not complete:
        pytest.skip(f"{folder} has none of the known corpora")
    for name in complete:
        for role, path in corpus_files(name, folder).items():
            assert unpacked_digest(path) == CORPORA[name].digests[role]
