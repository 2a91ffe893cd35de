"""T60, T61: which words fill the slots of a window, and what a document predicts."""

import numpy as np
import pytest

from dynotes.corpora.token_stream import Chunk
from dynotes.embeddings.paragraphs import (
    EMPTY,
    id_windows,
    text_mixture,
    text_windows,
    window_offsets,
)
from tests.reference import paragraphs as ref
from tests.reference import word_windows


def chunk(seed=0, tokens=40, first=3, centres=30, width=3):
    """Tokens of four documents with ids 5, 6, 8, 9, and half widths up to 3."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 6, tokens).astype(np.int32)
    sentences = np.sort(rng.choice([5, 6, 8, 9], tokens)).astype(np.int64)
    windows = rng.integers(1, width, centres, np.int32, endpoint=True)
    return Chunk(ids, sentences, first, windows, 100, 130)


def words_of(windows):
    """(document, words of the slots) of every position."""
    words = np.append(windows.words, EMPTY)
    slots = [[None if w == EMPTY else int(w) for w in words[row]] for row in windows.slots]
    return [(int(d), s) for d, s in zip(windows.documents[windows.rows], slots)]


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slots_hold_the_words_of_the_window_inside_the_document(seed, around):
    some, offsets = chunk(seed), window_offsets(3, around)
    windows = text_windows(some, offsets, some.windows)
    found = words_of(windows)
    assert windows.targets.tolist() == some.centres.tolist()
    expected = [
        (some.sentences[c], ref.window_words(some.ids, some.sentences, c, offsets, width))
        for c, width in enumerate(some.windows, start=some.first)
    ]
    assert found == expected


def test_a_window_before_has_empty_slots_at_the_beginning_of_a_document_alone():
    some = Chunk(np.arange(5, dtype=np.int32), np.array([0, 0, 0, 4, 4]), 0, np.full(5, 2), 0, 5)
    found = words_of(text_windows(some, window_offsets(2, False), some.windows))
    assert found == [
        (0, [None, None]), (0, [None, 0]), (0, [0, 1]), (4, [None, None]), (4, [None, 3]),
    ]  # fmt: skip


def test_offsets_run_from_left_to_right_without_the_centre():
    assert window_offsets(2, False).tolist() == [-2, -1]
    assert window_offsets(2, True).tolist() == [-2, -1, 1, 2]


def test_words_and_documents_are_held_once_and_ascend():
    windows = id_windows([7, 2, 7], [[3, 3], [EMPTY, 1], [EMPTY, EMPTY]], [5, 4, 5])
    assert windows.documents.tolist() == [2, 7]
    assert windows.words.tolist() == [1, 3]
    assert words_of(windows) == [(7, [3, 3]), (2, [None, 1]), (7, [None, None])]
    assert windows.fillings.tolist() == [2, 1, 0]
    predictions = windows.predictions
    assert (predictions.columns.tolist(), predictions.words.tolist()) == ([0, 1, 2], [5, 4, 5])


def test_a_word_that_fills_several_slots_has_the_sum_of_their_shares():
    windows = id_windows([0, 0], [[3, 3], [EMPTY, 1]], [0, 0])
    cells, values = windows.word_cells(np.array([0.5, 2.0]))
    A = np.zeros(4, np.float32)
    A[cells] = values
    assert A.reshape(2, 2).T.tolist() == [[0.0, 2.0], [1.0, 0.0]]  # words 1, 3
    assert windows.word_sums(np.array([0.5, 2.0])).tolist() == [2.0, 1.0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_document_predicts_each_of_its_centres_once(seed):
    some = chunk(seed)
    mixture = text_mixture(some, words=False)
    columns, targets = mixture.predictions.columns, mixture.predictions.words
    centres = range(some.first, some.first + len(some.windows))
    expected = [(some.sentences[c], some.ids[c]) for c in centres]
    assert list(zip(mixture.documents[columns], targets)) == expected
    assert (np.diff(mixture.documents) > 0).all()
    assert (np.diff(columns) >= 0).all()
    assert not len(mixture.words)


def test_with_words_the_pairs_of_skip_gram_follow_behind():
    some = chunk()
    mixture = text_mixture(some, words=True)
    columns, targets = mixture.columns, mixture.targets
    assert (np.diff(columns) >= 0).all()
    d, m = len(mixture.documents), len(some.windows)
    assert (columns[:m] < d).all()
    found = sorted(zip(mixture.words[columns[m:] - d].tolist(), targets[m:].tolist()))
    wide = np.zeros(len(some.ids), int)
    wide[some.first : some.first + m] = some.windows
    everything = word_windows.pairs(some.ids.tolist(), some.sentences.tolist(), wide.tolist())
    assert found == sorted(everything)


def test_a_document_of_one_word_has_no_pairs_but_predicts_it():
    some = Chunk(np.array([3], np.int32), np.array([2]), 0, np.array([1]), 0, 1)
    mixture = text_mixture(some, words=True)
    assert [part.tolist() for part in mixture] == [[2], [], [0], [3]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: id_windows([], np.zeros((0, 2), int), []), "documents: no ids"),
        (lambda: id_windows([0], [[-2, 1]], [0]), "windows: ids must be"),
        (lambda: id_windows([0], [[1, 2], [3, 4]], [0]), "windows: expected shape"),
        (lambda: id_windows([0], [[1, 2]], [0, 1]), "targets: expected shape"),
        (lambda: window_offsets(0, True), "window: expected 1 to"),
        (lambda: text_windows(chunk(), [0, 1], chunk().windows), "offsets: expected"),
        (lambda: text_windows(chunk(), [-1], np.zeros(0)), "at least one centre"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
