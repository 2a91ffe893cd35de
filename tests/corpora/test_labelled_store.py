"""T58: labelled texts as memory maps: what they hold, reuse, what is refused."""

import os

import numpy as np
import pytest

from dynotes.corpora import labelled_store
from dynotes.corpora.errors import InputError
from dynotes.corpora.labelled_store import store_examples

TEXT = "__label__x __label__y a b a c\n\n__label__x c\n__label__z b d d d\n__label__y\n"
LINES = [["a", "b", "a", "c"], ["c"], ["b", "d", "d", "d"], []]
LABELS = [["x", "y"], ["x"], ["z"], ["y"]]


def stored(folder, content=TEXT, **settings):
    path = folder / "text.txt"
    if not path.exists():
        path.write_text(content)
    return store_examples(path, folder / "examples", **settings)


def split(values, ends):
    return [part.tolist() for part in np.split(np.asarray(values), ends[:-1])]


def test_words_and_labels_stand_by_frequency_with_their_counts(tmp_path):
    found = stored(tmp_path)
    assert found.features.vocabulary.words == ("</s>", "d", "a", "b", "c")
    assert found.features.vocabulary.counts.tolist() == [4, 3, 2, 2, 2]
    assert found.labels.words == ("x", "y", "z")
    assert found.labels.counts.tolist() == [2, 2, 1]
    assert found.n_words == 9


@pytest.mark.parametrize("lines", [1, 3, 4096])
@pytest.mark.parametrize("rows", [2, 1 << 20])
@pytest.mark.parametrize("settings", [{}, {"n": 3, "minn": 1, "maxn": 2, "buckets": 50}], ids=str)
def test_the_rows_are_the_bags_of_the_features_however_it_is_cut(
    tmp_path, monkeypatch, lines, rows, settings
):
    monkeypatch.setattr(labelled_store, "LINES", lines)
    monkeypatch.setattr(labelled_store, "ROWS", rows)
    found = stored(tmp_path, **settings)
    bag = found.features.bag(LINES)
    np.testing.assert_array_equal(found.rows, bag.rows)
    np.testing.assert_array_equal(found.row_ends, bag.ends)
    ids = split(found.label_ids, found.label_ends)
    assert [found.labels.decode(part) for part in ids] == LABELS
    assert found.rows.max() == found.features.n_rows - 1  # every row is in use


def test_every_bucket_that_was_used_has_a_row(tmp_path):
    found = stored(tmp_path, n=2, buckets=1000)
    used = {c - 5 for c in found.features.codes(LINES).rows.tolist() if c >= 5}
    assert found.features.used.tolist() == sorted(used)


def test_rare_words_have_no_row_but_are_part_of_ngrams(tmp_path):
    found = stored(tmp_path, min_count=3, n=2, buckets=1000)
    assert found.features.vocabulary.words == ("</s>", "d")
    assert len(split(found.rows, found.row_ends)[0]) == 1 + 4  # "</s>", and four bigrams


def test_the_end_of_a_line_is_never_too_rare(tmp_path):
    found = stored(tmp_path, min_count=99)
    assert found.features.vocabulary.words == ("</s>",)
    assert split(found.rows, found.row_ends) == [[0]] * 4


def test_more_words_have_rows_behind_those_of_the_text(tmp_path):
    found = stored(tmp_path, min_count=3, more_words=["new", "a", "d"])
    assert found.features.vocabulary.words == ("</s>", "d", "new", "a")
    assert found.features.vocabulary.counts.tolist() == [4, 3, 0, 2]


def test_the_same_text_and_settings_are_not_read_again(tmp_path, monkeypatch):
    first = stored(tmp_path, n=2)
    monkeypatch.setattr(labelled_store, "read_labelled", None)
    again = stored(tmp_path, n=2)
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.features.used, again.features.used)
    assert first.labels == again.labels


@pytest.mark.parametrize("change", ["text", "settings", "damage", "cut"])
def test_another_text_or_other_settings_are_read_anew(tmp_path, change):
    stored(tmp_path)
    settings = {}
    if change == "text":
        (tmp_path / "text.txt").write_text("__label__q w\n")
    if change == "settings":
        settings = {"n": 2}
    if change == "damage":
        (tmp_path / "examples" / "examples.json").write_text("{")
    if change == "cut":
        os.truncate(tmp_path / "examples" / "rows.int32", 8)
    found = stored(tmp_path, **settings)
    if change == "text":
        assert found.labels.words == ("q",)
    else:
        np.testing.assert_array_equal(found.rows, found.features.bag(LINES).rows)


def test_an_error_in_the_text_leaves_no_description(tmp_path):
    with pytest.raises(InputError, match=r"text\.txt:2: no label"):
        stored(tmp_path, "__label__a x\nno label\n")
    assert not (tmp_path / "examples" / "examples.json").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "examples").write_text("a file")
    with pytest.raises(InputError, match="examples"):
        stored(tmp_path)
