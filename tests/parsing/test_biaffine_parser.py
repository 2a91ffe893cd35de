"""The biaffine parser: batches are sums of sentences, masks, losses by enumeration, overfitting."""

import itertools

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.trees import is_tree
from dynotes.graph.arrays import read, scalar
from dynotes.parsing.biaffine_parser import BiaffineParser, ParserRates
from dynotes.parsing.mst import mst
from dynotes.training.parameters import named_parameters, set_value
from tests.helpers import assert_gradients
from tests.parsing.small_treebank import batch, parser_spec, symbols


def make(pc, **sizes):
    parser = BiaffineParser(pc, **parser_spec(symbols(), **sizes))
    rng = np.random.default_rng(2)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.4, p.shape()).astype(np.float32))
    return parser


def loss_of(parser, which, kind="local", **more):
    b, heads, labels = batch(which)
    dy.renew_cg()
    return scalar(parser.loss(b, heads, labels, kind=kind, **more))


@pytest.mark.parametrize("kind", ["local", "tree"])
def test_a_padded_batch_costs_what_its_sentences_cost_alone(kind):
    parser = make(dy.ParameterCollection())
    alone = sum(loss_of(parser, [i], kind) for i in range(5))
    assert loss_of(parser, range(5), kind) == pytest.approx(alone, rel=1e-5)


def scores_of(parser, which):
    """(arc scores, label scores of gold heads, batch, heads, labels) as arrays."""
    b, heads, labels = batch(which)
    dy.renew_cg()
    encoded = parser.encode(b)
    arcs = read(parser.arc_scores(encoded, b))
    return arcs, read(parser.label_scores(encoded, heads, b)), b, heads, labels


def log_softmax(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


@pytest.mark.parametrize("kind", ["local", "tree"])
def test_the_loss_is_that_of_the_scores_by_loops_over_words_and_trees(kind):
    parser = make(dy.ParameterCollection())
    arcs, of_labels, _, heads, labels = scores_of(parser, [0])
    S = arcs[:, :, 0].astype(np.float64)
    expected = -sum(log_softmax(of_labels[:, i])[labels[i]] for i in range(4))
    if kind == "local":
        expected -= sum(log_softmax(S[:, i + 1])[heads[i]] for i in range(4))
    else:
        every = itertools.product(range(5), repeat=4)
        totals = [
            sum(S[h, i + 1] for i, h in enumerate(tree))
            for tree in every
            if is_tree(np.array(tree))
        ]
        gold = sum(S[heads[i], i + 1] for i in range(4))
        expected += np.log(np.exp(totals).sum()) - gold
    assert loss_of(parser, [0], kind) == pytest.approx(expected, rel=1e-4)


def test_no_word_is_its_own_head_or_hangs_below_padding():
    arcs, _, b, _, _ = scores_of(make(dy.ParameterCollection()), range(5))
    p = np.exp(arcs - arcs.max(axis=0)) / np.exp(arcs - arcs.max(axis=0)).sum(axis=0)
    for column, n in enumerate(b.lengths):
        square = p[:, : n + 1, column]
        assert np.diagonal(square).max() < 1e-8
        assert square[n + 1 :].max(initial=0.0) < 1e-8
        np.testing.assert_allclose(square[: n + 1].sum(axis=0), 1, rtol=1e-5)


def test_labels_are_scored_at_the_given_heads():
    parser = make(dy.ParameterCollection())
    b, heads, _ = batch()
    dy.renew_cg()
    encoded = parser.encode(b)
    found = read(parser.label_scores(encoded, heads, b))
    x, y = (read(e).reshape(4, *b.words.shape) for e in (encoded.label_head, encoded.label_dep))
    forms, place = parser.labels.dense(), 0
    for column, n in enumerate(b.lengths):
        for word in range(1, n + 1):
            head = np.append(x[:, heads[place], column], 1)
            dep = np.append(y[:, word, column], 1)
            np.testing.assert_allclose(found[:, place], head @ forms @ dep, rtol=1e-3, atol=1e-4)
            place += 1


@pytest.mark.parametrize("kind", ["local", "tree"])
def test_gradients_match_finite_differences(kind):
    pc = dy.ParameterCollection()
    parser = make(pc)
    b, heads, labels = batch([0, 1])
    arcs = [parser.arcs.U, parser.arcs.u, parser.labels.U, parser.labels.b, parser.inputs.words]
    arcs += [p for name, p in named_parameters(pc).items() if "bilstm/W" in name][:2]
    assert_gradients(lambda: parser.loss(b, heads, labels, kind=kind), arcs, entries=5)


@pytest.mark.parametrize("rate", ParserRates._fields)
def test_every_rate_of_dropout_is_read_and_zero_is_evaluation(rate):
    parser = make(dy.ParameterCollection())
    plain = loss_of(parser, range(5))
    rng = np.random.default_rng(0)
    assert loss_of(parser, range(5), rates=ParserRates(), rng=rng) == plain
    assert loss_of(parser, range(5), rates=ParserRates(**{rate: 0.5}), rng=rng) != plain


@pytest.mark.parametrize("kind", ["local", "tree"])
def test_it_learns_a_few_trees_by_heart(kind):
    """5 sentences, 200 steps of Adam: below 0.1 nats a sentence (DyNet's seed 1)."""
    dy.reset_random_seed(1)
    pc = dy.ParameterCollection()
    parser = BiaffineParser(pc, **parser_spec(symbols()))
    trainer = dy.AdamTrainer(pc, 0.02)
    b, heads, labels = batch()
    for _ in range(200):
        dy.renew_cg()
        loss = parser.loss(b, heads, labels, kind=kind)
        loss.backward()
        trainer.update()
    assert loss_of(parser, range(5), kind) < 0.5
    arcs, of_labels, b, _, _ = scores_of(parser, range(5))
    found = [mst(arcs[: n + 1, : n + 1, c]) for c, n in enumerate(b.lengths)]
    assert np.concatenate(found).tolist() == heads.tolist()
    assert of_labels.argmax(axis=0).tolist() == labels.tolist()


def test_bad_input_is_refused():
    parser = make(dy.ParameterCollection())
    b, heads, labels = batch()
    with pytest.raises(ValueError, match="kind: expected one of local, tree, found 'global'"):
        parser.loss(b, heads, labels, kind="global")
    with pytest.raises(ValueError, match="labels: ids must be 0 to"):
        parser.loss(b, heads, labels + 9)
    with pytest.raises(ValueError, match="behind the end of its sentence"):
        parser.loss(b, np.full_like(heads, 3), labels)
    with pytest.raises(ValueError, match="heads: expected shape"):
        parser.loss(b, heads[1:], labels)
