"""T35: one segmentation program under every semiring equals the enumeration of all paths."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph import semirings as sr
from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.log_space import NEG_INF
from tests.helpers import assert_gradients
from tests.reference.paths import segmentations, summary

LONGEST = 3
HOST = {s.name: s for s in (sr.LOG, sr.MAX, sr.COUNT, sr.ENTROPY, sr.EXPECTATION)}
GRAPH = {s.name: s for s in (sr.GRAPH_LOG, sr.GRAPH_MAX, sr.GRAPH_ENTROPY, sr.GRAPH_EXPECTATION)}


def arcs(n):
    return [(i, j) for j in range(1, n + 1) for i in range(max(0, j - LONGEST), j)]


def weights(n, seed=0):
    rng = np.random.default_rng(seed)
    return {arc: rng.normal() for arc in arcs(n)}, {arc: rng.normal() for arc in arcs(n)}


def program(semiring, elements, n):
    """alpha_j = sum over arcs (i, j) of alpha_i times the arc."""
    alpha = [semiring.one()]
    for j in range(1, n + 1):
        into = [semiring.times(alpha[i], elements[i, j]) for i in range(max(0, j - LONGEST), j)]
        alpha.append(semiring.plus(into))
    return alpha[n]


def lifted(semiring, log_weights, features):
    if semiring.name == "expectation":
        return {arc: semiring.lift(log_weights[arc], features[arc]) for arc in log_weights}
    return {arc: semiring.lift(log_weights[arc]) for arc in log_weights}


def answer(result):
    return result.mean if isinstance(result, sr.Weighted) else result


@pytest.mark.parametrize("name", HOST)
@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_program_equals_the_enumeration_of_paths(name, n):
    w, f = weights(n)
    result = program(HOST[name], lifted(HOST[name], w, f), n)
    expected = summary(w, f, n, LONGEST)
    assert float(answer(result)) == pytest.approx(expected[name], rel=1e-9, abs=1e-12)
    if isinstance(result, sr.Weighted):
        assert float(result.log_weight) == pytest.approx(expected["log"], rel=1e-9)


@pytest.mark.parametrize("name", GRAPH)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_graph_program_equals_the_enumeration_in_every_batch_entry(name, batch):
    n = 5
    entries = [weights(n, seed) for seed in range(batch)]
    w = {a: feed([[e[0][a] for e in entries]], batched=True) for a in arcs(n)}
    f = {a: feed([[e[1][a] for e in entries]], batched=True) for a in arcs(n)}
    result = program(GRAPH[name], lifted(GRAPH[name], w, f), n)
    expected = [summary(*e, n, LONGEST)[name] for e in entries]
    np.testing.assert_allclose(read(answer(result))[0], expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("n", "count"), list(enumerate([1, 2, 4, 7, 13, 24, 44, 81], start=1)))
def test_unit_weights_count_the_segmentations(n, count):
    assert program(sr.COUNT, {arc: sr.COUNT.lift(0.0) for arc in arcs(n)}, n) == count
    assert len(segmentations(n, LONGEST)) == count


def test_a_dead_arc_is_not_counted():
    elements = {arc: sr.COUNT.lift(NEG_INF if arc == (0, 2) else 0.0) for arc in arcs(3)}
    assert program(sr.COUNT, elements, 3) == 3
    assert (sr.COUNT.lift(np.array([0.0, NEG_INF])) == [1, 0]).all()


def test_counts_beyond_64_bits_stay_exact():
    assert program(sr.COUNT, dict.fromkeys(arcs(100), sr.COUNT.lift(0.0)), 100) > 2**64


@pytest.mark.parametrize("name", ["log", "max", "entropy", "expectation"])
def test_host_semirings_work_elementwise_on_arrays(name):
    n, entries = 4, [weights(4, seed) for seed in range(2)]
    w = {a: np.array([e[0][a] for e in entries]) for a in arcs(n)}
    f = {a: np.array([e[1][a] for e in entries]) for a in arcs(n)}
    result = answer(program(HOST[name], lifted(HOST[name], w, f), n))
    expected = [summary(*e, n, LONGEST)[name] for e in entries]
    np.testing.assert_allclose(result, expected, rtol=1e-9)


def some(semiring):
    """Three elements of a host semiring."""
    if semiring.name == "count":
        return [2, 3, 5]
    if semiring.name in ("log", "max"):
        return [0.3, -1.2, 2.0]
    return [sr.Weighted(0.3, 0.5), sr.Weighted(-1.2, 0.1), sr.Weighted(2.0, 0.9)]


def flat(element):
    return np.array(element if isinstance(element, sr.Weighted) else [element], float)


@pytest.mark.parametrize("name", HOST)
def test_zero_is_neutral_for_plus_and_one_for_times(name):
    s = HOST[name]
    for x in some(s):
        np.testing.assert_allclose(flat(s.plus([x, s.zero()])), flat(x), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(flat(s.times(s.one(), x)), flat(x), rtol=1e-12)


@pytest.mark.parametrize("name", HOST)
def test_a_product_with_zero_adds_nothing(name):
    s = HOST[name]
    a, b, _ = some(s)
    dead = s.times(a, s.zero())
    np.testing.assert_allclose(flat(s.plus([dead, b])), flat(b), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", HOST)
def test_plus_and_times_are_associative_and_times_distributes(name):
    s = HOST[name]
    a, b, c = some(s)
    laws = [
        (s.plus([s.plus([a, b]), c]), s.plus([a, b, c])),
        (s.plus([b, c, a]), s.plus([a, b, c])),
        (s.times(s.times(a, b), c), s.times(a, s.times(b, c))),
        (s.times(a, s.plus([b, c])), s.plus([s.times(a, b), s.times(a, c)])),
    ]
    for left, right in laws:
        np.testing.assert_allclose(flat(left), flat(right), rtol=1e-12)


def graph_elements(semiring, p, f, n):
    w = {arc: p[k] for k, arc in enumerate(arcs(n))}
    return lifted(semiring, w, {arc: f[k] for k, arc in enumerate(arcs(n))})


def test_gradient_of_log_is_the_posterior_of_every_arc():
    n, (w, f) = 5, weights(5)
    pc = dy.ParameterCollection()
    p = pc.add_parameters((len(w),), init=np.array(list(w.values())))
    total = program(sr.GRAPH_LOG, graph_elements(sr.GRAPH_LOG, p, p, n), n)
    total.forward()
    total.backward()
    expected = list(summary(w, f, n, LONGEST)["posteriors"].values())
    np.testing.assert_allclose(parameter_array(p, gradient=True), expected, rtol=1e-4, atol=1e-6)


def test_gradient_of_max_marks_the_arcs_of_the_best_path():
    n, (w, f) = 5, weights(5)
    pc = dy.ParameterCollection()
    p = pc.add_parameters((len(w),), init=np.array(list(w.values())))
    best = program(sr.GRAPH_MAX, graph_elements(sr.GRAPH_MAX, p, p, n), n)
    best.forward()
    best.backward()
    marked = [a for a, g in zip(arcs(n), parameter_array(p, gradient=True)) if g == 1]
    assert marked == summary(w, f, n, LONGEST)["best"]


@pytest.mark.parametrize("name", ["entropy", "expectation"])
def test_gradients_of_the_pair_semirings_pass_central_differences(name):
    n, (w, f) = 4, weights(4)
    pc = dy.ParameterCollection()
    p = pc.add_parameters((len(w),), init=np.array(list(w.values())))
    q = pc.add_parameters((len(f),), init=np.array(list(f.values())))
    s = GRAPH[name]
    params = [p, q] if name == "expectation" else [p]
    assert_gradients(lambda: program(s, graph_elements(s, p, q, n), n).mean, params)


@pytest.mark.parametrize("name", GRAPH)
def test_a_state_without_live_arcs_stays_finite_in_value_and_gradient(name):
    n, s = 4, GRAPH[name]
    values = [NEG_INF if arc[1] == 2 else 0.5 for arc in arcs(n)]
    pc = dy.ParameterCollection()
    p = pc.add_parameters((len(values),), init=np.array(values))
    result = answer(program(s, graph_elements(s, p, p, n), n))
    result.forward()
    result.backward()
    assert np.isfinite(result.value())
    assert np.isfinite(parameter_array(p, gradient=True)).all()


def test_the_best_path_avoids_dead_arcs():
    elements = {arc: NEG_INF if arc[1] == 2 else 0.5 for arc in arcs(4)}
    longest = max(len(p) for p in segmentations(4, LONGEST) if all(arc[1] != 2 for arc in p))
    assert program(sr.MAX, elements, 4) == pytest.approx(0.5 * longest)


@pytest.mark.parametrize("name", GRAPH)
def test_zero_and_one_of_batch_one_mix_with_a_batch(name):
    s = GRAPH[name]
    values = np.array([[0.3, -1.0, 2.0]])
    x = lifted(s, {0: feed(values, batched=True)}, {0: feed(values, batched=True)})[0]
    result = s.times(s.one(), s.plus([x, s.zero()]))
    log_weight = result.log_weight if isinstance(result, sr.Weighted) else result
    np.testing.assert_allclose(read(log_weight), values, rtol=1e-6)
    first = s.plus([s.zero(), x])
    log_weight = first.log_weight if isinstance(first, sr.Weighted) else first
    np.testing.assert_allclose(read(log_weight), values, rtol=1e-6)


@pytest.mark.parametrize("semiring", [*HOST.values(), *GRAPH.values()])
def test_the_sum_of_nothing_must_be_asked_as_zero(semiring):
    with pytest.raises(ValueError, match="at least one"):
        semiring.plus([])
