"""T17: closed forms, Gibbs' inequality, gradient q - p, scipy, and finite values at the edges."""

import gzip
import math
import os
from pathlib import Path

import dynet as dy
import numpy as np
import pytest
from scipy import stats

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.masks import masked_loss
from dynotes.tips import divergences as div
from tests.helpers import assert_gradients, asymmetric
from tests.reference import distributions as ref

V = 6
LOG2 = math.log(2)


def some(n, seed=0, zeros=False):
    """n distributions over V words, (V, n)."""
    p = np.random.default_rng(seed).dirichlet(np.ones(V), n).T
    if zeros:
        p[seed % V] = 0
        p /= p.sum(0)
    return p


def columns(function, *arrays):
    return [function(*rows) for rows in zip(*(a.T for a in arrays))]


def gradient(e, p):
    loss = dy.sum_batches(e)
    loss.forward()
    loss.backward()
    return parameter_array(p, gradient=True)


def parameter(values):
    pc = dy.ParameterCollection()
    return pc, pc.add_parameters(np.shape(values), init=np.asarray(values, float))


# --- entropy, cross-entropy and KL of probabilities ----------------------------------------------


@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_arrays_equal_scipy_in_nats_and_bits(unit):
    p, q = some(5, zeros=True), some(5, seed=1)
    base = 2 if unit == "bits" else None
    np.testing.assert_allclose(div.entropy_array(p, unit), stats.entropy(p, base=base), rtol=1e-12)
    np.testing.assert_allclose(div.kl_array(p, q, unit), stats.entropy(p, q, base=base), rtol=1e-9)


