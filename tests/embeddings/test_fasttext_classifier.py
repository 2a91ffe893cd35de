"""T58: the classifier: losses and probabilities against loops, gradients, factors, bad input."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.text_bags import Gold, text_bags
from dynotes.graph.arrays import read
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import fasttext as ref

R, D, L = 8, 3, 4
TEXTS = [[1, 2, 1], [0], [5, 7, 3, 2]]
LABELS = [0, 3, 3]
SETS = [[0, 2], [3], [1, 3]]
outputs = pytest.mark.parametrize("output", ["softmax", "one-vs-all"])


def made(output="softmax", seed=0):
    """(collection, model, its two matrices)."""
    rng = np.random.default_rng(seed)
    A, B = (rng.normal(0, 0.7, (n, D)).astype(np.float32).astype(float) for n in (R, L))
    pc = dy.ParameterCollection()
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, n_labels=L, output=output)
    set_value(model.A, A)
    set_value(model.B, B)
    return pc, model, A, B


def bags(texts=TEXTS):
    return text_bags(np.concatenate(texts), np.cumsum([len(t) for t in texts]))


def gold(sets):
    columns = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    return Gold(columns, np.array([y for s in sets for y in s], np.int64))


def gold_of(output):
    return gold([[y] for y in LABELS]) if output == "softmax" else gold(SETS)


def test_the_hidden_vector_is_the_mean_of_the_rows_of_a_text():
    pc, model, A, _ = made()
    expected = [ref.hidden(A, text) for text in TEXTS]
    np.testing.assert_allclose(read(model.hidden(bags()))[..., 0].T, expected, atol=1e-6)
    assert pc.parameter_count()


def test_scores_are_the_linear_layer_of_the_mean():
    pc, model, A, B = made()
    expected = [B @ ref.hidden(A, text) for text in TEXTS]
    np.testing.assert_allclose(read(model.scores(bags())).T, expected, atol=1e-6)
    assert pc.parameter_count()


def test_the_softmax_loss_is_its_definition():
    pc, model, A, B = made()
    expected = [ref.softmax_loss(A, B, text, y) for text, y in zip(TEXTS, LABELS)]
    found = read(model.loss(bags(), gold_of("softmax")))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_the_loss_of_one_vs_all_is_that_of_a_logistic_regression_a_label():
    pc, model, A, B = made("one-vs-all")
    expected = [ref.one_vs_all_loss(A, B, text, ys) for text, ys in zip(TEXTS, SETS)]
    found = read(model.loss(bags(), gold(SETS)))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_one_vs_all_takes_texts_without_any_label():
    pc, model, A, B = made("one-vs-all")
    sets = [[], [3], []]
    expected = [ref.one_vs_all_loss(A, B, text, ys) for text, ys in zip(TEXTS, sets)]
    np.testing.assert_allclose(read(model.loss(bags(), gold(sets)))[0], expected, rtol=1e-5)
    none = [ref.one_vs_all_loss(A, B, text, []) for text in TEXTS]
    np.testing.assert_allclose(read(model.loss(bags(), gold([[]] * 3)))[0], none, rtol=1e-5)
    assert pc.parameter_count()


@outputs
def test_the_loss_is_made_of_the_probabilities(output):
    pc, model, _, _ = made(output)
    p = np.exp(read(model.log_probs(bags())).astype(float))
    losses = read(model.loss(bags(), gold_of(output)))[0]
    if output == "softmax":
        np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-6)
        expected = [-np.log(p[y, i]) for i, y in enumerate(LABELS)]
    else:
        right = np.array([[p[y, i] if y in s else 1 - p[y, i] for y in range(L)]
                          for i, s in enumerate(SETS)])  # fmt: skip
        expected = -np.log(right).sum(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert pc.parameter_count()


@outputs
def test_gradients_are_those_of_finite_differences(output):
    pc, model, _, _ = made(output)
    assert_gradients(
        lambda: asymmetric(model.loss(bags(), gold_of(output))), [model.A, model.B]
    )
    assert pc.parameter_count()


@outputs
def test_a_batch_is_the_texts_one_by_one(output):
    pc, model, _, _ = made(output)
    g = gold_of(output)
    together = read(model.loss(bags(), g))[0]
    alone = [
        model.loss(bags([text]), gold([g.labels[g.columns == i]])).scalar_value()
        for i, text in enumerate(TEXTS)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert pc.parameter_count()


def test_the_order_of_the_rows_of_a_text_does_not_matter():
    pc, model, _, _ = made()
    turned = bags([text[::-1] for text in TEXTS])
    np.testing.assert_array_equal(read(model.scores(bags())), read(model.scores(turned)))
    assert pc.parameter_count()


def test_before_training_every_label_is_as_likely():
    pc = dy.ParameterCollection()
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, n_labels=L)
    np.testing.assert_allclose(read(model.log_probs(bags())), -np.log(L), rtol=1e-6)
    assert np.abs(model.A.as_array()).max() <= 1 / D


def test_steps_along_the_gradient_separate_separable_texts():
    pc = dy.ParameterCollection()
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, n_labels=L)
    trainer = dy.SimpleSGDTrainer(pc, 0.5)
    for _ in range(200):
        dy.renew_cg()
        dy.sum_batches(model.loss(bags(), gold([[0], [3], [2]]))).backward()
        trainer.update()
    dy.renew_cg()
    assert read(model.log_probs(bags())).argmax(axis=0).tolist() == [0, 3, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.hidden(bags([[R]])), f"rows: ids must be 0 to {R - 1}"),
        (lambda m: m.loss(bags(), gold([[0], [L], [1]])), f"labels: ids must be 0 to {L - 1}"),
        (lambda m: m.loss(bags(), gold([[0, 1], [2], []])), "expected one of each of 3 texts"),
        (lambda m: m.loss(bags(), gold([[0], [2]])), "expected one of each of 3 texts"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    pc, model, _, _ = made()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert pc.parameter_count()


def test_one_vs_all_refuses_labels_of_texts_that_are_not_there():
    pc, model, _, _ = made("one-vs-all")
    with pytest.raises(ValueError, match="texts: ids must be 0 to 2"):
        model.loss(bags(), Gold(np.array([3]), np.array([0])))
    assert pc.parameter_count()


@pytest.mark.parametrize("sizes", [(0, 3, 2), (4, 0, 2), (4, 3, 0)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="expected 1 to"):
        FastTextClassifier(
            dy.ParameterCollection(), **dict(zip(("n_rows", "n_embed", "n_labels"), sizes))
        )


def test_another_output_is_refused():
    with pytest.raises(ValueError, match="output: expected one of softmax"):
        FastTextClassifier(
            dy.ParameterCollection(), n_rows=2, n_embed=2, n_labels=2, output="sparsemax"
        )
