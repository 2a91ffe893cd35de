"""The matrix-tree graph against the enumeration of all trees."""

import math

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.trees import count_trees
from dynotes.graph.arrays import feed, read
from dynotes.graph.log_space import NEG_INF
from dynotes.parsing.matrix_tree import tree_log_partition, tree_nll
from tests.helpers import assert_gradients, asymmetric
from tests.reference import dependency_trees as reference

both_roots = pytest.mark.parametrize("multi_root", [False, True])


def parameter(values):
    pc = dy.ParameterCollection()
    p = pc.add_parameters(values.shape)
    p.set_value(values)
    return pc, p


def draw(rng, n, spread):
    return rng.uniform(-spread, spread, (n + 1, n + 1)).astype(np.float32)


# float32 over 60 draws: worst found 1.3e-5 nats and 2e-6 in a probability, at a spread of 50
@both_roots
@pytest.mark.parametrize("spread", [1, 50])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_value_and_gradient_are_those_of_the_enumeration(n, spread, multi_root):
    rng = np.random.default_rng(31 + n)
    for _ in range(6):
        scores = draw(rng, n, spread)
        _pc, p = parameter(scores)
        dy.renew_cg()
        partition = tree_log_partition(p, single_root=not multi_root)
        exact = scores.astype(np.float64)
        expected = reference.log_partition(exact, n, multi_root)
        assert partition.value() == pytest.approx(expected, abs=5e-5)
        partition.backward()
        marginals = reference.marginals(exact, n, multi_root)
        np.testing.assert_allclose(p.grad_as_array(), marginals, atol=1e-5)


@both_roots
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 40])
def test_zero_scores_count_the_trees(n, multi_root):
    found = tree_log_partition(feed(np.zeros((n + 1, n + 1))), single_root=not multi_root)
    expected = math.log(count_trees(n, multi_root=multi_root))
    assert found.value() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_root_arcs_far_below_the_others_are_not_lost():
    # 1 <-> 2 at +50, the root at -50: the Laplacian's determinant is 100 nats below its terms
    scores = np.array([[0, -50, -49], [0, 0, 50], [0, 50, 0]], dtype=np.float32)
    for single_root in (True, False):
        found = tree_log_partition(feed(scores), single_root=single_root).value()
        assert found == pytest.approx(np.logaddexp(0.0, 1.0), abs=2e-5)


@both_roots
def test_the_gradients_are_those_of_differences(multi_root):
    _pc, p = parameter(draw(np.random.default_rng(32), 4, 2))
    assert_gradients(
        lambda: tree_log_partition(p, single_root=not multi_root), [p], entries=25, tol=3e-3
    )


@both_roots
def test_the_marginals_of_a_word_sum_to_one(multi_root):
    scores = draw(np.random.default_rng(33), 30, 5)
    _pc, p = parameter(scores)
    partition = tree_log_partition(p, single_root=not multi_root)
    partition.value()
    partition.backward()
    marginals = p.grad_as_array()
    np.testing.assert_allclose(marginals[:, 1:].sum(axis=0), 1, atol=1e-5)
    assert marginals.min() > -1e-6
    if not multi_root:
        assert marginals[0].sum() == pytest.approx(1, abs=1e-5)


@both_roots
def test_a_batch_with_padding_is_its_sentences_one_by_one(multi_root):
    rng = np.random.default_rng(34)
    sizes = np.array([5, 1, 3, 2])
    scores = rng.normal(0, 4, (6, 6, 4)).astype(np.float32)
    found = read(tree_log_partition(feed(scores, batched=True), sizes, single_root=not multi_root))
    for b, n in enumerate(sizes):
        alone = scores[: n + 1, : n + 1, b].astype(np.float64)
        expected = reference.log_partition(alone, n, multi_root)
        assert found[0, b] == pytest.approx(expected, abs=2e-5)


