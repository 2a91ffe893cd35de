"""T54: negative sampling and NCE against loops, and the shared estimator by enumeration."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.negatives import SharedNoise
from tests.embeddings.output_losses.layer import COLUMNS, NEGATIVES, NOISE, WORDS, layer, some
from tests.embeddings.tables import COUNTS, V, flat, gradients
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import word2vec as ref

slots = pytest.mark.parametrize("slots", [1, 3])
kinds = pytest.mark.parametrize("kind", [NegativeSamplingLoss, NceLoss])
BIASES = np.linspace(-1, 1, 3 * V)


def made(kind, slots, **options):
    found = layer(kind, slots, **{"negatives": 2, **options})
    if kind is NceLoss:
        set_value(found.loss.biases, BIASES[: V * slots, None])
    return found


def score(layer, word, prediction):
    """Delta of a word in the place of the predicted one."""
    row = word * layer.loss.n_slots + layer.slots[prediction]
    found = layer.u[row] @ layer.h[:, COLUMNS[prediction]]
    if isinstance(layer.loss, NceLoss):
        q = np.power(COUNTS, 0.75) / np.power(COUNTS, 0.75).sum()
        found += BIASES[row] - np.log(2 * q[word])
    return found


@kinds
@slots
def test_private_noise_is_its_definition(kind, slots):
    one = made(kind, slots)
    expected = [
        ref.softplus(-score(one, word, p))
        + sum(ref.softplus(score(one, noise, p)) for noise in NEGATIVES[:, p])
        for p, word in enumerate(WORDS)
    ]
    H = dy.parameter(one.H)
    np.testing.assert_allclose(
        flat(one.loss.losses(H, some(one), NEGATIVES)), expected, rtol=1e-5, atol=1e-6
    )
    whole = one.loss.loss(H, some(one), NEGATIVES).value()
    assert whole == pytest.approx(sum(expected), rel=1e-5)


@kinds
@slots
def test_shared_noise_is_its_definition(kind, slots):
    one = made(kind, slots)
    expected = sum(
        ref.softplus(-score(one, word, p))
        + sum(w * ref.softplus(score(one, noise, p)) for noise, w in zip(*NOISE))
        for p, word in enumerate(WORDS)
    )
    found = one.loss.loss(dy.parameter(one.H), some(one), NOISE).value()
    assert found == pytest.approx(expected, rel=1e-5)


@kinds
@slots
def test_private_noise_that_is_equal_for_all_predictions_is_shared_noise(kind, slots):
    one = made(kind, slots)
    found = []
    for noise in (np.full((2, 5), [[3], [4]]), SharedNoise(np.array([3, 4]), np.ones(2))):
        loss = one.loss.loss(dy.parameter(one.H), some(one), noise)
        found.append(gradients([one.H, *one.loss.tables], loss))
    for private, shared in zip(*found):
        np.testing.assert_allclose(private, shared, atol=1e-5)


@kinds
@slots
@pytest.mark.parametrize(("negatives", "draws"), [(1, 1), (2, 1), (2, 3)])
def test_the_mean_over_every_draw_of_shared_noise_is_the_loss_of_private_noise(
    kind, slots, negatives, draws
):
    """Loss and gradients, summed over all V^M draws with their probabilities; V = 7."""
    one = made(kind, slots, negatives=negatives)
    q = one.loss.noise.probabilities
    tables = [one.H, *one.loss.tables]
    mean, slopes = 0.0, [0.0] * len(tables)
    for words, chance in ref.all_draws(q, draws):
        dy.renew_cg()
        different, often = np.unique(words, return_counts=True)
        noise = SharedNoise(different, often * (negatives / draws))
        loss = one.loss.loss(dy.parameter(one.H), some(one), noise)
        mean += chance * loss.value()
        slopes = [s + chance * g for s, g in zip(slopes, gradients(tables, loss))]
    dy.renew_cg()
    exact = one.loss.loss(dy.parameter(one.H), some(one), SharedNoise(np.arange(V), negatives * q))
    assert mean == pytest.approx(exact.value(), rel=1e-5)
    for found, right in zip(slopes, gradients(tables, exact)):
        np.testing.assert_allclose(found, right, atol=5e-6)


def test_shared_noise_is_drawn_with_weights_that_sum_to_the_negatives():
    one = made(NegativeSamplingLoss, 1, shared=9)
    noise = one.loss.draw(5, np.random.default_rng(1))
    assert noise.weights.sum() == pytest.approx(2)


def test_without_shared_noise_every_prediction_has_its_own():
    one = made(NegativeSamplingLoss, 1, shared=0)
    assert one.loss.draw(5, np.random.default_rng(1)).shape == (2, 5)


@kinds
@slots
@pytest.mark.parametrize("noise", [NEGATIVES, NOISE], ids=["private", "shared"])
def test_gradients_are_those_of_finite_differences(kind, slots, noise):
    one = made(kind, slots)
    tables = [one.H, *one.loss.tables]
    assert_gradients(lambda: one.loss.loss(dy.parameter(one.H), some(one), noise), tables)


@kinds
@slots
@pytest.mark.parametrize("noise", [NEGATIVES, NOISE], ids=["private", "shared"])
def test_factors_scale_the_gradient_of_each_row_and_not_the_loss(kind, slots, noise):
    one = made(kind, slots)
    factors = [np.linspace(2, 0.1, V * slots, dtype=np.float32) for _ in one.loss.tables]
    plain = one.loss.loss(dy.parameter(one.H), some(one), noise)
    before = gradients(one.loss.tables, plain)
    scaled = one.loss.loss(dy.parameter(one.H), some(one), noise, factors)
    assert plain.value() == scaled.value()
    for slope, found, factor in zip(before, gradients(one.loss.tables, scaled), factors):
        np.testing.assert_allclose(found, slope * factor[:, None], rtol=1e-5, atol=1e-7)


@kinds
def test_a_batch_is_its_predictions_one_by_one(kind):
    one = made(kind, 3)

    def losses(which):
        loss = one.loss.losses(dy.parameter(one.H), some(one, which), NEGATIVES[:, which])
        return flat(loss)

    singles = [losses(slice(p, p + 1))[0] for p in range(5)]
    np.testing.assert_allclose(losses(slice(None)), singles, rtol=1e-5)


@slots
@pytest.mark.parametrize("noise", [NEGATIVES, NOISE], ids=["private", "shared"])
def test_masses_count_the_losses_that_hold_a_column_and_a_row(slots, noise):
    """By loops over the predictions and their noise words with their weights."""
    one = made(NegativeSamplingLoss, slots)
    held, (parts,) = one.loss.masses(some(one), noise, 4)
    rows = np.zeros(V * slots)
    for places, mass in parts:
        assert len(np.unique(places)) == len(places)
        rows[places] += mass
    expected = np.zeros(V * slots)
    for p, word in enumerate(WORDS):
        expected[word * slots + one.slots[p]] += 1
        pairs = zip(*noise) if isinstance(noise, SharedNoise) else [(w, 1) for w in noise[:, p]]
        for other, weight in pairs:
            expected[other * slots + one.slots[p]] += weight
    np.testing.assert_allclose(rows, expected)
    np.testing.assert_allclose(held, 3 * np.bincount(COLUMNS, minlength=4))


def test_nce_begins_as_the_uniform_distribution():
    pc = dy.ParameterCollection()
    loss = NceLoss(pc, counts=COUNTS, n_embed=2)
    np.testing.assert_allclose(loss.biases.as_array(), -np.log(V), rtol=1e-6)


def test_nce_with_the_noise_as_the_text_is_at_its_optimum_when_the_scores_are_log_q():
    """Text and noise are then the same: every Delta is -log K, its gradient 0 in the mean."""
    one = made(NceLoss, 1, negatives=3)
    q = one.loss.noise.probabilities
    set_value(one.loss.outputs, np.zeros((V, 3)))
    set_value(one.loss.biases, np.log(q)[:, None])
    gradient = np.zeros(V)
    for word in range(V):
        one_of_all = some(one, slice(0, 1))._replace(outputs=np.array([word]))
        noise = SharedNoise(np.arange(V), 3 * q)
        loss = one.loss.loss(dy.parameter(one.H), one_of_all, noise)
        gradient += q[word] * gradients([one.loss.biases], loss)[0][:, 0]
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o, H, p: o.loss(H, p, NEGATIVES[:, :2]), "noise words: expected shape"),
        (lambda o, H, p: o.loss(H, p, NEGATIVES + V), "noise words: ids must be"),
        (
            lambda o, H, p: o.loss(H, p, SharedNoise(np.array([V]), np.ones(1))),
            "noise words: ids must be",
        ),
        (lambda o, H, p: o.loss(H, p._replace(outputs=p.outputs + V), NOISE), "predicted words"),
        (lambda o, H, p: o.loss(H, p._replace(columns=p.columns + 4), NOISE), "columns: ids must"),
        (lambda o, H, p: o.loss(H, p._replace(slots=p.rows), NOISE), "slots: ids must be 0 to 0"),
        (lambda o, H, p: o.loss(dy.zeros((2, 4)), p, NOISE), "H: expected"),
        (lambda o, H, p: o.loss(H, p._replace(rows=p.rows[:0]), NOISE), "columns: expected shape"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    one = made(NegativeSamplingLoss, 1)
    with pytest.raises(ValueError, match=message):
        call(one.loss, dy.parameter(one.H), some(one))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"negatives": 0}, "negatives: expected 1 to 7, found 0"),
        ({"negatives": 8}, "negatives: expected 1 to 7, found 8"),
        ({"shared": -1}, "shared"),
        ({"n_slots": 0}, "n_slots"),
        ({"n_embed": 0}, "table"),
        ({"counts": [3, 0]}, "expected counts >= 1"),
    ],
)
@kinds
def test_impossible_settings_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(dy.ParameterCollection(), **{"counts": COUNTS, "n_embed": 3, **options})


@kinds
def test_the_loss_of_each_prediction_has_the_gradients_of_finite_differences(kind):
    one = made(kind, 3)
    assert_gradients(
        lambda: asymmetric(one.loss.losses(dy.parameter(one.H), some(one), NEGATIVES)),
        [one.H, *one.loss.tables],
    )
