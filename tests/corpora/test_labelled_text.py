"""T58: the format of labelled texts, and what is refused."""

import gzip

import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.labelled_text import TextStyle, read_labelled, split_labels


def written(folder, content):
    path = folder / "text.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder, content, **options):
    return [tuple(text) for text in read_labelled(written(folder, content), TextStyle(**options))]


def test_labels_and_words_of_each_line(tmp_path):
    found = read(tmp_path, "__label__a __label__b The cat\n__label__a\tsat  down\r\n")
    assert found == [(1, ["a", "b"], ["The", "cat"]), (2, ["a"], ["sat", "down"])]


def test_labels_may_stand_anywhere_and_count_once(tmp_path):
    assert read(tmp_path, "the __label__b cat __label__a __label__b\n") == [
        (1, ["b", "a"], ["the", "cat"])
    ]


def test_a_line_may_have_labels_alone_and_blank_lines_are_passed_over(tmp_path):
    assert read(tmp_path, "\n__label__a\n  \n__label__b x") == [(2, ["a"], []), (4, ["b"], ["x"])]


def test_lower_case_is_for_words_alone(tmp_path):
    assert read(tmp_path, "__label__A The É\n", lower=True) == [(1, ["A"], ["the", "é"])]


def test_marks_are_words_of_their_own_and_labels_stay_whole(tmp_path):
    content = "__label__a.b What's (1/2) of 3,000?! No.\n"
    expected = "What ' s ( 1 / 2 ) of 3 , 000 ? ! No ."
    assert read(tmp_path, content, marks=True) == [(1, ["a.b"], expected.split())]
    assert read(tmp_path, content) == [(1, ["a.b"], content.split()[1:])]


def test_another_prefix(tmp_path):
    assert read(tmp_path, "#a __label__x y\n", prefix="#") == [(1, ["a"], ["__label__x", "y"])]


def test_gzip_is_read_as_plain_text(tmp_path):
    assert read(tmp_path, gzip.compress(b"__label__a x\n")) == [(1, ["a"], ["x"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("__label__a x\nno label here\n", r"text\.txt:2: no label \(expected a token"),
        ("__label__a x\n\n__label__ y\n", r"text\.txt:3: a label without a name"),
        ("", r"text\.txt: no text"),
        ("\n \n", r"text\.txt: no text"),
        (b"__label__a x\n__label__b \xff\n", r"text\.txt:2: not UTF-8"),
        (b"__label__a x\0\n", r"text\.txt:1: NUL byte"),
    ],
)
def test_what_is_no_labelled_text_is_told_with_its_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


def test_lines_before_an_error_are_given(tmp_path):
    lines = read_labelled(written(tmp_path, "__label__a x\nnone\n"))
    assert next(lines).labels == ["a"]


def test_an_empty_prefix_is_refused():
    with pytest.raises(ValueError, match="prefix: expected a text"):
        split_labels("a", TextStyle(prefix=""))
