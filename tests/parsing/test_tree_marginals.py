"""Marginals in float64 against the enumeration of all trees and against the graph."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.trees import count_trees, is_tree
from dynotes.parsing import tree_marginals as module
from dynotes.parsing.matrix_tree import tree_log_partition
from dynotes.parsing.mst import mst
from dynotes.parsing.tree_marginals import tree_marginals
from tests.reference import dependency_trees as reference

both_roots = pytest.mark.parametrize("multi_root", [False, True])


@both_roots
@pytest.mark.parametrize("spread", [1, 50, 400])
def test_log_z_and_marginals_are_those_of_the_enumeration(spread, multi_root):
    rng = np.random.default_rng(41)
    for _ in range(60):
        n = int(rng.integers(1, 6))
        scores = rng.uniform(-spread, spread, (n + 1, n + 1))
        found = tree_marginals(scores, single_root=not multi_root)
        expected = reference.log_partition(scores, n, multi_root)
        assert found.log_partition == pytest.approx(expected, abs=1e-10)
        marginals = reference.marginals(scores, n, multi_root)
        np.testing.assert_allclose(found.arcs, marginals, atol=1e-12)


@both_roots
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 100])
def test_zero_scores_count_the_trees(n, multi_root):
    found = tree_marginals(np.zeros((n + 1, n + 1)), single_root=not multi_root)
    assert found.log_partition == pytest.approx(math.log(count_trees(n, multi_root=multi_root)))


@both_roots
def test_forbidden_arcs_have_probability_zero(multi_root):
    rng = np.random.default_rng(42)
    for _ in range(60):
        scores = rng.normal(size=(5, 5))
        scores[rng.random((5, 5)) < 0.3] = -np.inf
        if reference.tree_scores(scores, 4, multi_root).max() == -np.inf:
            with pytest.raises(ValueError, match="forbidden"):
                tree_marginals(scores, single_root=not multi_root)
            continue
        found = tree_marginals(scores, single_root=not multi_root)
        expected = reference.marginals(scores, 4, multi_root)
        np.testing.assert_allclose(found.arcs, expected, atol=1e-8)
        assert not found.arcs[:, 1:][np.isneginf(scores[:, 1:])].any()


@both_roots
def test_weights_made_again_in_blocks_give_the_same(multi_root, monkeypatch):
    scores = np.random.default_rng(43).normal(size=(12, 12))
    whole = tree_marginals(scores, single_root=not multi_root).arcs
    for block in (1, 2, 3, 7, 10, 11):
        monkeypatch.setattr(module, "BLOCK", block)
        found = tree_marginals(scores, single_root=not multi_root).arcs
        np.testing.assert_array_equal(found, whole)


@both_roots
def test_the_gradient_of_the_graph_is_the_same(multi_root):
    scores = np.random.default_rng(44).normal(0, 3, (41, 41)).astype(np.float32)
    pc = dy.ParameterCollection()
    p = pc.add_parameters(scores.shape)
    p.set_value(scores)
    partition = tree_log_partition(p, single_root=not multi_root)
    found = tree_marginals(scores, single_root=not multi_root)
    assert partition.value() == pytest.approx(found.log_partition, abs=1e-4)
    partition.backward()
    np.testing.assert_allclose(p.grad_as_array(), found.arcs, atol=2e-5)


def test_decoded_marginals_have_the_most_words_right_in_expectation():
    rng = np.random.default_rng(45)
    for _ in range(30):
        scores = rng.normal(size=(5, 5))
        arcs = tree_marginals(scores).arcs
        heads = mst(arcs)
        assert is_tree(heads)
        expected = max(sum(arcs[h, d] for d, h in enumerate(t, 1)) for t in reference.all_trees(4))
        assert arcs[heads, range(1, 5)].sum() == pytest.approx(expected)


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match=r"n >= 1, found \(1, 1\)"):
        tree_marginals([[0.0]])
    with pytest.raises(ValueError, match="give no tree"):
        tree_marginals([[0, -np.inf, -np.inf], [0, 0, 1], [0, 1, 0]])
