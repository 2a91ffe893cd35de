"""T54: Huffman codes: prefix-free, shortest, within a bit of the entropy."""

import itertools

import numpy as np
import pytest

from dynotes.embeddings.output_losses.huffman import huffman_tree


def codes(counts):
    tree = huffman_tree(counts)
    return [tree.code(word) for word in range(len(counts))]


def least_cost(weights):
    """sum of the weights times depths of the best binary tree, by trying all pairs of subtrees."""
    weights = sorted(weights)
    if len(weights) == 1:
        return 0
    best = np.inf
    for i, j in itertools.combinations(range(len(weights)), 2):
        rest = [w for k, w in enumerate(weights) if k not in (i, j)]
        best = min(best, weights[i] + weights[j] + least_cost([*rest, weights[i] + weights[j]]))
    return best


@pytest.mark.parametrize("counts", [[1, 1], [5, 3, 2], [4, 4, 4, 4], [1, 2, 4, 8, 16], [9, 1, 1]])
def test_the_codes_are_the_shortest_of_all_trees(counts):
    assert sum(n * len(c) for n, c in zip(counts, codes(counts))) == least_cost(counts)


def test_known_codes_of_a_small_vocabulary():
    """Weights 5, 2, 1, 1: the two rare words are joined first, then word 1 joins them."""
    assert codes([5, 2, 1, 1]) == ["1", "00", "010", "011"]


def random_counts(n=300, seed=1):
    return np.random.default_rng(seed).zipf(1.5, n).clip(max=10**6)


def test_no_code_is_the_start_of_another():
    found = sorted(codes(random_counts()))
    assert not any(later.startswith(code) for code, later in zip(found, found[1:]))


def test_the_code_lengths_fill_the_tree():
    """Kraft's sum of a full tree is exactly 1."""
    lengths = huffman_tree(random_counts()).lengths
    assert (0.5 ** lengths.astype(float)).sum() == 1.0


def test_the_mean_length_is_between_the_entropy_and_one_bit_more():
    counts = random_counts()
    p = counts / counts.sum()
    mean = (p * huffman_tree(counts).lengths).sum()
    entropy = -(p * np.log2(p)).sum()
    assert entropy <= mean < entropy + 1


def test_a_more_frequent_word_never_has_a_longer_code():
    counts = random_counts()
    lengths = huffman_tree(counts).lengths
    more = counts[:, None] > counts
    assert (lengths[:, None] <= lengths)[more].all()


def test_every_way_begins_at_the_root_and_no_node_is_asked_twice():
    tree = huffman_tree(random_counts(50))
    for word in range(50):
        way = tree.nodes[tree.starts[word] : tree.starts[word + 1]]
        assert way[0] == 48
        assert (np.diff(way) < 0).all()


def test_ways_of_several_words_are_those_of_each():
    tree = huffman_tree([5, 2, 1, 1])
    words = np.array([2, 0, 2, 1])
    which, nodes, bits = tree.ways(words)
    for place, word in enumerate(words):
        span = slice(tree.starts[word], tree.starts[word + 1])
        np.testing.assert_array_equal(nodes[which == place], tree.nodes[span])
        np.testing.assert_array_equal(bits[which == place], tree.bits[span])


@pytest.mark.parametrize(
    ("counts", "message"),
    [([3], "two words at least, found 1"), ([], "no ids"), ([1.5, 2], "expected integers"),
     ([-1, 2], "counts: ids must be")],
)  # fmt: skip
def test_what_is_no_vocabulary_is_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        huffman_tree(counts)
