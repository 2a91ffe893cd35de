"""T53, T54: skip-gram: hidden vectors, and the optima of its losses."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.pairs import id_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.graph.arrays import read
from tests.embeddings.tables import V, arrays, encoder, flat, gradients
from tests.helpers import assert_gradients, asymmetric, set_value

CENTRES, CONTEXTS = [0, 2, 2, 6, 0], [1, 2, 5, 0, 1]
EVERY = id_pairs(*np.indices((6, 6)).reshape(2, -1))


def pairs():
    return id_pairs(CENTRES, CONTEXTS)


def skip_gram():
    v, _ = arrays()
    return (*encoder(SkipGram, v), v)


def test_the_hidden_vectors_are_the_input_vectors_of_the_words():
    pc, model, v = skip_gram()
    np.testing.assert_allclose(read(model.hidden(pairs()))[..., 0], v[[0, 1, 2, 5, 6]].T, rtol=1e-6)
    assert pc.parameter_count()
    assert model.n_hidden(pairs()) == 5


def test_gradients_are_those_of_finite_differences():
    pc, model, _ = skip_gram()
    assert_gradients(lambda: asymmetric(model.hidden(pairs())), [model.inputs])
    assert pc.parameter_count()


def test_factors_scale_the_gradient_of_each_row_and_not_the_value():
    pc, model, _ = skip_gram()
    factors = np.linspace(0.1, 1, V, dtype=np.float32)
    plain, scaled = model.hidden(pairs()), model.hidden(pairs(), [factors])
    np.testing.assert_array_equal(read(plain), read(scaled))
    (before,), (after,) = (gradients([model.inputs], asymmetric(e)) for e in (plain, scaled))
    np.testing.assert_allclose(after, before * factors[:, None], rtol=1e-5, atol=1e-7)
    assert pc.parameter_count()


def test_a_row_takes_part_in_the_losses_of_its_column():
    pc, model, _ = skip_gram()
    (((rows, masses),),) = model.masses(pairs(), np.array([4.0, 0, 4, 0, 2]))
    assert dict(zip(rows.tolist(), masses.tolist())) == {0: 4, 1: 0, 2: 4, 5: 0, 6: 2}
    assert pc.parameter_count()


def joint(n=6):
    """A strictly positive joint distribution of centre and context."""
    return np.random.default_rng(3).dirichlet(np.full(n * n, 2.0)).reshape(n, n)


def joint_model(loss, size):
    """(collection, skip-gram, output loss) over six words, with seeded tables."""
    pc = dy.ParameterCollection()
    model = SkipGram(pc, n_words=6, n_embed=size)
    output = loss(pc, counts=[1] * 6, n_embed=size)
    for table, values in zip((model.inputs, output.outputs), arrays(5, 6, size)):
        set_value(table, values)
    return pc, model, output


def descend(pc, loss, steps, rate):
    trainer = dy.AdamTrainer(pc, rate)
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
    pc, model, softmax = joint_model(FullSoftmaxLoss, 6)
    weights = P.ravel().tolist()

    def loss():
        w = dy.inputTensorTranspose(weights, dim=(1,), batch_size=P.size)
        return dy.sum_batches(dy.cmult(softmax.losses(model.hidden(EVERY), EVERY.predictions), w))

    descend(pc, loss, 800, 0.05)
    conditional = P / P.sum(axis=1, keepdims=True)
    log_p = -flat(softmax.losses(model.hidden(EVERY), EVERY.predictions)).reshape(P.shape)
    kl = (conditional * (np.log(conditional) - log_p)).sum(axis=1)
    assert kl.max() < 1e-3
    assert pc.parameter_count()


def test_the_loss_of_the_full_softmax_falls_with_the_dimension():
    P, reached = joint(), []
    for size in (1, 2, 6):
        pc, model, softmax = joint_model(FullSoftmaxLoss, size)

        def loss(model=model, softmax=softmax):
            w = dy.inputTensorTranspose(P.ravel().tolist(), dim=(1,), batch_size=P.size)
            each = softmax.losses(model.hidden(EVERY), EVERY.predictions)
            return dy.sum_batches(dy.cmult(each, w))

        descend(pc, loss, 400, 0.05)
        reached.append(loss().value())
        assert pc.parameter_count()
    assert reached[0] > reached[1] + 1e-3 > reached[2] + 2e-3


@pytest.mark.parametrize("negatives", [1, 3])
def test_the_optimum_of_negative_sampling_is_the_shifted_mutual_information(negatives):
    """u_o.v_c = log P(c, o) / (P(c) Q(o)) - log K to 1e-2, Q the unigrams; expected noise."""
    P = joint()
    q = P.sum(axis=0)
    pc, model, output = joint_model(NegativeSamplingLoss, 6)
    centre = P.sum(axis=1)

    def loss():
        """The expectation of J over pairs and noise."""
        s = dy.reshape(output.scores(model.hidden(EVERY), EVERY.predictions), (1,), P.size)
        positive = dy.inputTensorTranspose(P.ravel().tolist(), dim=(1,), batch_size=P.size)
        noise = (negatives * np.outer(centre, q)).ravel().tolist()
        negative = dy.inputTensorTranspose(noise, dim=(1,), batch_size=P.size)
        plus = dy.logsumexp([s, dy.zeros((1,))])
        minus = dy.logsumexp([-s, dy.zeros((1,))])
        return dy.sum_batches(dy.cmult(positive, minus) + dy.cmult(negative, plus))

    descend(pc, loss, 1500, 0.05)
    expected = np.log(P / np.outer(centre, q)) - np.log(negatives)
    found = flat(output.scores(model.hidden(EVERY), EVERY.predictions)).reshape(P.shape)
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert pc.parameter_count()


def test_new_input_vectors_are_small_and_output_vectors_zero():
    pc = dy.ParameterCollection()
    v = SkipGram(pc, n_words=50, n_embed=20).inputs.as_array()
    assert 0 < np.abs(v).max() <= 0.5 / 20
    loss = NegativeSamplingLoss(pc, counts=[1] * 50, n_embed=20)
    assert not loss.outputs.as_array().any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.hidden(id_pairs([0], [V])), f"words: ids must be 0 to {V - 1}"),
        (lambda m: m.hidden(pairs()._replace(contexts=np.array([], int))), "at least one pair"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    pc, model, _ = skip_gram()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert pc.parameter_count()


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2**17, 2**17)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="table"):
        SkipGram(dy.ParameterCollection(), n_words=sizes[0], n_embed=sizes[1])
