"""T18, T19: one table for input and output; the augmented loss and its limits in tau."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.working_rules import nll
from dynotes.tips.divergences import cross_entropy_dense
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.tips.tied_embeddings import (
    TiedEmbeddings,
    WordEmbeddings,
    augmented_loss,
    kl_of_scores,
)
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import distributions as ref

V, E, H = 7, 3, 4
IDS = [2, 5, 2, 0]


def tied(n_hidden=None, bias=True, scale=0.8):
    pc = dy.ParameterCollection()
    model = TiedEmbeddings(pc, n_words=V, n_embed=E, n_hidden=n_hidden, bias=bias, scale=scale)
    if bias:
        set_value(model.b, np.random.default_rng(0).normal(size=V))
    return pc, model


def untied(bias=True):
    pc = dy.ParameterCollection()
    return (
        pc,
        WordEmbeddings(pc, n_words=V, n_embed=E),
        FullSoftmax(pc, n_words=V, n_hidden=E, bias=bias),
    )


def states(n, size=E, seed=1):
    return np.random.default_rng(seed).normal(size=(size, n))


def count(pc):
    tables = pc.lookup_parameters_list()
    return sum(int(np.prod(p.shape())) for p in [*pc.parameters_list(), *tables])


def backward(e):
    loss = dy.sum_batches(dy.sum_elems(e))
    loss.forward()
    loss.backward()


# --- weight tying --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["tied", "untied"])
@pytest.mark.parametrize("ids", [[3], IDS, np.array([[1, 0], [6, 6], [2, 3]])])
def test_a_word_is_embedded_as_its_row(model, ids):
    pc, table = tied() if model == "tied" else untied()[:2]
    rows = parameter_array(pc.parameters_list()[0] if model == "tied" else table.L)
    np.testing.assert_array_equal(read(table.embed(ids)), rows[np.ravel(ids)].T)


@pytest.mark.parametrize("n_hidden", [None, E, H])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [1, 4])
def test_scores_are_products_of_the_table_with_the_projected_state(n_hidden, bias, n):
    _, model = tied(n_hidden, bias)
    size = n_hidden or E
    h = states(n, size)
    A = np.eye(E) if size == E else parameter_array(model.A)
    b = parameter_array(model.b) if bias else np.zeros(V)
    expected = parameter_array(model.P) @ (A @ h) + b[:, None]
    fed = feed(h, batched=True)
    np.testing.assert_allclose(read(model.scores(fed)), expected, rtol=1e-4, atol=1e-5)
    log_p = np.log(ref.softmax_columns(expected))
    np.testing.assert_allclose(read(model.log_probs(fed)), log_p, rtol=1e-4)
    ids = IDS[:n]
    np.testing.assert_allclose(read(model.nll(fed, ids))[0], -log_p[ids, range(n)], rtol=1e-4)


def test_equal_sizes_need_no_projection():
    h = feed(np.ones(E))
    for n_hidden in (None, E):
        _, model = tied(n_hidden)
        assert model.A is None
        assert model.project(h) is h


def test_tying_saves_v_times_h_parameters():
    tied_pc, _ = tied()
    untied_pc, _, _ = untied()
    assert count(untied_pc) - count(tied_pc) == V * E
    assert [p.name() for p in tied_pc.parameters_list()] == [
        "/tied-embeddings/P",
        "/tied-embeddings/b",
    ]
    assert count(tied(H, bias=False)[0]) == V * E + E * H


def test_tied_equals_untied_with_copied_weights():
    _, model = tied()
    _, words, out = untied()
    words.L.init_from_array(parameter_array(model.P))
    set_value(out.P, parameter_array(model.P))
    set_value(out.b, parameter_array(model.b))
    one = read(model.nll(dy.tanh(model.embed(IDS)), IDS[::-1]))
    two = read(out.nll(dy.tanh(words.embed(IDS)), IDS[::-1]))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_gradient_of_the_table_is_the_sum_of_the_untied_gradients():
    _, model = tied()
    _, words, out = untied()
    words.L.init_from_array(parameter_array(model.P))
    set_value(out.P, parameter_array(model.P))
    set_value(out.b, parameter_array(model.b))
    backward(model.nll(dy.tanh(model.embed(IDS)), IDS[::-1]))
    backward(out.nll(dy.tanh(words.embed(IDS)), IDS[::-1]))
    parts = parameter_array(words.L, gradient=True) + parameter_array(out.P, gradient=True)
    assert np.abs(parameter_array(words.L, gradient=True)).max() > 0.01
    np.testing.assert_allclose(parameter_array(model.P, gradient=True), parts, atol=1e-6)


def test_one_step_updates_every_row_of_the_tied_table_and_few_of_the_untied_one():
    pc, model = tied()
    before = parameter_array(model.P)
    backward(model.nll(model.embed(IDS), IDS[::-1]))
    dy.SimpleSGDTrainer(pc, 0.5).update()
    assert (parameter_array(model.P) != before).any(1).all()
    dy.renew_cg()
    pc, words, out = untied()
    before = parameter_array(words.L)
    backward(out.nll(words.embed(IDS), IDS[::-1]))
    dy.SimpleSGDTrainer(pc, 0.5).update()
    assert set(np.flatnonzero((parameter_array(words.L) != before).any(1))) == set(IDS)


@pytest.mark.parametrize("n_hidden", [None, H])
def test_gradients_pass_central_differences(n_hidden):
    pc, model = tied(n_hidden)
    w = pc.add_parameters((n_hidden or E, E))

    def build():
        return asymmetric(model.nll(dy.tanh(w * model.embed(IDS)), IDS[::-1]))

    assert_gradients(build, [p for p in (model.P, model.A, model.b, w) if p is not None])


def test_a_batch_is_the_columns_one_by_one():
    _, model = tied(H)
    h = states(4, H)
    together = read(model.nll(feed(h, batched=True), IDS))[0]
    singles = [model.nll(feed(h[:, i]), [IDS[i]]).value() for i in range(4)]
    np.testing.assert_allclose(together, singles, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 4])
def test_the_expected_vector_is_the_mean_row(n):
    _, model = tied()
    p = ref.softmax_columns(states(n, V))
    expected = parameter_array(model.P).T @ p
    np.testing.assert_allclose(read(model.expected(feed(p, batched=True))), expected, rtol=1e-4)


def test_the_expected_vector_of_a_certain_word_is_its_embedding():
    _, model = tied()
    found = read(model.expected(feed(np.eye(V)[:, IDS], batched=True)))
    np.testing.assert_allclose(found, read(model.embed(IDS)), rtol=1e-6)


def test_gradients_of_the_expected_vector_pass_central_differences():
    pc, model = tied()
    s = pc.add_parameters((V, 2), init=states(2, V))

    def build():
        return asymmetric(model.expected(dy.softmax(dy.reshape(s, (V,), 2))))

    assert_gradients(build, [model.P, s])


def test_words_are_sampled_from_the_models_own_probabilities():
    _, model = tied()
    h = feed(states(5), batched=True)
    best = read(model.log_probs(h)).argmax(0)
    np.testing.assert_array_equal(model.sample(h, np.random.default_rng(0), top_k=1), best)
    cold = model.sample(h, np.random.default_rng(0), temperature=1e-4)
    np.testing.assert_array_equal(cold, best)


@pytest.mark.parametrize("n_hidden", [None, H])
def test_saved_models_are_loaded_bit_for_bit(tmp_path, n_hidden):
    _, model = tied(n_hidden)
    h = states(2, n_hidden or E)
    expected = read(model.log_probs(feed(h, batched=True)))
    dy.save(str(tmp_path / "tied"), [model])
    dy.renew_cg()
    pc = dy.ParameterCollection()
    (loaded,) = dy.load(str(tmp_path / "tied"), pc)
    assert loaded.spec == model.spec
    np.testing.assert_array_equal(read(loaded.log_probs(feed(h, batched=True))), expected)


@pytest.mark.parametrize("make", [TiedEmbeddings, WordEmbeddings])
def test_tables_start_uniform_within_the_scale(make):
    pc = dy.ParameterCollection()
    make(pc, n_words=2000, n_embed=50, scale=0.25)
    table = parameter_array([*pc.parameters_list(), *pc.lookup_parameters_list()][0])
    assert 0.249 < np.abs(table).max() <= 0.25
    # 100,000 draws: the standard error of the deviation is 0.14 %
    assert table.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.01)


# --- augmented loss ------------------------------------------------------------------------------


def augmented_reference(P, scores, ids, tau):
    """J_aug of every column, from its definition."""
    targets = ref.softmax_columns(P @ P[ids].T / tau)
    outputs = ref.softmax_columns(scores / tau)
    return np.array([ref.kl(t, o) for t, o in zip(targets.T, outputs.T)])


def free_scores(pc, n=4, seed=3):
    p = pc.add_parameters((V, n), init=np.random.default_rng(seed).normal(size=(V, n)))
    return p, lambda: dy.reshape(p, (V,), n)


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("stop", [True, False])
def test_the_augmented_term_is_gamma_tau_times_the_divergence(tau, gamma, n, stop):
    _, model = tied()
    scores = np.random.default_rng(2).normal(size=(V, n))
    expected = gamma * tau * augmented_reference(parameter_array(model.P), scores, IDS[:n], tau)
    found = augmented_loss(
        feed(scores, batched=True), model, IDS[:n], tau=tau, gamma=gamma, stop_gradient=stop
    )
    assert found.dim() == ((1,), n)
    np.testing.assert_allclose(read(found)[0], expected, rtol=2e-4, atol=1e-6)


def test_the_divergence_is_never_negative_and_zero_only_at_equality():
    rng = np.random.default_rng(4)
    t, s = (rng.normal(size=(V, 300)) * 3 for _ in range(2))
    ids = t.argmax(0)
    found = read(kl_of_scores(feed(t, batched=True), feed(s, batched=True), ids))
    assert found.min() > 1e-3
    same = read(kl_of_scores(feed(t, batched=True), feed(t + 2.0, batched=True), ids))
    np.testing.assert_allclose(same, 0, atol=1e-5)


def test_the_divergence_does_not_depend_on_the_word_that_anchors_it():
    rng = np.random.default_rng(5)
    t, s = (feed(rng.normal(size=V)) for _ in range(2))
    values = [kl_of_scores(t, s, [y]).value() for y in range(V)]
    np.testing.assert_allclose(values, values[0], rtol=1e-4)


def test_cold_targets_are_one_hot_and_the_divergence_is_the_cross_entropy():
    pc, model = tied()
    rows = np.random.default_rng(6).normal(size=(V, E))
    set_value(model.P, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    tau, scores = 0.01, np.random.default_rng(7).normal(size=(V, 4))
    found = read(augmented_loss(feed(scores, batched=True), model, IDS, tau=tau, gamma=1.0))
    hard = read(nll(feed(scores / tau, batched=True), IDS))
    np.testing.assert_allclose(found / tau, hard, rtol=1e-3, atol=1e-2)
    assert len(pc.parameters_list()) == 2


def test_hot_gradients_fall_with_the_square_of_tau_to_the_linear_form():
    pc, model = tied()
    p, scores = free_scores(pc)
    table = parameter_array(model.P).astype(float)
    similar, s = table @ table[IDS].T, parameter_array(p).astype(float)
    linear = (s - s.mean(0)) - (similar - similar.mean(0))
    found = {}
    for tau in (50.0, 100.0):
        dy.renew_cg()
        p.scale_gradient(0)
        backward(augmented_loss(scores(), model, IDS, tau=tau, gamma=1.0 / tau))
        found[tau] = parameter_array(p, gradient=True)
        np.testing.assert_allclose(found[tau] * V * tau**2, linear, atol=0.15 * 50 / tau)
    np.testing.assert_allclose(found[50.0].std() / found[100.0].std(), 4.0, rtol=0.05)


def test_stopped_targets_pull_on_the_scores_and_not_on_the_table():
    pc, model = tied()
    p, scores = free_scores(pc)

    def build():
        return asymmetric(augmented_loss(scores(), model, IDS, tau=2.0, gamma=1.0))

    assert_gradients(build, [p])
    dy.renew_cg()
    build_loss = build()
    build_loss.forward()
    build_loss.backward()
    assert (parameter_array(model.P, gradient=True) == 0).all()


def test_free_targets_pull_on_the_table_as_well():
    pc, model = tied()
    p, scores = free_scores(pc)

    def build():
        e = augmented_loss(scores(), model, IDS, tau=2.0, gamma=1.0, stop_gradient=False)
        return asymmetric(e)

    assert_gradients(build, [p, model.P])


def test_in_a_tied_model_the_stopped_gradient_is_that_of_fixed_targets():
    _, model = tied()
    h, tau = states(4), 2.0
    table = parameter_array(model.P).astype(float)
    targets = ref.softmax_columns(table @ table[IDS].T / tau)
    fed = feed(h, batched=True)
    backward(augmented_loss(model.scores(fed), model, IDS, tau=tau, gamma=1.0 / tau))
    stopped = parameter_array(model.P, gradient=True)
    model.P.scale_gradient(0)
    backward(cross_entropy_dense(model.scores(fed) * (1 / tau), feed(targets, batched=True)))
    np.testing.assert_allclose(stopped, parameter_array(model.P, gradient=True), atol=1e-5)
    model.P.scale_gradient(0)
    e = augmented_loss(model.scores(fed), model, IDS, tau=tau, gamma=1 / tau, stop_gradient=False)
    backward(e)
    assert np.abs(parameter_array(model.P, gradient=True) - stopped).max() > 1e-2


def test_the_augmented_gradient_of_a_tied_model_passes_central_differences():
    pc, model = tied(H)
    w = pc.add_parameters((H, E))

    def build():
        scores = model.scores(dy.tanh(w * model.embed(IDS)))
        extra = augmented_loss(scores, model, IDS[::-1], tau=2.0, gamma=0.6, stop_gradient=False)
        return asymmetric(nll(scores, IDS[::-1]) + extra)

    assert_gradients(build, [model.P, model.A, model.b, w])


def test_near_synonyms_of_the_gold_word_are_pushed_up():
    pc, model = tied(bias=False)
    rows = np.zeros((V, E))
    rows[2], rows[4] = [2.0, 0.0, 0.0], [1.9, 0.1, 0.0]
    set_value(model.P, rows)
    s = pc.add_parameters((V,), init=0.0)
    backward(augmented_loss(s, model, [2], tau=1.0, gamma=1.0))
    soft = parameter_array(s, gradient=True)
    s.scale_gradient(0)
    backward(nll(s, [2]))
    hard = parameter_array(s, gradient=True)
    assert soft[2] < 0
    assert soft[4] < 0 < hard[4]


def test_no_weight_means_no_loss():
    _, model = tied()
    scores = feed(states(4, V), batched=True)
    assert (read(augmented_loss(scores, model, IDS, tau=2.0, gamma=0.0)) == 0).all()


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, s: m.embed([V]), "ids must be 0 to 6, found 7"),
        (lambda m, s: m.embed([]), "no ids"),
        (lambda m, s: m.scores(s), r"h: expected \(3,\)"),
        (lambda m, s: m.nll(feed(np.ones(E)), [0, 1]), "expected 1, one a column"),
        (lambda m, s: m.expected(feed(np.ones(E))), r"probs: expected \(7,\)"),
        (lambda m, s: augmented_loss(s, m, [0, 1], tau=1.0, gamma=1.0), "expected 1, one a column"),
        (lambda m, s: augmented_loss(s, m, [0], tau=0.0, gamma=1.0), "temperature"),
        (lambda m, s: augmented_loss(s, m, [0], tau=1.0, gamma=-1.0), "gamma"),
        (lambda m, s: augmented_loss(feed(np.ones(5)), m, [0], tau=1.0, gamma=1.0), "scores"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    _, model = tied()
    with pytest.raises(ValueError, match=message):
        call(model, feed(np.ones(V)))


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_words": 0, "n_embed": 2},
        {"n_words": 2, "n_embed": -2},
        {"n_words": 2, "n_embed": 2, "n_hidden": 0},
        {"n_words": 2, "n_embed": 2, "scale": 0.0},
        {"n_words": 2, "n_embed": 2, "scale": True},
    ],
)
def test_wrong_sizes_are_refused_before_dynet_allocates(sizes):
    with pytest.raises(ValueError, match="expected"):
        TiedEmbeddings(dy.ParameterCollection(), **sizes)
