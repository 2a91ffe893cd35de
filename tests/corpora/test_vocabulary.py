"""Vocabularies: frequency order, pruning, specials, and files that come back equal."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.vocabulary import Vocabulary

TEXT = [["b", "a", "b"], ["c", "b", "a", "d"], []]


def test_ids_follow_frequency_then_the_alphabet_specials_included():
    v = Vocabulary.build(TEXT)
    assert v.words == ("<eos>", "b", "a", "c", "d", "<unk>")
    assert v.counts.tolist() == [3, 3, 2, 1, 1, 0]
    assert (v.eos_id, v.unk_id, len(v)) == (0, 5, 6)


def test_the_order_of_the_text_does_not_matter():
    rng = random.Random(1)
    words = [f"w{i}" for i in range(50)] * 3
    rng.shuffle(words)
    assert Vocabulary.build([words]) == Vocabulary.build([sorted(words)])


def test_counts_of_words_give_the_same_vocabulary_as_their_sentences():
    counts = Counter(word for sentence in TEXT for word in [*sentence, "<eos>"])
    assert Vocabulary.build(dict(counts)) == Vocabulary.build(TEXT)


def test_rare_words_are_left_out_and_counted_as_unknown():
    v = Vocabulary.build(TEXT, min_count=2)
    assert v.words == ("<eos>", "b", "<unk>", "a")
    assert v.counts.tolist() == [3, 3, 2, 2]
    assert "c" not in v


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 100])
def test_the_size_limit_counts_every_entry_and_keeps_the_most_frequent(size):
    v = Vocabulary.build(TEXT, max_size=size)
    assert len(v) == min(size, 6)
    assert set(v.words) == {"<unk>", "<eos>", *["b", "a", "c", "d"][: size - 2]}
    assert v.counts.sum() == 10


def test_a_literal_unknown_word_is_the_unknown_word():
    v = Vocabulary.build([["<unk>", "a", "<unk>"]])
    assert v.words == ("<unk>", "<eos>", "a")
    assert v.decode(v.encode(["a", "zebra", "<unk>"])) == ["a", "<unk>", "<unk>"]


def test_more_special_words_are_kept_whatever_the_text_says():
    v = Vocabulary.build([["a"]], min_count=5, specials=["<pad>"])
    assert set(v.words) == {"<unk>", "<eos>", "<pad>"}


def test_encoding_and_decoding_are_inverse():
    v = Vocabulary.build(TEXT)
    tokens = ["a", "d", "<eos>", "b"]
    ids = v.encode(iter(tokens))
    assert ids.dtype == np.int32
    assert v.decode(ids) == tokens
    assert v.decode(v.encode([])) == []
    assert v.decode(range(len(v))) == list(v.words)


def test_an_unknown_word_is_named_where_nothing_stands_for_it():
    v = Vocabulary.from_words(["x", "y"])
    assert (v.unk_id, v.eos_id, v.counts) == (None, None, None)
    assert v.lookup(("y", "z")).tolist() == [1, -1]
    with pytest.raises(ValueError, match="'z' is not in the vocabulary"):
        v.encode(["y", "z", "q"])


def test_returned_counts_are_a_copy():
    v = Vocabulary.build(TEXT)
    v.counts[:] = 0
    assert v.counts.sum() == 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary.build([]), "no words"),
        (lambda: Vocabulary.build({}), "no words"),
        (lambda: Vocabulary.build(["a text"]), "expected lists of tokens"),
        (lambda: Vocabulary.build(TEXT, min_count=0), "min_count: .* found 0"),
        (lambda: Vocabulary.build(TEXT, min_count=1.5), "min_count: .* found 1.5"),
        (lambda: Vocabulary.build(TEXT, max_size=1), "max_size: .* from 2 .* found 1"),
        (lambda: Vocabulary.build(TEXT, unk="x", eos="x"), "must differ"),
        (lambda: Vocabulary.build(TEXT, specials=["<unk>"]), "must differ"),
        (lambda: Vocabulary.from_words(["a", "b", "a"]), "'a' is there more than once"),
        (lambda: Vocabulary.from_words(["a", ""]), "word 1: .* not empty"),
        (lambda: Vocabulary.from_words("text"), "found the text"),
        (lambda: Vocabulary.from_words([]), "at least one word"),
        (lambda: Vocabulary.from_words(["a"], unk="b"), "'b' is not among the words"),
        (lambda: Vocabulary(["a"], counts=[1, 2]), "one for each of the 1 words, found 2"),
        (lambda: Vocabulary(["a"], counts=[-1]), "counts: .* found -1"),
        (lambda: Vocabulary.build(TEXT).encode("a b"), "found the text 'a b'"),
        (lambda: Vocabulary.build(TEXT).decode([0, 6]), "0 to 5, found 0 to 6"),
        (lambda: Vocabulary.build(TEXT).decode([-1]), "found -1 to -1"),
        (lambda: Vocabulary.build(TEXT).decode([0.0]), "float64"),
        (lambda: Vocabulary.build(TEXT).decode([[1]]), r"\(1, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "v",
    [
        Vocabulary.build(TEXT),
        Vocabulary.build([['"\\', "naïve", "日本", "\u2028", "\U0001f600"]], unk=None, eos=None),
        Vocabulary.from_words([" ", "b"], unk="b"),
    ],
)
def test_a_vocabulary_comes_back_equal_from_plain_values_and_from_a_file(tmp_path, v):
    assert Vocabulary.from_json(json.loads(json.dumps(v.to_json()))) == v
    v.save(tmp_path / "v.json")
    back = Vocabulary.load(tmp_path / "v.json")
    assert back == v
    assert (back.words, back.unk_id, back.eos_id) == (v.words, v.unk_id, v.eos_id)
    assert back != Vocabulary.from_words(["other"])


GOOD = Vocabulary.build(TEXT).to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "v.json:1: not JSON"),
        ('{"words":\n [1,', "v.json:2: not JSON"),
        (b"\xff\xfe\x00", "not a vocabulary"),
        ("[" * 100_000, "nested too deeply"),
        ([], "found list"),
        ({}, r"found \[\]"),
        ({k: v for k, v in GOOD.items() if k != "unk"}, "keys"),
        ({**GOOD, "more": 1}, "'more'"),
        ({**GOOD, "format": "dynotes-vocabulary-9"}, "expected a dynotes-vocabulary-1"),
        ({**GOOD, "words": "abcdef"}, "words: expected a list, found str"),
        ({**GOOD, "words": [1, 2, 3, 4, 5, 6]}, "word 0: .* found 1"),
        ({**GOOD, "words": ["a"] * 6}, "'a' is there more than once"),
        ({**GOOD, "words": ["a"]}, "'<unk>' is not among"),
        ({**GOOD, "unk": 5}, "found 5"),
        ({**GOOD, "eos": ["x"]}, "found \\['x'\\]"),
        ({**GOOD, "counts": [1]}, "found 1"),
        ({**GOOD, "counts": [0.5] * 6}, "found 0.5"),
        ({**GOOD, "counts": [2**70] * 6}, "counts"),
        ({**GOOD, "counts": {}}, "counts: expected a list, found dict"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "v.json"
    data = content if isinstance(content, (str, bytes)) else json.dumps(content)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(InputError, match=message) as caught:
        Vocabulary.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"v\.json: No such file"):
        Vocabulary.load(tmp_path / "v.json")
