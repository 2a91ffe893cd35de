"""Reading lines: what is text comes through exactly, what is none is refused by its line."""

import builtins
import errno
import gzip
import pickle
import tracemalloc
from functools import partial

import pytest

from dynotes.corpora import lines
from dynotes.corpora.errors import InputError, whole_number
from dynotes.corpora.lines import open_bytes, read_lines, read_tokens, unpacked_digest


def write(tmp_path, data, name="text.txt"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_come_with_their_numbers_and_without_their_ends(tmp_path, pack):
    data = "\ufeffa b \r\n\n  café \u2028 x\rY\nlast".encode()
    found = list(read_lines(write(tmp_path, pack(data))))
    assert found == [(1, "a b "), (2, ""), (3, "  café \u2028 x\rY"), (4, "last")]


def test_only_the_mark_at_the_start_of_the_file_is_dropped(tmp_path):
    found = list(read_lines(write(tmp_path, "\ufeff\ufeffa\n\ufeffb\n".encode())))
    assert found == [(1, "\ufeffa"), (2, "\ufeffb")]


def test_gzip_is_told_by_its_content_not_by_its_name(tmp_path):
    path = write(tmp_path, gzip.compress(b"a\n") + gzip.compress(b"b\n"), "text.txt")
    assert list(read_lines(path)) == [(1, "a"), (2, "b")]


PACKED = gzip.compress(b"".join(b"line %d\n" % i for i in range(1000)))
BROKEN = {
    "not UTF-8: byte 0xff at byte 3 of the line": (b"a\nb\nab\xffc\nd\n", 3),
    "not UTF-8: byte 0xc3 at byte 1": (b"a\n\xc3", 2),
    "NUL byte": (b"a\nx\0y\n", 2),
    "UTF-16 text": ("a\nb\n".encode("utf-16"), 1),
    "not a gzip file": (b"plain text", None),
    "truncated gzip file": (PACKED[:11], 1),
    "corrupt gzip file: CRC": (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], None),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_file_that_is_no_text_is_refused_with_the_line(tmp_path, message):
    data, line = BROKEN[message]
    path = write(tmp_path, data, "text.gz" if "gzip" in message else "text.txt")
    with pytest.raises(InputError, match=message) as caught:
        list(read_lines(path))
    if "corrupt" not in message:
        assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}:{line}: " if line else str(path))


@pytest.mark.parametrize("cut", [20, len(PACKED) // 2, len(PACKED) - 1])
def test_a_truncated_gzip_file_gives_its_whole_lines_then_the_error(tmp_path, cut):
    found = []
    with pytest.raises(InputError, match="truncated gzip") as caught:
        found.extend(read_lines(write(tmp_path, PACKED[:cut], "text.gz")))
    assert found == [(i + 1, f"line {i}") for i in range(len(found))]
    assert caught.value.line == len(found) + 1


def test_garbage_inside_a_gzip_file_is_one_clear_error(tmp_path):
    data = PACKED[:60] + bytes(255 - b for b in PACKED[60:200]) + PACKED[200:]
    with pytest.raises(InputError, match="gzip file"):
        list(read_lines(write(tmp_path, data, "text.gz")))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.txt: No such file or directory"):
        list(read_lines(tmp_path / "nowhere.txt"))
    with pytest.raises(InputError, match="Is a directory"):
        list(read_lines(tmp_path))


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(InputError, match=r"text\.txt: Permission denied"):
        list(read_lines(tmp_path / "text.txt"))


def test_a_line_beyond_the_limit_is_refused_without_reading_on(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE", 10)
    path = write(tmp_path, b"ok\n" + b"x" * 9 + b"\n" + b"y" * 5_000_000)
    found = []
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than 10 bytes") as caught:
            found.extend(read_lines(path))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert (found, caught.value.line) == ([(1, "ok"), (2, "x" * 9)], 3)


@pytest.mark.parametrize("pack", [bytes, partial(gzip.compress, compresslevel=1)])
def test_memory_does_not_grow_with_the_file(tmp_path, pack):
    path = write(tmp_path, pack(b"one two three four\n" * 150_000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_lines(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 150_000
    assert peak < 2_000_000  # the text has 2.9 MB; the buffers take 0.5, with gzip 1.4 MB


def test_tokens_are_cut_at_white_space_and_a_blank_line_has_none(tmp_path):
    path = write(tmp_path, b" a  b\tc \n\n \nd\n")
    assert list(read_tokens(path)) == [["a", "b", "c"], [], [], ["d"]]


@pytest.mark.parametrize("data", [b"", b"\n \n", gzip.compress(b"")])
def test_a_file_without_a_token_is_refused(tmp_path, data):
    with pytest.raises(InputError, match=r"text\.txt: no text"):
        list(read_tokens(write(tmp_path, data)))


def test_the_digest_of_a_packed_file_is_that_of_its_text(tmp_path):
    plain = write(tmp_path, b"abc")
    packed = write(tmp_path, gzip.compress(b"abc"), "text.gz")
    of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert unpacked_digest(plain) == unpacked_digest(packed) == of_abc
    with pytest.raises(InputError, match="truncated"):
        unpacked_digest(write(tmp_path, PACKED[:50], "cut.gz"))


def test_an_input_error_is_one_line_and_survives_pickling():
    error = InputError("a.txt", "bad\nthing", line=3)
    assert str(error) == "a.txt:3: bad thing"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(InputError("a.txt", "gone")) == "a.txt: gone"


@pytest.mark.parametrize("value", [0, 11, 1.0, True, "3", None])
def test_a_number_outside_its_range_is_refused(value):
    assert whole_number("n", 10, 1, 10) == 10
    with pytest.raises(ValueError, match="n: expected a whole number from 1 to 10, found"):
        whole_number("n", value, 1, 10)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_come_unpacked(tmp_path, pack):
    data = bytes(range(256)) * 9
    with open_bytes(write(tmp_path, pack(data))) as stream:
        assert (stream.readline(), stream.read()) == (data[:11], data[11:])


def test_bytes_that_cannot_be_read_are_an_input_error(tmp_path):
    for path, message in (
        (tmp_path / "none", "none: No such file"),
        (write(tmp_path, PACKED[:50], "cut.gz"), r"cut\.gz: truncated gzip file"),
    ):
        with pytest.raises(InputError, match=message), open_bytes(path) as stream:
            stream.read()
