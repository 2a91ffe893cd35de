import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.tips import lstm_sequence
from dynotes.tips.lstm_sequence import (
    LayerState,
    LayerWeights,
    Rates,
    drop_columns,
    lstm_layer,
    lstm_segment,
)
from dynotes.tips.variational_lstm import VariationalLSTM
from tests.helpers import assert_gradients, asymmetric
from tests.reference.lstm import lstm_run

N_IN, SIZE = 3, 4


def make(pc, *, layers=2, n_in=N_IN, size=SIZE, forget_bias=1.0):
    """DyNet's builder with all parameters random, and the same parameters by layer."""
    lstm = VariationalLSTM(pc, layers=layers, n_in=n_in, n_hidden=size, forget_bias=forget_bias)
    rng = np.random.default_rng(11)
    for p in lstm.parameters():
        p.set_value(rng.normal(0, 0.6, p.shape()))
    flat = lstm.parameters()
    return lstm, [LayerWeights(*flat[3 * n : 3 * n + 3]) for n in range(layers)]


def inputs(steps, batch, n_in=N_IN, seed=0):
    """(T, I, B)"""
    return np.random.default_rng(seed).normal(size=(steps, n_in, batch)).astype(np.float32)


def some_values(batch, layers=2, size=SIZE, seed=1):
    """2L arrays (H, B): c of all layers, then h."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.9, 0.9, (size, batch)).astype(np.float32) for _ in range(2 * layers)]


def time_major(xs):
    """(T, I, B) -> (I,)x(T*B)"""
    return feed(np.concatenate(list(xs), axis=1), batched=True)


def fed(values):
    half = len(values) // 2
    e = [feed(v, batched=True) for v in values]
    return [LayerState(c, h) for c, h in zip(e[:half], e[half:])]


def run(layers, xs, values=None, **options):
    """Outputs (T, H, B) and the 2L arrays (H, B) of the state."""
    steps, _, batch = xs.shape
    states = None if values is None else fed(values)
    h, after = lstm_segment(time_major(xs), layers, states, batch=batch, **options)
    outputs = read(h).reshape(-1, steps, batch).swapaxes(0, 1)
    return outputs, [read(s.c) for s in after] + [read(s.h) for s in after]


def builders_own(lstm, xs, values=None):
    """The same of DyNet's builder, a step at a time."""
    state, outputs = lstm.start(xs.shape[2], values=values), []
    for x in xs:
        state = state.add_input(feed(x, batched=True))
        outputs.append(read(state.output()))
    return np.array(outputs), lstm.read_state(state)


def twin(layers, xs, values, m_x, m_h, forget_bias=1.0):
    """The numpy LSTM, masks fixed over time: outputs (T, H, B) and 2L arrays (H, B)."""
    weights, n, runs = [[p.as_array() for p in layer] for layer in layers], len(layers), []
    for b in range(xs.shape[2]):
        start = [v[:, b] for v in values]
        masks = [[m[:, b] for m in of_layers] for of_layers in (m_x, m_h)]
        runs.append(lstm_run(xs[:, :, b], start[:n], start[n:], weights, forget_bias, *masks))
    after = [np.stack(v, axis=1) for v in zip(*[[*c, *h] for _, c, h in runs])]
    return np.stack([outputs for outputs, _, _ in runs], axis=2), after


@pytest.fixture
def known_masks(monkeypatch):
    """dropout_mask returns constants; the list holds them in the order of the calls."""
    made, rng = [], np.random.default_rng(4)

    def mask(dims, p, *, batch_size=1, mode="inverted"):
        values = (rng.random((*dims, batch_size)) >= p) / (1 - p)
        made.append(values)
        return feed(values, batched=True)

    monkeypatch.setattr(lstm_sequence, "dropout_mask", mask)
    return made


# equal to DyNet's builder


@pytest.mark.parametrize(
    ("layers", "n_in", "size", "batch", "steps"),
    [(1, 3, 4, 1, 1), (1, 3, 4, 5, 1), (2, 3, 4, 1, 6), (2, 5, 2, 3, 4), (3, 1, 1, 2, 3)],
)
@pytest.mark.parametrize("carried", [False, True])
def test_without_dropout_it_equals_the_builder_of_dynet(layers, n_in, size, batch, steps, carried):
    pc = dy.ParameterCollection()
    lstm, weights = make(pc, layers=layers, n_in=n_in, size=size, forget_bias=0.7)
    xs = inputs(steps, batch, n_in)
    values = some_values(batch, layers, size) if carried else None
    expected, state = builders_own(lstm, xs, values)
    found, after = run(weights, xs, values, forget_bias=0.7)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(after, state, atol=1e-5)


def test_a_forget_bias_of_0_is_not_added():
    pc = dy.ParameterCollection()
    lstm, weights = make(pc, forget_bias=0.0)
    xs = inputs(4, 2)
    found, _ = run(weights, xs, forget_bias=0.0)
    np.testing.assert_allclose(found, builders_own(lstm, xs)[0], atol=1e-5)


