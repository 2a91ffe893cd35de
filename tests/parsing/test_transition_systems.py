"""Transition systems against the rules applied to one sentence at a time, by enumeration."""

import numpy as np
import pytest

from dynotes.corpora.trees import count_trees, is_tree
from dynotes.parsing.transition_systems import (
    ALGORITHMS,
    LEFT,
    NONE,
    RIGHT,
    SHIFT,
    SWAP,
    TransitionSystem,
)
from tests.reference import transition_systems as reference

every_system = pytest.mark.parametrize("algorithm", ALGORITHMS)
both_roots = pytest.mark.parametrize("multi_root", [False, True])


def replay(system, lengths, paths, labels=None):
    """States after a path of moves in every sentence."""
    states = system.start(lengths)
    for step in range(max(map(len, paths))):
        moves = np.array([path[step] if step < len(path) else NONE for path in paths])
        system.apply(states, moves, moves if labels is None else labels)
    return states


def stacked(states, b):
    return tuple(states.stack[b, : states.depth[b]].tolist())


def buffered(states, b):
    return tuple(states.queue[b, states.front[b] : states.end[b]].tolist())


@both_roots
@every_system
def test_all_states_of_a_batch_and_their_legal_moves_are_those_of_the_rules(algorithm, multi_root):
    system = TransitionSystem(algorithm, multi_root=multi_root)
    cases = [
        (n, state, path)
        for n in (1, 2, 3, 4)
        for state, path in reference.all_states(algorithm, multi_root, n).items()
    ]
    states = replay(system, [n for n, _, _ in cases], [path for _, _, path in cases])
    legal, final, first = system.legal(states), system.is_final(states), states.first()
    tops = [states.stacked(k) for k in range(3)]
    for b, (n, state, _) in enumerate(cases):
        stack, buffer, arcs = state
        assert stacked(states, b) == stack
        assert buffered(states, b) == buffer
        found = {(h, w) for w, h in enumerate(states.heads[b].tolist()) if h != NONE}
        assert found == arcs
        moves = reference.successors(algorithm, multi_root, state)
        assert set(np.flatnonzero(legal[b]).tolist()) == set(moves)
        assert final[b] == reference.is_final(state, n) == (not moves)
        assert first[b] == (buffer[0] if buffer else NONE)
        assert [top[b] for top in tops] == [*reversed(stack), NONE, NONE, NONE][:3]


@both_roots
@every_system
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_legal_paths_end_in_all_trees_that_the_system_covers_and_in_no_other(
    algorithm, n, multi_root
):
    trees = reference.reachable(algorithm, multi_root, n, reference.start(algorithm, n))
    assert all(is_tree(heads, multi_root=multi_root) for heads in trees)
    projective = algorithm != "swap"
    assert len(trees) == count_trees(n, multi_root=multi_root, projective=projective)


@both_roots
@every_system
def test_random_legal_paths_over_long_sentences_end_in_trees(algorithm, multi_root):
    system = TransitionSystem(algorithm, multi_root=multi_root)
    rng = np.random.default_rng(41)
    lengths = rng.integers(1, 30, 200)
    states = system.start(lengths)
    steps = 0
    while not system.is_final(states).all():
        legal = system.legal(states)
        moves = np.where(legal, rng.random(legal.shape), -1.0).argmax(axis=1)
        system.apply(states, np.where(legal.any(axis=1), moves, NONE), np.zeros_like(moves))
        steps += 1
        assert steps <= 30 * 30
    for heads, n in zip(states.heads, lengths):
        assert is_tree(heads[1 : n + 1], multi_root=multi_root)
        assert (heads[n + 1 :] == NONE).all()
    if algorithm != "swap":
        assert steps == 2 * lengths.max()


def test_labels_stay_with_the_words_they_were_given_to():
    system = TransitionSystem("arc-standard")
    states = system.start([2])
    for move, label in ((SHIFT, 9), (SHIFT, 9), (LEFT, 5), (RIGHT, 3)):
        system.apply(states, [move], [label])
    assert states.labels.tolist() == [[NONE, 5, 3]]
    assert states.heads.tolist() == [[NONE, 2, 0]]


@every_system
def test_an_illegal_move_is_refused_and_changes_nothing(algorithm):
    system = TransitionSystem(algorithm)
    states = system.start([2, 3])
    before = [x.copy() for x in states]
    for move in (LEFT, RIGHT, SWAP, 7, -2):
        with pytest.raises(ValueError, match=f"move {move} is not legal in sentence 1"):
            system.apply(states, [SHIFT, move], [0, 0])
        assert all((a == b).all() for a, b in zip(states, before))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="arc-standard, arc-hybrid, swap, found 'arc-eager'"):
        TransitionSystem("arc-eager")
    system = TransitionSystem("swap")
    with pytest.raises(ValueError, match="lengths: expected 1 or more, found 0"):
        system.start([3, 0])
    with pytest.raises(ValueError, match=r"expected \(2,\) moves and labels, found \(1,\), \(2,\)"):
        system.apply(system.start([1, 2]), [SHIFT], [0, 0])
