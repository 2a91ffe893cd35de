"""Eisner against the enumeration of all projective trees."""

import math

import numpy as np
import pytest

from dynotes.corpora.trees import count_trees, is_projective, is_tree
from dynotes.parsing.eisner import eisner, projective_log_partition
from dynotes.parsing.mst import mst
from dynotes.parsing.scores import tree_score
from tests.parsing.test_mst import random_scores
from tests.reference.dependency_trees import log_partition, tree_scores


@pytest.mark.parametrize("multi_root", [False, True])
def test_the_score_is_the_best_of_all_projective_trees(multi_root):
    rng = np.random.default_rng(21)
    for k in range(2000):
        n, scores = random_scores(rng, k)
        best = tree_scores(scores, n, multi_root, projective=True).max()
        if best == -np.inf:
            with pytest.raises(ValueError, match="forbidden"):
                eisner(scores, single_root=not multi_root)
            continue
        heads = eisner(scores, single_root=not multi_root)
        assert is_tree(heads, multi_root=multi_root)
        assert is_projective(heads)
        assert tree_score(scores, heads) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("multi_root", [False, True])
def test_the_log_partition_is_that_of_the_enumeration(multi_root):
    rng = np.random.default_rng(22)
    for k in range(200):
        n = int(rng.integers(1, 6))
        scores = rng.uniform(-50, 50, (n + 1, n + 1)) if k % 2 else rng.normal(size=(n + 1, n + 1))
        expected = log_partition(scores, n, multi_root, projective=True)
        found = projective_log_partition(scores, single_root=not multi_root)
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("multi_root", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 30])
def test_zero_scores_count_the_projective_trees(n, multi_root):
    found = projective_log_partition(np.zeros((n + 1, n + 1)), single_root=not multi_root)
    count = count_trees(n, multi_root=multi_root, projective=True)
    assert found == pytest.approx(math.log(count), abs=1e-9)


def test_forbidden_arcs_are_no_part_of_the_sum():
    scores = np.full((4, 4), -np.inf)
    scores[0, 1], scores[1, 2], scores[2, 3] = 0.5, 0.25, 2.0
    assert projective_log_partition(scores) == pytest.approx(2.75)
    scores[0, 1] = -np.inf
    scores[3, 1] = 1.0
    assert projective_log_partition(scores, single_root=False) == -np.inf


def test_a_projective_best_tree_is_that_of_chu_liu_edmonds():
    rng = np.random.default_rng(23)
    agreed = 0
    for _ in range(300):
        scores = rng.normal(size=(6, 6))
        best = mst(scores)
        found = eisner(scores)
        assert tree_score(scores, found) <= tree_score(scores, best) + 1e-12
        if is_projective(best):
            agreed += 1
            assert found.tolist() == best.tolist()
    assert agreed > 20


@pytest.mark.parametrize("single_root", [True, False])
def test_three_hundred_words_give_a_projective_tree(single_root):
    heads = eisner(np.random.default_rng(24).normal(size=(301, 301)), single_root=single_root)
    assert is_tree(heads, multi_root=not single_root)
    assert is_projective(heads)


def test_equal_scores_give_the_same_tree_every_time():
    first = eisner(np.zeros((9, 9))).tolist()
    assert all(eisner(np.zeros((9, 9))).tolist() == first for _ in range(3))


@pytest.mark.parametrize("decode", [eisner, projective_log_partition])
def test_bad_scores_are_refused(decode):
    with pytest.raises(ValueError, match=r"n >= 1, found \(3,\)"):
        decode(np.zeros(3))
    with pytest.raises(ValueError, match="every head of word 1"):
        decode([[0, -np.inf], [0, 0]])
