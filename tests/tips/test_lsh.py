"""T24: the index against brute force, its finds against the closed form, and what it refuses."""

import math

import numpy as np
import pytest

from dynotes.tips.lsh import HyperplaneLSH
from dynotes.tips.lsh_codes import candidate_probability, collision_probability
from tests.reference import lsh as reference

D = 5
SIMILARITIES = {False: reference.cosine, True: reference.inner}
both = pytest.mark.parametrize("inner_product", [False, True], ids=["cosine", "inner product"])


def vectors(n, seed=0, dim=D):
    """Directions and lengths vary."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) * rng.uniform(0.2, 3.0, (n, 1))


def index_of(points, bits=12, seed=1, **options):
    index = HyperplaneLSH(points.shape[1], bits, seed, **options)
    index.build(points)
    return index


def loop_codes(index, rows, table, query):
    """Codes of one table as lists of bits, by loops over the hyperplanes."""
    planes = index.to_arrays()["planes"]
    own = planes[:, table * index.bits : (table + 1) * index.bits].tolist()
    if not index.inner_product:
        return [reference.bits(x, own) for x in rows]
    longest = max(reference.inner(x, x) for x in index.to_arrays()["points"])
    last = [0.0 if query else math.sqrt(longest - reference.inner(x, x)) for x in rows]
    return [reference.bits([*x, more], own) for x, more in zip(rows, last)]


def joined_codes(index, rows, query):
    """The codes of all tables in one list of bits a row."""
    by_table = [loop_codes(index, rows, t, query) for t in range(index.tables)]
    return [[bit for code in codes for bit in code] for codes in zip(*by_table)]


# --- codes ---------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(("bits", "tables"), [(1, 1), (12, 3), (64, 1), (70, 2)])
def test_a_code_holds_the_sides_of_its_hyperplanes(inner_product, bits, tables):
    index = index_of(vectors(9), bits, tables=tables, inner_product=inner_product)
    points, queries = index.to_arrays()["points"], vectors(4, 2)
    encoded = index.encode(queries)
    assert index.codes.shape == (9, tables, -(-bits // 64))
    for t in range(tables):
        for found, rows, query in ((index.codes, points, False), (encoded, queries, True)):
            expected = loop_codes(index, rows, t, query)
            assert [reference.word_bits(code[t], bits) for code in found] == expected


def test_the_hyperplanes_are_normal_and_independent():
    planes = HyperplaneLSH(50, 400, 3).to_arrays()["planes"]
    n = planes.size
    assert abs(planes.mean()) < 5 / math.sqrt(n)
    assert abs(planes.var() - 1) < 5 * math.sqrt(2 / n)
    products = planes.T @ planes / 50 - np.eye(400)
    assert np.abs(products).max() < 6 * math.sqrt(2 / 50)


@both
def test_the_same_seed_gives_the_same_codes_and_another_seed_others(inner_product):
    a, b, c = (
        index_of(vectors(50), 40, seed, inner_product=inner_product).codes for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()


def test_a_point_has_the_code_it_has_as_a_query():
    points = vectors(30)
    index = index_of(points, 100)
    np.testing.assert_array_equal(index.encode(points), index.codes)


@both
def test_codes_do_not_depend_on_the_blocks_they_are_computed_in(inner_product, monkeypatch):
    points = vectors(40)
    expected = index_of(points, 70, inner_product=inner_product)
    singles = np.concatenate([expected.encode(q[None]) for q in points])
    np.testing.assert_array_equal(singles, expected.encode(points))
    monkeypatch.setattr("dynotes.tips.lsh_vectors.BLOCK", 300)
    found = index_of(points, 70, inner_product=inner_product)
    np.testing.assert_array_equal(found.codes, expected.codes)


def test_the_length_of_a_vector_does_not_change_its_code():
    points = vectors(30)
    index = index_of(points, 100)
    np.testing.assert_array_equal(index.encode(points * 2.0**7), index.codes)


@both
def test_adding_piece_by_piece_equals_building_at_once(inner_product):
    points = vectors(30)
    points[20] *= 10  # for inner products the codes of the first twenty change
    whole, pieces = (HyperplaneLSH(D, 33, 2, inner_product=inner_product) for _ in range(2))
    whole.build(points)
    ids = [pieces.add(points[part]).tolist() for part in (slice(12), slice(12, 20), slice(20, 30))]
    assert ids == [list(range(12)), list(range(12, 20)), list(range(20, 30))]
    np.testing.assert_array_equal(pieces.codes, whole.codes)
    queries = vectors(6, 1)
    for one, other in zip(pieces.query(queries, 4, rerank=9), whole.query(queries, 4, rerank=9)):
        np.testing.assert_array_equal(one, other)


def test_buckets_know_the_points_added_after_the_first_lookup():
    points = vectors(20)
    index = index_of(points[:10], 3)
    index.candidates(points)
    index.add(points[10:])
    found, expected = index.candidates(points), index_of(points, 3).candidates(points)
    assert [f.tolist() for f in found] == [e.tolist() for e in expected]


def test_building_again_forgets_the_points_before():
    index = index_of(vectors(20))
    index.build(vectors(7, 3))
    assert len(index) == 7
    np.testing.assert_array_equal(index.codes, index_of(vectors(7, 3)).codes)


@pytest.mark.parametrize("method", ["build", "add"])
def test_points_are_copied_and_float32_stays_float32(method):
    points = vectors(10).astype(np.float32)
    index = HyperplaneLSH(D, 12, 1)
    getattr(index, method)(points)
    kept = points.copy()
    points[:] = 0
    assert index.to_arrays()["points"].dtype == np.float32
    np.testing.assert_array_equal(index.to_arrays()["points"], kept)


# --- searching by codes --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("tables", [1, 3])
@pytest.mark.parametrize("depth", [1, 7, 40])
def test_the_nearest_codes_are_those_of_a_loop(inner_product, tables, depth):
    index = index_of(vectors(40), 6, tables=tables, inner_product=inner_product)
    points, queries = index.to_arrays()["points"], vectors(5, 3)
    stored = joined_codes(index, points, False)
    asked = joined_codes(index, queries, True)
    ids, distances = index.nearest_codes(queries, depth)
    for code, found, at in zip(asked, ids, distances):
        assert found.tolist() == reference.nearest_codes(stored, code, depth)
        assert at.tolist() == [reference.differing(stored[i], code) for i in found]


@both
@pytest.mark.parametrize("k", [1, 5, 60])
def test_re_ranking_everything_is_brute_force(inner_product, k):
    points, queries = vectors(60), vectors(8, 4)
    found = index_of(points, 4, inner_product=inner_product).query(queries, k, rerank=60)
    similarity = SIMILARITIES[inner_product]
    for query, ids, scores in zip(queries, found.ids, found.scores):
        assert ids.tolist() == reference.best(points, query, k, similarity)
        np.testing.assert_allclose(scores, [similarity(points[i], query) for i in ids], rtol=1e-12)
    assert found.candidates.tolist() == [60] * 8


@both
def test_a_query_re_ranks_the_points_with_the_nearest_codes(inner_product):
    points, queries = vectors(60), vectors(8, 4)
    index = index_of(points, 10, inner_product=inner_product)
    near, _ = index.nearest_codes(queries, 9)
    found = index.query(queries, 3, rerank=9)
    for query, among, ids in zip(queries, near.tolist(), found.ids):
        expected = reference.best(points, query, 3, SIMILARITIES[inner_product], among)
        assert ids.tolist() == expected
    assert found.candidates.tolist() == [9] * 8


def test_without_re_ranking_the_one_answer_is_the_nearest_code():
    index, queries = index_of(vectors(60), 10), vectors(8, 4)
    found = index.query(queries, 1).ids
    np.testing.assert_array_equal(found, index.nearest_codes(queries, 1)[0])


def test_of_equal_points_the_first_is_answered_first():
    points = np.repeat(vectors(3), 4, axis=0)[[0, 4, 1, 8, 2, 5, 9, 3, 6, 10, 7, 11]]
    found = index_of(points).query(points, 4, rerank=12).ids
    equal = [np.flatnonzero((points == query).all(axis=1)).tolist() for query in points]
    assert found.tolist() == equal


def test_cosine_and_inner_product_answer_differently():
    """A short vector in the query's direction against a long one beside it."""
    points = np.array([[1.0, 0.0], [4.0, 3.0], [-9.0, 0.0]])
    query = np.array([[1.0, 0.0]])
    by_cosine = index_of(points).query(query, 2, rerank=3)
    by_inner = index_of(points, inner_product=True).query(query, 2, rerank=3)
    assert by_cosine.ids.tolist() == [[0, 1]]
    np.testing.assert_allclose(by_cosine.scores, [[1.0, 0.8]])
    assert by_inner.ids.tolist() == [[1, 0]]
    np.testing.assert_allclose(by_inner.scores, [[4.0, 1.0]])


