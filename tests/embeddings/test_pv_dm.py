"""T60: PV-DM against loops, against CBOW, and on documents of the same text."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.pairs import id_bags
from dynotes.embeddings.paragraphs import EMPTY, id_windows
from dynotes.embeddings.pv_dm import MODES, PvDm
from dynotes.graph.arrays import read
from tests.embeddings.paragraph_tables import D, K, N, V, dm, numbers, softmax_loss
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import paragraphs as ref

DOCUMENTS = [1, 3, 3, 1, 0]
SLOTS = [[EMPTY, EMPTY], [EMPTY, 2], [5, 5], [0, 6], [2, 1]]
TARGETS = [0, 1, 1, 6, 3]
every_mode = pytest.mark.parametrize("mode", MODES)


def windows():
    return id_windows(DOCUMENTS, SLOTS, TARGETS)


def matrix(e):
    return read(e)[..., 0]


@every_mode
def test_the_hidden_vectors_are_their_definition(mode):
    pc, model, words, documents = dm(mode)
    expected = [
        ref.dm_hidden(mode, documents[d], [None if w == EMPTY else w for w in s], words, words[-1])
        for d, s in zip(DOCUMENTS, SLOTS)
    ]
    found = matrix(model.hidden(windows())).T
    assert found.shape == (5, model.size)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@every_mode
def test_gradients_are_those_of_finite_differences(mode):
    pc, model, _, _ = dm(mode)
    tables = [model.inputs, model.documents]
    assert_gradients(lambda: asymmetric(model.hidden(windows())), tables)
    outputs = pc.parameters_from_numpy(numbers(V, model.size))
    assert_gradients(
        lambda: softmax_loss(outputs, model.hidden(windows()), range(5), TARGETS),
        [*tables, outputs],
    )


def test_with_its_documents_zero_the_sum_is_cbow():
    """Loss and gradient of the words; CBOW of the same bags."""
    pc, model, words, _ = dm("sum", slots=3)
    set_value(model.documents, np.zeros((N, D)))
    bags = [[1, 2, 1], [0], [5, 6, 3]]
    outputs = pc.parameters_from_numpy(numbers(V, D))
    cbow = Cbow(pc, n_words=V, n_embed=D, mean=False)
    set_value(cbow.inputs, words)
    padded = [[*bag, *[EMPTY] * (3 - len(bag))] for bag in bags]
    H = model.hidden(id_windows([0, 2, 2], padded, [0, 4, 4]))
    other = cbow.hidden(id_bags(bags, [0, 4, 4]))
    np.testing.assert_allclose(matrix(H), matrix(other)[:, :3], rtol=1e-6)
    losses = [softmax_loss(outputs, h, range(3), [0, 4, 4]) for h in (H, other)]
    assert losses[0].value() == pytest.approx(losses[1].value(), rel=1e-6)
    dy.esum(losses).backward()
    found, expected = model.inputs.grad_as_array(), cbow.inputs.grad_as_array()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_with_its_documents_zero_the_mean_is_cbow_with_the_document_counted():
    pc, model, words, _ = dm("mean", slots=3)
    set_value(model.documents, np.zeros((N, D)))
    bags = [[1, 2, 1], [0], [5, 6, 3]]
    padded = [[*bag, *[EMPTY] * (3 - len(bag))] for bag in bags]
    expected = [words[bag].mean(axis=0) * len(bag) / (1 + len(bag)) for bag in bags]
    found = matrix(model.hidden(id_windows([0, 2, 2], padded, [0, 4, 4]))).T
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


@every_mode
def test_documents_that_are_held_at_zero_stay_there(mode):
    """Factors of 0 freeze their rows; the words go on learning."""
    pc, model, words, _ = dm(mode)
    set_value(model.documents, np.zeros((N, D)))
    outputs = pc.parameters_from_numpy(numbers(V, model.size))
    factors = [np.ones(t.shape()[0], np.float32) for t in model.tables]
    factors[1][:] = 0.0
    trainer = dy.SimpleSGDTrainer(pc, 0.1)
    for _ in range(5):
        dy.renew_cg()
        loss = softmax_loss(outputs, model.hidden(windows(), factors), range(5), TARGETS)
        loss.backward()
        trainer.update()
    assert not model.documents.as_array().any()
    assert np.abs(model.inputs.as_array() - words).max() > 0.01


@every_mode
def test_factors_scale_the_gradient_of_each_row_and_not_the_value(mode):
    pc, model, _, _ = dm(mode)
    factors = [np.linspace(0.1, 2, t.shape()[0]).astype(np.float32) for t in model.tables]
    found = []
    for one in (None, factors):
        dy.renew_cg()
        loss = asymmetric(model.hidden(windows(), one))
        value = loss.value()
        loss.backward()
        found.append([value, model.inputs.grad_as_array(), model.documents.grad_as_array()])
        for table in (model.inputs, model.documents):
            table.scale_gradient(0.0)
    assert found[0][0] == found[1][0]
    for plain, scaled, factor in zip(found[0][1:], found[1][1:], factors):
        np.testing.assert_allclose(scaled, plain * factor[:, None], rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@every_mode
def test_the_mass_of_a_row_is_its_share_in_the_losses(mode):
    pc, model, _, _ = dm(mode)
    losses = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    expected = [np.zeros(t.shape()[0]) for t in model.tables]
    for loss, d, slots in zip(losses, DOCUMENTS, SLOTS):
        filled = [w for w in slots if w != EMPTY]
        share = 1 / (1 + len(filled)) if mode == "mean" else 1.0
        expected[1][d] += share * loss
        for w in slots if mode == "concat" else filled:
            expected[0][V if w == EMPTY else w] += share * loss
    for parts, right in zip(model.masses(windows(), losses), expected):
        found = np.zeros(len(right))
        for ids, some in parts:
            assert len(np.unique(ids)) == len(ids)
            found[ids] += some
        np.testing.assert_allclose(found, right)
    assert pc.parameter_count()


def test_an_undivided_mean_has_the_value_of_the_mean_and_the_gradient_of_the_sum():
    found = {}
    for name, options in {"mean": {}, "sum": {}, "undivided": {"divided": False}}.items():
        pc, model, _, _ = dm("mean" if options else name, **options)
        H = model.hidden(windows())
        asymmetric(H).backward()
        grads = [np.array(table.grad_as_array()) for table in model.tables]
        masses = [part for parts in model.masses(windows(), np.arange(1.0, 6)) for part in parts]
        found[name] = (matrix(H), grads, masses)
        assert pc.parameter_count()
    np.testing.assert_allclose(found["undivided"][0], found["mean"][0], rtol=1e-6, atol=1e-7)
    for one, other in zip(found["undivided"][1], found["sum"][1]):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    for (ids, one), (_, other) in zip(found["undivided"][2], found["sum"][2]):
        assert len(ids) == len(one)
        np.testing.assert_allclose(one, other)


@every_mode
def test_new_documents_take_the_place_of_the_tables_and_the_words_are_held(mode):
    pc, model, words, _ = dm(mode)
    other = dy.ParameterCollection()
    fresh = other.add_lookup_parameters((2, D))
    set_value(fresh, numbers(2, D, 5))
    some = id_windows([0, 1, 1], [[EMPTY, 3], [3, 2], [0, 6]], [1, 1, 1])
    H = model.hidden(some, documents=fresh)
    expected = [
        ref.dm_hidden(
            mode, numbers(2, D, 5)[d], [None if w == EMPTY else w for w in s], words, words[-1]
        )
        for d, s in zip([0, 1, 1], [[EMPTY, 3], [3, 2], [0, 6]])
    ]
    np.testing.assert_allclose(matrix(H).T, expected, rtol=1e-5, atol=1e-6)
    asymmetric(H).backward()
    assert np.abs(fresh.grad_as_array()).max() > 0
    assert not model.inputs.grad_as_array().any()
    assert not model.documents.grad_as_array().any()
    assert pc.parameter_count() != other.parameter_count()


@every_mode
def test_documents_of_the_same_text_get_vectors_with_nearly_the_same_predictions(mode):
    """Documents 0 and 1 read alike, 2 and 3 do not; seeded start, full softmax, Adam."""
    pc, model, _, _ = dm(mode)
    text = [[0, 1, 2, 0, 3], [0, 1, 2, 0, 3], [5, 6, 4, 5, 6], [2, 4, 0, 6, 1]]
    padded = [[EMPTY, EMPTY, *words] for words in text]
    slots = [words[i : i + K] for words in padded for i in range(5)]
    targets = np.concatenate(text)
    every = id_windows(np.repeat(range(4), 5), slots, targets)
    outputs = pc.parameters_from_numpy(0.1 * numbers(V, model.size))
    trainer = dy.AdamTrainer(pc, 0.02)
    for _ in range(500):
        dy.renew_cg()
        loss = softmax_loss(outputs, model.hidden(every), range(20), targets)
        nats = loss.value()
        loss.backward()
        trainer.update()
    dy.renew_cg()
    scores = outputs.as_array() @ matrix(model.hidden(every))
    p = (np.exp(scores) / np.exp(scores).sum(axis=0)).reshape(V, 4, 5)
    assert np.abs(p[:, 0] - p[:, 1]).max() < 0.02
    assert np.abs(p[:, 0] - p[:, 2]).max() > 0.5
    assert nats / 20 < 0.2


@every_mode
def test_positions_one_by_one_are_all_of_them_together(mode):
    pc, model, _, _ = dm(mode)
    together = matrix(model.hidden(windows()))
    singles = [
        matrix(model.hidden(id_windows([d], [s], [0])))[:, 0] for d, s in zip(DOCUMENTS, SLOTS)
    ]
    np.testing.assert_allclose(together.T, singles, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (([N], [[0, 1]], [0]), "documents: ids must be 0 to 3, found 4"),
        (([0], [[0, V]], [0]), f"words: ids must be 0 to {V - 1}"),
        (([0], [[0, 1, 2]], [0]), r"windows: expected \(P, 2\) slots"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(ids, message):
    pc, model, _, _ = dm("concat")
    with pytest.raises(ValueError, match=message):
        model.hidden(id_windows(*ids))
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_words": 0}, "words"),
        ({"n_documents": 0}, "documents"),
        ({"n_embed": -1}, "words"),
        ({"slots": 0}, "slots"),
        ({"mode": "max"}, "mode: expected one of concat, mean, sum, found 'max'"),
    ],
)
def test_impossible_sizes_are_refused(changed, message):
    sizes = {"n_words": V, "n_documents": N, "n_embed": D, "slots": K, **changed}
    with pytest.raises(ValueError, match=message):
        PvDm(dy.ParameterCollection(), **sizes)
