"""T64: fitting compositions: parts, batches, the best epoch, held-out cosines, a planted model."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.composition_baselines import LinearComposition, additive
from dynotes.embeddings.tensor_indexing import TensorIndexing
from dynotes.training.lm_step import TrainingError
from dynotes.training.parameters import named_parameters
from dynotes.training.word2vec import composition
from dynotes.training.word2vec.composition import (
    Parts,
    PhraseRows,
    batches,
    composed,
    cosines,
    fit,
    mean_cosines,
    mean_error,
    split,
)
from tests.helpers import set_value

D = 3
OPTIONS = {"ridge": 0.0, "epochs": 60, "rate": 0.02, "patience": 60}


def planted(count=300, types=1, seed=0):
    """(vectors, phrases) whose phrases are composed by a model of rank 1."""
    rng = np.random.default_rng(seed)
    words = rng.normal(size=(40, D)).astype(np.float32)
    first, second = rng.integers(0, 40, (2, count))
    kinds = np.arange(count) % types
    rows = PhraseRows(first, second, np.arange(40, 40 + count), kinds)
    pc = dy.ParameterCollection()
    model = TensorIndexing(pc, n_embed=D, rank=1, types=types)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.5, p.shape()).astype(np.float32))
    blank = np.vstack((words, np.zeros((count, D), np.float32)))
    return np.vstack((words, composed(model, blank, rows))), rows


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("count", "share", "size"), [(100, 0.1, 10), (3, 0.1, 1), (5, 0.45, 2)])
def test_the_parts_are_disjoint_and_complete(count, share, size):
    rows = PhraseRows(*(np.arange(count) + k for k in range(4)))
    parts = split(rows, share, rng())
    assert [p.size for p in parts] == [count - 2 * size, size, size]
    assert sorted(np.concatenate([p.first for p in parts])) == list(range(count))
    assert all((p.kinds == p.first + 3).all() for p in parts)


def test_batches_hold_every_phrase_once_and_one_type_each(monkeypatch):
    monkeypatch.setattr(composition, "BATCH", 20)
    kinds = np.array([0] * 200 + [2] * 50 + [1] + [3] * 16)
    found = list(batches(kinds, rng()))
    assert sorted(np.concatenate(found)) == list(range(267))
    assert all(len(rows) <= 20 and len(set(kinds[rows])) == 1 for rows in found)
    often = np.bincount([kinds[rows[0]] for rows in found])
    assert often.tolist() == [10, 1, 7, 2]  # 200/20; one; 50/8; 16/8


@pytest.mark.parametrize("types", [1, 2])
def test_a_planted_model_is_found_on_phrases_that_were_held_out(types):
    """Mean error of the test part below 1 % of |z|^2; addition leaves more than half of it."""
    vectors, rows = planted(600, types)
    parts = split(rows, 0.1, rng())
    model = TensorIndexing(dy.ParameterCollection(), n_embed=D, rank=1, types=types)
    result = fit(model, vectors, parts, **{**OPTIONS, "epochs": 200}, rng=rng())
    size = (vectors[parts.test.phrase] ** 2).sum(axis=1).mean()
    assert mean_error(model, vectors, parts.test) < 0.01 * size
    added = composed(additive, vectors, parts.test, by_kind=False)
    assert ((added - vectors[parts.test.phrase]) ** 2).sum(axis=1).mean() > 0.5 * size
    assert result.best > 0


def test_rare_types_learn_as_well_beside_a_frequent_one():
    """One type of 400 phrases and ten of 40, each of its own planted matrix, in 60 epochs."""
    draw = rng(4)
    count, kinds = 800, np.concatenate((np.zeros(400, int), 1 + np.arange(400) % 10))
    words = draw.normal(size=(40, D))
    first, second = draw.integers(0, 40, (2, count))
    W = draw.normal(size=(11, D, 2 * D))
    z = np.einsum("rij,rj->ri", W[kinds], np.hstack((words[first], words[second])))
    vectors = np.vstack((words, z)).astype(np.float32)
    rows = PhraseRows(first, second, np.arange(40, 840), kinds)
    parts = split(rows, 0.1, rng())
    model = LinearComposition(dy.ParameterCollection(), n_embed=D, types=11)
    fit(model, vectors, parts, **{**OPTIONS, "rate": 0.05}, rng=rng())
    assert mean_error(model, vectors, parts.test) < 0.01 * (z**2).sum(axis=1).mean()


def test_batches_of_other_types_move_nothing_of_a_type(monkeypatch):
    vectors, rows = planted(types=2)
    parts = split(rows, 0.2, rng())
    first, other = (np.flatnonzero(parts.fit.kinds == kind) for kind in (1, 0))
    found = []
    for order in ([first], [first, *[other] * 30]):
        monkeypatch.setattr(composition, "batches", lambda *_, order=order: iter(order))
        model = LinearComposition(dy.ParameterCollection(), n_embed=D, types=2)
        fit(model, vectors, parts, **{**OPTIONS, "epochs": 1}, rng=rng())
        found.append(model.W[1].as_array())
    np.testing.assert_array_equal(*found)
    assert (found[0] != np.tile(np.eye(D), 2)).any()


def test_the_parameters_are_those_of_the_best_epoch():
    vectors, rows = planted()
    parts = split(rows, 0.2, rng())
    model = LinearComposition(dy.ParameterCollection(), n_embed=D)
    result = fit(model, vectors, parts, **{**OPTIONS, "rate": 0.5}, rng=rng())
    assert mean_error(model, vectors, parts.dev) == pytest.approx(result.dev_error, rel=1e-6)
    assert result.epochs == 60


def test_it_stops_where_dev_has_not_become_better_for_a_while():
    vectors, rows = planted()
    noise = rng(3).normal(size=(300, D)).astype(np.float32)
    vectors = np.vstack((vectors[:40], noise))
    model = TensorIndexing(dy.ParameterCollection(), n_embed=D, rank=3)
    parts = split(rows, 0.2, rng())
    result = fit(model, vectors, parts, **{**OPTIONS, "rate": 0.1, "patience": 3}, rng=rng())
    assert result.epochs == result.best + 3 < 60


def test_equal_seeds_give_equal_bits():
    vectors, rows = planted()
    found = []
    for _ in range(2):
        dy.reset_random_seed(5)
        model = TensorIndexing(dy.ParameterCollection(), n_embed=D)
        parts = split(rows, 0.2, rng())
        fit(model, vectors, parts, **{**OPTIONS, "epochs": 3}, rng=rng())
        found.append(composed(model, vectors, rows))
    np.testing.assert_array_equal(*found)


def test_a_ridge_makes_the_parameters_smaller():
    vectors, rows = planted()
    parts = split(rows, 0.2, rng())
    norms = []
    for ridge in (0.0, 1.0):
        model = LinearComposition(dy.ParameterCollection(), n_embed=D)
        fit(model, vectors, Parts(parts.fit, parts.fit, parts.test), **{**OPTIONS, "ridge": ridge},
            rng=rng())  # fmt: skip
        norms.append(np.linalg.norm(model.W[0].as_array()))
    assert norms[1] < 0.9 * norms[0]


def test_cosines_are_means_over_phrases_and_types():
    vectors = np.array([[1, 0], [0, 1], [1, 1], [2, 0]], np.float32)
    rows = PhraseRows(np.array([0, 1]), np.array([1, 0]), np.array([2, 3]), np.array([0, 1]))
    outputs = {"a": vectors[[2, 1]], "b": vectors[[0, 0]]}
    found = mean_cosines(outputs, vectors, rows, ["x", "y"])
    half = round(0.5**0.5, 4)
    assert found["all"] == {"a": 0.5, "b": pytest.approx((half + 1) / 2, abs=1e-4)}
    assert found["x"] == {"a": 1.0, "b": half, "phrases": 1}
    assert found["y"] == {"a": 0.0, "b": 1.0, "phrases": 1}
    assert cosines(np.zeros((1, 2)), np.ones((1, 2))).tolist() == [0.0]


def test_bad_settings_are_refused():
    rows = PhraseRows(*(np.arange(9) for _ in range(4)))
    with pytest.raises(ValueError, match="at least 3, found 2"):
        split(rows.rows(slice(2)), 0.1, rng())
    for share in (0, 0.5):
        with pytest.raises(ValueError, match="held_out: expected a share"):
            split(rows, share, rng())
    vectors, rows = planted()
    vectors[0] = np.nan
    model = LinearComposition(dy.ParameterCollection(), n_embed=D)
    with pytest.raises((TrainingError, RuntimeError)):
        fit(model, vectors, split(rows, 0.2, rng()), **OPTIONS, rng=rng())
