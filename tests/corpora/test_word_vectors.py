"""Files of word vectors: every bit survives, other tools read them, what is wrong is named."""

import gzip
import json
import os
import struct

import numpy as np
import pytest

from dynotes.corpora import word2vec_binary, word2vec_text
from dynotes.corpora.errors import InputError
from dynotes.corpora.word_vectors import FORMATS, WordVectors, read_vectors, write_vectors

SUFFIXES = {"text": ".txt", "binary": ".bin", "npy": ".npy"}
PACKED = [("text", ".txt.gz"), ("binary", ".bin.gz")]


def vectors(n_words=300, size=7, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_words, size)) * 10.0 ** rng.integers(-20, 20, (n_words, size))
    matrix = matrix.astype(np.float32)
    matrix[0, :4] = [0.0, -0.0, np.finfo(np.float32).max, np.finfo(np.float32).tiny]
    return WordVectors([f"wörd{i}" for i in range(n_words)], matrix)


def same_bits(a, b):
    return a.dtype == b.dtype == np.float32 and a.tobytes() == b.tobytes()


def written(tmp_path, format, suffix=None, **sizes):
    path, v = tmp_path / f"v{suffix or SUFFIXES[format]}", vectors(**sizes)
    write_vectors(path, v, format=format)
    return path, v


@pytest.mark.parametrize(("format", "suffix"), [*SUFFIXES.items(), *PACKED])
@pytest.mark.parametrize("sizes", [{}, {"size": 5, "n_words": 1}, {"n_words": 3000, "size": 100}])
def test_every_bit_survives_in_every_format(tmp_path, format, suffix, sizes):
    path, v = written(tmp_path, format, suffix, **sizes)
    found = read_vectors(path)
    assert found.words == v.words
    assert same_bits(found.matrix, v.matrix)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("limit", [1, 2, 299, 300, 1000])
def test_a_limit_gives_the_first_words(tmp_path, format, limit):
    path, v = written(tmp_path, format)
    found = read_vectors(path, limit=limit)
    assert found.words == v.words[:limit]
    assert same_bits(found.matrix, v.matrix[:limit])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("format", ["text", "binary"])
def test_the_format_of_tiny_files_is_told(tmp_path, format, seed):
    sizes = {"n_words": 1 + seed % 3, "size": 1 + seed % 4}
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(sizes["n_words"], sizes["size"])).astype(np.float32)
    v = WordVectors([f"w{i}" for i in range(len(matrix))], matrix)
    write_vectors(tmp_path / "v", v, format=format)
    assert same_bits(read_vectors(tmp_path / "v").matrix, matrix)


def test_text_is_as_the_format_says(tmp_path):
    matrix = np.array([[0.5, -2], [1e-10, 3]], np.float32)
    write_vectors(tmp_path / "v", WordVectors(["a", "é"], matrix), format="text")
    assert (tmp_path / "v").read_text() == "2 2\na 0.5 -2\né 1.00000001e-10 3\n"


def test_binary_is_as_the_format_says(tmp_path):
    matrix = np.array([[0.5, -2], [1e-10, 3]], np.float32)
    write_vectors(tmp_path / "v", WordVectors(["a", "é"], matrix), format="binary")
    first, second = struct.pack("<2f", 0.5, -2), struct.pack("<2f", 1e-10, 3)
    expected = b"2 2\na " + first + b"\n" + "é ".encode() + second + b"\n"
    assert (tmp_path / "v").read_bytes() == expected


def test_text_of_other_tools_is_read(tmp_path):
    # of the released code: blanks at the ends; others: tabs, carriage returns, a blank last line
    for content in (
        "2 2\na 0.5 -2 \nb\u00a0c 1E-3 .5 \n",
        "2 2\r\na 0.5\t-2\r\nb\u00a0c +0.001  5e-1\r\n",
        "\ufeff2 2\na 0.5 -2\nb\u00a0c 0.001 0.5\n\n",
        "2 2\na 0.5 -2\nb\u00a0c 0.001 0.5",
    ):
        (tmp_path / "v").write_text(content, newline="")
        found = read_vectors(tmp_path / "v")
        assert found.words == ["a", "b\u00a0c"]
        assert same_bits(found.matrix, np.array([[0.5, -2], [0.001, 0.5]], np.float32))