def test_gradients_equal_the_gradients_of_dynets_builder():
    pc = dy.ParameterCollection()
    lstm, weights = make(pc)
    xs, values = inputs(5, 2), some_values(2)

    def gradients(e):
        asymmetric(e).backward()
        found = [p.grad_as_array().copy() for p in lstm.parameters()]
        for p in lstm.parameters():
            p.scale_gradient(0.0)
        dy.renew_cg()
        return found

    ours = gradients(lstm_segment(time_major(xs), weights, fed(values), batch=2)[0])
    state, outputs = lstm.start(2, values=values), []
    for x in xs:
        state = state.add_input(feed(x, batched=True))
        outputs.append(state.output())
    for found, expected in zip(ours, gradients(dy.concatenate_to_batch(outputs))):
        np.testing.assert_allclose(found, expected, atol=1e-4)


# equal to the numpy LSTM, masks known


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("p_x", "p_h"), [(0.5, 0.25), (0.5, 0.0), (0.0, 0.5)])
def test_with_masks_it_equals_the_numpy_lstm(known_masks, batch, p_x, p_h):
    pc = dy.ParameterCollection()
    _, weights = make(pc, forget_bias=1.5)
    xs, values = inputs(5, batch), some_values(batch)
    found, after = run(weights, xs, values, forget_bias=1.5, rates=Rates(x=p_x, h=p_h))
    drawn = iter(known_masks)
    m_x, m_h = [], []
    for n_in in (N_IN, SIZE):
        m_x.append(next(drawn) if p_x else np.ones((n_in, batch)))
        m_h.append(next(drawn) if p_h else np.ones((SIZE, batch)))
    expected, state = twin(weights, xs, values, m_x, m_h, forget_bias=1.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(after, state, atol=1e-5)
    assert next(drawn, None) is None


def test_the_output_mask_multiplies_the_last_outputs_and_nothing_else(known_masks):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs = inputs(4, 3)
    plain, state = run(weights, xs)
    dropped, after = run(weights, xs, rates=Rates(out=0.5))
    np.testing.assert_allclose(dropped, plain * known_masks[0], atol=1e-6)
    np.testing.assert_array_equal(after, state)


# gradients


@pytest.mark.parametrize(
    "rates", [Rates(), Rates(x=0.3, h=0.3, out=0.3), Rates(x=0.3, out=0.3, shared=False)]
)
def test_gradients_by_finite_differences(rates):
    pc = dy.ParameterCollection()
    lstm, weights = make(pc)
    xs, values = inputs(3, 2), some_values(2)

    def build():
        dy.reset_random_seed(12)
        h, _ = lstm_segment(time_major(xs), weights, fed(values), batch=2, rates=rates)
        return asymmetric(h)

    assert_gradients(build, lstm.parameters())


# what a segment leaves behind


@pytest.mark.parametrize("save_at", [1, 2, 5, None])
def test_save_at_gives_the_state_after_so_many_steps(save_at):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs, values = inputs(5, 2), some_values(2)
    outputs, after = run(weights, xs, values, save_at=save_at)
    shorter, expected = run(weights, xs[: save_at or 5], values)
    assert len(outputs) == 5
    np.testing.assert_allclose(after, expected, atol=1e-6)
    np.testing.assert_allclose(outputs[: save_at or 5], shorter, atol=1e-6)


def test_segments_that_pass_the_state_on_equal_one_long_run():
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs = inputs(6, 2)
    whole, state = run(weights, xs)
    values, parts = None, []
    for part in (xs[:1], xs[1:4], xs[4:]):
        dy.renew_cg()
        outputs, values = run(weights, part, values)
        parts.append(outputs)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    np.testing.assert_allclose(values, state, atol=1e-6)


def test_a_batch_equals_its_entries_one_by_one():
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs, values = inputs(4, 3), some_values(3)
    together, _ = run(weights, xs, values)
    for b in range(3):
        alone, _ = run(weights, xs[:, :, b : b + 1], [v[:, b : b + 1] for v in values])
        np.testing.assert_allclose(alone[:, :, 0], together[:, :, b], atol=1e-6)


# dropout


def refuse_draws(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("noise was drawn")

    for name in ("dropout", "random_bernoulli", "random_uniform", "random_normal"):
        monkeypatch.setattr(dy, name, refuse)


@pytest.mark.parametrize("rates", [None, Rates(), Rates(shared=False)])
def test_rates_of_0_draw_nothing(monkeypatch, rates):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    refuse_draws(monkeypatch)
    found, _ = run(weights, inputs(3, 2), rates=rates)
    assert found.shape == (3, SIZE, 2)


def test_a_rate_of_0_returns_the_columns_themselves():
    x = feed(np.ones((4, 6)), batched=True)
    assert drop_columns(x, 0.0, batch=2, shared=True) is x


def masks_of_ones(rate, *, shared, seed=3, size=50, batch=4, steps=5):
    """What drop_columns makes of ones: (size, T, B)."""
    dy.renew_cg()
    dy.reset_random_seed(seed)
    x = feed(np.ones((size, steps * batch)), batched=True)
    return read(drop_columns(x, rate, batch=batch, shared=shared)).reshape(size, steps, batch)


def test_shared_masks_are_the_same_at_all_steps_and_differ_between_columns():
    m = masks_of_ones(0.5, shared=True)
    np.testing.assert_array_equal(m, np.repeat(m[:, :1], 5, axis=1))
    assert len({m[:, 0, b].tobytes() for b in range(4)}) == 4
    assert set(np.unique(m)) == {0.0, 2.0}


def test_fresh_masks_differ_between_steps_and_columns():
    m = masks_of_ones(0.5, shared=False)
    assert len({m[:, t, b].tobytes() for t in range(5) for b in range(4)}) == 20


@pytest.mark.parametrize("shared", [True, False])
def test_the_share_of_zeros_is_the_rate_and_the_mean_is_1(shared):
    m = masks_of_ones(0.3, shared=shared, size=500, batch=20, steps=1)
    z = ((m == 0).mean() - 0.3) / np.sqrt(0.3 * 0.7 / m.size)
    assert abs(z) < 5
    np.testing.assert_allclose(m[m > 0], 1 / 0.7, rtol=1e-6)


def test_recurrent_dropout_leaves_the_first_step_from_zero_alone_and_changes_the_second():
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs = inputs(2, 20)
    plain, _ = run(weights, xs)
    dropped, _ = run(weights, xs, rates=Rates(h=0.5))
    np.testing.assert_array_equal(dropped[0], plain[0])
    assert (dropped[1] != plain[1]).any()


def test_fresh_input_masks_leave_the_recurrent_mask_shared(known_masks):
    pc = dy.ParameterCollection()
    _, weights = make(pc, layers=1)
    run(weights, inputs(6, 2), rates=Rates(x=0.2, h=0.5, out=0.2, shared=False))
    assert [m.shape for m in known_masks] == [(SIZE, 2)]  # m_h alone, once


@pytest.mark.parametrize("shared", [True, False])
def test_output_dropout_leaves_the_states_untouched(shared):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    xs = inputs(3, 4)
    plain, state = run(weights, xs)
    dropped, after = run(weights, xs, rates=Rates(out=0.5, shared=shared))
    np.testing.assert_array_equal(after, state)
    assert (dropped == 0).any()
    np.testing.assert_allclose(dropped[dropped != 0], 2 * plain[dropped != 0], rtol=1e-5)


def test_the_same_seed_gives_the_same_outputs_and_another_seed_others():
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    found = []
    for seed in (3, 3, 4):
        dy.renew_cg()
        dy.reset_random_seed(seed)
        found.append(run(weights, inputs(3, 2), rates=Rates(x=0.5, h=0.5, out=0.5))[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


# errors


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((N_IN + 1, 6), {"batch": 2}, r"x: expected \(3,\)"),
        ((N_IN, 7), {"batch": 2}, "7 columns are no multiple of the batch 2"),
        ((N_IN, 6), {"batch": 0}, "batch: expected 1"),
        ((N_IN, 6), {"batch": 2, "save_at": 4}, "save_at: expected 1 to 3, found 4"),
        ((N_IN, 6), {"batch": 2, "save_at": 0}, "save_at: expected 1 to 3, found 0"),
        ((N_IN, 6), {"batch": 2, "save_at": -1}, "save_at: expected 1 to 3, found -1"),
        ((N_IN, 6), {"batch": 2, "rates": Rates(x=1.0)}, "dropout rate x"),
        ((N_IN, 6), {"batch": 2, "rates": Rates(h=-0.1)}, "dropout rate h"),
        ((N_IN, 6), {"batch": 2, "rates": Rates(embed=float("nan"))}, "dropout rate embed"),
    ],
)
def test_wrong_sizes_and_rates_are_refused(shape, options, message):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    with pytest.raises(ValueError, match=message):
        lstm_segment(feed(np.ones(shape), batched=True), weights, None, **options)


@pytest.mark.parametrize(
    ("c", "h", "message"),
    [
        ((SIZE, 3), (SIZE, 2), r"state c: expected \(4,\)x2, found \(4,\)x3"),
        ((SIZE, 2), (SIZE + 1, 2), r"state h: expected \(4,\)x2, found \(5,\)x2"),
    ],
)
def test_a_state_of_another_size_is_refused(c, h, message):
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    state = LayerState(*(feed(np.ones(s), batched=True) for s in (c, h)))
    with pytest.raises(ValueError, match=message):
        lstm_layer(time_major(inputs(2, 2)), weights[0], state, batch=2)


def test_another_number_of_states_than_layers_is_refused():
    pc = dy.ParameterCollection()
    _, weights = make(pc)
    with pytest.raises(ValueError, match="states: expected 2, one a layer, found 1"):
        lstm_segment(time_major(inputs(2, 2)), weights, fed(some_values(2, layers=1)), batch=2)
