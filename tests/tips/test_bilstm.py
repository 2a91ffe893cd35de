"""BiLSTM over padded batches: loops, padding, parts, dropout masks, bad input."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.graph.shapes import ShapeError
from dynotes.tips.bilstm import BiLstm
from dynotes.training.parameters import named_parameters, set_value
from tests.helpers import assert_gradients, asymmetric
from tests.reference.lstm import lstm_run

SIZES, H, L = [3, 2], 4, 2
LENGTHS = np.array([4, 2, 1])
T, B = 4, 3
KEEP = np.arange(T)[:, None] < LENGTHS


def make(pc):
    model = BiLstm(pc, n_in=SIZES, n_hidden=H, layers=L)
    rng = np.random.default_rng(1)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.6, p.shape()).astype(np.float32))
    return model


def inputs(seed=0):
    """(T, B, n) of each part."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(T, B, n)) for n in SIZES]


def as_columns(x):
    return feed(np.moveaxis(x, -1, 0).reshape(x.shape[-1], -1), batched=True)


def run(model, parts, keep=KEEP, **rates):
    """(T, B, 2H): both directions."""
    states = model([as_columns(x) for x in parts], keep, **rates)
    steps, batch = keep.shape
    return np.concatenate(
        [np.moveaxis(read(e).reshape(H, steps, batch), 0, -1) for e in states], axis=-1
    )


def reference(model, x):
    """(n, 2H) of one sentence (n, sum of SIZES)."""
    for layer in model.layers:
        sides = []
        for own, turn in zip(layer, (1, -1)):
            W = np.hstack([p.as_array() for p in own.W])
            weights = [(W, own.U.as_array(), own.b.as_array())]
            zero, ones = [np.zeros(H)], [np.ones(W.shape[1])]
            out, _, _ = lstm_run(x[::turn], zero, zero, weights, 1.0, ones, [np.ones(H)])
            sides.append(out[::turn])
        x = np.hstack(sides)
    return x


def test_every_sentence_of_a_padded_batch_is_read_as_by_loops():
    model, parts = make(dy.ParameterCollection()), inputs()
    found = run(model, parts)
    for b, n in enumerate(LENGTHS):
        x = np.hstack([part[:n, b] for part in parts])
        np.testing.assert_allclose(found[:n, b], reference(model, x), rtol=1e-4, atol=1e-5)


def test_what_stands_at_padding_changes_nothing():
    model, parts = make(dy.ParameterCollection()), inputs()
    first = run(model, parts)
    dy.renew_cg()
    other = [np.where(KEEP[:, :, None], x, 7.0) for x in parts]
    np.testing.assert_array_equal(run(model, other)[KEEP], first[KEEP])


def test_no_gradient_reaches_padding():
    pc = dy.ParameterCollection()
    model = make(pc)
    tables = [pc.lookup_parameters_from_numpy(x.reshape(T * B, -1)) for x in inputs()]
    parts = [dy.lookup_batch(table, list(range(T * B))) for table in tables]
    keep = feed(KEEP.reshape(1, -1), batched=True)
    forward, backward = model(parts, KEEP)
    asymmetric((forward + backward) * keep).backward()
    for table in tables:
        rows = np.abs(table.grad_as_array()).max(axis=1).reshape(T, B)
        assert (rows[KEEP] > 0).all()
        assert not rows[~KEEP].any()


def test_gradients_match_finite_differences():
    pc = dy.ParameterCollection()
    model, parts = make(pc), inputs()

    def loss():
        keep = feed(KEEP.reshape(1, -1), batched=True)
        forward, backward = model([as_columns(x) for x in parts], KEEP)
        return asymmetric(forward * keep) + asymmetric(backward * keep) * 0.5

    assert_gradients(loss, list(named_parameters(pc).values()), entries=6)


def test_masks_are_drawn_once_a_sentence_and_differ_between_sentences():
    """Equal inputs at all steps, no recurrence: with one mask a sentence all steps are equal."""
    pc = dy.ParameterCollection()
    model = BiLstm(pc, n_in=[30], n_hidden=H, layers=1)
    for name, p in named_parameters(pc).items():
        if name.startswith("/bilstm/U"):
            set_value(p, np.zeros(p.shape(), np.float32))
        if name.startswith("/bilstm/b"):  # nothing is carried over: the forget gate is shut
            bias = np.zeros(p.shape(), np.float32)
            bias[H : 2 * H] = -100.0
            set_value(p, bias)
    dy.reset_random_seed(3)
    x = np.ones((3, 2, 30))
    states = run(model, [x], np.ones((3, 2), np.bool_), p_first=0.5)
    np.testing.assert_allclose(states[0], states[1], atol=1e-6)
    np.testing.assert_allclose(states[0], states[2], atol=1e-6)
    assert np.abs(states[0, 0] - states[0, 1]).max() > 1e-3


@pytest.mark.parametrize("rates", [{"p_x": 0.5}, {"p_h": 0.5}, {"p_first": 0.5}])
def test_each_rate_changes_the_states_and_none_is_left_from_before(rates):
    model, parts = make(dy.ParameterCollection()), inputs()
    plain = run(model, parts)
    dy.renew_cg()
    assert np.abs(run(model, parts, **rates) - plain)[KEEP].max() > 1e-3
    dy.renew_cg()
    np.testing.assert_array_equal(run(model, parts), plain)


def test_bad_input_is_refused():
    model, parts = make(dy.ParameterCollection()), [as_columns(x) for x in inputs()]
    with pytest.raises(ValueError, match="padding behind the tokens"):
        model(parts, ~KEEP)
    with pytest.raises(ShapeError, match="parts: expected 2, found 1"):
        model(parts[:1], KEEP)
    with pytest.raises(ShapeError, match=r"parts\[0\]: expected \(3,\)x12, found \(2,\)x12"):
        model(parts[::-1], KEEP)
    with pytest.raises(ValueError, match="p_h: expected a rate"):
        model(parts, KEEP, p_h=1.0)
    with pytest.raises(ValueError, match="p_x: expected a rate"):
        model(parts, KEEP, p_x=-0.1)
