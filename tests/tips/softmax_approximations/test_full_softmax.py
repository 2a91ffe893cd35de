"""T20: the full softmax against its definition; gradient (P - e_w) h^T; sampling frequencies."""

import dynet as dy
import numpy as np
import pytest
from scipy import stats

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax, sample_log_probs
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.distributions import softmax, softmax_columns

V, H = 7, 4


def layer(bias=True, seed=0):
    pc = dy.ParameterCollection()
    out = FullSoftmax(pc, n_words=V, n_hidden=H, bias=bias)
    if bias:
        set_value(out.b, np.random.default_rng(seed).normal(size=V))
    return pc, out


def hidden(n, seed=1):
    return np.random.default_rng(seed).normal(size=(H, n))


def weights(out):
    return parameter_array(out.P).astype(float), (
        np.zeros(V) if out.b is None else parameter_array(out.b).astype(float)
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [1, 5])
def test_probabilities_are_the_softmax_of_p_h_plus_b_and_sum_to_one(bias, n):
    _, out = layer(bias)
    P, b = weights(out)
    h = hidden(n)
    expected = softmax_columns(P @ h + b[:, None])
    found = np.exp(read(out.log_probs(feed(h, batched=True))))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 5])
def test_nll_is_minus_the_log_probability_of_the_word(n):
    _, out = layer()
    ids = np.arange(n) % V
    h = feed(hidden(n), batched=True)
    expected = -read(out.log_probs(h))[ids, np.arange(n)]
    found = out.nll(h, ids)
    assert found.dim() == ((1,), n)
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5)


def test_one_softmax_over_all_steps_equals_one_softmax_a_step():
    _, out = layer()
    steps = [feed(hidden(2, seed), batched=True) for seed in range(3)]
    ids = np.array([[0, 1], [2, 3], [4, 5]])
    together = read(out.nll(dy.concatenate_to_batch(steps), ids))[0]
    singles = np.concatenate([read(out.nll(h, i))[0] for h, i in zip(steps, ids)])
    np.testing.assert_allclose(together, singles, rtol=1e-5)


def test_gradient_of_the_table_is_p_minus_one_hot_times_h():
    _, out = layer()
    P, b = weights(out)
    h, ids = hidden(3), [2, 0, 2]
    loss = dy.sum_batches(out.nll(feed(h, batched=True), ids))
    loss.forward()
    loss.backward()
    error = softmax_columns(P @ h + b[:, None]) - np.eye(V)[:, ids]
    np.testing.assert_allclose(parameter_array(out.P, gradient=True), error @ h.T, atol=1e-5)
    np.testing.assert_allclose(parameter_array(out.b, gradient=True), error.sum(1), atol=1e-5)


def test_gradient_of_h_is_the_expected_vector_minus_the_vector_of_the_word():
    pc, out = layer()
    P, b = weights(out)
    x = hidden(1)[:, 0]
    h = pc.add_parameters((H,), init=x)
    loss = out.nll(h, [3])
    loss.forward()
    loss.backward()
    expectation = sum(p * row for p, row in zip(softmax(P @ x + b), P))
    np.testing.assert_allclose(parameter_array(h, gradient=True), expectation - P[3], atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_pass_central_differences(bias):
    pc, out = layer(bias)
    h = pc.add_parameters((H,), init=hidden(1)[:, 0])
    params = [out.P, h] + ([out.b] if bias else [])
    assert_gradients(lambda: out.nll(h, [1]) + asymmetric(out.log_probs(h)) * 0.1, params)


def test_a_constant_added_to_all_scores_changes_nothing():
    _, out = layer()
    h = hidden(3)
    before = read(out.nll(feed(h, batched=True), [0, 1, 2]))
    set_value(out.b, parameter_array(out.b) + 5.0)
    dy.renew_cg()
    np.testing.assert_allclose(read(out.nll(feed(h, batched=True), [0, 1, 2])), before, rtol=1e-4)


def test_dynets_own_softmax_builder_agrees():
    pc, out = layer()
    other = dy.StandardSoftmaxBuilder(H, V, pc)
    weight, bias = sorted(other.param_collection().parameters_list(), key=lambda p: -len(p.shape()))
    weight.set_value(parameter_array(out.P))
    bias.set_value(parameter_array(out.b))
    x = hidden(1)[:, 0]
    expected = other.neg_log_softmax(feed(x), 4).value()
    assert out.nll(feed(x), [4]).value() == pytest.approx(expected, rel=1e-5)


def test_a_saved_layer_is_loaded_bit_for_bit(tmp_path):
    _, out = layer()
    h = hidden(2)
    expected = read(out.log_probs(feed(h, batched=True)))
    dy.save(str(tmp_path / "layer"), [out])
    dy.renew_cg()
    pc = dy.ParameterCollection()
    FullSoftmax(pc, n_words=V, n_hidden=H)
    (loaded,) = dy.load(str(tmp_path / "layer"), pc)
    assert loaded.spec == {"n_words": V, "n_hidden": H, "bias": True}
    np.testing.assert_array_equal(read(loaded.log_probs(feed(h, batched=True))), expected)


# --- sampling ------------------------------------------------------------------------------------


def frequencies(drawn):
    return np.bincount(drawn, minlength=V)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, V, 3])