def test_codes_for_inner_products_rank_long_vectors_first():
    """Same direction, lengths 1 to 10: only the extended codes can tell them apart."""
    points = np.arange(1.0, 11.0)[:, None] * vectors(1)
    assert (index_of(points, 64).codes == index_of(points, 64).codes[0]).all()
    ids, distances = index_of(points, 4096, inner_product=True).nearest_codes(points[:1], 10)
    assert ids[0].tolist() == list(range(9, -1, -1))
    theta = np.arccos(np.arange(10, 0, -1) / 10)
    # 4096 bits: a standard deviation is at most 32
    np.testing.assert_allclose(distances[0], 4096 * theta / math.pi, atol=5 * 32)


def test_zero_points_have_inner_products():
    points = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    found = index_of(points, inner_product=True).query(np.array([[1.0, 0.0]]), 3, rerank=3)
    assert found.ids.tolist() == [[1, 0, 2]]
    assert found.scores.tolist() == [[1.0, 0.0, -1.0]]


# --- searching in buckets ------------------------------------------------------------------------


@both
@pytest.mark.parametrize("radius", [0, 1, 3])
@pytest.mark.parametrize("tables", [1, 2, None])
def test_candidates_share_a_bucket_in_some_table(inner_product, radius, tables, monkeypatch):
    monkeypatch.setattr("dynotes.tips.lsh_vectors.BLOCK", 30)
    index = index_of(vectors(50), 7, tables=3, inner_product=inner_product)
    points, queries = index.to_arrays()["points"], vectors(6, 5)
    used = range(tables or 3)
    stored = [loop_codes(index, points, t, False) for t in used]
    asked = [loop_codes(index, queries, t, True) for t in used]
    found = index.candidates(queries, radius=radius, tables=tables)
    for own, ids in zip(zip(*asked), found):
        assert ids.dtype == np.int64
        assert ids.tolist() == reference.in_buckets(stored, own, radius)