def test_binary_without_newlines_between_the_entries_is_read(tmp_path):
    v = vectors()
    entries = [w.encode() + b" " + row.tobytes() for w, row in zip(v.words, v.matrix)]
    (tmp_path / "v").write_bytes(b"300 7\n" + b"".join(entries))
    found = read_vectors(tmp_path / "v")
    assert found.words == v.words
    assert same_bits(found.matrix, v.matrix)


@pytest.mark.parametrize(("format", "suffix"), PACKED)
def test_vectors_that_pack_well_are_read(tmp_path, format, suffix):
    v = WordVectors([f"w{i}" for i in range(2000)], np.ones((2000, 50), np.float32))
    write_vectors(tmp_path / f"v{suffix}", v, format=format)
    assert same_bits(read_vectors(tmp_path / f"v{suffix}").matrix, v.matrix)


@pytest.mark.parametrize("buffer", [10, 29, 300])
def test_entries_are_put_together_wherever_the_buffer_cuts_them(tmp_path, monkeypatch, buffer):
    path, v = written(tmp_path, "binary")
    monkeypatch.setattr(word2vec_binary, "BUFFER", buffer)
    found = read_vectors(path)
    assert found.words == v.words
    assert same_bits(found.matrix, v.matrix)


def test_numbers_are_put_together_wherever_the_blocks_cut_them(tmp_path, monkeypatch):
    path, v = written(tmp_path, "text")
    for numbers in (1, 7, 14, 700, 2100):
        monkeypatch.setattr(word2vec_text, "NUMBERS", numbers)
        assert same_bits(read_vectors(path).matrix, v.matrix)
        write_vectors(tmp_path / "again.txt", v, format="text")
        assert (tmp_path / "again.txt").read_bytes() == path.read_bytes()


def test_the_pair_holds_any_word(tmp_path):
    words = ["new york", "a\nb", "\u2028", "</s>", '"', "🙂"]
    v = WordVectors(words, vectors(6).matrix)
    write_vectors(tmp_path / "v.npy", v, format="npy")
    assert read_vectors(tmp_path / "v.npy").words == words
    assert same_bits(np.load(tmp_path / "v.npy"), v.matrix)


@pytest.mark.parametrize("format", ["text", "binary"])
@pytest.mark.parametrize("word", ["new york", "a\nb", " a", "a\t", "\r", "a\0"])
def test_a_word_with_white_space_is_refused_by_the_formats_of_word2vec(tmp_path, format, word):
    v = WordVectors(["a", word], np.ones((2, 3), np.float32))
    message = f"entry 2: word2vec's {format} format has no place for white space, found"
    with pytest.raises(InputError, match=message):
        write_vectors(tmp_path / "v", v, format=format)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("words", "matrix", "message"),
    [
        (
            ["a", "b", "a"],
            np.ones((3, 2)),
            "entry 3: the word 'a' is there twice, first in entry 1",
        ),
        (["a", ""], np.ones((2, 2)), "entry 2: expected a word, found ''"),
        (["a", 7], np.ones((2, 2)), "entry 2: expected a word, found 7"),
        (["a", "\ud800"], np.ones((2, 2)), "entry 2: .*cannot be written as UTF-8"),
        (["a", "b"], np.array([[1, 2], [3, np.nan]]), "entry 2: the vector of 'b' is not finite"),
        (["a"], np.array([[1e300]]), "entry 1: the vector of 'a' is not finite"),
        (["a"], np.ones((2, 2)), r"found 1 words and a float64 matrix \(2, 2\)"),
        (["a"], np.ones(1), r"found 1 words and a float64 matrix \(1,\)"),
        (["a"], np.ones((1, 1), np.int32), "a int32 matrix"),
        ([], np.ones((0, 2)), r"nothing to write: vectors of the shape \(0, 2\)"),
        (["a"], np.ones((1, 0)), "nothing to write"),
    ],
)
def test_vectors_that_cannot_be_written_leave_the_file_alone(
    tmp_path, format, words, matrix, message
):
    path = tmp_path / f"v{SUFFIXES[format]}"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=message):
        write_vectors(path, WordVectors(words, matrix), format=format)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