def test_words_are_drawn_as_often_as_they_are_probable(temperature, top_k):
    scores = np.random.default_rng(2).normal(size=V)
    p = np.array(softmax(scores / temperature))
    if top_k == 3:
        p[np.argsort(-p)[3:]] = 0
        p /= p.sum()
    n = 20_000
    drawn = sample_log_probs(
        np.tile(scores[:, None], n), np.random.default_rng(3), temperature=temperature, top_k=top_k
    )
    counts = frequencies(drawn)
    assert (counts[p == 0] == 0).all()
    # the seed is fixed; a right sampler falls below 1e-4 with one seed in ten thousand
    assert stats.chisquare(counts[p > 0], n * p[p > 0]).pvalue > 1e-4


def test_columns_are_drawn_from_their_own_distributions():
    sure = np.full((V, 3), -np.inf)
    sure[[4, 0, 6], [0, 1, 2]] = 0.0
    np.testing.assert_array_equal(sample_log_probs(sure, np.random.default_rng(0)), [4, 0, 6])


class Stub:
    """A generator whose draws are given."""

    def __init__(self, *values):
        self.values = np.array(values)

    def random(self, size):
        assert size == self.values.size
        return self.values


def test_the_ends_of_the_unit_interval_never_hit_an_impossible_word():
    scores = np.array([[-np.inf, 0.0, 0.1, -np.inf]] * 2).T
    drawn = sample_log_probs(scores, Stub(0.0, np.nextafter(1.0, 0.0)))
    np.testing.assert_array_equal(drawn, [1, 2])


def test_cold_sampling_and_top_one_are_the_argmax():
    scores = np.random.default_rng(4).normal(size=(V, 50))
    rng = np.random.default_rng(5)
    cold = sample_log_probs(scores, rng, temperature=1e-3)
    np.testing.assert_array_equal(cold, scores.argmax(0))
    np.testing.assert_array_equal(sample_log_probs(scores, rng, top_k=1), scores.argmax(0))


def test_top_k_keeps_exactly_k_of_equally_probable_words():
    drawn = sample_log_probs(np.zeros((V, 500)), np.random.default_rng(6), top_k=2)
    assert len(set(drawn.tolist())) == 2


def test_the_builder_draws_one_word_a_column_from_its_own_probabilities():
    _, out = layer()
    h = feed(np.tile(hidden(1), 4000), batched=True)
    p = np.exp(read(out.log_probs(h)))[:, 0].astype(float)
    drawn = out.sample(h, np.random.default_rng(7))
    assert drawn.shape == (4000,)
    assert stats.chisquare(frequencies(drawn), 4000 * p / p.sum()).pvalue > 1e-4
    np.testing.assert_array_equal(drawn, out.sample(h, np.random.default_rng(7)))
    assert (drawn != out.sample(h, np.random.default_rng(8))).any()


def test_the_scores_handed_in_are_left_as_they_were():
    scores = np.random.default_rng(9).normal(size=(V, 3))
    before = scores.copy()
    sample_log_probs(scores, np.random.default_rng(0), temperature=0.7, top_k=2)
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k: expected 1 to 7, found 0"),
        ({"top_k": V + 1}, "top_k: expected 1 to 7, found 8"),
        ({"top_k": 1.5}, "top_k"),
    ],
)
def test_wrong_sampling_options_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        sample_log_probs(np.zeros((V, 2)), np.random.default_rng(0), **kwargs)


@pytest.mark.parametrize(
    "bad", [np.zeros(V), np.zeros((0, 2)), np.full((V, 2), np.nan), np.full((V, 2), -np.inf)]
)
def test_what_is_no_distribution_is_not_sampled(bad):
    with pytest.raises(ValueError, match="log_probs"):
        sample_log_probs(bad, np.random.default_rng(0))


@pytest.mark.parametrize("sizes", [{"n_words": 0, "n_hidden": 3}, {"n_words": 3, "n_hidden": -1}])
def test_wrong_sizes_are_refused_before_dynet_allocates(sizes):
    with pytest.raises(ValueError, match="expected 1 to"):
        FullSoftmax(dy.ParameterCollection(), **sizes)


def test_a_hidden_vector_of_another_size_is_refused():
    _, out = layer()
    with pytest.raises(ValueError, match=r"h: expected \(4,\)x\*, found \(5,\)x1"):
        out.nll(feed(np.ones(5)), [0])
    with pytest.raises(ValueError, match="expected 2, one a column, found 3"):
        out.nll(feed(np.ones((H, 2)), batched=True), [0, 1, 2])
