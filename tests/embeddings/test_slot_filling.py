"""T59: ranks of words in gaps, by loops."""

import numpy as np
import pytest

from dynotes.embeddings import slot_filling
from dynotes.embeddings.slot_filling import best_words, mean_reciprocal_rank, noise_shift, ranks

RNG = np.random.default_rng(2)
CONTEXTS, OUTPUTS = RNG.normal(size=(7, 3)), RNG.normal(size=(9, 3))
TARGETS, SHIFT = RNG.integers(0, 9, 7), RNG.normal(size=9)


def by_loops(shift):
    found = []
    for c, o in zip(CONTEXTS, TARGETS):
        scores = [sum(a * b for a, b in zip(c, t)) + s for t, s in zip(OUTPUTS, shift)]
        found.append(1 + sum(s > scores[o] for s in scores))
    return found


@pytest.mark.parametrize("rows", [1, 3, 256])
def test_ranks_are_those_of_loops(monkeypatch, rows):
    monkeypatch.setattr(slot_filling, "ROWS", rows)
    assert ranks(CONTEXTS, OUTPUTS, TARGETS, SHIFT).tolist() == by_loops(SHIFT)
    assert ranks(CONTEXTS, OUTPUTS, TARGETS).tolist() == by_loops(np.zeros(9))


def test_equal_scores_share_the_middle_rank():
    assert ranks(np.ones((1, 2)), np.zeros((5, 2)), [3]).tolist() == [3.0]


def test_the_mean_reciprocal_rank_is_its_definition():
    assert mean_reciprocal_rank(np.array([1, 2, 4])) == pytest.approx((1 + 0.5 + 0.25) / 3)


def test_the_best_words_are_those_of_rank_one_two_three():
    found = best_words(CONTEXTS[0], OUTPUTS, 3, SHIFT)
    for place, (word, score) in enumerate(found, start=1):
        assert ranks(CONTEXTS[:1], OUTPUTS, [word], SHIFT) == [place]
        assert score == pytest.approx(CONTEXTS[0] @ OUTPUTS[word] + SHIFT[word])
    assert len(best_words(CONTEXTS[0], OUTPUTS, 100)) == 9


def test_the_shift_turns_the_optimum_of_negative_sampling_into_probabilities():
    """t_w.c = log P(w | c) / (K Q(w)): ranked with log Q added, the most probable word is first."""
    counts, power, negatives = np.array([100, 10, 10, 1]), 0.75, 5
    p = np.array([0.5, 0.3, 0.15, 0.05])
    q = counts**power / (counts**power).sum()
    t = np.log(p / (negatives * q))[:, None]
    shift = noise_shift(counts, power)
    assert [w for w, _ in best_words(np.ones(1), t, 4, shift)] == [0, 1, 2, 3]
    assert next(w for w, _ in best_words(np.ones(1), t, 4)) != 0


@pytest.mark.parametrize(
    ("contexts", "targets", "shift", "message"),
    [
        (np.ones((2, 4)), [0, 1], None, "contexts and outputs"),
        (np.ones((2, 3)), [0, 9], None, "targets: ids must be 0 to 8"),
        (np.ones((2, 3)), [0], None, "targets: expected shape"),
        (np.ones((2, 3)), [0, 1], np.ones(8), "shift: expected"),
    ],
)
def test_bad_input_is_refused(contexts, targets, shift, message):
    with pytest.raises(ValueError, match=message):
        ranks(contexts, OUTPUTS, targets, shift)
