"""T58: the labelled toy texts."""

import pytest

from dynotes.corpora.labelled_text import read_labelled
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.toy_labels import PARTS, write_labelled_toy

GENDERS = {"o": "masc", "a": "fem", "e": "com", "u": "neut"}  # by the last vowel


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_labelled_toy(tmp_path_factory.mktemp("toy"))


def test_the_texts_are_those_of_the_toy_language(files):
    assert tuple(files) == PARTS
    for part, path in files.items():
        words = [text.words for text in read_labelled(path)]
        assert words == list(read_tokens(toy_dir() / f"{part}.txt"))


def test_the_label_is_that_of_the_first_words_behind_the_particle(files):
    for text in read_labelled(files["train"]):
        first, second = text.words[1:3]  # a pronoun, or an article and what agrees in gender
        vowel = (first if first.startswith("y") else second).rstrip("r")[-1]
        number = "plur" if first.endswith("r") else "sing"
        assert text.labels == [f"{GENDERS[vowel]}-{number}"]


def test_all_eight_labels_occur_in_every_part(files):
    for path in files.values():
        found = {label for text in read_labelled(path) for label in text.labels}
        assert len(found) == 8
