"""T52: the class-factored softmax against its definition, its limits, rows that stay untouched."""

import math

import dynet as dy
import numpy as np
import pytest
from scipy import stats

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.structures.class_factored_softmax import ClassFactoredSoftmax
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.hierarchical import class_factored_probability

H = 3
EVERY_SHAPE = pytest.mark.parametrize(
    ("n_words", "classes"),
    [(9, 0), (11, 0), (7, 3), (5, 4), (6, 1), (6, 6), (1, 0), (2, 0), (12, 5)],
    ids=str,
)
EVERY_ASSIGNMENT = pytest.mark.parametrize("assignment", ["frequency", "random"])


def layer(n_words=11, classes=0, seed=0, **more):
    pc = dy.ParameterCollection()
    out = ClassFactoredSoftmax(pc, n_words=n_words, n_hidden=H, classes=classes, **more)
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.7, p.shape()))
    return pc, out


def hidden(n, seed=1):
    return np.random.default_rng(seed).normal(size=(H, n))


def weights(out):
    """A, a, the matrices (C, S, H) and the biases (C, S) as float64 arrays."""
    A, W = (parameter_array(p).astype(float) for p in (out.A, out.W))
    C, S = out.n_classes, out.size
    matrices = [row.reshape((S, H), order="F") for row in W]
    if out.b is None:
        return A, np.zeros(C), matrices, np.zeros((C, S))
    return A, parameter_array(out.a), matrices, parameter_array(out.b)


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


# --- classes -------------------------------------------------------------------------------------


@EVERY_SHAPE
@EVERY_ASSIGNMENT
def test_every_word_is_in_one_class_and_class_sizes_differ_by_at_most_one(
    n_words, classes, assignment
):
    _, out = layer(n_words, classes, assignment=assignment)
    assert sorted(np.concatenate(out.words).tolist()) == list(range(n_words))
    sizes = [len(words) for words in out.words]
    assert len(sizes) == (classes or math.ceil(math.sqrt(n_words)))
    assert out.size == max(sizes) <= min(sizes) + 1


@EVERY_SHAPE
@EVERY_ASSIGNMENT
def test_class_and_place_lead_back_to_the_word(n_words, classes, assignment):
    _, out = layer(n_words, classes, assignment=assignment)
    found = [out.words[c][p] for c, p in zip(out.class_of, out.place_of)]
    assert found == list(range(n_words))


def test_classes_by_frequency_are_runs_of_neighbouring_ids():
    _, out = layer(11, 4)
    assert [words.tolist() for words in out.words] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]


def test_random_classes_are_a_permutation_that_the_seed_determines():
    def classes(**more):
        pc = dy.ParameterCollection()
        return ClassFactoredSoftmax(pc, n_words=50, n_hidden=H, **more).class_of.tolist()

    first = classes(assignment="random")
    dy.reset_random_seed(7)  # the engine's generator has no say
    assert classes(assignment="random", seed=1) == first
    assert classes(assignment="random", seed=2) != first
    assert sorted(first) == classes() != first


def test_random_classes_have_no_regard_for_frequency():
    """Spearman's correlation of id and class over 2,500 words; sd 0.02 of a right permutation."""
    pc = dy.ParameterCollection()
    out = ClassFactoredSoftmax(pc, n_words=2500, n_hidden=1, assignment="random", seed=5)
    assert abs(stats.spearmanr(np.arange(2500), out.class_of)[0]) < 0.08


# --- the distribution ----------------------------------------------------------------------------


@EVERY_SHAPE
@EVERY_ASSIGNMENT
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_every_word_has_the_probability_of_the_definition(n_words, classes, assignment, bias, n):
    _, out = layer(n_words, classes, assignment=assignment, bias=bias)
    h = hidden(n)
    expected = [
        [class_factored_probability(w, column, out.words, *weights(out)) for column in h.T]
        for w in range(n_words)
    ]
    found = read(out.log_probs(feed(h, batched=True)))
    assert found.shape == (n_words, n)
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5, atol=1e-5)


