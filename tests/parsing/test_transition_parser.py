"""The transition parser against plain loops, enumeration, and what it can learn."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.trees import is_tree
from dynotes.graph.arrays import feed, read
from dynotes.parsing.transition_parser import TransitionParser
from dynotes.parsing.transition_systems import ALGORITHMS
from dynotes.parsing.transition_walks import LabelLimits
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, set_value
from tests.parsing.test_transition_systems import every_system
from tests.reference.transition_systems import start, successors

N_IN, H, K = [3, 2], 4, 2
every_loss = pytest.mark.parametrize("kind", ["nll", "hinge"])
# 1, 4 and 3 words; the longest is not the first
LENGTHS = np.array([1, 4, 3])
HEADS = np.array([0, 2, 0, 4, 2, 2, 3, 0])
LABELS = np.array([1, 0, 1, 0, 0, 1, 0, 1])
T, B = 5, 3


def make(algorithm="arc-hybrid", seed=51, scale=0.5, **spec):
    pc = dy.ParameterCollection()
    parser = TransitionParser(
        pc, **{"n_in": N_IN, "n_labels": K, "n_hidden": H, "algorithm": algorithm, **spec}
    )
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, scale, p.shape()).astype(np.float32))
    return pc, parser


def vectors(seed=52):
    """(D, T, B) of two parts."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, T, B)).astype(np.float32) for n in N_IN]


def parts(arrays, sentences=slice(None), steps=T):
    return [feed(x[:, :steps, sentences].reshape(len(x), -1), batched=True) for x in arrays]


def plain_scores(parser, arrays, nodes, b):
    """Scores of one state from the formula; nodes: s2, s1, s0, b0, -1 for none."""
    values = {
        name.split("/")[-2 if name.endswith("/") else -1]: p.as_array()
        for name, p in named_parameters(parser.param_collection()).items()
    }
    h = values["b"].copy()
    for k, node in enumerate(nodes):
        rows = slice(k * H, (k + 1) * H)
        if node < 0:
            h += values["empty"][rows]
        else:
            h += sum(values[f"W{i}"][rows] @ x[:, node, b] for i, x in enumerate(arrays))
    return values["P"] @ np.tanh(h) + values["p"]


def as_nodes(stack, buffer):
    return [*([-1, -1, -1, *stack][-3:]), buffer[0] if buffer else -1]


def plain_actions(algorithm):
    named = [(0, None), *((1, k) for k in range(K)), *((2, k) for k in range(K))]
    return [*named, (3, None)] if algorithm == "swap" else named


def plain_parse(parser, arrays, b, n):
    """Heads and labels of one sentence, a state at a time."""
    algorithm, state, label_of = parser.spec["algorithm"], start(parser.spec["algorithm"], n), {}
    while after := successors(algorithm, False, state):
        scores = plain_scores(parser, arrays, as_nodes(*state[:2]), b)
        ranked = sorted(zip(scores, plain_actions(algorithm)), key=lambda x: -x[0])
        move, label = next(action for _, action in ranked if action[0] in after)
        for _, word in after[move][2] - state[2]:
            label_of[word] = label
        state = after[move]
    head_of = {word: head for head, word in state[2]}
    return [head_of[w] for w in range(1, n + 1)], [label_of[w] for w in range(1, n + 1)]


