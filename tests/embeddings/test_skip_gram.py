"""T53, T54: skip-gram: losses against loops, the shared estimator by enumeration, its optima."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.damped_rows import StepFactors
from dynotes.embeddings.pairs import SharedNoise, id_pairs, shared_noise
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.graph.arrays import read
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from tests.embeddings.tables import V, arrays, gradients, made, skip_gram
from tests.helpers import assert_gradients, asymmetric
from tests.reference import word2vec as ref

CENTRES, CONTEXTS = [0, 2, 2, 6, 0], [1, 2, 5, 0, 1]
NEGATIVES = np.array([[1, 3, 3, 6, 2], [4, 4, 0, 0, 1]])


def pairs():
    return id_pairs(CENTRES, CONTEXTS)


def test_scores_are_the_products_of_the_vectors():
    pc, model, v, u = skip_gram()
    expected = [u[o] @ v[c] for c, o in zip(CENTRES, CONTEXTS)]
    np.testing.assert_allclose(read(model.scores(pairs()))[0], expected, rtol=1e-5)
    assert pc.parameter_count()


def test_the_full_softmax_is_its_definition():
    pc, model, v, u = skip_gram()
    expected = [ref.nll(v[c], u, o) for c, o in zip(CENTRES, CONTEXTS)]
    np.testing.assert_allclose(read(model.nll(pairs()))[0], expected, rtol=1e-5)
    assert pc.parameter_count()


@pytest.mark.parametrize("count", [1, 2])
def test_private_negative_sampling_is_its_definition(count):
    pc, model, v, u = skip_gram()
    found = read(model.negative_sampling(pairs(), NEGATIVES[:count]))[0]
    expected = [
        ref.contrast(v[c], u, o, words)
        for c, o, words in zip(CENTRES, CONTEXTS, NEGATIVES[:count].T)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_shared_negative_sampling_is_its_definition():
    pc, model, v, u = skip_gram()
    noise = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 1.0]))
    found = model.shared_negative_sampling(pairs(), noise).value()
    expected = sum(
        ref.contrast(v[c], u, o, ())
        + sum(w * ref.softplus(u[n] @ v[c]) for n, w in zip(noise.words, noise.weights))
        for c, o in zip(CENTRES, CONTEXTS)
    )
    assert found == pytest.approx(expected, rel=1e-5)
    assert pc.parameter_count()


def test_private_noise_that_is_equal_for_all_pairs_is_shared_noise():
    pc, model, _, _ = skip_gram()
    private = dy.sum_batches(model.negative_sampling(pairs(), np.full((2, 5), [[3], [4]])))
    shared = model.shared_negative_sampling(pairs(), SharedNoise(np.array([3, 4]), np.ones(2)))
    for one, other in zip(gradients(model, private), gradients(model, shared)):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert pc.parameter_count()


class Every(NoiseDistribution):
    """Gives a sequence of words instead of drawing it."""

    def give(self, words):
        self._words = np.array(words)
        return self

    def sample(self, shape, rng):
        return self._words.reshape(shape)


@pytest.mark.parametrize(("negatives", "draws"), [(1, 1), (2, 1), (2, 3), (3, 2)])
def test_the_mean_of_the_shared_estimator_over_every_draw_is_the_private_loss(negatives, draws):
    """Loss and both gradients, summed over all V^M draws with their probabilities, V = 4."""
    v, u = arrays(1, n_words=4)
    pc, model = made(SkipGram, v, u)
    some = id_pairs([0, 1, 1, 3], [2, 0, 3, 3])
    noise = Every([0.1, 0.2, 0.3, 0.4])
    loss, grads = 0.0, [0.0, 0.0]
    for words, chance in ref.all_draws(noise.probabilities, draws):
        dy.renew_cg()
        drawn = shared_noise(noise.give(words), negatives, draws, np.random.default_rng(0))
        each = model.shared_negative_sampling(some, drawn)
        loss += chance * each.value()
        grads = [g + chance * more for g, more in zip(grads, gradients(model, each))]
    expected = sum(
        ref.expected_contrast(v[c], u, o, noise.probabilities, negatives)
        for c, o in zip([0, 1, 1, 3], [2, 0, 3, 3])
    )
    assert loss == pytest.approx(expected, rel=1e-5)
    dy.renew_cg()
    exact = SharedNoise(np.arange(4), negatives * noise.probabilities)
    wanted = gradients(model, model.shared_negative_sampling(some, exact))
    for found, right in zip(grads, wanted):
        np.testing.assert_allclose(found, right, atol=2e-6)
    assert pc.parameter_count()


def losses(model, factors=None):
    noise = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 1.0]))
    return {
        "scores": lambda: asymmetric(model.scores(pairs(), factors)),
        "nll": lambda: asymmetric(model.nll(pairs(), factors)),
        "private": lambda: asymmetric(model.negative_sampling(pairs(), NEGATIVES, factors)),
        "shared": lambda: model.shared_negative_sampling(pairs(), noise, factors),
    }


@pytest.mark.parametrize("name", ["scores", "nll", "private", "shared"])
def test_gradients_are_those_of_finite_differences(name):
    pc, model, _, _ = skip_gram()
    assert_gradients(losses(model)[name], [model.inputs, model.outputs])
    assert pc.parameter_count()


@pytest.mark.parametrize("name", ["scores", "nll", "private", "shared"])
def test_factors_scale_the_gradient_of_each_row_and_not_the_loss(name):
    pc, model, _, _ = skip_gram()
    factors = StepFactors(V)
    factors.inputs[:], factors.outputs[:] = np.linspace(0.1, 1, V), np.linspace(2, 1, V)
    plain, scaled = losses(model)[name](), losses(model, factors)[name]()
    assert plain.value() == scaled.value()
    before, after = gradients(model, plain), gradients(model, scaled)
    np.testing.assert_allclose(after[0], before[0] * factors.inputs[:, None], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(after[1], before[1] * factors.outputs[:, None], rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


@pytest.mark.parametrize("name", ["nll", "private"])
def test_a_batch_is_its_pairs_one_by_one(name):
    pc, model, _, _ = skip_gram()

    def loss(which):
        some = id_pairs(np.array(CENTRES)[which], np.array(CONTEXTS)[which])
        each = model.nll(some) if name == "nll" else model.negative_sampling(
            some, NEGATIVES[:, which]
        )  # fmt: skip
        return read(each)[0]

    together = loss(slice(None))
    singles = [loss(slice(i, i + 1))[0] for i in range(5)]
    np.testing.assert_allclose(together, singles, rtol=1e-5)
    assert pc.parameter_count()


def joint(n=6):
    """A strictly positive joint distribution of centre and context."""
    return np.random.default_rng(3).dirichlet(np.full(n * n, 2.0)).reshape(n, n)


def descend(model, loss, steps, rate):
    trainer = dy.AdamTrainer(model.param_collection(), rate)
    trainer.set_clip_threshold(-1)
    for step in range(steps):
        trainer.learning_rate = rate * (1 - step / steps)
        dy.renew_cg()
        total = loss()
        total.forward()
        total.backward()
        trainer.update()
    dy.renew_cg()


def test_the_full_softmax_reaches_the_conditionals_of_the_corpus_when_the_rank_allows_it():
    """KL(P || model) below 1e-3 for every centre with D = V; seeded tables, 800 Adam steps."""
    P = joint()
    v, u = arrays(5, n_words=6, n_embed=6)
    pc, model = made(SkipGram, v, u)
    every = id_pairs(*np.indices(P.shape).reshape(2, -1))
    weights = P.ravel().tolist()

    def loss():
        w = dy.inputTensorTranspose(weights, dim=(1,), batch_size=P.size)
        return dy.sum_batches(dy.cmult(model.nll(every), w))

    descend(model, loss, 800, 0.05)
    conditional = P / P.sum(axis=1, keepdims=True)
    log_p = -read(model.nll(every))[0].reshape(P.shape)
    kl = (conditional * (np.log(conditional) - log_p)).sum(axis=1)
    assert kl.max() < 1e-3
    assert pc.parameter_count()


def test_the_loss_of_the_full_softmax_falls_with_the_dimension():
    P, reached = joint(), []
    every = id_pairs(*np.indices(P.shape).reshape(2, -1))
    for size in (1, 2, 6):
        pc, model = made(SkipGram, *arrays(5, n_words=6, n_embed=size))

        def loss(model=model):
            w = dy.inputTensorTranspose(P.ravel().tolist(), dim=(1,), batch_size=P.size)
            return dy.sum_batches(dy.cmult(model.nll(every), w))

        descend(model, loss, 400, 0.05)
        reached.append(loss().value())
        assert pc.parameter_count()
    assert reached[0] > reached[1] + 1e-3 > reached[2] + 2e-3


@pytest.mark.parametrize("negatives", [1, 3])
def test_the_optimum_of_negative_sampling_is_the_shifted_mutual_information(negatives):
    """u_o.v_c = log P(c, o) / (P(c) Q(o)) - log K to 1e-2, Q the unigrams; expected noise."""
    P = joint()
    q = P.sum(axis=0)
    pc, model = made(SkipGram, *arrays(5, n_words=6, n_embed=6))
    every = id_pairs(*np.indices(P.shape).reshape(2, -1))
    centre = P.sum(axis=1)

    def loss():
        """The expectation of J over pairs and noise."""
        s = model.scores(every)
        positive = dy.inputTensorTranspose(P.ravel().tolist(), dim=(1,), batch_size=P.size)
        noise = (negatives * np.outer(centre, q)).ravel().tolist()
        negative = dy.inputTensorTranspose(noise, dim=(1,), batch_size=P.size)
        plus = dy.logsumexp([s, dy.zeros((1,))])
        minus = dy.logsumexp([-s, dy.zeros((1,))])
        return dy.sum_batches(dy.cmult(positive, minus) + dy.cmult(negative, plus))

    descend(model, loss, 1500, 0.05)
    expected = np.log(P / np.outer(centre, q)) - np.log(negatives)
    np.testing.assert_allclose(read(model.scores(every))[0].reshape(P.shape), expected, atol=1e-2)
    assert pc.parameter_count()


def test_new_input_vectors_are_small_and_output_vectors_zero():
    pc = dy.ParameterCollection()
    model = SkipGram(pc, n_words=50, n_embed=20)
    v = model.inputs.as_array()
    assert 0 < np.abs(v).max() <= 0.5 / 20
    assert not model.outputs.as_array().any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.nll(id_pairs([0], [V])), f"words: ids must be 0 to {V - 1}"),
        (lambda m: m.negative_sampling(pairs(), NEGATIVES[:, :2]), "negatives: expected shape"),
        (lambda m: m.negative_sampling(pairs(), NEGATIVES + V), "negatives: ids must be"),
        (
            lambda m: m.shared_negative_sampling(pairs(), SharedNoise(np.array([V]), np.ones(1))),
            "noise words: ids must be",
        ),
        (lambda m: m.scores(pairs()._replace(contexts=np.array([], int))), "at least one pair"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    pc, model, _, _ = skip_gram()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert pc.parameter_count()


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2**17, 2**17)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="table"):
        SkipGram(dy.ParameterCollection(), n_words=sizes[0], n_embed=sizes[1])