def test_buckets_of_whole_words_work():
    points = vectors(20)
    found = index_of(points, 64).candidates(points, radius=1)
    assert all(i in ids for i, ids in enumerate(found))


def test_all_buckets_are_brute_force():
    points, queries = vectors(40), vectors(5, 6)
    found = index_of(points, 6).lookup(queries, 40, radius=6)
    expected = index_of(points, 6).query(queries, 40, rerank=40)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_a_lookup_re_ranks_the_candidates_and_marks_what_is_missing():
    points, queries = vectors(40), vectors(30, 7)
    index = index_of(points, 6, tables=2)
    found = index.lookup(queries, 4)
    candidates = index.candidates(queries)
    assert found.candidates.tolist() == [len(ids) for ids in candidates]
    assert found.candidates.min() < 4 < found.candidates.max()
    for query, among, ids, scores in zip(queries, candidates, found.ids, found.scores):
        expected = reference.best(points, query, 4, reference.cosine, among.tolist())
        none = 4 - len(expected)
        assert ids.tolist() == expected + [-1] * none
        assert np.isneginf(scores).tolist() == [False] * len(expected) + [True] * none


@both
@pytest.mark.parametrize(("bits", "tables", "radius"), [(1, 1, 0), (4, 1, 0), (4, 5, 0), (8, 3, 1)])
def test_the_true_nearest_point_is_found_as_often_as_the_closed_form_says(
    inner_product, bits, tables, radius
):
    """z-test over 1500 independent indexes; |z| > 5 has probability 6e-7, the seeds are fixed."""
    points, query, n = vectors(3, 11), vectors(1, 12), 1500
    top = reference.best(points, query[0], 1, SIMILARITIES[inner_product])[0]
    cosine = reference.cosine(points[top], query[0])
    if inner_product:
        longest = max(np.linalg.norm(points, axis=1))
        cosine = reference.inner(points[top], query[0]) / (longest * np.linalg.norm(query))
    p = candidate_probability(
        collision_probability(cosine), bits=bits, tables=tables, radius=radius
    )
    found = 0
    for seed in range(n):
        index = index_of(points, bits, seed, tables=tables, inner_product=inner_product)
        found += top in index.candidates(query, radius=radius)[0]
    assert 0.05 < p < 0.99
    assert abs(found - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_no_candidates_are_no_answer():
    found = index_of(vectors(6)).best(vectors(2), [[], [3]], 2)
    assert found.ids.tolist() == [[-1, -1], [3, -1]]
    assert found.candidates.tolist() == [0, 1]


# --- saving --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(("bits", "tables"), [(9, 4), (100, 1)])
def test_a_saved_index_is_loaded_bit_for_bit(inner_product, bits, tables, tmp_path):
    points, queries = vectors(30).astype(np.float32), vectors(6, 8)
    index = index_of(points, bits, tables=tables, inner_product=inner_product)
    np.savez(tmp_path / "index.npz", **index.to_arrays())
    with np.load(tmp_path / "index.npz", allow_pickle=False) as file:
        loaded = HyperplaneLSH.from_arrays(file)
    for name, array in index.to_arrays().items():
        found = loaded.to_arrays()[name]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    for one, other in zip(loaded.query(queries, 3, rerank=7), index.query(queries, 3, rerank=7)):
        np.testing.assert_array_equal(one, other)
    more = vectors(4, 9) * 9
    index.add(more)
    loaded.add(more)
    np.testing.assert_array_equal(loaded.codes, index.codes)


def test_an_empty_index_can_be_saved_and_filled_later():
    loaded = HyperplaneLSH.from_arrays(HyperplaneLSH(D, 12, 1).to_arrays())
    assert len(loaded) == 0
    loaded.add(vectors(6))
    np.testing.assert_array_equal(loaded.codes, index_of(vectors(6)).codes)


def test_what_is_handed_out_cannot_change_the_index():
    index = index_of(vectors(6))
    expected, scores = index.codes, index.query(vectors(6), 3).scores
    index.codes[:] = 0
    for array in index.to_arrays().values():
        array[...] = 0
    np.testing.assert_array_equal(index.codes, expected)
    np.testing.assert_array_equal(index.encode(vectors(6)), expected)
    np.testing.assert_array_equal(index.query(vectors(6), 3).scores, scores)


def test_the_saved_hyperplanes_are_used_whatever_numpy_draws_from_the_seed():
    arrays = index_of(vectors(6)).to_arrays()
    arrays["planes"] = -arrays["planes"]
    loaded = HyperplaneLSH.from_arrays({**arrays, "codes": arrays["codes"] ^ np.uint64(2**12 - 1)})
    np.testing.assert_array_equal(loaded.encode(vectors(6)), loaded.codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": np.zeros(4, np.int64)}, "arrays: expected settings, planes, points, codes"),
        ({"settings": np.array([D, 0, 1, 1, 0])}, "bits: expected"),
        ({"settings": np.array([D, 11, 1, 1, 0])}, r"expected planes \(5, 11\)"),
        ({"planes": np.full((D, 12), np.nan)}, "expected planes"),
        ({"codes": np.zeros((6, 1, 2), np.uint64)}, r"uint64 codes \(6, 1, 1\)"),
        ({"codes": np.zeros((6, 1, 1), np.int64)}, "uint64 codes"),
        ({"points": np.zeros((5, D))}, r"uint64 codes \(5, 1, 1\)"),
        ({"points": np.zeros((6, D))}, "points: row 0 has length 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        HyperplaneLSH.from_arrays({**index_of(vectors(6)).to_arrays(), **change})


def test_missing_arrays_are_named():
    arrays = index_of(vectors(6)).to_arrays()
    del arrays["codes"]
    with pytest.raises(ValueError, match="arrays: expected settings, planes, points, codes, found"):
        HyperplaneLSH.from_arrays(arrays)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((0, 4, 1), {}, "dim: expected a whole number from 1"),
        ((D, 0, 1), {}, "bits: expected a whole number from 1 to 65536, found 0"),
        ((D, 65537, 1), {}, "bits: expected"),
        ((D, 4.0, 1), {}, "bits: expected"),
        ((D, 4, -1), {}, "seed: expected a whole number from 0"),
        ((D, 4, 1), {"tables": 0}, "tables: expected a whole number from 1"),
        ((2**20, 2**16, 1), {}, "dim x bits x tables: expected"),
    ],
)
def test_wrong_sizes_are_refused(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        HyperplaneLSH(*sizes, **options)


def spoilt(value):
    points = vectors(4)
    points[2] = value
    return points


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (vectors(4, dim=6), r"points: expected shape \(N, 5\), N >= 1, found \(4, 6\)"),
        (vectors(4)[0], r"points: expected shape \(N, 5\), N >= 1, found \(5,\)"),
        (vectors(4)[:0], r"points: expected shape \(N, 5\), N >= 1, found \(0, 5\)"),
        (vectors(4) > 0, "points: expected numbers, found bool"),
        (spoilt(np.nan), "points: row 2 holds a NaN or an infinity, or is too long"),
        (spoilt(np.inf), "points: row 2 holds a NaN or an infinity, or is too long"),
        (spoilt(1e200), "points: row 2 holds a NaN or an infinity, or is too long"),
        (spoilt(0.0), "points: row 2 has length 0"),
    ],
)
def test_what_has_no_cosine_is_not_added_and_leaves_the_index_alone(points, message):
    index = index_of(vectors(6))
    before = index.codes
    for method in (index.add, index.build):
        with pytest.raises(ValueError, match=message):
            method(points)
    np.testing.assert_array_equal(index.codes, before)


