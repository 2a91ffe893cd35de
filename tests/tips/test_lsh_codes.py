"""T24: bits of hyperplanes against loops, their closed forms against counts and enumeration."""

import math

import numpy as np
import pytest
from scipy import stats

from dynotes.tips import lsh_codes
from dynotes.tips.lsh import HyperplaneLSH
from dynotes.tips.lsh_codes import (
    added_popcount,
    buckets,
    candidate_probability,
    collision_probability,
    extend_points,
    extend_queries,
    flips,
    hamming,
    n_words,
    nearest,
    pack,
    popcount,
)
from tests.reference import lsh as reference


def random_words(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, shape, dtype=np.uint64)


# --- collisions ----------------------------------------------------------------------------------


def pair_at(theta, dim=8, seed=0):
    """Two vectors of different lengths at a given angle."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, 2)))[0].T
    return np.stack([3.0 * q[0], 0.2 * (math.cos(theta) * q[0] + math.sin(theta) * q[1])])


@pytest.mark.parametrize("theta", [0.1, 0.7, math.pi / 2, 2.5, 3.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bits_agree_as_often_as_one_minus_theta_over_pi(theta, seed):
    """z-test over 1e4 hyperplanes; |z| > 5 has probability 6e-7, and the seeds are fixed."""
    n = 10_000
    x, y = HyperplaneLSH(8, n, seed).encode(pair_at(theta))[:, 0]
    agreed = n - hamming(x[None], y[None])[0, 0]
    p = collision_probability(math.cos(theta))
    assert p == pytest.approx(1 - theta / math.pi)
    assert abs(agreed - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_hamming_distances_are_binomial():
    """Chi-square over 3000 independent codes of 12 bits; the seed is fixed."""
    bits, count, theta = 12, 3000, 1.0
    x, y = HyperplaneLSH(8, bits, 4, tables=count).encode(pair_at(theta))
    distances = popcount(x ^ y).sum(axis=1).astype(int)
    expected = count * stats.binom.pmf(np.arange(bits + 1), bits, theta / math.pi)
    found = np.bincount(distances, minlength=bits + 1)
    many = expected >= 5
    tail = expected[~many].sum()
    observed = np.append(found[many], found[~many].sum())
    assert stats.chisquare(observed, np.append(expected[many], tail)).pvalue > 1e-4


def test_opposite_equal_and_orthogonal_vectors_are_the_limits():
    np.testing.assert_allclose(collision_probability([1.0, 0.0, -1.0]), [1.0, 0.5, 0.0], atol=1e-15)
    assert collision_probability(1.0 + 1e-9) == 1.0


@pytest.mark.parametrize("bad", [1.1, -1.01, math.nan, [0.0, math.inf]])
def test_what_is_no_cosine_is_refused(bad):
    with pytest.raises(ValueError, match="cosine: expected numbers from -1 to 1"):
        collision_probability(bad)


@pytest.mark.parametrize(("bits", "tables", "radius"), [(1, 1, 0), (6, 4, 0), (7, 3, 2), (5, 2, 5)])
def test_the_probability_of_a_find_sums_over_all_patterns_of_bits(bits, tables, radius):
    for p in (0.0, 0.2, 0.75, 1.0):
        expected = reference.found_probability(p, bits, tables, radius)
        found = candidate_probability(p, bits=bits, tables=tables, radius=radius)
        assert found == pytest.approx(expected, abs=1e-12)


def test_tables_are_or_and_bits_are_and():
    p = np.array([0.5, 0.9])
    found = candidate_probability(p, bits=10, tables=7)
    np.testing.assert_allclose(found, 1 - (1 - p**10) ** 7)


def test_a_tiny_probability_keeps_its_digits():
    assert candidate_probability(0.5, bits=60, tables=8) == pytest.approx(8 * 0.5**60, rel=1e-12)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"bits": 0}, "bits: expected"),
        ({"bits": 3, "tables": 0}, "tables: expected"),
        ({"bits": 3, "radius": 4}, "radius: expected a whole number from 0 to 3, found 4"),
        ({"bits": 3, "radius": -1}, "radius: expected"),
    ],
)
def test_wrong_sizes_of_tables_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        candidate_probability(0.5, **kwargs)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match="p: expected probabilities"):
        candidate_probability(bad, bits=4)


# --- bits in words -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 8, 9, 63, 64, 65, 130])
def test_packed_bits_are_the_bits_of_the_words_lowest_first(n):
    sides = np.random.default_rng(n).random((5, 2, n)) < 0.5
    words = pack(sides)
    assert words.dtype == np.uint64
    assert words.shape == (5, 2, n_words(n))
    for row, expected in zip(words.reshape(10, -1), sides.reshape(10, -1)):
        assert reference.word_bits(row, 64 * len(row)) == [*expected, *[0] * (64 * len(row) - n)]


@pytest.mark.parametrize("count", [popcount, added_popcount], ids=["chosen", "added"])
def test_ones_are_counted_as_a_loop_over_bits_counts_them(count):
    edges = [0, 1, 2**63, 2**64 - 1, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA, 2**32 - 1]
    words = np.append(random_words(300), np.array(edges, np.uint64))
    found = count(words)
    assert found.tolist() == [reference.ones(word) for word in words]
    assert found.dtype == np.uint8


def test_adding_up_fields_equals_numpys_own_count_where_it_has_one():
    if not hasattr(np, "bitwise_count"):
        pytest.skip("numpy < 2.0 has no bitwise_count")
    words = random_words((500, 7), seed=1)
    np.testing.assert_array_equal(added_popcount(words), np.bitwise_count(words))


def test_distances_do_not_depend_on_how_ones_are_counted(monkeypatch):
    a, b = random_words((4, 3)), random_words((6, 3), seed=1)
    expected = hamming(a, b)
    monkeypatch.setattr(lsh_codes, "popcount", added_popcount)
    np.testing.assert_array_equal(hamming(a, b), expected)


def test_distances_are_the_differing_bits_of_all_pairs():
    a, b = random_words((4, 3)), random_words((6, 3), seed=1)
    loops = [
        [reference.differing(reference.word_bits(x, 192), reference.word_bits(y, 192)) for y in b]
        for x in a
    ]
    assert hamming(a, b).tolist() == loops


@pytest.mark.parametrize("block", [1, 20, 10_000])
@pytest.mark.parametrize(("count", "depth"), [(30, 1), (30, 3), (30, 29), (30, 30), (2000, 700)])
def test_the_nearest_codes_are_sorted_by_distance_then_by_row(block, count, depth, monkeypatch):
    monkeypatch.setattr("dynotes.tips.lsh_vectors.BLOCK", block)
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 2**6, (n, 1), dtype=np.uint64) for n in (7, count))  # many ties
    codes = [reference.word_bits(row, 6) for row in b]
    ids, distances = nearest(a, b, depth)
    for row, found, at in zip(a, ids, distances):
        own = reference.word_bits(row, 6)
        assert found.tolist() == reference.nearest_codes(codes, own, depth)
        assert at.tolist() == [reference.differing(codes[i], own) for i in found]


def test_a_bucket_holds_the_equal_codes():
    keys = np.array([7, 3, 7, 2**64 - 1, 0], np.uint64)
    order = np.argsort(keys, kind="stable")
    wanted = np.array([[7, 1], [2**64 - 1, 0]], np.uint64)
    found = [(q, ids.tolist()) for q, ids in buckets(keys, order, wanted)]
    assert found == [(0, [0, 2]), (1, [3]), (1, [4])]


@pytest.mark.parametrize(("bits", "radius"), [(1, 0), (5, 2), (64, 2), (4, 4)])
def test_the_flips_are_all_words_with_few_ones_once_each_fewest_first(bits, radius):
    masks = flips(bits, radius).tolist()
    counts = [reference.ones(mask) for mask in masks]
    assert counts == sorted(counts)
    assert len(set(masks)) == len(masks) == sum(math.comb(bits, i) for i in range(radius + 1))
    assert max(counts) == radius
    assert max(masks) < 2**bits


@pytest.mark.parametrize(
    ("bits", "radius", "message"),
    [
        (65, 0, "bits of a table that is looked into: expected a whole number from 1 to 64"),
        (10, 11, "radius: expected a whole number from 0 to 10, found 11"),
        (64, 4, "radius: 4 of 64 bits is 679121 buckets a table, at most 65536"),
    ],
)
def test_too_many_buckets_are_refused(bits, radius, message):
    with pytest.raises(ValueError, match=message):
        flips(bits, radius)


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.zeros((2, 0), bool), np.bool_(True)])
def test_what_are_no_bits_is_not_packed(bad):
    with pytest.raises(ValueError, match="sides: expected bools"):
        pack(bad)


def test_codes_of_different_lengths_or_kinds_have_no_distance():
    with pytest.raises(ValueError, match="codes: expected 2 words each, found 3"):
        hamming(random_words((1, 2)), random_words((1, 3)))
    with pytest.raises(ValueError, match="codes: expected uint64 matrices"):
        hamming(random_words((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="codes: expected uint64 matrices"):
        hamming(random_words(2), random_words((1, 2)))


# --- inner products ------------------------------------------------------------------------------


def whole_vectors(n, seed):
    """Small whole numbers: all products are exact."""
    return np.random.default_rng(seed).integers(-9, 10, (n, 6)).astype(float)


def test_extended_vectors_have_the_inner_products_of_the_vectors_exactly():
    x, q = whole_vectors(200, 0), whole_vectors(20, 1)
    longest = math.sqrt((x**2).sum(axis=1).max())
    found = extend_points(x, longest) @ extend_queries(q).T
    np.testing.assert_array_equal(found, x @ q.T)


def test_extended_points_have_one_length_so_cosines_order_them_by_inner_product():
    x, q = whole_vectors(200, 0), whole_vectors(20, 1)
    longest = math.sqrt((x**2).sum(axis=1).max())
    extended = extend_points(x, longest)
    np.testing.assert_allclose(np.linalg.norm(extended, axis=1), longest, rtol=1e-14)
    for query, one in zip(extend_queries(q), q):
        by_cosine = [reference.cosine(point, query) for point in extended]
        by_inner = [reference.inner(point, one) for point in x]
        expected = [value / (longest * math.sqrt(one @ one)) for value in by_inner]
        np.testing.assert_allclose(by_cosine, expected, atol=1e-14)


def test_a_point_longer_than_the_longest_is_refused():
    with pytest.raises(ValueError, match="longest: a point is longer than 2"):
        extend_points(np.array([[1.0, 0.0], [2.0, 1.0]]), 2.0)