@both_roots
def test_padding_column_0_and_the_diagonal_are_not_read_and_get_no_gradient(multi_root):
    scores = np.random.default_rng(35).normal(size=(6, 6)).astype(np.float32)
    _pc, p = parameter(scores)
    twisted = scores.copy()
    twisted[4:], twisted[:, 4:], twisted[:, 0] = 1e4, -1e4, 1e4
    np.fill_diagonal(twisted, 1e4)
    twisted[range(4), range(4)] = 1e4
    values = []
    for s in (scores, twisted):
        p.set_value(s)
        dy.renew_cg()
        partition = tree_log_partition(p, [3], single_root=not multi_root)
        values.append(partition.value())
        partition.backward()
    assert values[0] == values[1]
    gradient = p.grad_as_array()
    assert not gradient[4:].any()
    assert not gradient[:, 4:].any()
    assert not gradient[:, 0].any()
    assert not gradient.diagonal().any()


def test_the_loss_of_a_batch_is_log_z_minus_the_scores_of_the_gold_arcs():
    rng = np.random.default_rng(36)
    scores = rng.normal(0, 2, (5, 5, 2)).astype(np.float32)
    heads = np.array([[2, 0], [0, 1], [2, 0], [3, 4]])  # the second sentence has two words
    found = read(tree_nll(feed(scores, batched=True), heads, [4, 2]))[0]
    for b, n in enumerate((4, 2)):
        s = scores[: n + 1, : n + 1, b].astype(np.float64)
        gold = sum(s[heads[d - 1, b], d] for d in range(1, n + 1))
        assert found[b] == pytest.approx(reference.log_partition(s, n) - gold, abs=2e-5)


def test_the_losses_of_all_trees_are_a_distribution():
    scores = feed(np.random.default_rng(37).normal(size=(4, 4)))
    losses = [tree_nll(scores, np.array([heads]).T).value() for heads in reference.all_trees(3)]
    assert math.fsum(math.exp(-loss) for loss in losses) == pytest.approx(1, abs=1e-5)


def test_the_gradient_of_the_loss_reaches_every_sentence():
    rng = np.random.default_rng(38)
    _first, p = parameter(draw(rng, 3, 1))
    _second, q = parameter(draw(rng, 3, 1))
    heads = np.array([[0, 2], [1, 0], [1, 2]])
    assert_gradients(
        lambda: asymmetric(tree_nll(dy.concatenate_to_batch([p, q]), heads)),
        [p, q],
        entries=16,
        tol=3e-3,
    )


def test_an_impossible_arc_has_probability_zero_and_the_rest_stays_exact():
    scores = np.random.default_rng(39).normal(size=(4, 4))
    scores[1:, 3] = NEG_INF  # word 3 has no head but the root
    _pc, p = parameter(scores)
    found = tree_log_partition(p)
    trees = np.exp(reference.tree_scores(scores, 3))
    assert found.value() == pytest.approx(math.log(trees.sum()), abs=5e-3)
    found.backward()
    gradient = p.grad_as_array()
    assert not gradient[1:, 3].any()
    np.testing.assert_allclose(gradient[:, 1:], reference.marginals(scores, 3)[:, 1:], atol=5e-3)


BAD = {
    r"found \(2, 3\)": (np.zeros((2, 3)), None),
    r"n >= 1, found \(1, 1\)": (np.zeros((1, 1)), None),
    "lengths: ids must be 0 to 2, found 3": (np.zeros((3, 3)), [3]),
    "lengths: expected 1 to 2, found 0": (np.zeros((3, 3)), [0]),
    r"lengths: expected shape \(1,\), found \(2,\)": (np.zeros((3, 3)), [1, 2]),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_sizes_are_refused(message):
    scores, lengths = BAD[message]
    with pytest.raises(ValueError, match=message):
        tree_log_partition(feed(scores), lengths)


def test_bad_heads_are_refused():
    scores = feed(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="heads: ids must be 0 to 2, found 0 to 3"):
        tree_nll(scores, [[0], [3]])
    with pytest.raises(ValueError, match=r"heads: expected shape \(2, 1\)"):
        tree_nll(scores, [0, 1])