@EVERY_SHAPE
@EVERY_ASSIGNMENT
def test_probabilities_sum_to_one(n_words, classes, assignment):
    for seed in range(5):
        dy.renew_cg()
        _, out = layer(n_words, classes, seed=seed, assignment=assignment)
        found = np.exp(read(out.log_probs(feed(hidden(6, seed), batched=True))))
        np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


@EVERY_SHAPE
@EVERY_ASSIGNMENT
def test_nll_is_minus_the_log_probability_of_the_word(n_words, classes, assignment):
    _, out = layer(n_words, classes, assignment=assignment)
    rng = np.random.default_rng(3)
    ids = np.concatenate([rng.permutation(n_words), rng.integers(0, n_words, 5)])
    h = feed(hidden(len(ids)), batched=True)
    losses = out.nll(h, ids)
    assert losses.dim() == ((1,), len(ids))
    expected = -read(out.log_probs(h))[ids, np.arange(len(ids))]
    np.testing.assert_allclose(read(losses)[0], expected, rtol=1e-5, atol=1e-6)


def test_a_batch_equals_its_columns_one_by_one():
    _, out = layer(assignment="random")
    ids, h = [3, 8, 10, 0, 8], hidden(5)
    together = read(out.nll(feed(h, batched=True), ids))[0]
    singles = [read(out.nll(feed(h[:, n]), [ids[n]]))[0, 0] for n in range(5)]
    np.testing.assert_allclose(together, singles, rtol=1e-5)


def test_ids_of_steps_and_columns_are_read_time_major():
    _, out = layer()
    ids = np.array([[0, 7], [5, 2], [10, 4]])
    h = feed(hidden(6), batched=True)
    np.testing.assert_array_equal(read(out.nll(h, ids)), read(out.nll(h, ids.ravel())))


# --- limits --------------------------------------------------------------------------------------


def test_one_class_is_the_full_softmax():
    pc, out = layer(6, 1)
    other = dy.ParameterCollection()
    full = FullSoftmax(other, n_words=6, n_hidden=H)
    _, _, (matrix,), (bias,) = weights(out)
    set_value(full.P, matrix)
    set_value(full.b, bias)
    h, ids = feed(hidden(4), batched=True), [5, 0, 2, 2]
    np.testing.assert_allclose(read(out.log_probs(h)), read(full.log_probs(h)), rtol=1e-5)
    ours = gradients(pc, dy.sum_batches(out.nll(h, ids)))
    theirs = gradients(other, dy.sum_batches(full.nll(h, ids)))
    np.testing.assert_allclose(ours["W"].reshape((6, H), order="F"), theirs["P"], atol=1e-5)
    np.testing.assert_allclose(ours["b"][0], theirs["b"], atol=1e-5)


def test_classes_of_one_word_are_the_full_softmax_over_classes():
    _, out = layer(6, 6)
    other = dy.ParameterCollection()
    full = FullSoftmax(other, n_words=6, n_hidden=H)
    set_value(full.P, parameter_array(out.A))
    set_value(full.b, parameter_array(out.a))
    h = feed(hidden(4), batched=True)
    np.testing.assert_allclose(read(out.log_probs(h)), read(full.log_probs(h)), rtol=1e-5)


def test_a_vocabulary_of_one_word_is_certain():
    _, out = layer(1)
    np.testing.assert_array_equal(read(out.nll(feed(hidden(3), batched=True), [0, 0, 0])), 0)


# --- gradients and rows --------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@EVERY_ASSIGNMENT
def test_gradients_pass_central_differences(assignment, bias):
    pc, out = layer(assignment=assignment, bias=bias)
    h = pc.add_parameters((H,), init=hidden(1)[:, 0])
    others, ids = hidden(4, 2), [0, 5, 10, 10, 3]

    def loss():
        x = dy.concatenate_to_batch([h, feed(others, batched=True)])
        return asymmetric(out.nll(x, ids)) * 0.3 + asymmetric(out.log_probs(h)) * 0.05

    assert_gradients(loss, [out.A, out.W, h] + ([out.a, out.b] if bias else []))


