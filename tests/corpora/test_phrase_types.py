"""T64: types of phrases, from a list and from a tagged text."""

import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.phrase_types import pooled, read_phrase_types
from dynotes.corpora.toy_data import toy_dir


def written(folder, text):
    (folder / "types").write_text(text)
    return folder / "types"


def test_a_list_names_the_types_of_its_pairs(tmp_path):
    types = read_phrase_types(
        written(tmp_path, "# mine\nstrong\ttea\tAdj-N\n\ndrink\ttea\tV-Obj\n")
    )
    assert types.of("strong", "tea") == "Adj-N"
    assert types.of("drink", "tea") == "V-Obj"
    assert types.of("tea", "strong") == "other"


def conllu(*words):
    rows = [f"{i}\t{w}\t_\t{tag}" + "\t_" * 6 for i, (w, tag) in enumerate(words, start=1)]
    return "# text = x\n" + "\n".join(rows) + "\n\n"


def test_a_tagged_text_gives_pairs_the_tags_that_their_words_have_most_often(tmp_path):
    text = conllu(("Red", "ADJ"), ("run", "VERB"), ("run", "NOUN"), ("run", "NOUN"))
    text += "1-2\tcan't" + "\t_" * 8 + "\n1.1\tx\t_\tNOUN" + "\t_" * 6 + "\n"
    path = written(tmp_path, text)
    assert read_phrase_types(path).of("Red", "run") == "ADJ-NOUN"
    assert read_phrase_types(path).of("red", "run") == "other"
    assert read_phrase_types(path, lower=True).of("red", "run") == "ADJ-NOUN"
    assert read_phrase_types(path).of("can't", "run") == "other"
    assert read_phrase_types(path).of("x", "run") == "other"


def test_equally_frequent_tags_do_not_depend_on_their_order(tmp_path):
    one = written(tmp_path, conllu(("a", "X"), ("a", "ADJ")))
    assert read_phrase_types(one).of("a", "a") == "ADJ-ADJ"
    other = written(tmp_path, conllu(("a", "ADJ"), ("a", "X")))
    assert read_phrase_types(other).of("a", "a") == "ADJ-ADJ"


def test_the_toy_language_is_a_tagged_text():
    types = read_phrase_types(toy_dir() / "train.conllu")
    assert types.of("ler", "luliba") == "DET-NOUN"


def test_rare_types_are_pooled():
    kinds = ["a", "b", "a", "c", "a", "b"]
    assert pooled(kinds, 2) == ["a", "b", "a", "other", "a", "b"]
    assert pooled(kinds, 4) == ["other"] * 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no phrase types"),
        ("# nothing\n\n", "no phrase types"),
        ("a\tb\tc\na b c\n", "types:2: expected first, second and type"),
        ("a\tb\tc\td\n", "types:1: expected"),
        ("a\t\tc\n", "types:1: expected"),
        ("a\tb\tc\n" + conllu(("a", "X")), "types:3: expected"),
    ],
)
def test_a_file_of_other_columns_is_told_with_the_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_phrase_types(written(tmp_path, text))
