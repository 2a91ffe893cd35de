"""T65: structured skip-gram: slots against loops, skip-gram as the tied case, worth of order."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.negatives import SharedNoise
from dynotes.embeddings.pairs import id_pairs, text_pairs
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.embeddings.structured_skip_gram import n_slots, structured_predictions
from tests.embeddings.tables import D, V, arrays, encoder, flat, gradients, output
from tests.helpers import set_value
from tests.reference import word2vec as ref

WINDOW, S = 2, 4
CENTRES, CONTEXTS, OFFSETS = [0, 2, 2, 6, 0], [1, 2, 5, 0, 1], [1, -2, 2, -1, -1]
SLOTS = [2, 0, 3, 1, 1]  # of the offsets: -2, -1, 1, 2 are 0, 1, 2, 3
SHARED = SharedNoise(np.array([0, 2, 3]), np.array([0.5, 1.5, 3.0]))
PRIVATE = np.array([[1, 3, 3, 6, 2]] * 5)
KINDS = [
    (FullSoftmaxLoss, None),
    (HierarchicalSoftmaxLoss, None),
    (NegativeSamplingLoss, SHARED),
    (NegativeSamplingLoss, PRIVATE),
    (NceLoss, SHARED),
    (NceLoss, PRIVATE),
]


def pairs():
    return id_pairs(CENTRES, CONTEXTS)


def structured():
    return structured_predictions(pairs(), np.array(OFFSETS), WINDOW)


def test_a_context_is_predicted_in_the_slot_of_its_place():
    found = structured()
    np.testing.assert_array_equal(found.slots, SLOTS)
    np.testing.assert_array_equal(found.words, CONTEXTS)
    assert n_slots(WINDOW) == S


def test_the_loss_is_a_softmax_over_the_words_of_the_slot():
    v, u = arrays(1)[0], arrays(2, n_words=V * S)[1]
    pc, model = encoder(SkipGram, v)
    pc_too, loss = output(FullSoftmaxLoss, u, n_slots=S)
    found = flat(loss.losses(model.hidden(pairs()), structured()))
    expected = [ref.nll(v[c], u[s::S], o) for c, o, s in zip(CENTRES, CONTEXTS, SLOTS)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count() == V * D
    assert pc_too.parameter_count() == V * S * D


@pytest.mark.parametrize(("kind", "noise"), KINDS)
def test_with_equal_tables_in_all_slots_it_is_skip_gram(kind, noise):
    """Loss, gradient of the input table, and that of the output tables summed over the slots."""
    v, u = arrays(3)
    u = u[: V - (kind is HierarchicalSoftmaxLoss)]
    found = []
    for slots, predictions in ((1, pairs().predictions), (S, structured())):
        pc, model = encoder(SkipGram, v)
        pc_too, loss = output(kind, np.repeat(u, slots, axis=0), n_slots=slots)
        total = loss.loss(model.hidden(pairs()), predictions, noise)
        dv, du = gradients([model.inputs, loss.outputs], total)
        found.append([total.value(), dv, du.reshape(len(u), slots, D).sum(axis=1)])
        assert pc.parameter_count() + pc_too.parameter_count()
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_pairs_of_a_text_have_the_slots_of_a_loop_and_none_beyond_its_ends():
    ids = np.array([4, 1, 1, 0])
    places = [(t, t + o) for t in range(4) for o in (-2, -1, 1, 2) if 0 <= t + o < 4]
    centres, contexts = np.array(places).T
    some = text_pairs(ids, centres, contexts)
    found = structured_predictions(some, contexts - centres, WINDOW)
    expected = [
        (ids[t], ids[t + o], slot)
        for t in range(4)
        for slot, o in enumerate((-2, -1, 1, 2))
        if 0 <= t + o < 4
    ]
    listed = zip(some.words[found.columns], found.words, found.slots)
    assert [tuple(map(int, one)) for one in listed] == [tuple(map(int, one)) for one in expected]


def reached(joint):
    """Nats of the best structured and plain skip-gram for P(centre, context, slot) (n, n, S)."""
    n, _, slots = joint.shape
    centre, context, slot = np.indices(joint.shape).reshape(3, -1)
    some, losses = id_pairs(centre, context), []
    for each in (slots, 1):
        pc = dy.ParameterCollection()
        model = SkipGram(pc, n_words=n, n_embed=n)
        loss = FullSoftmaxLoss(pc, counts=[1] * n, n_embed=n, n_slots=each)
        rng = np.random.default_rng(1)
        for table in (model.inputs, loss.outputs):
            set_value(table, rng.normal(0, 0.5, table.shape()))
        predictions = some.predictions._replace(slots=slot if each > 1 else None)
        trainer = dy.AdamTrainer(pc, 0.05)
        trainer.set_clip_threshold(-1)
        for step in range(300):
            trainer.learning_rate = 0.05 * (1 - step / 300)
            dy.renew_cg()
            nats = loss.losses(model.hidden(some), predictions)
            shares = dy.inputTensorTranspose(joint.ravel().tolist(), dim=(1,), batch_size=n * n * 2)
            total = dy.sum_batches(dy.cmult(nats, shares))
            total.forward()
            total.backward()
            trainer.update()
        losses.append(total.value())
    return losses


def entropy(joint, given):
    """-sum P log P(context | the axes given)."""
    whole = joint.sum(axis=tuple({0, 2} - set(given)), keepdims=True)
    return float(-(whole * np.log(whole / whole.sum(axis=1, keepdims=True))).sum())


def test_it_learns_what_the_order_tells_and_gains_nothing_where_the_order_is_shuffled():
    """Entropies to 2e-3 nats: given centre and slot, and given the centre alone; seeded, D = V."""
    joint = np.random.default_rng(3).dirichlet(np.full(32, 0.7)).reshape(4, 4, 2)
    shuffled = np.repeat(joint.sum(axis=2, keepdims=True) / 2, 2, axis=2)
    slots, plain = reached(joint)
    assert slots == pytest.approx(entropy(joint, (0, 2)), abs=2e-3)
    assert plain == pytest.approx(entropy(joint, (0,)), abs=2e-3)
    assert slots < plain - 0.1
    slots, plain = reached(shuffled)
    assert slots == pytest.approx(plain, abs=2e-3)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([1, -2, 3, -1, -1], "expected -2 to 2 without 0, found 3"),
        ([1, -2, 0, -1, -1], "expected -2 to 2 without 0, found 0"),
        ([1, -2], r"offsets: expected \(5,\), found \(2,\)"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(offsets, message):
    with pytest.raises(ValueError, match=message):
        structured_predictions(pairs(), np.array(offsets), WINDOW)


def test_a_window_without_words_is_refused():
    with pytest.raises(ValueError, match="window"):
        n_slots(0)