TEXT = [
    (b"", "v: empty file"),
    (b"a 1 2\n", "v:1: expected a header .*found 'a 1 2' .vectors without a header"),
    (b"hello\n", "v:1: expected a header with the number of words and of dimensions"),
    (b"2 -2\na 1 2\n", "v:1: expected a header"),
    (b"0 2\n", "v:1: a header of 0 words of 2 dimensions"),
    (b"1 0\na\n", "v:1: a header of 1 words of 0 dimensions"),
    ("2 2\na 1 2\n".encode("utf-16"), "v:1: UTF-16 text"),
    (b"1 99999999999\na 1 2\n", "v:1: too short for one vector of 99999999999 dimensions"),
    (b"2 2\na 1 2\n", "v:3: the file ends after 1 of the 2 words of the header"),
    (b"9999999999999 2\na 1 2\n", "v:3: the file ends after 1 of the 9999999999999 words"),
    (b"1 2\na 1 2\nb 1 2\n", "v:3: more than the 1 words of the header"),
    (b"1 2\na 1 2\n\nb 1 2\n", "v:4: more than the 1 words of the header"),
    (b"2 2\na 1 2\nb 1\n", "v:3: expected a word and 2 numbers, found a word and 1$"),
    (b"2 2\na 1 2\nb\n", "v:3: expected a word and 2 numbers, found a word and 0"),
    (b"2 2\na 1 2\nnew york 1 2\n", "v:3: .*found a word and 3 .a word with a space"),
    (b"2 2\n\na 1 2\n", "v:2: expected a word and 2 numbers, found a blank line"),
    (b"2 2\n 1 2\nb 1 2\n", "v:2: no word before the numbers"),
    (b"3 2\na 1 2\nb 1 2\na 3 4\n", "v:4: the word 'a' is there twice, first in line 2"),
    (b"3 2\na 1 2\nb nan 2\nc 1 2\n", "v:3: the vector of 'b' is not finite"),
    (b"2 2\na 1 2\nb 1 -inf\n", "v:3: the vector of 'b' is not finite"),
    (b"2 2\na 1 2\nb 1 x2\n", "v:3: 'x2' is not a number"),
    (b"2 2\na 1 2\nb 1_0 2\n", "v:3: '1_0' is not a number"),
    (b"2 2\na 1.2.3 2\nb 1 2\n", "v:2: '1.2.3' is not a number"),
    (b"2 2\na 1,5 2\nb 1 2\n", "v:2: '1,5' is not a number"),
    ("2 2\na \u0661 2\nb 1 2\n".encode(), "v:2: '\u0661' is not a number"),
    (b"2 2\na 1 2\n\xe9t 1 2\n", "v:3: not UTF-8: byte 0xe9"),
    (b"2 2\n\xe9t 1 2\nb 1 2\n", "v:2: not UTF-8: byte 0xe9"),
]


@pytest.mark.parametrize(("content", "message"), TEXT)
def test_wrong_text_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v")
    (tmp_path / "v").write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v")


@pytest.mark.parametrize("row", [0, 2999])
def test_the_wrong_line_is_found_in_a_large_file(tmp_path, row):
    path, _ = written(tmp_path, "text", n_words=3000, size=100)
    lines = path.read_text().split("\n")
    broken = lines[row + 1].split(" ")
    for change, message in (
        ([*broken[:9], "1e", *broken[10:]], "'1e' is not a number"),
        (broken[:-1], "found a word and 99"),
        ([*broken[:9], "nan", *broken[10:]], "is not finite"),
    ):
        changed = [*lines[: row + 1], " ".join(change), *lines[row + 2 :]]
        path.write_text("\n".join(changed))
        with pytest.raises(InputError, match=f"txt:{row + 2}: .*{message}"):
            read_vectors(path)


def binary(*entries, header=None):
    data = [word + b" " + np.array(row, "<f4").tobytes() + b"\n" for word, row in entries]
    return (b"%d 2\n" % len(entries) if header is None else header) + b"".join(data)


A, B = (b"a", [0.1, 2]), (b"b", [0.3, 4])
BINARY = [
    (binary(A, B)[:-3], "v: entry 2: is cut off: the header promises 2"),
    (binary(A, B)[:-10], "v: entry 2: is cut off"),
    (binary(A, header=b"2 2\n"), "v: entry 2: is missing: the header promises 2"),
    (binary(A, B, header=b"1 2\n"), "v: entry 2: more than the 1 words of the header"),
    (binary(A, B, A), "v: entry 3: the word 'a' is there twice, first in entry 1"),
    (binary(A, (b"b", [np.nan, 1])), "v: entry 2: the vector of 'b' is not finite"),
    (binary((b"a", [1, np.inf]), B), "v: entry 1: the vector of 'a' is not finite"),
    (binary(A, (b"\xe9", [1, 2])), r"v: entry 2: the word b'\\xe9' is not UTF-8"),
    (binary(A, (b"", [1, 2])), "v: entry 2: no word before the numbers"),
    (b"2 2\n" + bytes(20000), "v: entry 1: no blank in 10000 bytes, so no word"),
]