@pytest.mark.parametrize("batch", [1, 5])
def test_graph_and_array_equal_the_definitions(batch):
    p, q = some(batch, zeros=True), some(batch, seed=1)
    ep, eq = feed(p, batched=True), feed(q, batched=True)
    cases = [
        (div.entropy(ep), div.entropy_array(p), columns(ref.entropy, p)),
        (
            div.cross_entropy(ep, eq),
            div.cross_entropy_array(p, q),
            columns(ref.cross_entropy, p, q),
        ),
        (div.kl(ep, eq), div.kl_array(p, q), columns(ref.kl, p, q)),
    ]
    for graph, array, expected in cases:
        assert graph.dim() == ((1,), batch)
        np.testing.assert_allclose(array, expected, rtol=1e-10)
        np.testing.assert_allclose(read(graph)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_uniform_entropy_is_log_v_and_deterministic_entropy_is_zero(n):
    uniform, sure = np.full((n, 1), 1 / n), np.eye(n)[:, :1]
    assert float(read(div.entropy(feed(uniform, batched=True)))[0, 0]) == pytest.approx(np.log(n))
    assert float(div.entropy_array(uniform, "bits")[0]) == pytest.approx(np.log2(n))
    assert float(read(div.entropy(feed(sure, batched=True)))[0, 0]) == 0
    assert float(div.entropy_array(sure)[0]) == 0


def test_gibbs_inequality_holds_on_random_pairs_and_is_tight_at_equality():
    p, q = some(200), some(200, seed=1)
    assert (div.kl_array(p, q) > 0).all()
    assert (read(div.kl(feed(p, batched=True), feed(q, batched=True))) > 0).all()
    np.testing.assert_allclose(div.kl_array(p, p), 0, atol=1e-12)
    same = feed(p, batched=True)
    np.testing.assert_array_equal(read(div.kl(same, same)), np.zeros((1, 200)))


def test_kl_is_cross_entropy_minus_entropy():
    p, q = feed(some(4), batched=True), feed(some(4, seed=1), batched=True)
    difference = read(div.cross_entropy(p, q)) - read(div.entropy(p))
    np.testing.assert_allclose(read(div.kl(p, q)), difference, rtol=1e-4, atol=1e-6)


def test_kl_is_not_symmetric():
    p, q = some(1), some(1, seed=1)
    assert div.kl_array(p, q)[0] != pytest.approx(div.kl_array(q, p)[0], rel=1e-3)


@pytest.mark.parametrize("name", ["entropy", "cross_entropy", "kl"])
def test_zero_probabilities_give_finite_values_and_gradients(name):
    with_zeros, other = [0.0, 0.5, 0.5, 0.0], [0.25, 0.0, 0.75, 0.0]
    (pc, p), (qc, q) = parameter(with_zeros), parameter(other)
    e = div.entropy(p) if name == "entropy" else getattr(div, name)(p, q)
    assert np.isfinite(e.value())
    assert np.isfinite(gradient(e, p)).all()
    assert np.isfinite(parameter_array(q, gradient=True)).all()
    assert len(pc.parameters_list()) == len(qc.parameters_list()) == 1


def test_terms_of_zero_probability_count_nothing():
    short, long = feed([0.5, 0.5]), feed([0.5, 0.0, 0.5])
    assert div.entropy(long).value() == pytest.approx(LOG2)
    assert div.kl(long, feed([0.25, 0.5, 0.25])).value() == pytest.approx(LOG2)
    assert div.kl(short, feed([0.25, 0.75])).value() == pytest.approx(
        ref.kl([0.5] * 2, [0.25, 0.75])
    )


def test_an_impossible_word_costs_85_nats_in_a_graph_and_infinity_in_an_array():
    p, q = [0.5, 0.5], [1.0, 0.0]
    assert div.cross_entropy(feed(p), feed(q)).value() == pytest.approx(0.5 * 85.2, rel=1e-3)
    assert div.cross_entropy_array(p, q) == math.inf
    assert div.kl_array(p, q) == math.inf == stats.entropy(p, q)


def test_gradients_of_probabilities_pass_central_differences():
    (pc, p), (qc, q) = parameter(some(1)[:, 0] + 0.1), parameter(some(1, seed=1)[:, 0] + 0.1)
    assert_gradients(lambda: div.entropy(p), [p])
    assert_gradients(lambda: div.cross_entropy(p, q), [p, q])
    assert_gradients(lambda: div.kl(p, q), [p, q])
    assert len(pc.parameters_list()) == len(qc.parameters_list()) == 1


# --- cross-entropy from scores -------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_index_targets_equal_the_smoothed_dense_definition(batch, epsilon, temperature):
    scores = np.random.default_rng(0).normal(size=(V, batch)) * 2
    ids = np.arange(batch) % V
    q = ref.softmax_columns(scores / temperature)
    p = np.array([ref.smoothed(V, w, epsilon) for w in ids]).T
    expected = columns(ref.cross_entropy, p, q)
    e = div.cross_entropy_ids(
        feed(scores, batched=True), ids, label_smoothing=epsilon, temperature=temperature
    )
    np.testing.assert_allclose(read(e), [expected], rtol=1e-5)
    dense = div.cross_entropy_dense(feed(scores / temperature, batched=True), feed(p, batched=True))
    np.testing.assert_allclose(read(dense), [expected], rtol=1e-5)


def test_gradient_of_the_scores_is_q_minus_p():
    scores, target = np.random.default_rng(1).normal(size=V), some(1)[:, 0]
    q = np.array(ref.softmax(scores))
    pc, s = parameter(scores)
    found = gradient(div.cross_entropy_dense(s, feed(target)), s)
    np.testing.assert_allclose(found, q - target, atol=1e-6)
    s.scale_gradient(0)
    found = gradient(div.cross_entropy_ids(s, [2], label_smoothing=0.2), s)
    np.testing.assert_allclose(found, q - ref.smoothed(V, 2, 0.2), atol=1e-6)
    assert len(pc.parameters_list()) == 1


def test_gradients_of_scores_and_target_pass_central_differences():
    (pc, s), (tc, t) = parameter(np.random.default_rng(2).normal(size=V)), parameter(some(1)[:, 0])
    assert_gradients(lambda: div.cross_entropy_dense(s, t), [s, t])
    assert_gradients(
        lambda: div.cross_entropy_ids(s, [3], label_smoothing=0.3, temperature=2.0), [s]
    )
    assert len(pc.parameters_list()) == len(tc.parameters_list()) == 1


def test_a_constant_added_to_all_scores_changes_nothing():
    scores, target = np.random.default_rng(3).normal(size=(V, 3)), some(3)
    for shift in (-7.0, 30.0):
        for make in (
            lambda s: div.cross_entropy_ids(s, [0, 1, 2], label_smoothing=0.1),
            lambda s: div.cross_entropy_dense(s, feed(target, batched=True)),
        ):
            plain = read(make(feed(scores, batched=True)))
            shifted = read(make(feed(scores + shift, batched=True)))
            np.testing.assert_allclose(shifted, plain, rtol=1e-4)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_scores_of_ten_thousand_stay_finite_in_value_and_gradient(epsilon):
    pc, s = parameter([1e4, -1e4, 0.0, 1e4])
    e = div.cross_entropy_ids(s, [1], label_smoothing=epsilon)
    expected = (1 - epsilon) * (2e4 + LOG2) + epsilon / 4 * (3e4 + 4 * LOG2)
    assert e.value() == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(gradient(e, s)).all()
    dense = div.cross_entropy_dense(s, feed([0.5, 0.0, 0.0, 0.5]))
    assert dense.value() == pytest.approx(LOG2, abs=1e-3)  # float32 numbers near 1e4 lie 1e-3 apart
    assert len(pc.parameters_list()) == 1


def test_one_target_serves_a_batch_of_scores():
    scores, target = np.random.default_rng(4).normal(size=(V, 3)), some(1)
    together = read(div.cross_entropy_dense(feed(scores, batched=True), feed(target[:, 0])))[0]
    singles = [ref.cross_entropy(target[:, 0], ref.softmax(s)) for s in scores.T]
    np.testing.assert_allclose(together, singles, rtol=1e-5)


def test_losses_of_a_batch_are_the_losses_one_by_one():
    scores, ids = np.random.default_rng(5).normal(size=(V, 4)), [5, 0, 3, 3]

    def make(s, i):
        return read(div.cross_entropy_ids(s, i, label_smoothing=0.1))

    together = make(feed(scores, batched=True), ids)[0]
    singles = [make(feed(scores[:, i]), [ids[i]])[0, 0] for i in range(4)]
    np.testing.assert_allclose(together, singles, rtol=1e-6)


def test_ids_of_time_and_batch_are_taken_time_major():
    scores = np.random.default_rng(6).normal(size=(V, 6))
    ids = np.array([[0, 1, 2], [3, 4, 5]])
    flat = read(div.cross_entropy_ids(feed(scores, batched=True), ids.ravel()))
    np.testing.assert_array_equal(
        read(div.cross_entropy_ids(feed(scores, batched=True), ids)), flat
    )


def test_temperature_one_adds_no_node():
    s = feed(np.ones(3))
    assert div.tempered(s, 1.0) is s


# --- perplexity ----------------------------------------------------------------------------------


def test_perplexity_is_exp_of_nats_and_two_to_the_bits():
    assert div.perplexity(3 * math.log(50), 3) == pytest.approx(50)
    p = some(1)
    assert div.perplexity(float(div.entropy_array(p)[0]), 1) == pytest.approx(
        2 ** float(div.entropy_array(p, "bits")[0])
    )
    assert div.perplexity(0.0, 5) == 1


def test_perplexity_overflows_to_infinity():
    assert div.perplexity(1e6, 1) == math.inf
    assert div.perplexity(math.inf, 1) == math.inf


@pytest.mark.parametrize(("nats", "tokens"), [(1.0, 0), (1.0, -1), (1.0, 2.5), (math.nan, 1)])
def test_perplexity_of_nothing_is_an_error(nats, tokens):
    with pytest.raises(ValueError, match="expected"):
        div.perplexity(nats, tokens)


def words(path):
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return [w for line in file for w in (*line.split(), b"<eos>")]


def test_unigram_perplexity_of_penn_treebank_is_the_known_anchor():
    root = Path(os.environ.get("DYNOTES_DATA", Path(__file__).parents[3] / "shared" / "data"))
    files = [sorted((root / "ptb_lm").glob(f"*{role}*")) for role in ("train", "test")]
    if not all(files):
        pytest.skip("needs ptb_lm; set DYNOTES_DATA to the folder of the corpora")
    train, test = (words(paths[0]) for paths in files)
    expected = ref.unigram_perplexity(train, test)
    index = {w: i for i, w in enumerate(sorted(set(train)))}
    q = np.bincount([index[w] for w in train]) / len(train)
    p = np.bincount([index[w] for w in test], minlength=len(q)) / len(test)
    nats = float(div.cross_entropy_array(p, q))
    assert div.perplexity(nats * len(test), len(test)) == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(639.3, abs=0.1)


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: div.cross_entropy_ids(s, [3]), "ids must be 0 to 2"),
        (lambda s: div.cross_entropy_ids(s, [0, 1]), "expected 1, one a column"),
        (lambda s: div.cross_entropy_ids(s, [0], label_smoothing=1.0), "label_smoothing"),
        (lambda s: div.cross_entropy_ids(s, [0], temperature=0.0), "temperature"),
        (lambda s: div.cross_entropy_ids(s, [0], temperature=math.inf), "temperature"),
        (lambda s: div.cross_entropy_dense(s, feed(np.ones(4))), r"target: expected \(3,\)"),
        (lambda s: div.kl(s, feed(np.ones(4))), r"q: expected \(3,\)"),
        (lambda s: div.entropy(feed(np.ones((3, 2)))), "p: expected"),
        (lambda s: div.entropy_array([0.5, 0.4]), "sum to 1"),
        (lambda s: div.entropy_array([1.5, -0.5]), "sum to 1"),
        (lambda s: div.entropy_array([np.nan, 1.0]), "sum to 1"),
        (lambda s: div.kl_array([0.5, 0.5], [1.0]), "equal shapes"),
        (lambda s: div.entropy_array([1.0], "bans"), "unit: expected one of"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(feed(np.ones(3)))


def test_batches_that_do_not_fit_are_refused():
    two, three = feed(np.ones((3, 2)), batched=True), feed(np.ones((3, 3)), batched=True)
    with pytest.raises(ValueError, match=r"q: expected \(3,\)x2, found \(3,\)x3"):
        div.kl(two, three)


def test_losses_are_per_column_and_masks_are_the_callers():
    scores, ids = np.random.default_rng(8).normal(size=(V, 4)), [0, 1, 2, 3]
    keep = np.array([[True, True], [True, False]])
    total = asymmetric(masked_loss(div.cross_entropy_ids(feed(scores, batched=True), ids), keep))
    short = asymmetric(div.cross_entropy_ids(feed(scores[:, :3], batched=True), ids[:3]))
    assert total.value() == pytest.approx(short.value(), rel=1e-6)
