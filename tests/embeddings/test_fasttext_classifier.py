"""T58: the classifier: losses and probabilities against loops, gradients, factors, bad input."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings import fasttext_classifier
from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.text_bags import Gold, text_bags
from dynotes.graph.arrays import read
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference import fasttext as ref

R, D, L = 8, 3, 4
TEXTS = [[1, 2, 1], [0], [5, 7, 3, 2]]
LABELS = [0, 3, 3]
SETS = [[0, 2], [3], [1, 3]]
COUNTS = [9, 1, 2, 4]
TREE = {0: "1", 3: "01", 2: "001", 1: "000"}  # of these counts, by hand
OUTPUTS = ["softmax", "hierarchical-softmax", "one-vs-all"]
outputs = pytest.mark.parametrize("output", OUTPUTS)


def made(output="softmax", seed=0):
    """(collection, model, its two matrices)."""
    rng = np.random.default_rng(seed)
    pc = dy.ParameterCollection()
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, counts=COUNTS, output=output)
    tables = (model.A, layer(model))
    arrays = [rng.normal(0, 0.7, t.shape()).astype(np.float32).astype(float) for t in tables]
    for table, array in zip(tables, arrays):
        set_value(table, array)
    return pc, model, *arrays


def layer(model):
    return model.tree.outputs if model.output == "hierarchical-softmax" else model.B


def bags(texts=TEXTS):
    return text_bags(np.concatenate(texts), np.cumsum([len(t) for t in texts]))


def gold(sets):
    columns = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    return Gold(columns, np.array([y for s in sets for y in s], np.int64))


def gold_of(output):
    return gold(SETS if output == "one-vs-all" else [[y] for y in LABELS])


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
    found = read(model.losses(bags(), gold_of("softmax")))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_the_loss_of_one_vs_all_is_that_of_a_logistic_regression_a_label():
    pc, model, A, B = made("one-vs-all")
    expected = [ref.one_vs_all_loss(A, B, text, ys) for text, ys in zip(TEXTS, SETS)]
    found = read(model.losses(bags(), gold(SETS)))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_the_hierarchical_loss_is_the_sum_of_its_questions():
    pc, model, A, U = made("hierarchical-softmax")
    assert {y: model.tree.tree.code(y) for y in range(L)} == TREE
    way = {"": 2, "0": 1, "00": 0}  # nodes by the code so far
    expected = []
    for text, y in zip(TEXTS, LABELS):
        h, code = ref.hidden(A, text), TREE[y]
        asked = [(U[way[code[:j]]] @ h, bit == "1") for j, bit in enumerate(code)]
        expected.append(sum(np.logaddexp(0, s if one else -s) for s, one in asked))
    found = read(model.losses(bags(), gold_of("hierarchical-softmax")))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert pc.parameter_count()


def test_one_vs_all_takes_texts_without_any_label():
    pc, model, A, B = made("one-vs-all")
    sets = [[], [3], []]
    expected = [ref.one_vs_all_loss(A, B, text, ys) for text, ys in zip(TEXTS, sets)]
    np.testing.assert_allclose(read(model.losses(bags(), gold(sets)))[0], expected, rtol=1e-5)
    none = [ref.one_vs_all_loss(A, B, text, []) for text in TEXTS]
    np.testing.assert_allclose(read(model.losses(bags(), gold([[]] * 3)))[0], none, rtol=1e-5)
    assert pc.parameter_count()


def probabilities(model, texts=TEXTS):
    return np.exp(model.log_probs(read(model.scores(bags(texts)))).astype(float))


@outputs
@pytest.mark.parametrize("ways", [1, 1 << 22])
def test_the_losses_are_those_of_the_probabilities(output, ways, monkeypatch):
    monkeypatch.setattr(fasttext_classifier, "WAYS", ways)
    pc, model, _, _ = made(output)
    p, losses = probabilities(model), read(model.losses(bags(), gold_of(output)))[0]
    if output == "one-vs-all":
        right = [[p[y, i] if y in s else 1 - p[y, i] for y in range(L)] for i, s in enumerate(SETS)]
        expected = -np.log(right).sum(axis=1)
    else:
        np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-6)
        expected = [-np.log(p[y, i]) for i, y in enumerate(LABELS)]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert pc.parameter_count()


def test_log_probabilities_of_large_scores_are_finite():
    scores = np.array([[900.0], [-900.0], [0.0], [800.0]], np.float32)
    for output, expected in (
        ("softmax", [0, -1800, -900, -100]),
        ("one-vs-all", [0, -900, None, 0]),
    ):
        pc, model, _, _ = made(output)
        found = model.log_probs(scores)[:, 0]
        assert np.isfinite(found).all()
        for a, b in zip(found, expected):
            assert b is None or a == pytest.approx(b, abs=1e-6)
        assert pc.parameter_count()


@outputs
def test_the_loss_is_the_sum_of_the_losses(output):
    pc, model, _, _ = made(output)
    total = model.loss(bags(), gold_of(output)).scalar_value()
    assert total == pytest.approx(read(model.losses(bags(), gold_of(output))).sum(), rel=1e-6)
    assert pc.parameter_count()


@outputs
def test_gradients_are_those_of_finite_differences(output):
    pc, model, _, _ = made(output)
    tables = [model.A, layer(model)]
    assert_gradients(lambda: asymmetric(model.losses(bags(), gold_of(output))), tables)
    assert_gradients(lambda: model.loss(bags(), gold_of(output)), tables)
    assert pc.parameter_count()


@outputs
def test_a_batch_is_the_texts_one_by_one(output):
    pc, model, _, _ = made(output)
    g = gold_of(output)
    together = read(model.losses(bags(), g))[0]
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
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, counts=COUNTS)
    np.testing.assert_allclose(probabilities(model), 1 / L, rtol=1e-6)
    assert np.abs(model.A.as_array()).max() <= 1 / D


@outputs
def test_steps_along_the_gradient_separate_separable_texts(output):
    pc = dy.ParameterCollection()
    model = FastTextClassifier(pc, n_rows=R, n_embed=D, counts=COUNTS, output=output)
    trainer = dy.SimpleSGDTrainer(pc, 0.5)
    for _ in range(200):
        dy.renew_cg()
        model.loss(bags(), gold([[0], [3], [2]])).backward()
        trainer.update()
    dy.renew_cg()
    assert probabilities(model).argmax(axis=0).tolist() == [0, 3, 2]


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


@pytest.mark.parametrize(
    "change", [{"n_rows": 0}, {"n_embed": 0}, {"counts": []}, {"counts": [-1, 2]}], ids=str
)
def test_impossible_sizes_are_refused(change):
    with pytest.raises(ValueError, match=r"expected 1 to|counts:"):
        FastTextClassifier(
            dy.ParameterCollection(), **{"n_rows": 2, "n_embed": 2, "counts": [1, 1], **change}
        )


def test_another_output_is_refused():
    with pytest.raises(ValueError, match="output: expected one of softmax"):
        FastTextClassifier(
            dy.ParameterCollection(), n_rows=2, n_embed=2, counts=[1, 1], output="sparsemax"
        )
