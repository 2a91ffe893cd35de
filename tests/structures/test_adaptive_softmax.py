"""T47: adaptive softmax against its definition, PyTorch's definition and the full softmax."""

import dynet as dy
import numpy as np
import pytest
from scipy import stats

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.structures.adaptive_softmax import AdaptiveSoftmax
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.hierarchical import adaptive_probability, cluster, torch_adaptive_losses

V, H = 12, 8
CUTOFFS = [4, 7]  # a head of 4, tails of 3 and 5
EVERY_SHAPE = pytest.mark.parametrize(
    ("n_words", "cutoffs"),
    [(V, CUTOFFS), (V, []), (V, [11]), (V, [1]), (5, [1, 2, 3, 4]), (2, [1]), (1, [])],
    ids=str,
)


def layer(cutoffs=CUTOFFS, n_words=V, seed=0, **more):
    pc = dy.ParameterCollection()
    out = AdaptiveSoftmax(pc, n_words=n_words, n_hidden=H, cutoffs=cutoffs, div=2.0, **more)
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.6, p.shape()))
    return pc, out


def hidden(n, seed=1):
    return np.random.default_rng(seed).normal(size=(H, n))


def weights(out):
    """A, b, projections and tails as float64 arrays."""
    A = parameter_array(out.A).astype(float)
    b = np.zeros(len(A)) if out.b is None else parameter_array(out.b).astype(float)
    return A, b, *([parameter_array(p).astype(float) for p in ps] for ps in (out.P, out.B))


def gradients(pc, loss):
    """Gradients of all parameters by name."""
    for p in named_parameters(pc).values():
        p.scale_gradient(0.0)
    loss.forward()
    loss.backward()
    return {
        name.split("/")[-1]: parameter_array(p, gradient=True)
        for name, p in named_parameters(pc).items()
    }


# --- the distribution ----------------------------------------------------------------------------


@EVERY_SHAPE
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_every_word_has_the_probability_of_the_definition(n_words, cutoffs, bias, n):
    _, out = layer(cutoffs, n_words, bias=bias)
    h = hidden(n)
    expected = [
        [adaptive_probability(w, column, cutoffs, n_words, *weights(out)) for column in h.T]
        for w in range(n_words)
    ]
    found = read(out.log_probs(feed(h, batched=True)))
    assert found.shape == (n_words, n)
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5, atol=1e-5)


@EVERY_SHAPE
def test_probabilities_sum_to_one(n_words, cutoffs):
    for seed in range(5):
        dy.renew_cg()
        _, out = layer(cutoffs, n_words, seed=seed)
        found = np.exp(read(out.log_probs(feed(hidden(6, seed), batched=True))))
        np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


def losses_and_log_probs(out, ids, seed=1):
    h = feed(hidden(len(ids), seed), batched=True)
    losses = out.nll(h, np.array(ids))
    assert losses.dim() == ((1,), len(ids))
    return read(losses)[0], -read(out.log_probs(h))[ids, np.arange(len(ids))]


@pytest.mark.parametrize(
    "ids",
    [[0, 5, 11, 3, 6, 7, 0, 9], [0, 1, 2, 3], [9, 9, 7], [4, 5], [8], [0], [11, 0, 11, 0], [6, 10]],
    ids=["mixed", "head", "one tail", "other tail", "one", "one of head", "turns", "tails"],
)
def test_nll_is_minus_the_log_probability_of_the_word(ids):
    _, out = layer()
    np.testing.assert_allclose(*losses_and_log_probs(out, ids), rtol=1e-5)


@EVERY_SHAPE
def test_nll_is_minus_the_log_probability_of_every_word(n_words, cutoffs):
    _, out = layer(cutoffs, n_words)
    words = np.random.default_rng(3).permutation(n_words).tolist()
    np.testing.assert_allclose(*losses_and_log_probs(out, words), rtol=1e-5, atol=1e-6)


def test_a_batch_equals_its_columns_one_by_one():
    _, out = layer()
    ids, h = [3, 8, 5, 0, 8], hidden(5)
    together = read(out.nll(feed(h, batched=True), ids))[0]
    singles = [read(out.nll(feed(h[:, n]), [ids[n]]))[0, 0] for n in range(5)]
    np.testing.assert_allclose(together, singles, rtol=1e-5)


def test_ids_of_steps_and_columns_are_read_time_major():
    _, out = layer()
    ids = np.array([[0, 7], [5, 2], [11, 4]])
    h = feed(hidden(6), batched=True)
    np.testing.assert_array_equal(read(out.nll(h, ids)), read(out.nll(h, ids.ravel())))


