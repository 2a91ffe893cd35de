"""T55: a sum of vectors is a product of distributions, and what is near it."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings.composition import (
    compose,
    context_log_probs,
    nearest_contexts,
    nearest_words,
    product_of_experts,
)
from dynotes.graph.arrays import feed, read
from tests.embeddings.tables import arrays
from tests.helpers import assert_gradients, asymmetric

V, D = 7, 3
WORDS = list("abcdefg")


def softmax(scores):
    """Probabilities as quotients of exponentials."""
    powers = np.exp(scores)
    return powers / powers.sum()


def fed(*vectors):
    return [feed(v) for v in vectors]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_softmax_of_a_sum_is_the_product_of_the_softmaxes_normalised(count):
    v, u = arrays(4)
    found = read(context_log_probs(feed(u.T), fed(*v[:count])))[:, 0]
    product = np.prod([softmax(u @ one) for one in v[:count]], axis=0)
    np.testing.assert_allclose(found, np.log(product / product.sum()), atol=1e-6)


def test_both_builders_give_the_same_distribution_in_a_batch():
    v, u = arrays(5)
    U = feed(u.T)
    a, b = feed(v[:2].T, batched=True), feed(v[2:4].T, batched=True)
    experts = [context_log_probs(U, [one]) for one in (a, b)]
    together = read(context_log_probs(U, [a, b]))
    assert together.shape == (V, 2)
    np.testing.assert_allclose(together, read(product_of_experts(experts)), atol=1e-6)
    np.testing.assert_allclose(np.exp(together).sum(axis=0), 1, atol=1e-6)


def test_a_uniform_expert_and_unnormalised_scores_change_nothing():
    scores = [np.linspace(-1, 2, V), np.cos(np.arange(V))]
    expected = read(product_of_experts(fed(*scores)))
    found = read(product_of_experts(fed(scores[0] + 3, scores[1] - 5, np.full(V, -0.4))))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_word_that_one_expert_forbids_is_forbidden():
    allowed, forbids = np.zeros(V), np.zeros(V)
    forbids[2] = -200.0
    found = read(product_of_experts(fed(allowed, forbids)))[:, 0]
    assert found[2] == pytest.approx(-200 - np.log(V - 1), rel=1e-6)
    np.testing.assert_allclose(np.delete(found, 2), -np.log(V - 1), atol=1e-6)


def test_gradients_are_those_of_finite_differences():
    v, u = arrays(6)
    pc = dy.ParameterCollection()
    U, one, two = (pc.parameters_from_numpy(x) for x in (u.T, v[0], v[1]))
    assert_gradients(lambda: asymmetric(context_log_probs(U, [one, two])), [U, one, two])
    assert_gradients(lambda: asymmetric(product_of_experts([one, two])), [one, two])


def test_at_the_optimum_of_negative_sampling_scores_of_a_sum_are_sums_of_information():
    """Tables with U V^T = log P(c|w)/Q(c) - log K exactly: D = V, V the identity."""
    rng, negatives = np.random.default_rng(1), 5
    conditional = rng.dirichlet(np.ones(V), V)  # rows: words
    q = rng.dirichlet(np.ones(V))
    u = (np.log(conditional / q) - np.log(negatives)).T
    contexts = WordVectors(WORDS, u.astype(np.float32))
    words = WordVectors(WORDS, np.eye(V, dtype=np.float32))
    scores = dict(nearest_contexts(contexts, compose(words, ["b", "e"]), top=V))
    information = np.log(conditional[1] / q) + np.log(conditional[4] / q)
    expected = information - 2 * np.log(negatives)
    np.testing.assert_allclose([scores[w] for w in WORDS], expected, rtol=1e-5)


def test_contexts_of_both_words_come_before_those_of_either():
    """a has the contexts c and d, b has d and e: their sum has d."""
    u = np.zeros((V, 2), np.float32)
    u[2], u[3], u[4] = (3, -1), (2, 2), (-1, 3)
    contexts, words = WordVectors(WORDS, u), WordVectors(WORDS, np.eye(V, 2, dtype=np.float32))
    best = [nearest_contexts(contexts, compose(words, some), top=1)[0][0] for some in "ab"]
    assert best == ["c", "e"]
    assert nearest_contexts(contexts, compose(words, "ab"), top=3) == [
        ("d", 4.0),
        ("c", 2.0),
        ("e", 2.0),
    ]


def test_the_nearest_words_have_the_largest_cosines():
    v, _ = arrays(2)
    vectors, query = WordVectors(WORDS, v.astype(np.float32)), np.array([0.3, -1.0, 0.2])
    cosines = v @ query / np.linalg.norm(v, axis=1) / np.linalg.norm(query)
    expected = [WORDS[i] for i in np.argsort(-cosines) if WORDS[i] not in "ce"][:3]
    found = nearest_words(vectors, query, leave_out="ce", top=3)
    assert [word for word, _ in found] == expected
    np.testing.assert_allclose(
        [c for _, c in found], [cosines[WORDS.index(w)] for w in expected], rtol=1e-5
    )


def test_a_word_composed_with_itself_alone_is_its_vector():
    v, _ = arrays(3)
    vectors = WordVectors(WORDS, v.astype(np.float32))
    np.testing.assert_array_equal(compose(vectors, ["f"]), vectors.matrix[5])
    assert nearest_words(vectors, compose(vectors, ["f"]), top=1)[0][0] == "f"


def test_fewer_words_than_asked_for_are_all_of_them():
    vectors = WordVectors(["a", "b"], np.ones((2, 2), np.float32))
    assert nearest_contexts(vectors, np.ones(2), top=9) == [("a", 2.0), ("b", 2.0)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vectors: compose(vectors, []), "at least one word"),
        (lambda vectors: compose(vectors, ["a", "x"]), "'x' is not among the 7 words"),
        (lambda vectors: nearest_contexts(vectors, np.ones(4)), r"expected \(3,\), found \(4,\)"),
        (lambda vectors: nearest_contexts(vectors, np.ones(3), top=0), "top"),
        (lambda vectors: nearest_words(vectors, np.zeros(3)), "all zeros"),
        (lambda vectors: product_of_experts([]), "at least one word"),
        (lambda vectors: context_log_probs(feed(np.ones((3, 7))), []), "at least one word"),
        (
            lambda vectors: context_log_probs(feed(np.ones((3, 7))), fed(np.ones(4))),
            r"words\[0\]: expected \(3,\)x\*, found \(4,\)x1",
        ),
        (
            lambda vectors: product_of_experts(fed(np.ones(4), np.ones(5))),
            r"log_probs\[1\]: expected \(4,\)x\*, found \(5,\)x1",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(WordVectors(WORDS, np.ones((V, D), np.float32)))