@pytest.mark.parametrize(("content", "message"), BINARY)
def test_wrong_binary_is_named_with_its_entry(tmp_path, content, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v")


@pytest.mark.parametrize("suffix", [".txt", ".bin", ".npy", ".txt.gz", ".bin.gz"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, suffix):
    format = next(name for name in FORMATS if suffix.startswith(SUFFIXES[name]))
    path, _ = written(tmp_path, format, suffix, n_words=4, size=4)
    data = path.read_bytes()
    # the last newline may be missing, and the last number of a text may be shorter
    certain = data.rindex(b" ") if suffix == ".txt" else len(data) - (suffix == ".bin")
    for stop in range(certain):
        path.write_bytes(data[:stop])
        with pytest.raises(InputError):
            read_vectors(path)


def test_a_limit_does_not_read_what_is_wrong_behind_it(tmp_path):
    (tmp_path / "v").write_bytes(b"9 2\na 1 2\nb 1 nan\n\xff")
    assert read_vectors(tmp_path / "v", limit=1).words == ["a"]
    (tmp_path / "v").write_bytes(binary(A, (b"b", [np.nan, 1]), header=b"9 2\n"))
    assert read_vectors(tmp_path / "v", limit=1).words == ["a"]


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path):
    path, _ = written(tmp_path, "npy")
    words = tmp_path / "v.words.json"
    about = json.loads(words.read_text())
    for change, message in (
        ({"words": about["words"][1:]}, r"v\.npy: another matrix than the one of .*v\.words\.json"),
        ({"crc32": 1}, "another matrix"),
        ({"format": "other"}, "expected a dynotes-words-1"),
        ({"words": "abc"}, "expected a list of words"),
        ({"words": ["a"] * 300}, "entry 2: the word 'a' is there twice"),
    ):
        words.write_text(json.dumps({**about, **change}))
        with pytest.raises(InputError, match=message):
            read_vectors(path)
    words.write_text("{")
    with pytest.raises(InputError, match=r"v\.words\.json:1: not JSON"):
        read_vectors(path)
    words.unlink()
    with pytest.raises(InputError, match=r"v\.words\.json: the words of the \.npy: No such file"):
        read_vectors(path)


def test_an_npy_file_of_another_kind_is_refused(tmp_path):
    path, v = written(tmp_path, "npy")
    for other in (v.matrix.astype(np.float64), v.matrix[0], v.matrix[:, :0], np.array(["a"])):
        np.save(path, other)
        with pytest.raises(InputError, match=r"expected a .V, D. float32 matrix"):
            read_vectors(path)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="not a npy file"):
        read_vectors(path)
    path.rename(tmp_path / "v.other")
    with pytest.raises(InputError, match=r"does not end in \.npy"):
        read_vectors(tmp_path / "v.other")


def test_npy_needs_its_name(tmp_path):
    with pytest.raises(InputError, match=r"needs a name that ends in \.npy"):
        write_vectors(tmp_path / "v", vectors(), format="npy")


def test_other_formats_limits_and_missing_files_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match="format: expected one of text, binary, npy, found 'glove'"
    ):
        write_vectors(tmp_path / "v", vectors(), format="glove")
    with pytest.raises(ValueError, match="limit"):
        read_vectors(tmp_path / "v", limit=0)
    with pytest.raises(InputError, match="v: No such file"):
        read_vectors(tmp_path / "v")


@pytest.mark.parametrize("format", ["text", "binary"])
@pytest.mark.parametrize("packed", [False, True])
def test_gensim_reads_what_is_written_here_and_the_other_way_round(tmp_path, format, packed):
    models = pytest.importorskip("gensim.models")
    path, v = written(tmp_path, format, SUFFIXES[format] + ".gz" * packed)
    theirs = models.KeyedVectors.load_word2vec_format(str(path), binary=format == "binary")
    assert theirs.index_to_key == v.words
    assert same_bits(theirs.vectors, v.matrix)
    back = tmp_path / ("back.gz" if packed else "back")
    theirs.save_word2vec_format(str(back), binary=format == "binary")
    found = read_vectors(back)
    assert found.words == v.words
    assert same_bits(found.matrix, v.matrix)