@EVERY_SHAPE
def test_words_belong_to_the_cluster_whose_cut_offs_they_passed(n_words, cutoffs):
    _, out = layer(cutoffs, n_words)
    expected = [cluster(w, cutoffs) for w in range(n_words)]
    np.testing.assert_array_equal(out.cluster_of(np.arange(n_words)), expected)


# --- without tails: the full softmax -------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_without_cut_offs_losses_and_gradients_are_those_of_the_full_softmax(bias):
    pc, out = layer([], bias=bias)
    other = dy.ParameterCollection()
    full = FullSoftmax(other, n_words=V, n_hidden=H, bias=bias)
    set_value(full.P, parameter_array(out.A))
    if bias:
        set_value(full.b, parameter_array(out.b))
    h, ids = feed(hidden(5), batched=True), [0, 11, 4, 4, 7]
    np.testing.assert_array_equal(read(out.log_probs(h)), read(full.log_probs(h)))
    np.testing.assert_array_equal(read(out.nll(h, ids)), read(full.nll(h, ids)))
    ours = gradients(pc, dy.sum_batches(out.nll(h, ids)))
    theirs = gradients(other, dy.sum_batches(full.nll(h, ids)))
    np.testing.assert_array_equal(ours["A"], theirs["P"])
    assert not bias or (ours["b"] == theirs["b"]).all()


# --- PyTorch's definition ------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cutoffs", [CUTOFFS, [11], [1, 2, 3]], ids=str)
def test_losses_are_those_of_pytorchs_definition_with_equal_weights(cutoffs, bias):
    _, out = layer(cutoffs, bias=bias)
    A, b, P, B = weights(out)
    ids, h = np.array([0, 5, 11, 3, 6, 7, 1, 9, 2]), hidden(9)
    expected = torch_adaptive_losses(h.T, ids, cutoffs, V, A, b, list(zip(P, B)))
    found = read(out.nll(feed(h, batched=True), ids))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("div", [1.0, 1.1, 2.0, 3.0, 4.0, 7.5, 100.0])
