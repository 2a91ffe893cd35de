"""T24: true ranks against a loop over all points; what is reported of them."""

import math

import numpy as np
import pytest

from dynotes.tips.lsh import HyperplaneLSH
from dynotes.tips.lsh_ranks import rank_report, true_ranks
from tests.reference import lsh as reference

SIMILARITIES = {False: reference.cosine, True: reference.inner}
both = pytest.mark.parametrize("inner_product", [False, True], ids=["cosine", "inner product"])


def vectors(n, seed=0, dim=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) * rng.uniform(0.2, 3.0, (n, 1))


@both
@pytest.mark.parametrize("block", [8, 2**18])
def test_a_rank_is_one_more_than_the_number_of_better_points(inner_product, block, monkeypatch):
    monkeypatch.setattr("dynotes.tips.lsh_vectors.BLOCK", block)
    points, queries = vectors(30), vectors(6, 1)
    ids = np.random.default_rng(2).integers(0, 30, (6, 5))
    found = true_ranks(points, queries, ids, inner_product=inner_product)
    similarity = SIMILARITIES[inner_product]
    for query, own, ranks in zip(queries, ids, found):
        assert ranks.tolist() == [reference.rank(points, query, i, similarity) for i in own]


@both
def test_the_ranks_of_an_exhaustive_search_count_from_one(inner_product):
    points, queries = vectors(30), vectors(6, 1)
    index = HyperplaneLSH(4, 3, 1, inner_product=inner_product)
    index.build(points)
    ids = index.query(queries, 30, rerank=30).ids
    found = true_ranks(points, queries, ids, inner_product=inner_product)
    assert found.tolist() == [list(range(1, 31))] * 6


def test_equal_points_share_the_better_rank_wherever_they_stand():
    one = vectors(5)
    points = np.concatenate([one, one * 3, one[:1]])
    found = true_ranks(points, one, np.arange(11)[None].repeat(5, axis=0))
    singles = true_ranks(one, one, np.arange(5)[None].repeat(5, axis=0))
    for query, ranks in zip(singles, found):
        copies = np.array([3, 2, 2, 2, 2])
        expected = [1 + copies[query < rank].sum() for rank in query]
        assert ranks.tolist() == [*expected, *expected, expected[0]]


def test_float32_points_are_ranked_like_the_same_numbers_in_float64():
    points, queries = vectors(30).astype(np.float32), vectors(6, 1).astype(np.float32)
    ids = np.arange(30)[None].repeat(6, axis=0)
    found = true_ranks(points, queries, ids)
    np.testing.assert_array_equal(found, true_ranks(points.astype(float), queries, ids))


def test_nothing_found_ranks_behind_all_points():
    found = true_ranks(vectors(9), vectors(2, 1), [[0, -1], [-1, -1]])
    assert found[:, 1].tolist() == [10, 10]
    assert found[1, 0] == 10
    assert 1 <= found[0, 0] <= 9


def test_zero_points_have_ranks_for_inner_products_only():
    points, queries = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 0.0]])
    assert true_ranks(points, queries, [[0, 1, 2]], inner_product=True).tolist() == [[2, 1, 3]]
    with pytest.raises(ValueError, match="points: row 0 has length 0"):
        true_ranks(points, queries, [[0]])


def test_the_report_is_of_the_best_point_found_for_each_query():
    ranks = np.array([[7, 2, 9], [1, 4, 3], [11, 12, 10], [8, 5, 6]])
    report = rank_report(ranks, k=4)
    best = [2, 1, 10, 5]
    assert report.mean_rank == np.mean(best) == 4.5
    assert report.mean_rank_error == pytest.approx(np.std(best, ddof=1) / 2)
    assert report.median_rank == 3.5
    assert report.top1 == 0.25
    assert report.recall == (1 + 3 + 0 + 0) / 16
    assert report.candidates == 3


def test_recall_at_k_is_the_share_of_the_true_k_nearest():
    points, queries = vectors(60), vectors(20, 1)
    index = HyperplaneLSH(4, 8, 1)
    index.build(points)
    found = index.query(queries, 10, rerank=20)
    shares = []
    for query, ids in zip(queries, found.ids.tolist()):
        truth = reference.best(points, query, 10, reference.cosine)
        shares.append(len(set(ids) & set(truth)) / 10)
    report = rank_report(true_ranks(points, queries, found.ids), 10, found.candidates)
    assert 0.2 < report.recall < 1
    assert report.recall == pytest.approx(np.mean(shares))
    assert report.candidates == 20


def test_ties_do_not_raise_the_recall_above_one():
    assert rank_report([[1, 1, 1], [1, 4, 5]], k=2).recall == 0.75


def test_one_query_has_no_standard_error():
    assert math.isnan(rank_report([[3]]).mean_rank_error)


@pytest.mark.parametrize(
    ("points", "queries", "ids", "message"),
    [
        (vectors(9)[0], vectors(2), [[0]] * 2, r"points: expected shape \(N, D\), found \(4,\)"),
        (vectors(9), vectors(2, dim=3), [[0]] * 2, r"queries: expected shape \(N, 4\)"),
        (vectors(9), vectors(2) * np.nan, [[0]] * 2, "queries: row 0 holds a NaN"),
        (vectors(9), vectors(2) * 0, [[0]] * 2, "queries: row 0 has length 0"),
        (vectors(9), vectors(2), [[0]] * 3, r"ids: expected ints \(2, m\)"),
        (vectors(9), vectors(2), [0, 1], r"ids: expected ints \(2, m\)"),
        (vectors(9), vectors(2), [[], []], r"ids: expected ints \(2, m\)"),
        (vectors(9), vectors(2), [[0.0]] * 2, r"ids: expected ints \(2, m\), found float64"),
        (vectors(9), vectors(2), [[0], [9]], "ids: expected -1 to 8, found 0 to 9"),
        (vectors(9), vectors(2), [[0], [-2]], "ids: expected -1 to 8, found -2 to 0"),
    ],
)
def test_what_has_no_rank_is_refused(points, queries, ids, message):
    with pytest.raises(ValueError, match=message):
        true_ranks(points, queries, ids)


@pytest.mark.parametrize(
    ("ranks", "k", "candidates", "message"),
    [
        ([[0, 1]], 1, None, r"ranks: expected ints \(Q, m\) >= 1"),
        ([1, 2], 1, None, r"ranks: expected ints \(Q, m\) >= 1, found shape \(2,\)"),
        (np.empty((0, 3), int), 1, None, "ranks: expected ints"),
        ([[1.5]], 1, None, "ranks: expected ints"),
        ([[1]], 0, None, "k: expected a whole number from 1"),
        ([[1]], 1, [1, 2], r"candidates: expected shape \(1,\), found \(2,\)"),
    ],
)
def test_what_cannot_be_reported_is_refused(ranks, k, candidates, message):
    with pytest.raises(ValueError, match=message):
        rank_report(ranks, k, candidates)
