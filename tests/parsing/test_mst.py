"""Chu-Liu-Edmonds against the enumeration of all trees and against another implementation."""

import numpy as np
import pytest

from dynotes.corpora.trees import is_tree
from dynotes.parsing.mst import mst
from dynotes.parsing.scores import tree_score
from tests.reference.dependency_trees import tree_scores


def random_scores(rng, k):
    """Scores of at most five words: small whole numbers, with ties, or normal; arcs missing."""
    n = int(rng.integers(1, 6))
    scores = rng.normal(size=(n + 1, n + 1))
    if k % 2:
        scores = rng.integers(-2, 3, size=(n + 1, n + 1)).astype(np.float64)
    if k % 3 == 0:
        scores[rng.random(scores.shape) < 0.35] = -np.inf
    return n, scores


@pytest.mark.parametrize("multi_root", [False, True])
def test_the_score_is_the_best_of_all_trees(multi_root):
    rng = np.random.default_rng(11)
    without = 0
    for k in range(2000):
        n, scores = random_scores(rng, k)
        best = tree_scores(scores, n, multi_root).max()
        if best == -np.inf:
            without += 1
            with pytest.raises(ValueError, match="forbidden"):
                mst(scores, single_root=not multi_root)
            continue
        heads = mst(scores, single_root=not multi_root)
        assert is_tree(heads, multi_root=multi_root)
        assert tree_score(scores, heads) == pytest.approx(best, abs=1e-12)
    assert 100 < without < 700  # both kinds were drawn


def test_it_finds_the_trees_of_another_implementation():
    other = pytest.importorskip("ufal.chu_liu_edmonds", reason="pip install ufal.chu_liu_edmonds")
    rng = np.random.default_rng(12)
    for _ in range(100):
        n = int(rng.integers(1, 61))
        scores = rng.normal(0, rng.choice([1.0, 100.0]), size=(n + 1, n + 1))
        matrix = scores.T.copy()
        matrix[0] = np.nan
        np.fill_diagonal(matrix, np.nan)
        heads, total = other.chu_liu_edmonds(matrix)
        found = mst(scores, single_root=False)
        assert found.tolist() == heads[1:]
        assert tree_score(scores, found) == pytest.approx(total)


def test_one_root_of_another_implementation_with_worse_root_arcs():
    other = pytest.importorskip("ufal.chu_liu_edmonds", reason="pip install ufal.chu_liu_edmonds")
    rng = np.random.default_rng(13)
    for _ in range(100):
        n = int(rng.integers(2, 61))
        scores = rng.normal(size=(n + 1, n + 1))
        scores[0] += 3.0  # so that the best tree of all has many roots
        matrix = scores.T.copy()
        matrix[:, 0] -= 1e4
        matrix[0] = np.nan
        np.fill_diagonal(matrix, np.nan)
        heads, _ = other.chu_liu_edmonds(matrix)
        assert mst(scores).tolist() == heads[1:]


def test_greedy_heads_that_are_a_tree_come_back_unchanged():
    rng = np.random.default_rng(14)
    for _ in range(50):
        n = int(rng.integers(1, 30))
        order = rng.permutation(n) + 1
        heads = np.zeros(n, dtype=np.int64)
        for i, word in enumerate(order[1:], start=1):
            heads[word - 1] = order[rng.integers(i)]
        scores = rng.random((n + 1, n + 1))
        scores[heads, np.arange(1, n + 1)] += 1.0
        assert mst(scores).tolist() == heads.tolist()


def test_nested_cycles_are_opened_at_the_right_arc():
    # 1 <-> 2, then {1, 2} <-> 3, then {1, 2, 3} <-> 4; only 2 may hang below the root
    scores = np.full((5, 5), -50.0)
    scores[1, 2], scores[2, 1] = 9.0, 10.0
    scores[3, 1], scores[2, 3] = 8.0, 8.0
    scores[4, 3], scores[1, 4] = 7.0, 7.0
    scores[0, 2] = -20.0
    assert mst(scores).tolist() == [2, 0, 2, 1]


def test_arcs_that_are_out_of_the_question_cost_one_root_no_digits():
    # a constant that makes n root arcs worse than any tree with one would be 4e17 here, where
    # neighbouring numbers are 64 apart; the two good trees are 0.5 apart
    scores = np.full((4, 4), -1e17)
    scores[0, 1], scores[0, 2], scores[1, 3] = 5.0, 5.0, 10.0
    scores[1, 2], scores[2, 1] = 1.0, 1.5
    assert mst(scores, single_root=False).tolist() == [0, 0, 1]
    assert mst(scores).tolist() == [2, 0, 1]
    scores[1, 2], scores[2, 1] = 1.5, 1.0
    assert mst(scores).tolist() == [0, 1, 1]


def test_equal_scores_give_the_first_heads_every_time():
    assert mst(np.zeros((4, 4)), single_root=False).tolist() == [0, 0, 0]
    first = mst(np.zeros((6, 6)))
    assert is_tree(first)
    assert all(mst(np.zeros((6, 6))).tolist() == first.tolist() for _ in range(3))


def test_one_word_hangs_below_the_root():
    assert mst([[9.0, -3.0], [9.0, 9.0]]).tolist() == [0]


def test_the_scores_are_not_changed():
    scores = np.random.default_rng(15).normal(size=(9, 9))
    before = scores.copy()
    mst(scores)
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize("single_root", [True, False])
def test_a_thousand_words_give_a_tree(single_root):
    scores = np.random.default_rng(16).normal(size=(1001, 1001)).astype(np.float32)
    assert is_tree(mst(scores, single_root=single_root), multi_root=not single_root)


def test_a_chain_of_a_thousand_cycles_is_no_recursion():
    n = 1000
    scores = np.full((n + 1, n + 1), -1e6)
    for d in range(1, n):
        scores[d + 1, d], scores[d, d + 1] = 2.0, 1.0 + d / n
    scores[0, n] = 0.0
    heads = mst(scores)
    assert heads.tolist() == [*range(2, n + 1), 0]


BAD = {
    "expected \\(n \\+ 1, n \\+ 1\\) with n >= 1, found \\(2, 3\\)": np.zeros((2, 3)),
    "found \\(1, 1\\)": np.zeros((1, 1)),
    "nan for the arc 0 -> 2": [[0, 0, np.nan], [0, 0, 0], [0, 0, 0]],
    "inf for the arc 2 -> 1": [[0, 0, 0], [0, 0, 0], [0, np.inf, 0]],
    "every head of word 2 is forbidden": [[0, 0, -np.inf], [0, 0, -np.inf], [0, 0, 0]],
    "give no tree$": [[0, -np.inf, -np.inf], [0, 0, 1], [0, 1, 0]],
    "give no tree with one root": [[0, 1, 1], [0, 0, -np.inf], [0, -np.inf, 0]],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_scores_are_refused(message):
    with pytest.raises(ValueError, match=message):
        mst(BAD[message])


def test_column_0_and_the_diagonal_are_not_read():
    scores = np.random.default_rng(17).normal(size=(7, 7))
    expected = mst(scores).tolist()
    np.fill_diagonal(scores, np.nan)
    scores[:, 0] = np.inf
    assert mst(scores).tolist() == expected