@EVERY_ASSIGNMENT
@pytest.mark.parametrize("ids", [[0], [10, 10, 3], list(range(11)), [[1, 2], [9, 0]]], ids=str)
def test_exactly_the_rows_said_to_be_touched_get_a_gradient(assignment, ids):
    pc, out = layer(assignment=assignment)
    touched = out.touched(ids)
    assert list(touched) == [out.W, out.b]
    n = np.asarray(ids).size
    found = gradients(pc, asymmetric(out.nll(feed(hidden(n), batched=True), ids)))
    for table, name in ((out.W, "W"), (out.b, "b")):
        np.testing.assert_array_equal(np.flatnonzero(found[name].any(axis=1)), touched[table])


def test_without_a_bias_one_table_is_touched():
    _, out = layer(bias=False)
    assert list(out.touched([0])) == [out.W]


def test_an_update_leaves_the_other_classes_bit_for_bit():
    pc, out = layer(11, 4)
    before = parameter_array(out.W)
    trainer = dy.SimpleSGDTrainer(pc, 0.1)
    dy.sum_batches(out.nll(feed(hidden(2), batched=True), [4, 9])).backward()
    trainer.update()
    changed = (parameter_array(out.W) != before).any(axis=1)
    np.testing.assert_array_equal(changed, [False, True, False, True])


def test_places_without_a_word_get_no_gradient_and_change_nothing():
    pc, out = layer(11, 4)  # the last class has two words and a place to spare
    h, ids = feed(hidden(3), batched=True), [9, 10, 9]
    losses = read(out.nll(h, ids))
    found = gradients(pc, dy.sum_batches(out.nll(h, ids)))
    rows = found["W"][3].reshape((3, H), order="F")
    np.testing.assert_array_equal(rows[2], 0)
    assert found["b"][3][2] == 0
    assert rows[:2].all()
    W = parameter_array(out.W)
    W[3].reshape((H, 3))[:, 2] = 1e3
    set_value(out.W, W)
    dy.renew_cg()
    np.testing.assert_array_equal(read(out.nll(feed(hidden(3), batched=True), ids)), losses)


def test_tables_are_rows_of_numbers():
    """Flat rows: what sums the gradients of several processes needs tables of two axes."""
    _, out = layer(11, 4)
    assert out.W.shape() == (4, 3 * H)
    assert out.b.shape() == (4, 3)


# --- sampling, bad input -------------------------------------------------------------------------


@EVERY_ASSIGNMENT
def test_words_are_drawn_as_often_as_they_are_probable(assignment):
    _, out = layer(assignment=assignment)
    h = feed(np.tile(hidden(1), 4000), batched=True)
    p = np.exp(read(out.log_probs(h)))[:, 0].astype(float)
    counts = np.bincount(out.sample(h, np.random.default_rng(7)), minlength=11)
    # the seed is fixed; a right sampler falls below 1e-4 with one seed in ten thousand
    assert stats.chisquare(counts, 4000 * p / p.sum()).pvalue > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_words": 0}, r"words\[0\]: expected 1 to"),
        ({"n_hidden": -1}, r"words\[1\]: expected 1 to"),
        ({"classes": -1}, "classes: expected 0 to 11, found -1"),
        ({"classes": 12}, "classes: expected 0 to 11, found 12"),
        ({"classes": 2.5}, "classes: expected a whole number"),
        ({"assignment": "brown"}, "assignment: expected one of frequency, random, found 'brown'"),
        ({"seed": -1}, "seed: expected 0 to"),
    ],
)
def test_wrong_sizes_and_assignments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ClassFactoredSoftmax(dy.ParameterCollection(), **{"n_words": 11, "n_hidden": H, **change})


def test_wrong_vectors_and_ids_are_refused():
    _, out = layer()
    h = feed(hidden(2), batched=True)
    for call in (lambda: out.nll(feed(np.ones(5)), [0]), lambda: out.log_probs(feed(np.ones(5)))):
        with pytest.raises(ValueError, match=r"h: expected \(3,\)x\*, found \(5,\)x1"):
            call()
    with pytest.raises(ValueError, match="expected 2, one a column, found 3"):
        out.nll(h, [0, 1, 2])
    with pytest.raises(ValueError, match="ids must be 0 to 10, found 0 to 11"):
        out.nll(h, [0, 11])
    with pytest.raises(ValueError, match="ids must be 0 to 10"):
        out.touched([11])