def test_scores_are_those_of_the_formula():
    _pc, parser = make()
    arrays, states = vectors(), [[-1, -1, -1, 1], [0, 2, 4, -1], [3, 2, 1, 0], [-1, -1, 2, 3]]
    columns = [[T * B if i < 0 else i * B + 1 for i in nodes] for nodes in states]
    dy.renew_cg()
    found = read(parser.scores(parser.products(parts(arrays)), columns))
    expected = np.stack([plain_scores(parser, arrays, nodes, 1) for nodes in states], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


# 15 draws: in every one, the two best legal scores of all states are more than 1e-5 apart
@every_system
def test_parsing_takes_the_best_legal_action_of_every_state(algorithm):
    for seed in range(15):
        _pc, parser = make(algorithm, seed=seed, scale=2.0)
        arrays = vectors(seed)
        dy.renew_cg()
        found = parser.parse(parts(arrays), LENGTHS)
        expected = [plain_parse(parser, arrays, b, n) for b, n in enumerate(LENGTHS)]
        assert found.heads.tolist() == [h for heads, _ in expected for h in heads]
        assert found.labels.tolist() == [k for _, labels in expected for k in labels]


def reference_loss(parser, kind, arrays):
    """The sum over the states of the gold way by the oracle's rules, sentence by sentence."""
    total, offset = 0.0, 0
    algorithm = parser.spec["algorithm"]
    for b, n in enumerate(LENGTHS):
        gold, names = HEADS[offset : offset + n], LABELS[offset : offset + n]
        offset += n
        state = start(algorithm, n)
        while after := successors(algorithm, False, state):
            best = next(m for m in (1, 2, 0) if m in after and fits(state, after[m], gold))
            arc = after[best][2] - state[2]
            label = names[next(iter(arc))[1] - 1] if arc else None
            table = plain_actions(algorithm)
            scores = plain_scores(parser, arrays, as_nodes(*state[:2]), b).astype(np.float64)
            legal = [i for i, (move, _) in enumerate(table) if move in after]
            target = table.index((best, label))
            if kind == "nll":
                total += np.log(np.exp(scores[legal]).sum()) - scores[target]
            else:
                others = [scores[i] for i in legal if i != target]
                total += max(0.0, 1 - scores[target] + max(others)) if others else 0.0
            state = after[best]
    return total


def fits(state, after, gold):
    """The new arc, if any, is gold and its word has all of its dependents."""
    heads = {w: h for h, w in state[2]}
    for head, word in after[2] - state[2]:
        waiting = any(h == word and w not in heads for w, h in enumerate(gold, start=1))
        if gold[word - 1] != head or waiting:
            return False
    return True


@every_loss
@every_system
def test_the_static_loss_is_that_of_the_formula_along_the_gold_way(algorithm, kind):
    _pc, parser = make(algorithm)
    arrays = vectors()
    dy.renew_cg()
    loss = parser.loss(parts(arrays), LENGTHS, HEADS, LABELS, kind=kind, explore=None)
    assert loss.dim() == ((1,), 2 * LENGTHS.sum())
    expected = reference_loss(parser, kind, arrays)
    assert dy.sum_batches(loss).value() == pytest.approx(expected, abs=1e-4)


@every_loss
@every_system
def test_a_batch_loses_and_parses_what_its_sentences_do(algorithm, kind):
    _pc, parser = make(algorithm)
    arrays, total, heads, labels, offset = vectors(), 0.0, [], [], 0
    options = {"kind": kind, "explore": 0.0}
    for b, n in enumerate(LENGTHS):
        dy.renew_cg()
        own = slice(offset, offset + n)
        offset += n
        one, gold = parts(arrays, slice(b, b + 1), n + 1), (HEADS[own], LABELS[own])
        loss = parser.loss(one, [n], *gold, rng=np.random.default_rng(0), **options)
        total += dy.sum_batches(loss).value()
        parsed = parser.parse(one, [n])
        heads += parsed.heads.tolist()
        labels += parsed.labels.tolist()
    dy.renew_cg()
    together = parts(arrays)
    loss = parser.loss(together, LENGTHS, HEADS, LABELS, rng=np.random.default_rng(0), **options)
    assert dy.sum_batches(loss).value() == pytest.approx(total, abs=1e-4)
    parsed = parser.parse(together, LENGTHS)
    assert parsed.heads.tolist() == heads
    assert parsed.labels.tolist() == labels


@every_loss
@pytest.mark.parametrize("explore", [None, 0.5])
@every_system
def test_gradients_are_those_of_finite_differences(algorithm, explore, kind):
    pc, parser = make(algorithm, seed=53)
    inputs = [pc.add_parameters((n * T * B,)) for n in N_IN]
    for p, x in zip(inputs, vectors()):
        p.set_value(x.ravel(order="F"))

    def build():
        own = [dy.reshape(p, (n,), T * B) for p, n in zip(inputs, N_IN)]
        rng = np.random.default_rng(2)
        options = {"kind": kind, "explore": explore, "rng": rng}
        return dy.sum_batches(parser.loss(own, LENGTHS, HEADS, LABELS, **options))

    assert_gradients(build, list(named_parameters(pc).values()), eps=1e-3, tol=5e-3, entries=5)


@every_system
def test_any_parameters_give_trees(algorithm):
    lengths = np.random.default_rng(54).integers(1, 25, 40)
    for seed in range(4):
        _pc, parser = make(algorithm, seed=seed, scale=5.0)
        rng = np.random.default_rng(seed)
        dy.renew_cg()
        size = 40 * (lengths.max() + 1)
        own = [feed(rng.normal(size=(n, size)), batched=True) for n in N_IN]
        found = parser.parse(own, lengths)
        for heads in np.split(found.heads, np.cumsum(lengths)[:-1]):
            assert is_tree(heads)
        assert found.labels.min() >= 0


def test_limits_keep_labels_at_their_arcs():
    limits = LabelLimits(np.array([True, False, False]), np.array([False, True, True]))
    for algorithm in ALGORITHMS:
        for seed in range(10):
            _pc, parser = make(algorithm, seed=seed, scale=3.0, n_labels=3)
            dy.renew_cg()
            found = parser.parse(parts(vectors(seed)), LENGTHS, limits=limits)
            assert ((found.labels == 0) == (found.heads == 0)).all()


TREES = ["2 0 2 5 3", "0 1 2 3", "3 3 0", "2 4 4 0 7 7 4", "0 1 1 5 1"]
# no two states of these trees look the same from the four places
CROSSING = ["3 4 0 3", "2 0 1 3", "3 1 0", "4 4 1 0 7 3 4", "0 5 1 5 1"]


@every_loss
@every_system
def test_five_sentences_are_learned_by_heart(algorithm, kind):
    texts = CROSSING if algorithm == "swap" else TREES
    trees = [np.array([int(x) for x in text.split()]) for text in texts]
    lengths, heads = np.array([len(t) for t in trees]), np.concatenate(trees)
    labels = np.where(heads == 0, 3, np.arange(heads.size) % 3)
    width = (int(lengths.max()) + 1) * len(lengths)
    pc = dy.ParameterCollection()
    table = pc.add_lookup_parameters((width, 12))
    table.init_from_array(np.random.default_rng(55).normal(0, 0.5, (width, 12)))
    parser = TransitionParser(pc, n_in=[12], n_labels=4, n_hidden=24, algorithm=algorithm)
    rng = np.random.default_rng(56)
    for p in (parser.P, *parser.W):
        set_value(p, rng.normal(0, 0.2, p.shape()))
    trainer, every = dy.AdamTrainer(pc, alpha=0.02), list(range(width))
    for _ in range(60):
        dy.renew_cg()
        own = [dy.lookup_batch(table, every)]
        loss = parser.loss(own, lengths, heads, labels, kind=kind, rng=rng)
        dy.sum_batches(loss).backward()
        trainer.update()
    dy.renew_cg()
    found = parser.parse([dy.lookup_batch(table, every)], lengths)
    assert found.heads.tolist() == heads.tolist()
    assert found.labels.tolist() == labels.tolist()


def test_bad_arguments_are_refused():
    _pc, parser = make("arc-standard")
    dy.renew_cg()
    own, gold = parts(vectors()), (LENGTHS, HEADS, LABELS)
    with pytest.raises(ValueError, match="nll, hinge, found 'mse'"):
        parser.loss(own, *gold, kind="mse")
    with pytest.raises(ValueError, match="parts: expected 2, found 1"):
        parser.parse(own[:1], LENGTHS)
    with pytest.raises(ValueError, match=r"parts\[0\]: expected \(\*,\)x18, found \(3,\)x15"):
        parser.parse(own, [1, 5, 3])
    with pytest.raises(ValueError, match="labels: expected 0 to 1, found 2"):
        parser.loss(own, LENGTHS, HEADS, LABELS * 2)
    crossing = np.array([0, 3, 4, 0, 3, 2, 3, 0])
    with pytest.raises(ValueError, match="sentence 1: arc-standard cannot build this tree"):
        parser.loss(own, LENGTHS, crossing, LABELS)
    with pytest.raises(ValueError, match="limits: expected 2 bools, some True, of inner"):
        parser.parse(own, LENGTHS, limits=LabelLimits([True, True], [False, False]))
    with pytest.raises(ValueError, match=r"columns: ids must be 0 to 15, found 0 to 16"):
        parser.scores(parser.products(own), [[0, 1, 2, 16]])
    _pc2, hybrid = make()
    with pytest.raises(ValueError, match="explore: needs an rng"):
        hybrid.loss(own, *gold)
    with pytest.raises(ValueError, match="explore: expected 0 to 1"):
        hybrid.loss(own, *gold, explore=1.5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="algorithm: expected one of"):
        TransitionParser(dy.ParameterCollection(), n_in=[3], n_labels=2, algorithm="eager")