def test_tails_have_as_many_dimensions_as_pytorchs_but_at_least_one(div):
    out = AdaptiveSoftmax(
        dy.ParameterCollection(), n_words=9, n_hidden=36, cutoffs=[2, 4, 6], div=div
    )
    expected = [max(1, int(36 // div ** (i + 1))) for i in range(3)]
    assert [p.shape() for p in out.P] == [(d, 36) for d in expected]
    assert [p.shape() for p in out.B] == [(n, d) for n, d in zip([2, 2, 3], expected)]
    assert out.A.shape() == (2 + 3, 36)


@pytest.mark.parametrize("bias", [True, False])
def test_pytorch_itself_has_the_same_losses_and_gradients(bias):
    torch = pytest.importorskip("torch", reason="no PyTorch here (extra bench)")
    pc, out = layer(bias=bias)
    peer = torch.nn.AdaptiveLogSoftmaxWithLoss(H, V, CUTOFFS, div_value=2.0, head_bias=bias)
    A, b, P, B = weights(out)
    with torch.no_grad():
        peer.head.weight.copy_(torch.from_numpy(A))
        if bias:
            peer.head.bias.copy_(torch.from_numpy(b))
        for tail, first, second in zip(peer.tail, P, B):
            tail[0].weight.copy_(torch.from_numpy(first))
            tail[1].weight.copy_(torch.from_numpy(second))
    ids, h = np.array([0, 5, 11, 3, 6, 7, 1, 9, 2]), hidden(9)
    losses = -peer(torch.from_numpy(h.T.astype(np.float32)), torch.from_numpy(ids)).output
    losses.sum().backward()
    found = out.nll(feed(h, batched=True), ids)
    np.testing.assert_allclose(read(found)[0], losses.detach().numpy(), rtol=1e-5)
    ours = gradients(pc, dy.sum_batches(found))
    np.testing.assert_allclose(ours["A"], peer.head.weight.grad.numpy(), atol=1e-5)
    for j, tail in enumerate(peer.tail, 1):
        np.testing.assert_allclose(ours[f"P{j}"], tail[0].weight.grad.numpy(), atol=1e-5)
        np.testing.assert_allclose(ours[f"B{j}"], tail[1].weight.grad.numpy(), atol=1e-5)


# --- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoffs", [CUTOFFS, [], [10], [1, 4, 11]], ids=str)
def test_gradients_pass_central_differences(cutoffs):
    pc, out = layer(cutoffs)
    h = pc.add_parameters((H,), init=hidden(1)[:, 0])
    others, ids = hidden(4, 2), [0, 5, 11, 10, 3]

    def loss():
        x = dy.concatenate_to_batch([h, feed(others, batched=True)])
        return asymmetric(out.nll(x, ids)) * 0.3 + asymmetric(out.log_probs(h)) * 0.05

    # a softmax over the single word of a tail is 1, whatever its parameters are
    tails = [p for pair in zip(out.P, out.B) for p in pair if pair[1].shape()[0] > 1]
    assert_gradients(loss, [out.A, out.b, *tails, h])


def test_a_tail_of_one_word_is_sure_of_it_and_learns_nothing():
    pc, out = layer([4, 11])
    h = feed(hidden(2), batched=True)
    head = out.nll(h, [11, 11])
    found = gradients(pc, dy.sum_batches(head))
    A, b, _, _ = weights(out)
    scores = A @ hidden(2) + b[:, None]
    expected = np.log(np.exp(scores).sum(0)) - scores[5]
    np.testing.assert_allclose(read(head)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(found["B2"], 0, atol=1e-7)
    np.testing.assert_allclose(found["P2"], 0, atol=1e-7)


def visited(ids):
    pc, out = layer()
    found = gradients(pc, dy.sum_batches(out.nll(feed(hidden(len(ids)), batched=True), ids)))
    return {name for name, gradient in found.items() if gradient.any()}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([0, 3, 1], set()),
        ([5, 0], {"P1", "B1"}),
        ([7, 7], {"P2", "B2"}),
        ([11, 4], {"P1", "B1", "P2", "B2"}),
    ],
)
def test_the_gradient_of_an_unvisited_tail_is_exactly_zero(ids, expected):
    assert visited(ids) == {"A", "b"} | expected


def test_columns_without_a_word_of_a_tail_get_no_gradient_from_it():
    pc, out = layer()
    set_value(out.A, np.zeros(out.A.shape()))  # the head's scores do not depend on h
    h = pc.add_lookup_parameters((3, H), init="uniform", scale=1.0)
    found = gradients(pc, dy.sum_batches(out.nll(dy.lookup_batch(h, [0, 1, 2]), [0, 5, 8])))
    (gradient,) = [g for g in found.values() if g.shape == (3, H)]
    np.testing.assert_array_equal(gradient[0], 0)
    assert gradient[1].any()
    assert gradient[2].any()


def test_the_bias_gets_the_surplus_of_probability_of_the_head():
    pc, out = layer()
    h = hidden(1)
    A, b, _, _ = weights(out)
    scores = A @ h[:, 0] + b
    expected = np.exp(scores) / np.exp(scores).sum()
    expected[4 + 1] -= 1  # the entry of the second tail
    found = gradients(pc, out.nll(feed(h, batched=True), [9]))
    np.testing.assert_allclose(found["b"], expected, atol=1e-6)


# --- tied: adaptive inputs -----------------------------------------------------------------------


@pytest.mark.parametrize("ids", [[0, 11, 5, 3, 5], [2, 1], [8, 9], [6]], ids=str)
@pytest.mark.parametrize("cutoffs", [CUTOFFS, [], [1]], ids=str)
def test_input_vectors_are_head_rows_and_projected_back_tail_rows(ids, cutoffs):
    _, out = layer(cutoffs, tie=True)
    A, _, P, B = weights(out)
    edges = [0, *cutoffs]
    for vector, w in zip(read(out.embed(ids)).T, ids):
        j = cluster(w, cutoffs)
        expected = A[w] if j == 0 else P[j - 1].T @ B[j - 1][w - edges[j]]
        np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_the_tied_table_is_the_sum_of_the_two_untied_gradients():
    pc, out = layer(tie=True)
    read_ids, next_ids = [0, 8, 5, 5, 2], [3, 5, 11, 0, 9]
    h = feed(hidden(5), batched=True)
    as_input = gradients(pc, asymmetric(out.embed(read_ids)))
    as_output = gradients(pc, asymmetric(out.nll(h, next_ids)))
    dy.renew_cg()
    h = feed(hidden(5), batched=True)
    both = gradients(pc, asymmetric(out.embed(read_ids)) + asymmetric(out.nll(h, next_ids)))
    for name, gradient in both.items():
        np.testing.assert_allclose(gradient, as_input[name] + as_output[name], atol=1e-5)
    assert as_input["A"][:4].any()
    assert not as_input["A"][4:].any()  # entries of tails embed nothing


def test_gradients_of_input_vectors_pass_central_differences():
    _, out = layer(tie=True)
    params = [out.A, *out.P, *out.B]
    assert_gradients(lambda: asymmetric(out.embed([0, 8, 5, 5, 2])) * 0.3, params)


def test_tying_adds_no_parameter():
    shapes = [
        {name: p.shape() for name, p in named_parameters(layer(tie=tie)[0]).items()}
        for tie in (False, True)
    ]
    assert shapes[0] == shapes[1]


def test_rows_that_are_input_vectors_start_as_wide_as_tied_embeddings():
    pc = dy.ParameterCollection()
    out = AdaptiveSoftmax(pc, n_words=5000, n_hidden=16, cutoffs=[1000], tie=True)
    for table in (out.A, out.B[0]):
        assert 0.099 < np.abs(parameter_array(table)).max() <= 0.1


def test_an_untied_table_embeds_no_words():
    _, out = layer()
    with pytest.raises(ValueError, match="tie=True only"):
        out.embed([0])


# --- sampling, rows, bad input -------------------------------------------------------------------


def test_words_are_drawn_as_often_as_they_are_probable():
    _, out = layer()
    h = feed(np.tile(hidden(1), 4000), batched=True)
    p = np.exp(read(out.log_probs(h)))[:, 0].astype(float)
    drawn = out.sample(h, np.random.default_rng(7))
    counts = np.bincount(drawn, minlength=V)
    # the seed is fixed; a right sampler falls below 1e-4 with one seed in ten thousand
    assert stats.chisquare(counts, 4000 * p / p.sum()).pvalue > 1e-4


def test_the_most_probable_word_is_drawn_with_top_one():
    _, out = layer()
    h = feed(hidden(30), batched=True)
    best = read(out.log_probs(h)).argmax(0)
    np.testing.assert_array_equal(out.sample(h, np.random.default_rng(0), top_k=1), best)


def test_no_lookup_table_is_touched():
    _, out = layer()
    assert out.touched(np.array([[0, 11], [4, 4]])) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_words": 0}, r"words\[0\]: expected 1 to"),
        ({"n_hidden": -1}, r"words\[1\]: expected 1 to"),
        ({"cutoffs": [7, 4]}, r"cutoffs: expected rising ids, found \[7, 4\]"),
        ({"cutoffs": [4, 4]}, r"cutoffs: expected rising ids, found \[4, 4\]"),
        ({"cutoffs": [0, 4]}, r"cutoffs\[0\]: expected 1 to 11, found 0"),
        ({"cutoffs": [4, 12]}, r"cutoffs\[1\]: expected 1 to 11, found 12"),
        ({"cutoffs": [4.0]}, r"cutoffs\[0\]: expected a whole number"),
        ({"cutoffs": "47"}, "cutoffs: expected a list"),
        ({"cutoffs": 4}, "cutoffs: expected a list"),
        ({"cutoffs": list(range(1, 13))}, r"cutoffs\[11\]: expected 1 to 11, found 12"),
        ({"div": 0.5}, "div: expected a number >= 1"),
        ({"div": float("nan")}, "div: expected a number >= 1"),
        ({"div": float("inf")}, "div: expected a number >= 1"),
        ({"div": "4"}, "div: expected a number >= 1"),
    ],
)
def test_wrong_sizes_and_cut_offs_are_refused(change, message):
    sizes = {"n_words": V, "n_hidden": H, "cutoffs": CUTOFFS}
    with pytest.raises(ValueError, match=message):
        AdaptiveSoftmax(dy.ParameterCollection(), **{**sizes, **change})


def test_wrong_vectors_and_ids_are_refused():
    _, out = layer(tie=True)
    h = feed(hidden(2), batched=True)
    with pytest.raises(ValueError, match=r"h: expected \(8,\)x\*, found \(5,\)x1"):
        out.nll(feed(np.ones(5)), [0])
    with pytest.raises(ValueError, match=r"h: expected \(8,\)x\*, found \(5,\)x1"):
        out.log_probs(feed(np.ones(5)))
    with pytest.raises(ValueError, match="expected 2, one a column, found 3"):
        out.nll(h, [0, 1, 2])
    with pytest.raises(ValueError, match="ids must be 0 to 11, found 0 to 12"):
        out.nll(h, [0, 12])
    with pytest.raises(ValueError, match="ids must be 0 to 11"):
        out.embed([-1])
    with pytest.raises(ValueError, match="ids must be 0 to 11"):
        out.touched([12])


def test_numpy_cut_offs_become_plain_numbers_of_the_spec():
    out = AdaptiveSoftmax(
        dy.ParameterCollection(), n_words=V, n_hidden=H, cutoffs=np.array(CUTOFFS)
    )
    assert out.spec["cutoffs"] == CUTOFFS
    assert all(type(c) is int for c in out.spec["cutoffs"])
