"""T61: PV-DBOW: the document is skip-gram's centre, and its optimum is the document."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.paragraphs import Mixture
from dynotes.embeddings.pv_dbow import PvDbow
from dynotes.graph.arrays import read
from tests.embeddings.paragraph_tables import D, N, V, dbow, numbers, softmax_loss
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import paragraphs as ref
from tests.reference import word2vec

NO_WORDS = np.zeros(0, int)
TARGETS = np.array([1, 1, 5, 0, 3])
SOME = Mixture(np.array([0, 3]), NO_WORDS, np.array([0, 0, 1, 1, 1]), TARGETS)
MIXED = Mixture(np.array([0, 3]), np.array([1, 2, 6]), np.array([0, 0, 1, 2, 4]), TARGETS)
TEXT = [[0, 1, 1, 2, 0, 0], [3, 3, 4, 5], [6, 0, 1, 2, 3, 4, 5], [2, 2, 6]]
both = pytest.mark.parametrize("words", [False, True])


def matrix(e):
    return read(e)[..., 0]


def test_the_columns_are_the_vectors_of_the_documents_then_of_the_words():
    pc, model, words, documents = dbow(words=True)
    expected = np.vstack([documents[[0, 3]], words[[1, 2, 6]]])
    np.testing.assert_array_equal(matrix(model.hidden(MIXED)).T, expected.astype(np.float32))
    found = matrix(model.hidden(SOME)).T
    np.testing.assert_array_equal(found, documents[[0, 3]].astype(np.float32))
    assert pc.parameter_count()


def test_the_loss_is_skip_grams_with_the_document_as_the_centre():
    pc, model, words, documents = dbow(words=True)
    u = numbers(V, D, 3)
    outputs = pc.parameters_from_numpy(u)
    vectors = [*documents[[0, 3]], *words[[1, 2, 6]]]
    expected = sum(word2vec.nll(vectors[c], u, o) for c, o in zip(MIXED.columns, TARGETS))
    found = softmax_loss(outputs, model.hidden(MIXED), MIXED.columns, TARGETS).value()
    assert found == pytest.approx(expected, rel=1e-5)


@both
def test_gradients_are_those_of_finite_differences(words):
    pc, model, _, _ = dbow(words)
    some = MIXED if words else SOME
    tables = [model.documents, *([model.inputs] if words else [])]
    outputs = pc.parameters_from_numpy(numbers(V, D, 3))
    assert_gradients(
        lambda: softmax_loss(outputs, model.hidden(some), some.columns, some.targets),
        [*tables, outputs],
    )


def test_the_optimum_of_the_full_softmax_is_each_documents_distribution_of_words():
    """KL(document || model) below 1e-3 with D = V; seeded tables, 800 Adam steps."""
    pc, model, _, _ = dbow(n_embed=V)
    outputs = pc.parameters_from_numpy(numbers(V, V, 3))
    columns = np.repeat(range(N), [len(words) for words in TEXT])
    targets = np.concatenate(TEXT)
    every = Mixture(np.arange(N), NO_WORDS, columns, targets)
    trainer = dy.AdamTrainer(pc, 0.05)
    for step in range(800):
        trainer.learning_rate = 0.05 * (1 - step / 800)
        dy.renew_cg()
        loss = softmax_loss(outputs, model.hidden(every), columns, targets)
        loss.backward()
        trainer.update()
    scores = outputs.as_array() @ model.documents.as_array().T
    log_p = scores - np.log(np.exp(scores).sum(axis=0))
    for d, words in enumerate(TEXT):
        p = ref.word_shares(words, V)
        there = p > 0
        assert (p[there] * (np.log(p[there]) - log_p[there, d])).sum() < 1e-3


@both
def test_factors_scale_the_gradient_of_each_row_and_not_the_value(words):
    pc, model, _, _ = dbow(words)
    factors = [np.linspace(0.1, 2, t.shape()[0]).astype(np.float32) for t in model.tables]
    found = []
    for one in (None, factors):
        dy.renew_cg()
        loss = asymmetric(model.hidden(MIXED if words else SOME, one))
        value = loss.value()
        loss.backward()
        found.append([value, *(np.array(t.grad_as_array()) for t in model.tables)])
        for table in model.tables:
            table.scale_gradient(0.0)
    assert found[0][0] == found[1][0]
    for plain, scaled, factor in zip(found[0][1:], found[1][1:], factors):
        np.testing.assert_allclose(scaled, plain * factor[:, None], rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


@both
def test_the_mass_of_a_row_is_the_number_of_its_losses(words):
    pc, model, _, _ = dbow(words)
    losses = np.array([1.0, 2.0, 3.0, 4.0, 5.0])[: 5 if words else 2]
    found = model.masses(MIXED if words else SOME, losses)
    plain = [{int(i): m for ids, some in parts for i, m in zip(ids, some)} for parts in found]
    expected = [{0: 1.0, 3: 2.0}]
    assert plain == ([{1: 3.0, 2: 4.0, 6: 5.0}, *expected] if words else expected)
    assert pc.parameter_count()


def test_new_documents_take_the_place_of_the_tables_and_the_words_are_held():
    pc, model, words, _ = dbow(words=True)
    other = dy.ParameterCollection()
    fresh = other.add_lookup_parameters((2, D))
    set_value(fresh, numbers(2, D, 5))
    H = model.hidden(MIXED._replace(documents=np.arange(2), words=np.array([4])), documents=fresh)
    expected = np.vstack([numbers(2, D, 5), words[[4]]])
    np.testing.assert_array_equal(matrix(H).T, expected.astype(np.float32))
    asymmetric(H).backward()
    assert np.abs(fresh.grad_as_array()).min() > 0
    assert not model.inputs.grad_as_array().any()
    assert not model.documents.grad_as_array().any()
    assert pc.parameter_count() != other.parameter_count()


@pytest.mark.parametrize(
    ("words", "mixture", "message"),
    [
        (False, SOME._replace(documents=np.array([N])), "documents: ids must be 0 to 3, found 4"),
        (False, SOME._replace(documents=NO_WORDS), "documents: no ids"),
        (False, MIXED, "words: expected none"),
        (True, MIXED._replace(words=np.array([V])), f"words: ids must be 0 to {V - 1}"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(words, mixture, message):
    pc, model, _, _ = dbow(words)
    with pytest.raises(ValueError, match=message):
        model.hidden(mixture)
    assert pc.parameter_count()


@pytest.mark.parametrize("sizes", [(0, 3, 2), (3, 0, 2), (3, 3, 0)])
def test_impossible_sizes_are_refused(sizes):
    n_words, n_documents, n_embed = sizes
    with pytest.raises(ValueError, match=r"words|documents"):
        PvDbow(dy.ParameterCollection(), n_words=n_words, n_documents=n_documents, n_embed=n_embed)
