"""Treebanks as numbers: tables, ids, columns of batches, batches by length."""

import json

import numpy as np
import pytest

from dynotes.corpora.treebank import (
    ROOT,
    Symbols,
    batch_of,
    encode,
    gold_trees,
    length_batches,
    word_places,
)
from tests.parsing.small_treebank import sentence, sentences, symbols


def test_rare_words_are_the_unknown_one_and_the_root_is_always_there():
    table = symbols(min_count=2)
    assert "today" not in table.words
    assert {"cats", "the", "dog", "sleep", ROOT, "<unk>"} == set(table.words.words)
    assert ROOT in table.tags


def test_labels_of_roots_and_of_other_arcs_are_told_apart():
    table = symbols()
    seen = {label: (bool(a), bool(b)) for label, a, b in zip(
        table.labels.words, table.roots, table.inner
    )}  # fmt: skip
    assert seen.pop("root") == (True, False)
    assert set(seen.values()) == {(False, True)}


def test_tables_survive_json():
    table = symbols(vectors=["dog", "cat"])
    again = Symbols.from_json(json.loads(json.dumps(table.to_json())))
    assert again.to_json() == table.to_json()
    with pytest.raises(ValueError, match="expected tables of a treebank"):
        Symbols.from_json({})


def test_a_batch_has_the_root_the_words_and_padding():
    table = symbols()
    text = encode(sentences(), table)
    b = batch_of(text, [3, 1], table)
    assert b.words.shape == (6, 2)
    assert b.keep.sum(axis=0).tolist() == [6, 3]
    for column, place in ((0, 3), (1, 1)):
        forms = [ROOT, *sentences()[place].forms]
        words = table.words.encode(forms)
        np.testing.assert_array_equal(b.words[: len(forms), column], words)
        starts = np.cumsum(b.spelling.lengths) - b.spelling.lengths
        for row, form in enumerate(forms):
            which = b.forms[row, column]
            letters = b.spelling.characters[starts[which] :][: b.spelling.lengths[which]]
            np.testing.assert_array_equal(letters, table.characters.encode(list(form)))
    assert len(b.spelling.lengths) == len(np.unique(b.forms))


def test_words_ignore_case_and_characters_do_not():
    table = symbols()
    text = encode([sentence("The DOG", "D N", [2, 0], "det root")], table)
    np.testing.assert_array_equal(text.words, table.words.encode(["the", "dog"]))
    letters = text.spelling.characters[text.spelling.lengths[0] :]
    assert (
        letters == table.characters.unk_id
    ).sum() == 5  # T, D, O, G, and h, which one word alone has


def test_unknown_tags_and_words_without_a_vector_are_minus_one():
    table = symbols(vectors=["dog", "The"])
    text = encode([sentence("The dog barks", "X N _", [2, 3, 0], "det subj root")], table)
    assert text.fixed.tolist() == [1, 0, -1]
    assert (text.tags < 0).tolist() == [True, False, True]


def test_unknown_gold_labels_are_refused():
    with pytest.raises(ValueError, match="'new' is not in the vocabulary"):
        gold_trees([sentence("go", "V", [0], "new")], symbols())


def test_every_sentence_is_in_one_batch_that_is_small_enough():
    """50 drawn lists of lengths, seed 0."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths = rng.integers(1, 30, rng.integers(1, 60))
        for draw in (None, rng):
            batches = length_batches(lengths, 64, draw)
            assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
            for which in batches:
                places = (lengths[which].max() + 1) * len(which)
                assert places <= 64 or len(which) == 1


def test_batches_hold_sentences_of_like_length():
    lengths = np.array([9, 2, 9, 2, 5, 5])
    found = [sorted(set(lengths[b].tolist())) for b in length_batches(lengths, 12)]
    assert found == [[2], [5], [9], [9]]


def test_the_places_of_words_follow_the_sentences():
    assert word_places(np.array([2, 3, 1]), np.array([2, 0])).tolist() == [5, 0, 1]


def test_no_sentence_is_refused():
    with pytest.raises(ValueError, match="expected sentences with trees, found none"):
        Symbols.collect([])
    with pytest.raises(ValueError, match="expected at least one sentence"):
        encode([], symbols())
