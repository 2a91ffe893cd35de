"""Biaffine scores: loops, both written forms, one form for arcs and labels, limit cases."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.graph.shapes import ShapeError
from dynotes.parsing.biaffine import Biaffine
from dynotes.training.parameters import named_parameters, set_value
from tests.helpers import assert_gradients, asymmetric
from tests.reference.biaffine import biaffine_score, tensor_indexing

N_HEAD, N_DEP, K = 4, 3, 5
BIASES = [(False, False), (True, False), (False, True), (True, True)]


def make(pc, seed=0, **spec):
    """A builder with random parameters."""
    biaffine = Biaffine(pc, **{"n_head": N_HEAD, "n_dep": N_DEP, **spec})
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.7, p.shape()).astype(np.float32))
    return biaffine


def columns(size, *count, seed=0):
    return np.random.default_rng((seed, size)).normal(size=(size, *count))


@pytest.mark.parametrize(("bias_head", "bias_dep"), BIASES)
def test_scores_of_given_pairs_are_those_of_a_double_loop(bias_head, bias_dep):
    pc = dy.ParameterCollection()
    biaffine = make(pc, n_out=K, bias_head=bias_head, bias_dep=bias_dep)
    x, y = columns(N_HEAD, 6), columns(N_DEP, 6)
    found = read(biaffine(feed(x, batched=True), feed(y, batched=True)))
    forms = biaffine.dense()
    expected = [[biaffine_score(x[:, n], y[:, n], form) for n in range(6)] for form in forms]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("bias_head", "bias_dep"), BIASES)
def test_scores_of_all_pairs_are_those_of_a_double_loop(bias_head, bias_dep):
    pc = dy.ParameterCollection()
    biaffine = make(pc, bias_head=bias_head, bias_dep=bias_dep)
    x, y = columns(N_HEAD, 5, 2), columns(N_DEP, 3, 2)
    found = read(biaffine.pairs(feed(x, batched=True), feed(y, batched=True)))
    (form,) = biaffine.dense()
    expected = np.zeros((5, 3, 2))
    for i, j, b in np.ndindex(expected.shape):
        expected[i, j, b] = biaffine_score(x[:, i, b], y[:, j, b], form)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_bordered_form_is_the_sum_of_the_four_terms():
    pc = dy.ParameterCollection()
    biaffine = make(pc, n_out=K, bias_dep=True)
    full = biaffine.dense()
    x, y = columns(N_HEAD, 1)[:, 0], columns(N_DEP, 1)[:, 0]
    for form in full:
        U, u, w, b = form[:-1, :-1], form[:-1, -1], form[-1, :-1], form[-1, -1]
        assert x @ U @ y + u @ x + w @ y + b == pytest.approx(biaffine_score(x, y, form))


def test_one_form_scores_given_pairs_as_it_scores_all_pairs():
    pc = dy.ParameterCollection()
    biaffine = make(pc, n_out=1, bias_dep=True)
    x, y = columns(N_HEAD, 4), columns(N_DEP, 4)
    square = read(biaffine.pairs(feed(x), feed(y)))[:, :, 0]
    dy.renew_cg()
    given = read(biaffine(feed(x, batched=True), feed(y, batched=True)))[0]
    np.testing.assert_allclose(given, np.diag(square), rtol=1e-5, atol=1e-6)


def test_it_is_the_tensor_indexing_form_of_full_rank_with_a_bias():
    D = 4
    rng = np.random.default_rng(5)
    W, M, N = rng.normal(size=(D, D, D)), rng.normal(size=(D, D)), rng.normal(size=(D, D))
    b = rng.normal(size=D)
    biaffine = Biaffine(dy.ParameterCollection(), n_head=D, n_dep=D, n_out=D, bias_dep=True)
    biaffine.U.set_value(W.reshape(D * D, D))
    biaffine.u.set_value(M.ravel())
    biaffine.w.set_value(N)
    biaffine.b.set_value(b)
    x, y = columns(D, 3), columns(D, 3, seed=1)
    found = read(biaffine(feed(x, batched=True), feed(y, batched=True)))
    for n in range(3):
        expected = tensor_indexing(x[:, n], y[:, n], W, M, N, b)
        np.testing.assert_allclose(found[:, n], expected, rtol=1e-5, atol=1e-5)


def test_it_begins_as_zero():
    biaffine = Biaffine(dy.ParameterCollection(), n_head=N_HEAD, n_dep=N_DEP, n_out=K)
    scores = biaffine(feed(columns(N_HEAD, 2), batched=True), feed(columns(N_DEP, 2), batched=True))
    assert not read(scores).any()


def test_without_the_form_of_the_pair_only_the_head_counts():
    pc = dy.ParameterCollection()
    biaffine = make(pc)
    biaffine.U.set_value(np.zeros((N_HEAD, N_DEP)))
    found = read(biaffine.pairs(feed(columns(N_HEAD, 5)), feed(columns(N_DEP, 3))))[:, :, 0]
    assert np.ptp(found, axis=1).max() == 0
    assert np.ptp(found, axis=0).min() > 0


def test_the_bias_of_heads_learns_which_words_tend_to_be_heads():
    """Frequencies of 3 heads: with one-hot heads the best u are the log frequencies, but for one
    constant.  Gradient descent on the mean loss, to 1e-2."""
    pc = dy.ParameterCollection()
    biaffine = Biaffine(pc, n_head=3, n_dep=1)
    trainer = dy.SimpleSGDTrainer(pc, 1.0)
    counts = np.array([6, 3, 1])
    gold = np.repeat(np.arange(3), counts).tolist()
    for _ in range(300):
        dy.renew_cg()
        scores = biaffine.pairs(feed(np.eye(3)), feed(np.zeros((1, 10))))
        loss = dy.pickneglogsoftmax_batch(dy.reshape(scores, (3,), 10), gold)
        (dy.sum_batches(loss) * 0.1).backward()
        trainer.update()
    u = biaffine.u.as_array()
    np.testing.assert_allclose(np.exp(u) / np.exp(u).sum(), counts / 10, atol=1e-2)


@pytest.mark.parametrize("n_out", [1, K])
def test_gradients_match_finite_differences(n_out):
    pc = dy.ParameterCollection()
    biaffine = make(pc, n_out=n_out, bias_dep=True)
    x, y = (pc.lookup_parameters_from_numpy(columns(n, 3).T) for n in (N_HEAD, N_DEP))

    def loss():
        head, dep = dy.lookup_batch(x, [0, 1, 2]), dy.lookup_batch(y, [0, 1, 2])
        total = asymmetric(biaffine(head, dep))
        if n_out == 1:
            pair = biaffine.pairs(dy.reshape(head, (N_HEAD, 3)), dy.reshape(dep, (N_DEP, 3)))
            total = total + asymmetric(pair) * 0.7
        return total

    assert_gradients(loss, [biaffine.U, biaffine.u, biaffine.w, biaffine.b, x, y])


def test_wrong_sizes_are_refused():
    biaffine = Biaffine(dy.ParameterCollection(), n_head=N_HEAD, n_dep=N_DEP, n_out=2)
    x, y = feed(columns(N_HEAD, 2), batched=True), feed(columns(N_DEP, 2), batched=True)
    with pytest.raises(ShapeError, match=r"head: expected \(4,\)x\*, found \(3,\)x2"):
        biaffine(y, y)
    with pytest.raises(ShapeError, match=r"dep: expected \(3,\)x2, found \(4,\)x2"):
        biaffine(x, x)
    with pytest.raises(ValueError, match="pairs: expected one form, found 2"):
        biaffine.pairs(x, y)
