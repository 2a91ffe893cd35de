"""CoNLL-U comes out as it went in; what is no treebank is refused by its line."""

import functools
import gzip
import io
import tracemalloc

import numpy as np
import pytest

from dynotes.corpora.conllu import read_conllu, read_plain, write_conllu
from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError

ODD = (
    "#no space\n"
    "# sent_id = x-1\n"
    "#\n"
    "# newpar\n"
    "# text =   two  blanks \t tab \n"
    "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No|A=\n"
    "1\tde\tde\tADP\tP\tB=1|A=2\t3\tcase\t3:case\t_\n"
    "2\tle  la\tle\tDET\t_\t_\t3\tdet\t3:det|8.1:det:x\t|weird= | \n"
    "2.1\tnada\t_\t_\t_\t_\t_\t_\t0:root\tCopyOf=2\n"
    "2.2\tnada\t_\t_\t_\t_\t_\t_\t0:root\t_\n"
    "3\t#\u00a0\u2028x\t#\tNOUN\t_\t_\t0\troot\t0:root\t_\n"
    "3.1\tnada\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "\n"
    "1\tja\tja\tINTJ\t_\t_\t0\troot\t_\t_\n"
    "\n"
)
SHAPES = {
    "plain": ODD,
    "no final blank line": ODD[:-1],
    "no final newline": ODD[:-2],
    "carriage returns": ODD.replace("\n", "\r\n"),
    "mark": "\ufeff" + ODD,
    "mark and word": "\ufeff" + ODD.split("\n\n")[1] + "\n\n",
    "more blank lines": "\n\n" + ODD.replace("\n\n", "\n\n\n\n"),
    "mark and blank lines": "\ufeff\r\n\n" + ODD,
}


