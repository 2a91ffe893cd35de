"""T64: phrases of two words: scores and joins against loops, however the text is cut."""

import numpy as np
import pytest

from dynotes.corpora import phrases as module
from dynotes.corpora.phrases import Phrases, find_phrases, join_phrases
from tests.reference import phrases as ref


def random_text(seed=0, sentences=80):
    """(sentences of small numbers, ids, ends, counts): neighbours like to follow each other."""
    rng = np.random.default_rng(seed)
    lines = []
    for n in rng.integers(0, 14, sentences):
        line = [int(rng.integers(12))] if n else []
        while len(line) < n:
            follows = rng.random() < 0.5
            line.append((line[-1] + 1) % 12 if follows else int(rng.integers(12)))
        lines.append(line)
    ids = np.array([w for line in lines for w in line], np.int32)
    return lines, ids, np.cumsum([len(x) for x in lines]), np.bincount(ids, minlength=12)


OPTIONS = [(0, 0, 1), (1.5, 3, 2), (2.5, 1, 9), (4.0, 0, 40)]


@pytest.mark.parametrize("tokens", [1, 2, 5, 1 << 20])
@pytest.mark.parametrize(("threshold", "discount", "min_count"), OPTIONS)
def test_phrases_and_scores_are_those_of_a_loop(
    monkeypatch, tokens, threshold, discount, min_count
):
    monkeypatch.setattr(module, "TOKENS", tokens)
    lines, ids, ends, counts = random_text()
    found = find_phrases(
        ids, ends, counts, threshold=threshold, discount=discount, min_count=min_count
    )
    expected = ref.phrases(lines, threshold, discount, min_count)
    keys = list(zip(found.first.tolist(), found.second.tolist()))
    assert keys == sorted(expected)
    np.testing.assert_array_equal(found.counts, [expected[k][0] for k in keys])
    np.testing.assert_allclose(found.scores, [expected[k][1] for k in keys], rtol=1e-12)


@pytest.mark.parametrize("tokens", [1, 2, 5, 1 << 20])
@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.5])
def test_joined_texts_are_those_of_a_loop(monkeypatch, tokens, threshold):
    monkeypatch.setattr(module, "TOKENS", tokens)
    lines, ids, ends, counts = random_text(1)
    found = find_phrases(ids, ends, counts, threshold=threshold, discount=0, min_count=1)
    names = [str(w) for w in range(12)]
    pairs = list(zip(found.first.tolist(), found.second.tolist()))
    new_ids = np.arange(12, 12 + len(pairs))
    names += [f"{a}_{b}" for a, b in pairs]
    got = []
    for part, stops in join_phrases(ids, ends, found, new_ids):
        for sentence in np.split(part, stops[:-1]):
            got.append([names[i] for i in sentence])
    known = {(str(a), str(b)) for a, b in pairs}
    assert got == [ref.joined([str(w) for w in line], known) for line in lines]


def test_a_run_of_overlapping_pairs_is_joined_from_the_left():
    ids, ends = np.array([0, 0, 0, 0, 0, 1, 0, 0]), np.array([5, 8])
    only = Phrases(np.array([0]), np.array([0]), np.array([5]), np.array([1.0]))
    ((found, stops),) = join_phrases(ids, ends, only, np.array([9]))
    assert found.tolist() == [9, 9, 0, 1, 9]
    assert stops.tolist() == [3, 5]


def test_no_phrase_leaves_the_text_as_it_is():
    _, ids, ends, counts = random_text(2)
    none = find_phrases(ids, ends, counts, threshold=1e9, discount=0, min_count=1)
    ((found, stops),) = join_phrases(ids, ends, none, np.array([]))
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_array_equal(stops, ends)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1}, "threshold: expected a number >= 0"),
        ({"threshold": float("nan")}, "threshold: expected a number >= 0"),
        ({"threshold": 1, "discount": -1}, "discount: expected a number >= 0"),
        ({"threshold": 1, "min_count": 0}, "min_count: expected a whole number"),
    ],
)
def test_bad_settings_are_refused(options, message):
    _, ids, ends, counts = random_text()
    with pytest.raises(ValueError, match=message):
        find_phrases(ids, ends, counts, **options)


def test_other_sentences_and_ids_are_refused():
    _, ids, ends, counts = random_text()
    with pytest.raises(ValueError, match="line_ends: expected the last to be"):
        find_phrases(ids, ends[:-3], counts, threshold=1)
    found = find_phrases(ids, ends, counts, threshold=1)
    with pytest.raises(ValueError, match="new_ids: expected"):
        list(join_phrases(ids, ends, found, np.array([1])))
