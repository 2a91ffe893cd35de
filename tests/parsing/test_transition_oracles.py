"""Oracles against the enumeration of all trees and of all states."""

import numpy as np
import pytest

from dynotes.corpora.trees import is_projective
from dynotes.parsing.transition_oracles import (
    covered,
    dynamic_costs,
    gold_trees,
    projective_order,
    static_moves,
)
from dynotes.parsing.transition_systems import ALGORITHMS, NONE, SWAP, TransitionSystem
from tests.parsing.test_transition_systems import both_roots, every_system, replay
from tests.reference import transition_systems as reference
from tests.reference.dependency_trees import all_trees


def batch(system, trees, **options):
    heads = np.concatenate([np.array(tree) for tree in trees])
    return gold_trees(system, heads, heads, [len(tree) for tree in trees], **options)


def follow(system, gold):
    """The final states of the static oracle, and the moves (steps, B)."""
    states, path = system.start(gold.lengths), []
    while True:
        moves = static_moves(system, states, gold)
        if (moves == NONE).all():
            return states, np.array(path)
        system.apply(states, moves, np.zeros_like(moves))
        path.append(moves)


def trees_up_to(n, multi_root, projective=False):
    return [tree for k in range(1, n + 1) for tree in all_trees(k, multi_root, projective)]


@both_roots
@every_system
def test_the_static_oracle_rebuilds_every_tree_that_the_system_covers(algorithm, multi_root):
    system = TransitionSystem(algorithm, multi_root=multi_root)
    trees = trees_up_to(5, multi_root, projective=algorithm != "swap")
    gold = batch(system, trees)
    states, path = follow(system, gold)
    assert system.is_final(states).all()
    assert (states.heads == gold.heads).all()
    if algorithm != "swap":
        assert ((path != NONE).sum(axis=0) == 2 * gold.lengths).all()


@both_roots
@pytest.mark.parametrize("algorithm", ["arc-standard", "arc-hybrid"])
def test_the_systems_without_swap_cover_the_projective_trees_alone(algorithm, multi_root):
    system = TransitionSystem(algorithm, multi_root=multi_root)
    trees = trees_up_to(5, multi_root)
    expected = [is_projective(tree) for tree in trees]
    assert 0 < sum(expected) < len(trees)
    assert covered(system, batch(system, trees)).tolist() == expected


@both_roots
def test_projective_trees_need_no_swap_and_others_do(multi_root):
    system = TransitionSystem("swap", multi_root=multi_root)
    trees = trees_up_to(5, multi_root)
    for lazy in (False, True):
        _, path = follow(system, batch(system, trees, lazy=lazy))
        swaps = (path == SWAP).any(axis=0)
        assert swaps.tolist() == [not is_projective(tree) for tree in trees]


def test_the_lazy_oracle_rebuilds_the_same_trees_with_fewer_swaps():
    system = TransitionSystem("swap")
    trees = all_trees(6)
    count = {}
    for lazy in (False, True):
        gold = batch(system, trees, lazy=lazy)
        states, path = follow(system, gold)
        assert (states.heads == gold.heads).all()
        count[lazy] = (path == SWAP).sum(axis=0)
    assert (count[True] <= count[False]).all()
    assert count[True].sum() < count[False].sum()


def test_the_projective_order_reads_a_tree_from_left_to_right():
    # 0 -> 3, 3 -> 1 and 4, 1 -> 5 and 2: read as 0, then 1 with its 2 and 5, then 3, then 4
    order = projective_order(np.array([NONE, 3, 1, 0, 3, 1]), 7)
    assert order.tolist() == [0, 1, 2, 4, 5, 3, 0]


@both_roots
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_dynamic_costs_are_what_the_best_reachable_tree_loses(n, multi_root):
    system = TransitionSystem("arc-hybrid", multi_root=multi_root)
    paths = reference.all_states("arc-hybrid", multi_root, n)
    states = replay(system, [n] * len(paths), list(paths.values()))
    for tree in all_trees(n, multi_root, True):
        costs = dynamic_costs(system, states, batch(system, [tree] * len(paths)))
        loss = {s: reference.best_loss("arc-hybrid", multi_root, n, s, tree) for s in paths}
        for found, state in zip(costs, paths):
            after = reference.successors("arc-hybrid", multi_root, state)
            expected = {move: loss[s] - loss[state] for move, s in after.items()}
            assert {move: found[move] for move in after} == expected
            assert not after or min(expected.values()) == 0


@both_roots
def test_the_moves_of_the_static_oracle_cost_nothing(multi_root):
    system = TransitionSystem("arc-hybrid", multi_root=multi_root)
    gold = batch(system, trees_up_to(5, multi_root, projective=True))
    states = system.start(gold.lengths)
    while not system.is_final(states).all():
        moves = static_moves(system, states, gold)
        costs = dynamic_costs(system, states, gold)
        going = moves != NONE
        assert (costs[going, moves[going]] == 0).all()
        system.apply(states, moves, np.zeros_like(moves))


def test_a_batch_of_all_lengths_gives_the_moves_of_single_sentences():
    for algorithm in ALGORITHMS:
        system = TransitionSystem(algorithm)
        trees = trees_up_to(4, False, projective=algorithm != "swap")
        _, path = follow(system, batch(system, trees))
        for b, tree in enumerate(trees):
            _, alone = follow(system, batch(system, [tree]))
            together = path[:, b]
            assert together[together != NONE].tolist() == alone[:, 0].tolist()


def test_bad_gold_trees_are_refused():
    system = TransitionSystem("arc-hybrid")
    with pytest.raises(ValueError, match=r"expected \(3,\) integers, found int64 \(2,\)"):
        gold_trees(system, np.array([0, 1]), np.array([0, 1, 1]), [3])
    with pytest.raises(ValueError, match="2 roots"):
        gold_trees(system, np.array([0, 0]), np.array([0, 0]), [2])
    with pytest.raises(ValueError, match="cycle"):
        gold_trees(system, np.array([0, 3, 2]), np.array([0, 0, 0]), [3])
    other = TransitionSystem("swap")
    gold = gold_trees(other, np.array([0, 1]), np.array([0, 0]), [2])
    with pytest.raises(ValueError, match="expected arc-hybrid, found swap"):
        dynamic_costs(other, other.start([2]), gold)
