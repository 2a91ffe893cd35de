"""Analogy and similarity files, as they are published, and what is wrong in others."""

import numpy as np
import pytest

from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.word_tests import Question, read_analogies, read_bats, read_similarity


@pytest.fixture
def published():
    folder = data_dir()
    if folder is None or not (folder / "word_eval").is_dir():
        pytest.skip("real data: no folder word_eval")
    return folder / "word_eval"


def put(path, content):
    path.write_text(content)
    return path


def test_questions_stand_below_their_heading(tmp_path):
    path = put(tmp_path / "q", ": one two\na b c d\n\ne f g h\n: empty\n:three\nA b C d\n")
    first, empty, third = read_analogies(path)
    assert (first.name, empty.name, third.name) == ("one two", "empty", "three")
    expected = [Question("a", ("b",), "c", ("d",)), Question("e", ("f",), "g", ("h",))]
    assert first.questions == expected
    assert empty.questions == []
    assert third.questions == [Question("A", ("b",), "C", ("d",))]
    assert {first.group, empty.group, third.group} == {""}


def test_sections_about_grammar_are_told_from_the_others(tmp_path):
    path = put(tmp_path / "q", ": gram1-x\na b c d\n: family\na b c d\n")
    assert [section.group for section in read_analogies(path)] == ["syntactic", "semantic"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": x\na b c d\na b c\n", "q:3: expected four words a b c d, found 3"),
        (": x\na b c d e\n", "q:2: expected four words a b c d, found 5"),
        ("a b c d\n", "q:1: expected a heading ': name' before the questions"),
        (":\na b c d\n", "q:1: a heading without a name"),
        (": x\n", "q: no questions"),
        ("", "q: no questions"),
    ],
)
def test_wrong_analogies_are_named_with_their_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_analogies(put(tmp_path / "q", content))


def test_similarities_are_between_tabs_or_blanks(tmp_path):
    path = put(tmp_path / "s", "# a comment\nnew york\tcity\t7.5\r\n\n#\ntiger  tiger 10\n")
    test = read_similarity(path)
    assert test.pairs == [("new york", "city"), ("tiger", "tiger")]
    assert test.gold.tolist() == [7.5, 10.0]
    assert test.gold.dtype == np.float64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a b 1\na b\n", "s:2: expected two words and a number, found 2 columns"),
        ("a\tb\t1\t2\n", "s:1: expected two words and a number, found 4 columns"),
        ("a\t\t1\n", "s:1: expected two words and a number"),
        ("a b x\n", "s:1: 'x' is not a number"),
        ("a b nan\n", "s:1: 'nan' is not a number"),
        ("# only\n", "s: no pairs"),
    ],
)
def test_wrong_similarities_are_named_with_their_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_similarity(put(tmp_path / "s", content))


def test_every_pair_of_bats_is_an_example_for_every_other(tmp_path):
    (tmp_path / "2_b").mkdir()
    put(tmp_path / "2_b" / "L01 [x - y].txt", "a\tb/c/b\nd\te_f/\n\ng\th\n")
    put(tmp_path / "I01.txt", "p\tq\nr\ts\n")
    put(tmp_path / "metadata.json", "{}")
    second, first = read_bats(tmp_path)
    assert (first.name, first.group) == ("I01", "")
    assert first.questions == [
        Question("p", ("q",), "r", ("s",)),
        Question("r", ("s",), "p", ("q",)),
    ]
    assert (second.name, second.group) == ("L01 [x - y]", "2_b")
    pairs = [("a", ("b", "c")), ("d", ("e_f",)), ("g", ("h",))]
    assert second.questions == [Question(*p, *q) for p in pairs for q in pairs if p != q]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nc d\n", "f.txt:2: expected a word, a tab, and right words between /"),
        ("a\tb\nc\t / \n", "f.txt:2: expected a word, a tab"),
        ("a\tb\n", "f.txt: expected pairs to compare, found 1"),
    ],
)
def test_wrong_pairs_of_bats_are_named_with_file_and_line(tmp_path, content, message):
    put(tmp_path / "f.txt", content)
    with pytest.raises(InputError, match=message):
        read_bats(tmp_path)


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no files \*\.txt"):
        read_bats(tmp_path)
    with pytest.raises(InputError, match="none: no such folder"):
        read_bats(tmp_path / "none")


def test_the_bundled_tests_are_read():
    sections = read_analogies(toy_dir() / "analogies.txt")
    assert len(sections) == 7
    assert sum(len(section.questions) for section in sections) == 852
    test = read_similarity(toy_dir() / "similarity.tsv")
    assert len(test.pairs) == len(test.gold) == 270
    assert 0 <= test.gold.min() < test.gold.max() <= 10


def test_the_published_analogies_have_their_counts(published):
    sections = read_analogies(published / "questions-words.txt")
    assert len(sections) == 14
    counts = {"semantic": 0, "syntactic": 0}
    for section in sections:
        counts[section.group] += len(section.questions)
    assert counts == {"semantic": 8869, "syntactic": 10675}


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("EN-WS-353-ALL.txt", 353),
        ("EN-WS-353-SIM.txt", 203),
        ("EN-WS-353-REL.txt", 252),
        ("wordsim353.tsv", 353),
        ("EN-SIMLEX-999.txt", 999),
        ("simlex999.txt", 999),
        ("EN-MEN-TR-3k.txt", 3000),
        ("EN-RW-STANFORD.txt", 2034),
    ],
)
def test_the_published_similarities_have_their_counts(published, name, pairs):
    assert len(read_similarity(published / name).pairs) == pairs


def test_bats_has_forty_relations_of_fifty_pairs(published):
    sections = read_bats(published / "BATS_3.0")
    assert len(sections) == 40
    assert {len(section.questions) for section in sections} == {50 * 49}
    assert len({section.group for section in sections}) == 4
