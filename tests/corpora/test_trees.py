"""Trees as heads against plain loops over all of them."""

import numpy as np
import pytest

from dynotes.corpora.trees import (
    check_tree,
    count_trees,
    crossed,
    is_projective,
    is_tree,
    nonprojective,
    on_cycles,
    tree_fault,
)
from tests.reference.dependency_trees import all_trees, has_crossing, reaches_root


def all_heads(n):
    return np.array(np.meshgrid(*[range(n + 1)] * n)).reshape(n, -1).T


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_of_all_heads_the_trees_are_those_where_every_word_reaches_the_root(n):
    for heads in all_heads(n):
        words = range(1, n + 1)
        tree = all(reaches_root(heads, word) for word in words)
        assert is_tree(heads, multi_root=True) == tree
        assert is_tree(heads) == (tree and np.count_nonzero(heads == 0) == 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_words_on_cycles_are_those_that_come_back_to_themselves(n):
    for heads in all_heads(n):
        expected = []
        for word in range(1, n + 1):
            here = heads[word - 1]
            for _ in range(n):
                if here in (0, word):
                    break
                here = heads[here - 1]
            expected += [word] if here == word else []
        assert on_cycles(heads).tolist() == expected


COUNTS = {
    (True, False): [1, 3, 16, 125, 1296, 16807],
    (False, False): [1, 2, 9, 64, 625, 7776],
    (True, True): [1, 3, 12, 55, 273, 1428],
    (False, True): [1, 2, 7, 30, 143, 728],
}


@pytest.mark.parametrize(("multi_root", "projective"), COUNTS)
def test_the_numbers_of_trees(multi_root, projective):
    found = [count_trees(n, multi_root=multi_root, projective=projective) for n in range(1, 7)]
    assert found == COUNTS[multi_root, projective]
    listed = [len(all_trees(n, multi_root, projective)) for n in range(1, 6)]
    assert found[:5] == listed


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_crossing_arcs_are_those_of_the_pairs(n):
    for heads in all_trees(n, multi_root=True):
        arcs = [tuple(sorted((d, h))) for d, h in enumerate(heads, start=1)]
        expected = [
            any(a < c < b < d or c < a < d < b for c, d in arcs if (c, d) != (a, b))
            for a, b in arcs
        ]
        assert crossed(heads).tolist() == expected
        assert is_projective(heads) != has_crossing(heads)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_nonprojective_arcs_span_a_word_that_is_not_below_their_head(n):
    def below(heads, word, head):
        while word not in (0, head):
            word = heads[word - 1]
        return word == head

    for heads in all_trees(n, multi_root=True):
        expected = [
            any(not below(heads, k, h) for k in range(min(d, h) + 1, max(d, h)))
            for d, h in enumerate(heads, start=1)
        ]
        assert nonprojective(heads).tolist() == expected
        assert any(expected) == has_crossing(heads)


def test_long_trees_are_judged_without_recursion():
    chain = np.arange(20_000)
    assert is_projective(chain)
    ring = np.r_[np.arange(2, 20_001), 1]
    assert len(on_cycles(ring)) == 20_000
    rng = np.random.default_rng(5)
    random = np.array([0, *(int(rng.integers(1, i)) for i in range(2, 3001))])
    assert not is_projective(random)
    assert crossed(random).any()


FAULTS = {
    "head 4 out of range: expected 0 to 3": ([0, 4, 1], 2),
    "head -1 out of range": ([0, 1, -1], 3),
    "word 2 is its own head": ([0, 2, 1], 2),
    "no root: no word has the head 0": ([2, 3, 1], 1),
    "cycle: 2 -> 3 -> 2": ([0, 3, 2], 2),
    r"2 roots \(words 1, 3\): expected one": ([0, 1, 0], 3),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_named_with_its_word(message):
    heads, word = FAULTS[message]
    with pytest.raises(ValueError, match=message):
        check_tree(heads)
    fault = tree_fault(heads)
    assert fault.word == word


def test_several_roots_are_allowed_on_request():
    assert tree_fault([0, 1, 0], multi_root=True) is None


@pytest.mark.parametrize("heads", [[], [0.5], [[0]], None])
def test_what_is_no_list_of_heads_is_refused(heads):
    with pytest.raises(ValueError, match="heads: expected"):
        tree_fault(heads)


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_number_of_words_is_a_whole_number(n):
    with pytest.raises(ValueError, match="n: expected a whole number"):
        count_trees(n)


def test_heads_that_are_no_tree_have_no_crossings():
    for judge in (crossed, nonprojective, is_projective):
        with pytest.raises(ValueError, match="cycle"):
            judge([0, 3, 2])
    with pytest.raises(ValueError, match="expected 0 to 2, found 0 to 3"):
        on_cycles([0, 3])
