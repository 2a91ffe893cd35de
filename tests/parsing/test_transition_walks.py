"""Walks in lock step: where they go, and that targets are the best of what costs least."""

import numpy as np
import pytest

from dynotes.parsing.transition_oracles import gold_trees
from dynotes.parsing.transition_systems import ALGORITHMS, NONE, TransitionSystem
from dynotes.parsing.transition_walks import LabelLimits, actions, gold_walk, greedy_walk
from tests.reference import transition_systems as reference
from tests.reference.dependency_trees import all_trees

K = 2


def gold_of(system, trees):
    heads = np.concatenate([np.array(tree) for tree in trees])
    return gold_trees(system, heads, np.arange(len(heads)) % K, [len(tree) for tree in trees])


def noise(seed, n_actions):
    """A scorer that gives every state new random scores, and the list of them."""
    rng, given = np.random.default_rng(seed), []

    def scorer(columns):
        given.append(rng.normal(size=(len(columns), n_actions)))
        return given[-1]

    return scorer, given


def labelled_losses(state, gold, labels, n):
    """The least loss after every legal action: wrong heads, and wrong labels on right heads."""
    losses = {}
    for move, after in reference.successors("arc-hybrid", False, state).items():
        least = reference.best_loss("arc-hybrid", False, n, after, gold)
        for label in range(K) if move in (1, 2) else [None]:
            wrong = sum(gold[w - 1] == h and labels[w - 1] != label for h, w in after[2] - state[2])
            losses[move, label] = least + wrong
    return losses


# seed 61: of 30 walks, over 20 leave the gold way
def test_an_exploring_walk_aims_at_the_best_of_the_actions_that_cost_least():
    system, table = TransitionSystem("arc-hybrid"), actions(TransitionSystem("arc-hybrid"), K)
    names = [
        (m, None if k == NONE else k) for m, k in zip(table.moves.tolist(), table.labels.tolist())
    ]
    astray = 0
    for k, tree in enumerate(all_trees(4, False, True)):
        gold, labels = gold_of(system, [tree]), [w % K for w in range(4)]
        scorer, given = noise(61 + k, len(names))
        rng = np.random.default_rng(k)
        walk = gold_walk(system, gold, K, scorer, explore=0.3, rng=rng)
        state, again = reference.start("arc-hybrid", 4), np.random.default_rng(k)
        for scores, target, rival in zip(given, walk.target, walk.rival):
            losses = labelled_losses(state, tree, labels, 4)
            right = [i for i, a in enumerate(names) if losses.get(a, 99) == min(losses.values())]
            wrong = [i for i, a in enumerate(names) if a in losses and i not in right]
            best = [
                max(group, key=lambda i: scores[0, i], default=NONE) for group in (right, wrong)
            ]
            assert [target, rival] == best
            lead = scores[0, target] - scores[0, rival]
            follows = again.random() < 0.3 and lead < 1
            taken = rival if rival != NONE and (lead < 0 or follows) else target
            state = reference.successors("arc-hybrid", False, state)[names[taken][0]]
            astray += reference.best_loss("arc-hybrid", False, 4, state, tree) > 0
        assert reference.is_final(state, 4)
    assert astray > 20


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_without_exploration_targets_rebuild_the_gold_trees_with_their_labels(algorithm):
    system = TransitionSystem(algorithm)
    trees = all_trees(3, False, algorithm != "swap") + all_trees(4, False, algorithm != "swap")
    gold = gold_of(system, trees)
    walk, table = gold_walk(system, gold, K), actions(system, K)
    assert (walk.rival == NONE).all()
    states, place = system.start(gold.lengths), 0
    while not system.is_final(states).all():
        rows = np.flatnonzero(~system.is_final(states))
        target = walk.target[place : place + len(rows)]
        np.testing.assert_array_equal(
            walk.legal[place : place + len(rows)], system.legal(states)[rows]
        )
        place += len(rows)
        moves, labels = np.full((2, len(trees)), NONE)
        moves[rows], labels[rows] = table.moves[target], table.labels[target]
        system.apply(states, moves, labels)
    assert place == len(walk.target)
    np.testing.assert_array_equal(states.heads, gold.heads)
    np.testing.assert_array_equal(states.labels, gold.labels)


def test_arc_hybrid_walks_to_the_end_of_trees_that_it_cannot_build():
    system = TransitionSystem("arc-hybrid")
    gold = gold_of(system, [(2, 0, 1, 3), (3, 4, 0, 3)])
    scorer, _ = noise(62, 1 + 2 * K)
    walk = gold_walk(system, gold, K, scorer, explore=0.1, rng=np.random.default_rng(0))
    assert len(walk.target) == 2 * (4 + 4)
    assert walk.legal[np.arange(16), actions(system, K).moves[walk.target]].all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_thousand_words_take_a_greedy_walk_of_legal_actions(algorithm):
    system = TransitionSystem(algorithm)
    table = actions(system, K)
    rng = np.random.default_rng(63)

    def scorer(columns):  # the root arc is worth the most: illegal almost everywhere
        return rng.normal(size=(len(columns), len(table.moves))) + 5 * (table.moves == 2)

    limits = LabelLimits(np.array([True, False]), np.array([False, True]))
    states = greedy_walk(system, [1000, 3], K, scorer, limits=limits)
    for b, n in enumerate([1000, 3]):
        heads, labels = states.heads[b, 1 : n + 1], states.labels[b, 1 : n + 1]
        assert (heads == 0).sum() == 1
        assert ((labels == 0) == (heads == 0)).all()


def test_bad_arguments_are_refused():
    system = TransitionSystem("swap")
    gold = gold_of(system, [(0, 1)])
    with pytest.raises(ValueError, match="labels: expected 0 to 0, found 1"):
        gold_walk(system, gold, 1)
    with pytest.raises(ValueError, match=r"explore: .* found 0.5"):
        gold_walk(system, gold, K, explore=0.5)
    standard = TransitionSystem("arc-standard")
    with pytest.raises(ValueError, match="sentence 1: arc-standard cannot build this tree"):
        gold_walk(standard, gold_of(standard, [(0, 1), (2, 0, 1, 3)]), K)