def test_nothing_but_zeros_is_no_set_of_points():
    index = HyperplaneLSH(D, 4, 1, inner_product=True)
    with pytest.raises(ValueError, match="points: all are zero"):
        index.build(np.zeros((3, D)))
    assert len(index) == 0


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (vectors(2, dim=4), r"queries: expected shape \(N, 5\)"),
        (spoilt(np.nan), "queries: row 2 holds a NaN"),
        (spoilt(0.0), "queries: row 2 has length 0, so no direction"),
    ],
)
@both
def test_bad_queries_are_refused_by_every_search(queries, message, inner_product):
    index = index_of(vectors(6), inner_product=inner_product)
    for search in (
        index.encode,
        lambda q: index.nearest_codes(q, 1),
        lambda q: index.query(q, 1),
        lambda q: index.candidates(q),
        lambda q: index.lookup(q, 1),
        lambda q: index.best(q, [[0]] * len(q), 1),
    ):
        with pytest.raises(ValueError, match=message):
            search(queries)


def test_an_empty_index_answers_nothing():
    index, queries = HyperplaneLSH(D, 4, 1), vectors(2)
    for search in (
        lambda: index.nearest_codes(queries, 1),
        lambda: index.query(queries, 1),
        lambda: index.candidates(queries),
        lambda: index.lookup(queries, 1),
        lambda: index.best(queries, [[], []], 1),
    ):
        with pytest.raises(ValueError, match="the index is empty: add points first"):
            search()


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (lambda i, q: i.query(q, 0), "k: expected a whole number from 1 to 6, found 0"),
        (lambda i, q: i.query(q, 7), "k: expected a whole number from 1 to 6, found 7"),
        (lambda i, q: i.query(q, 3, rerank=2), "rerank: expected a whole number from 3 to 6"),
        (lambda i, q: i.query(q, 3, rerank=7), "rerank: expected a whole number from 3 to 6"),
        (lambda i, q: i.nearest_codes(q, 7), "depth: expected a whole number from 1 to 6, found 7"),
        (lambda i, q: i.lookup(q, 7), "k: expected a whole number from 1 to 6, found 7"),
        (lambda i, q: i.candidates(q, radius=13), "radius: expected a whole number from 0 to 12"),
        (lambda i, q: i.candidates(q, tables=2), "tables: expected a whole number from 1 to 1"),
        (lambda i, q: i.best(q, [[0]], 1), "ids: expected 2 arrays, one a query, found 1"),
        (lambda i, q: i.best(q, [[0], [6]], 1), "ids: expected 0 to 5, found 6 to 6"),
        (lambda i, q: i.best(q, [[0], [-1]], 1), "ids: expected 0 to 5, found -1 to -1"),
        (lambda i, q: i.best(q, [[0], [2, 2]], 1), "ids: one is there twice"),
        (lambda i, q: i.best(q, [[0], [0.5]], 1), "ids: expected whole numbers, found float64"),
    ],
)
def test_wrong_searches_are_one_clear_error(search, message):
    with pytest.raises(ValueError, match=message):
        search(index_of(vectors(6)), vectors(2))


def test_tables_of_more_than_a_word_are_not_looked_into():
    index = index_of(vectors(6), 65)
    with pytest.raises(ValueError, match="bits of a table that is looked into"):
        index.candidates(vectors(2))