def write(tmp_path, text, name="x.conllu"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def copy(path, **options):
    file = io.BytesIO()
    write_conllu(read_conllu(path, **options), file)
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_read_is_written_byte_for_byte(tmp_path, shape, pack):
    data = SHAPES[shape].encode()
    assert copy(write(tmp_path, pack(data))) == data
    assert copy(write(tmp_path, pack(data)), trees=False) == data


@pytest.mark.parametrize("shape", SHAPES)
def test_the_words_are_the_same_in_every_shape(tmp_path, shape):
    *_, last = found = list(read_conllu(write(tmp_path, SHAPES[shape])))
    assert last.forms == ["ja"]
    assert last.heads.tolist() == [0]
    if len(found) > 1:
        first = found[0]
        assert first.forms == ["de", "le  la", "#\u00a0\u2028x"]
        assert first.column("MISC") == ["_", "|weird= | ", "_"]
        assert first.column("FEATS") == ["B=1|A=2", "_", "_"]
        assert first.labels == ["case", "det", "root"]
        assert first.heads.tolist() == [3, 3, 0]
        assert first.comments["sent_id"] == "x-1"
        assert len(first) == 3


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_tree_changes_two_columns_and_makes_the_file_valid(tmp_path, shape):
    end = "\r\n" if shape == "carriage returns" else "\n"
    expected = [line for line in SHAPES["plain"].split("\n\n") if line]
    expected = expected[-1:] if shape == "mark and word" else expected
    expected = [s.replace("\t3\tcase", "\t2\tX:y").replace("\t3\tdet", "\t0\tZ") for s in expected]
    expected = [s.replace("\t0\troot\t0:root\t_", "\t1\tQ\t0:root\t_") for s in expected]
    expected = [s.replace("\t0\troot\t_\t_", "\t0\tR\t_\t_") for s in expected]
    trees = {3: ([2, 0, 1], ["X:y", "Z", "Q"]), 1: ([0], ["R"])}
    path = write(tmp_path, SHAPES[shape])
    found = [s.with_tree(*trees[len(s)]) for s in read_conllu(path, trees=False)]
    text = "".join(s + "\n\n" for s in expected).replace("\n", end)
    assert "".join(s.text() for s in found) == text
    assert [s.heads.tolist() for s in found] == [trees[len(s)][0] for s in found]
    again = list(read_conllu(write(tmp_path, text, "again")))
    assert [s.labels for s in again] == [trees[len(s)][1] for s in found]


def test_a_closed_file_keeps_its_bytes_when_its_own_tree_is_set(tmp_path):
    found = list(read_conllu(write(tmp_path, ODD)))
    assert "".join(s.with_tree(s.heads, s.labels).text() for s in found) == ODD


def row(i, head=0, form="w", label="dep", **cells):
    values = {"LEMMA": "_", "UPOS": "_", "XPOS": "_", "FEATS": "_", "DEPS": "_", "MISC": "_"}
    values.update(cells)
    order = ["LEMMA", "UPOS", "XPOS", "FEATS"]
    front = [str(i), form, *(values[k] for k in order)]
    return "\t".join([*front, str(head), label, values["DEPS"], values["MISC"]]) + "\n"


def span(i):
    return row(i, "_", label="_")


GOOD = row(1) + row(2, 1) + "\n"
BAD = {
    "expected 10 columns, found 9": (GOOD + "1\ta\t_\t_\t_\t_\t0\tx\t_\n", 4),
    "expected 10 columns, found 11": (GOOD + row(1, MISC="_\tx"), 4),
    "cut by tabs, not by spaces": (GOOD + "1  a  _  _  _  _  0  x  _  _\n", 4),
    r"cut by tabs, not by spaces\), found 1": (row(1) + "  \n" + row(2, 1), 2),
    r"column 2 \(FORM\) is empty": (row(1) + row(2, 1, form=""), 2),
    r"column 10 \(MISC\) is empty": (row(1) + row(2, 1, MISC=""), 2),
    "ID 2 a second time: expected 3": (row(1) + row(2, 1) + row(2, 1), 3),
    r"ID 1 a second time: expected 3 \(is a blank line missing": (row(1) + row(2, 1) + row(1), 3),
    "ID 3: expected 2": (GOOD + row(1) + row(3, 1), 5),
    "ID 0: expected 1": (GOOD + row(0), 4),
    "ID 02: expected 2": (row(1) + row("02", 1), 2),
    "ID x: expected 1": (row("x"), 1),
    "ID _: expected 1": (row("_"), 1),
    "ID -1: expected 1": (row("-1"), 1),
    "ID 3-4: expected a range from 2 on": (row(1) + span("3-4") + row(2, 1), 2),
    "ID 1-2: expected a range from 2 on": (row(1) + span("1-2") + row(2, 1), 2),
    "ID 2-2: expected a range from 3 on": (span("1-2") + row(1) + span("2-2") + row(2, 1), 3),
    "ID 2-1: expected 1": (span("2-1") + row(1), 1),
    "a range up to word 3, but the sentence has 2": (span("1-3") + row(1) + row(2, 1) + "\n", 1),
    r"ID 2.1: expected 2, or 1.1 for an empty node": (row(1) + span("2.1") + row(2, 1), 2),
    r"ID 1.2: expected 2, or 1.1": (row(1) + span("1.2"), 2),
    r"ID 1.1: expected 2, or 1.2": (row(1) + span("1.1") + span("1.1"), 3),
    "a sentence without words": (GOOD + "# only\n# comments\n\n" + GOOD, 6),
    "a sentence without words$": (GOOD + span("0.1") + "\n", 5),
    "a comment behind a word": (row(1) + "# x\n" + row(2, 1), 2),
    "HEAD _: expected a number from 0 to 2": (row(1) + row(2, "_") + "\n", 2),
    "HEAD 1.0: expected a number": (row(1) + row(2, "1.0") + "\n", 2),
    "HEAD root: expected a number": (row(1) + row(2, "root") + "\n", 2),
    "head 3 out of range: expected 0 to 2": (GOOD + "# c\n" + row(1) + row(2, 3) + "\n", 6),
    "head -1 out of range": (row(1) + row(2, -1) + "\n", 2),
    "word 2 is its own head": (row(1) + row(2, 2) + "\n", 2),
    "no root: no word has the head 0": (GOOD + row(1, 2) + row(2, 1) + "\n", 4),
    "cycle: 2 -> 3 -> 2": (row(1) + row(2, 3) + row(3, 2) + "\n", 2),
    r"2 roots \(words 1, 3\)": (row(1) + span("1.1") + row(2, 1) + row(3, 0) + "\n", 4),
    "no sentence$": ("", None),
    "no sentence": ("\n\r\n\n", None),
    "not UTF-8": (GOOD.encode() + b"1\t\xff\n", 4),
    "NUL byte": (GOOD.encode() + b"\0", 4),
    "UTF-16 text": (GOOD.encode("utf-16"), 1),
    "truncated gzip": (gzip.compress(GOOD.encode() * 9)[:-9], None),
}


@pytest.mark.parametrize("message", BAD)
def test_a_mistake_is_one_error_with_file_and_line(tmp_path, message):
    text, line = BAD[message]
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        list(read_conllu(path))
    if line is not None:
        assert caught.value.line == line
        assert str(caught.value).startswith(f"{path}:{line}: ")
    assert caught.value.path == str(path)


def test_sentences_before_a_mistake_come_out_first(tmp_path):
    stream = read_conllu(write(tmp_path, GOOD + GOOD + "nothing\n"))
    assert [len(next(stream)), len(next(stream))] == [2, 2]
    with pytest.raises(InputError, match="found 1") as caught:
        next(stream)
    assert caught.value.line == 7


def test_heads_are_left_alone_when_they_are_not_wanted(tmp_path):
    text = row(1, "_") + row(2, "nonsense") + row(3, 99) + "\n"
    (found,) = read_conllu(write(tmp_path, text), trees=False)
    assert found.heads is None
    assert found.forms == ["w"] * 3


def test_several_roots_are_read_on_request(tmp_path):
    text = row(1) + row(2) + "\n"
    (found,) = read_conllu(write(tmp_path, text), multi_root=True)
    assert found.heads.tolist() == [0, 0]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.conllu: No such file"):
        list(read_conllu(tmp_path / "gone.conllu"))


WRONG_TREES = {
    "expected 2 heads and labels, found int64 .1,. and 2": ([0], ["a", "b"]),
    "expected 2 heads and labels, found int64 .2,. and 1": ([0, 1], ["a"]),
    "expected 2 heads and labels, found float64": ([0.0, 1.0], ["a", "b"]),
    "heads: expected 0 to 2, found 0 to 3": ([0, 3], ["a", "b"]),
    "heads: expected 0 to 2, found -1 to 0": ([0, -1], ["a", "b"]),
    "a text on one line, found ''": ([0, 1], ["a", ""]),
    r"a text on one line, found 'a\\tb'": ([0, 1], ["a\tb", "c"]),
    r"a text on one line, found 'a\\n'": ([0, 1], ["a\n", "c"]),
}


@pytest.mark.parametrize("message", WRONG_TREES)
def test_what_cannot_be_written_is_refused(tmp_path, message):
    (sentence,) = read_conllu(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match=message):
        sentence.with_tree(*WRONG_TREES[message])


def test_plain_lines_become_sentences(tmp_path):
    path = write(tmp_path, "\ufeffa  # b\r\n\n \u00e9 1-2\n", "plain.txt")
    found = list(read_plain(path))
    assert [s.forms for s in found] == [["a", "#", "b"], ["\u00e9", "1-2"]]
    assert [s.number for s in found] == [1, 3]
    assert found[1].text() == (
        "# text = \u00e9 1-2\n1\t\u00e9\t_\t_\t_\t_\t_\t_\t_\t_\n2\t1-2\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    )
    parsed = "".join(s.with_tree(range(len(s)), ["x"] * len(s)).text() for s in found)
    again = list(read_conllu(write(tmp_path, parsed)))
    assert [s.forms for s in again] == [s.forms for s in found]


def test_a_plain_file_without_words_is_refused(tmp_path):
    with pytest.raises(InputError, match="no text"):
        list(read_plain(write(tmp_path, "\n \n", "plain.txt")))


@pytest.mark.parametrize("kind", ["conllu", "plain"])
def test_a_large_file_takes_no_more_memory_than_a_sentence(tmp_path, kind):
    words = 20
    chain = "".join(row(i, i - 1) for i in range(1, words + 1)) + "\n"
    text = chain * 1500 if kind == "conllu" else ("w " * words + "\n") * 1500
    path = write(tmp_path, text)
    read = read_conllu if kind == "conllu" else read_plain
    tracemalloc.start()
    count = sum(len(sentence) for sentence in read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == words * 1500
    assert peak < 2_200_000  # all sentences at once: 5.5 MB


@functools.cache
def real_files():
    folder = data_dir()
    return [] if folder is None else sorted(folder.glob("ud_*/*-dev.conllu*"))


def test_real_treebanks_come_out_byte_for_byte():
    if not real_files():
        pytest.skip("no treebanks: set DYNOTES_DATA")
    for path in real_files():
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
        assert copy(path) == data, path
        *whole, _ = read_conllu(path)
        for sentence in whole:
            assert sentence.with_tree(sentence.heads, sentence.labels).text() == sentence.text()
            assert isinstance(sentence.heads, np.ndarray)
