"""Atomic writing: the old content or the new one, whatever happens in between."""

import errno
import os
import resource

import pytest

from dynotes.corpora.atomic import atomic_open, atomic_write
from dynotes.corpora.errors import InputError


def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "file"
    for data in (b"old", b"new and longer", b""):
        atomic_write(path, data)
        assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_size_limit_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            atomic_write(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (os.listdir(tmp_path), path.read_bytes()) == (["file"], b"old")


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failure_at_any_step_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, b"new")
    assert (os.listdir(tmp_path), path.read_bytes()) == (["file"], b"old")


def test_an_interruption_inside_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def interrupted():
        with atomic_open(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (os.listdir(tmp_path), path.read_bytes()) == (["file"], b"old")


def test_the_mode_of_the_old_file_and_a_symbolic_link_are_kept(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_or_a_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="not a regular file"):
            atomic_write(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_a_missing_folder_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "file", b"x")
