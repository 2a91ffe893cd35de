import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.tips.variational_lstm import VariationalLSTM, forget_half_life, mc_dropout
from tests.helpers import assert_gradients, asymmetric
from tests.reference.lstm import lstm_run

LAYERS, N_IN, SIZE = 2, 3, 4


def make(pc, forget_bias=1.0, layers=LAYERS):
    lstm = VariationalLSTM(pc, layers=layers, n_in=N_IN, n_hidden=SIZE, forget_bias=forget_bias)
    rng = np.random.default_rng(11)
    for p in lstm.parameters():
        p.set_value(rng.normal(0, 0.6, p.shape()))
    return lstm


def inputs(steps, batch, seed=0):
    """(T, I, B)"""
    return np.random.default_rng(seed).normal(size=(steps, N_IN, batch)).astype(np.float32)


def some_values(batch, seed=1):
    """2L arrays (H, B): c of all layers, then h."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.9, 0.9, (SIZE, batch)).astype(np.float32) for _ in range(2 * LAYERS)]


def run(state, xs):
    """Outputs (T, H, B) and the last state."""
    outputs = []
    for x in xs:
        state = state.add_input(feed(x, batched=True))
        outputs.append(state.output())
    return np.array([read(h) for h in outputs]), state


def twin(lstm, xs, values, m_x, m_h):
    """The numpy LSTM on every batch entry: outputs (T, H, B) and 2L arrays (H, B)."""
    flat = [p.as_array() for p in lstm.parameters()]
    weights = [flat[3 * n : 3 * n + 3] for n in range(len(flat) // 3)]
    layers = len(weights)
    runs = []
    for b in range(xs.shape[2]):
        start = [v[:, b] for v in values]
        masks = [[m[:, b] for m in masks] for masks in (m_x, m_h)]
        bias = lstm.spec["forget_bias"]
        runs.append(lstm_run(xs[:, :, b], start[:layers], start[layers:], weights, bias, *masks))
    after = [np.stack(v, axis=1) for v in zip(*[[*c, *h] for _, c, h in runs])]
    return np.stack([outputs for outputs, _, _ in runs], axis=2), after


def no_masks(batch):
    sizes = [N_IN] + [SIZE] * (LAYERS - 1)
    return [np.ones((n, batch)) for n in sizes], [np.ones((SIZE, batch))] * LAYERS


def revealing(which, sizes):
    """Weights with which c_t = tanh(0.5 + m_j x_j) / 2 for unit j: the cell shows its mask.

    The forget gate is shut (bias -60), the input gate half open; which is "x" or "h".
    """
    weights = []
    for n_in in sizes:
        wx, wh, b = np.zeros((4 * SIZE, n_in)), np.zeros((4 * SIZE, SIZE)), np.zeros(4 * SIZE)
        b[SIZE : 2 * SIZE], b[3 * SIZE :] = -60.0, 0.5
        np.fill_diagonal((wx if which == "x" else wh)[3 * SIZE :], 1.0)
        weights += [wx, wh, b]
    return weights


def extract_masks(lstm, batch, p_x, p_h, seed, steps=3):
    """The masks that ``start`` draws with this seed: m_x and m_h, each (T, L, size, B).

    Read from the memory of the same builder with other weights, one run for x and one for h.
    """
    sizes = [N_IN] + [SIZE] * (lstm.spec["layers"] - 1)
    trained = [p.as_array() for p in lstm.parameters()]
    masks = {}
    for which in ("x", "h"):
        for p, value in zip(lstm.parameters(), revealing(which, sizes)):
            p.set_value(value)
        dy.renew_cg()
        dy.reset_random_seed(seed)
        values = [np.full((SIZE, batch), 0.4) for _ in range(2 * len(sizes))]
        state = lstm.start(batch, values=values, p_x=p_x, p_h=p_h)
        masks[which] = []
        for _ in range(steps):
            h_prev = lstm.read_state(state)[len(sizes) :]
            state = state.add_input(feed(np.full((N_IN, batch), 0.3), batched=True))
            after = lstm.read_state(state)
            c, h = after[: len(sizes)], after[len(sizes) :]
            seen = [np.full((N_IN, batch), 0.3), *h[:-1]] if which == "x" else h_prev
            masks[which].append(
                [(np.arctanh(2.0 * a[: len(x)]) - 0.5) / x for a, x in zip(c, seen)]
            )
    for p, value in zip(lstm.parameters(), trained):
        p.set_value(value)
    dy.renew_cg()
    dy.reset_random_seed(seed)
    return masks["x"], masks["h"]


def rounded(mask, p):
    """The exact factors 0 and 1/(1-p) of an extracted mask."""
    kept = mask > 0.5
    np.testing.assert_allclose(mask, kept / (1 - p), atol=1e-4)
    return kept / (1 - p)


# T03


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("rates", [(0.5, 0.25), (0.5, 0.0), (0.0, 0.5)])
def test_the_lstm_equals_the_numpy_lstm_with_the_masks_it_drew(batch, rates):
    pc = dy.ParameterCollection()
    lstm, xs, values = make(pc, forget_bias=1.5), inputs(5, batch), some_values(batch)
    seen_x, seen_h = extract_masks(lstm, batch, *rates, seed=5)
    m_x = [rounded(m, rates[0]) for m in seen_x[0]]
    m_h = [rounded(m, rates[1]) for m in seen_h[0]]
    outputs, state = run(lstm.start(batch, values=values, p_x=rates[0], p_h=rates[1]), xs)
    expected, after = twin(lstm, xs, values, m_x, m_h)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for found, wanted in zip(lstm.read_state(state), after):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_same_masks_serve_all_time_steps_in_every_layer():
    pc = dy.ParameterCollection()
    for seen in extract_masks(make(pc, forget_bias=0.0), 2, 0.5, 0.5, seed=6, steps=6):
        for step in seen[1:]:
            for first, later in zip(seen[0], step):
                np.testing.assert_array_equal(rounded(later, 0.5), rounded(first, 0.5))


def test_masks_differ_between_batch_entries_layers_and_sequences():
    pc = dy.ParameterCollection()
    lstm = make(pc, forget_bias=0.0)
    m_x, m_h = extract_masks(lstm, 30, 0.5, 0.5, seed=7, steps=1)
    for m in (*m_x[0], *m_h[0]):
        assert len({tuple(column) for column in rounded(m, 0.5).T}) > 4
    assert (rounded(m_h[0][0], 0.5) != rounded(m_h[0][1], 0.5)).any()
    xs = inputs(1, 30)
    first, _ = run(lstm.start(30, p_x=0.5, p_h=0.5), xs)
    second, _ = run(lstm.start(30, p_x=0.5, p_h=0.5), xs)  # the same graph, not renewed
    assert (first != second).any(axis=(0, 1)).sum() > 20


def test_the_share_of_kept_inputs_and_states_is_one_minus_the_rate():
    pc = dy.ParameterCollection()
    batch = 4000
    m_x, m_h = extract_masks(make(pc, forget_bias=0.0), batch, 0.2, 0.6, seed=8, steps=1)
    for masks, p in ((m_x[0], 0.2), (m_h[0], 0.6)):
        kept = np.concatenate([rounded(m, p) > 0 for m in masks])
        assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)


def test_recurrent_dropout_leaves_the_first_step_from_zero_alone():
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(2, 20)
    plain, _ = run(lstm.start(20), xs)
    dropped, _ = run(lstm.start(20, p_h=0.5), xs)
    np.testing.assert_array_equal(dropped[0], plain[0])
    assert (dropped[1] != plain[1]).any()


def test_rates_of_0_give_the_plain_lstm_even_after_a_sequence_with_dropout():
    pc = dy.ParameterCollection()
    lstm, xs, values = make(pc), inputs(6, 3), some_values(3)
    run(lstm.start(3, p_x=0.5, p_h=0.5), xs)
    outputs, state = run(lstm.start(3, values=values), xs)  # the same graph
    expected, after = twin(lstm, xs, values, *no_masks(3))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(lstm.read_state(state), after, atol=1e-5)


@pytest.mark.parametrize("same_graph", [True, False])
def test_training_after_evaluation_draws_masks_again(same_graph):
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(2, 8)
    plain, _ = run(lstm.start(8), xs)
    if not same_graph:
        dy.renew_cg()
    dropped, _ = run(lstm.start(8, p_x=0.5), xs)
    assert (plain != dropped).any()


def test_the_batch_size_may_change_between_sequences_of_one_graph():
    pc = dy.ParameterCollection()
    lstm = make(pc)
    for batch in (5, 1, 3):
        outputs, _ = run(lstm.start(batch, p_x=0.5, p_h=0.5), inputs(2, batch))
        assert outputs.shape == (2, SIZE, batch)


def test_evaluation_draws_nothing(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("evaluation drew noise")

    for name in ("dropout", "random_bernoulli", "random_uniform", "random_normal"):
        monkeypatch.setattr(dy, name, refuse)
    pc = dy.ParameterCollection()
    lstm = make(pc)
    after_nothing = next_draw(seed=9)
    dy.renew_cg()
    dy.reset_random_seed(9)
    run(lstm.start(2), inputs(4, 2))
    assert next_draw() == after_nothing  # the engine's stream did not move
    dy.renew_cg()
    dy.reset_random_seed(9)
    run(lstm.start(2, p_x=0.5), inputs(4, 2))
    assert next_draw() != after_nothing


def next_draw(seed=None):
    """The next number of the engine's generator."""
    if seed is not None:
        dy.reset_random_seed(seed)
    return dy.random_gumbel(1).value()


def test_the_same_seed_gives_the_same_outputs_and_another_seed_others():
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(3, 2)
    found = []
    for seed in (3, 3, 4):
        dy.renew_cg()
        dy.reset_random_seed(seed)
        found.append(run(lstm.start(2, p_x=0.5, p_h=0.5), xs)[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_gradients_by_finite_differences_with_fixed_masks():
    pc = dy.ParameterCollection()
    lstm, xs, values = make(pc), inputs(3, 2), some_values(2)

    def build():
        dy.reset_random_seed(12)
        state = lstm.start(2, values=values, p_x=0.3, p_h=0.3)
        for x in xs:
            state = state.add_input(feed(x, batched=True))
        return asymmetric(state.output())

    assert_gradients(build, lstm.parameters())


def test_a_batch_equals_its_entries_one_by_one():
    pc = dy.ParameterCollection()
    lstm, xs, values = make(pc), inputs(4, 3), some_values(3)
    together, _ = run(lstm.start(3, values=values), xs)
    for b in range(3):
        alone, _ = run(lstm.start(1, values=[v[:, b : b + 1] for v in values]), xs[:, :, b : b + 1])
        np.testing.assert_allclose(alone, together[:, :, b : b + 1], atol=1e-6)


# the state between segments


def test_segments_that_pass_the_state_on_equal_one_long_run():
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(6, 2)
    whole, _ = run(lstm.start(2), xs)
    values, parts = lstm.zero_state(2), []
    for segment in (xs[:2], xs[2:3], xs[3:]):
        dy.renew_cg()
        outputs, state = run(lstm.start(2, values=values), segment)
        parts.append(outputs)
        values = lstm.read_state(state)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


def test_a_state_is_read_as_c_of_all_layers_then_h_and_goes_in_unchanged():
    pc = dy.ParameterCollection()
    lstm, values = make(pc), some_values(3)
    read_back = lstm.read_state(lstm.start(3, values=values))
    assert all(v.dtype == np.float32 for v in read_back)
    np.testing.assert_array_equal(read_back, values)
    _, state = run(lstm.start(3, values=values), inputs(2, 3))
    np.testing.assert_array_equal(lstm.read_state(state)[-1], read(state.output()))


def test_the_zero_state_is_the_default_start():
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(3, 2)
    assert [v.shape for v in lstm.zero_state(2)] == [(SIZE, 2)] * (2 * LAYERS)
    default, _ = run(lstm.start(2), xs)
    zeros, _ = run(lstm.start(2, values=lstm.zero_state(2)), xs)
    np.testing.assert_allclose(default, zeros, atol=1e-7)


def test_a_state_without_vectors_is_refused_also_after_another_sequence():
    pc = dy.ParameterCollection()
    lstm = make(pc)
    run(lstm.start(2, values=some_values(2)), inputs(2, 2))
    dy.renew_cg()
    with pytest.raises(ValueError, match="expected 4 vectors, found 0"):
        lstm.read_state(lstm.start(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"batch_size": 2, "p_x": 1.0}, "p_x"),
        ({"batch_size": 2, "p_h": -0.1}, "p_h"),
        ({"batch_size": 2, "p_h": float("nan")}, "p_h"),
        ({"batch_size": 2, "values": []}, "expected 4 arrays"),
        ({"batch_size": 2, "values": [np.zeros((SIZE, 2))] * 2}, "expected 4 arrays"),
        ({"batch_size": 2, "values": [np.zeros((SIZE, 3))] * 4}, r"expected shape \(4, 2\)"),
        ({"batch_size": 2, "values": [np.zeros(SIZE)] * 4}, r"expected shape \(4, 2\)"),
    ],
)
def test_a_bad_start_is_refused_and_changes_nothing(arguments, message):
    pc = dy.ParameterCollection()
    lstm, xs = make(pc), inputs(2, 2)
    plain, _ = run(lstm.start(2), xs)
    with pytest.raises(ValueError, match=message):
        lstm.start(**arguments)
    np.testing.assert_array_equal(run(lstm.start(2), xs)[0], plain)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"layers": 0}, "layers"),
        ({"n_in": -1}, "n_in"),
        ({"n_hidden": 2.5}, "n_hidden"),
        ({"n_hidden": 40_000}, "n_hidden"),
        ({"forget_bias": float("inf")}, "forget_bias"),
    ],
)
def test_bad_sizes_are_refused(size, message):
    pc = dy.ParameterCollection()
    with pytest.raises(ValueError, match=message):
        VariationalLSTM(pc, **{"layers": 1, "n_in": 2, "n_hidden": 3, **size})
    assert pc.parameters_list() == []


def test_parameters_come_as_input_recurrent_and_bias_layer_by_layer():
    pc = dy.ParameterCollection()
    lstm = VariationalLSTM(pc, layers=2, n_in=3, n_hidden=4)
    shapes = [p.shape() for p in lstm.parameters()]
    assert shapes == [(16, 3), (16, 4), (16,), (16, 4), (16, 4), (16,)]
    owned = [p.name() for p in lstm.param_collection().parameters_list()]
    assert owned == [p.name() for p in lstm.parameters()]


def test_saving_and_loading_is_exact(tmp_path):
    pc, other = dy.ParameterCollection(), dy.ParameterCollection()
    lstm, xs = make(pc, forget_bias=2.0), inputs(3, 2)
    expected, _ = run(lstm.start(2), xs)
    dy.save(str(tmp_path / "model"), [lstm])
    VariationalLSTM(other, layers=1, n_in=2, n_hidden=2)  # a clash of names
    (loaded,) = dy.load(str(tmp_path / "model"), other)
    assert loaded.spec == lstm.spec
    dy.renew_cg()
    np.testing.assert_array_equal(run(loaded.start(2), xs)[0], expected)


# T50


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.0, -1.5])
def test_the_memory_of_a_cell_without_weights_decays_by_the_logistic_of_the_forget_bias(
    forget_bias,
):
    pc = dy.ParameterCollection()
    lstm = make(pc, forget_bias=forget_bias, layers=1)
    for p in lstm.parameters():
        p.set_value(np.zeros(p.shape()))
    start = np.array([[1.0, -2.0], [0.5, 4.0], [3.0, 1.0], [-1.0, 0.25]])
    state = lstm.start(2, values=[start, np.zeros((SIZE, 2))])
    for t in range(1, 6):
        state = state.add_input(feed(np.ones((N_IN, 2)), batched=True))
        expected = start / (1 + math.exp(-forget_bias)) ** t
        np.testing.assert_allclose(lstm.read_state(state)[0], expected, rtol=1e-6)


def test_the_forget_bias_is_1_by_default_and_is_not_stored():
    pc = dy.ParameterCollection()
    default = VariationalLSTM(pc, layers=2, n_in=3, n_hidden=4)
    assert default.spec["forget_bias"] == 1.0
    assert all((p.as_array() == 0).all() for p in default.parameters()[2::3])


def test_a_forget_bias_equals_the_same_stored_bias_without_one():
    pc = dy.ParameterCollection()
    added, stored, xs = make(pc, forget_bias=2.0), make(pc, forget_bias=0.0), inputs(4, 2)
    for b in stored.parameters()[2::3]:
        value = b.as_array()
        value[SIZE : 2 * SIZE] += 2.0  # the second gate: i, f, o, g
        b.set_value(value)
    np.testing.assert_allclose(run(added.start(2), xs)[0], run(stored.start(2), xs)[0], atol=1e-6)


def test_the_half_life_of_a_memory_is_1_2_and_5_steps_for_biases_of_0_1_and_2():
    assert [round(forget_half_life(b), 1) for b in (0, 1, 2)] == [1.0, 2.2, 5.5]
    fade = 1 / (1 + math.exp(-1.7))
    assert fade ** forget_half_life(1.7) == pytest.approx(0.5, rel=1e-12)
    assert forget_half_life(1000.0) == math.inf
    assert forget_half_life(-1000.0) < 1e-3
    with pytest.raises(ValueError, match="forget_bias"):
        forget_half_life(float("nan"))


# Monte Carlo dropout


def passes(lstm, batch):
    """A function that runs one input with fresh masks: (3, B) log-probabilities of 3 words."""
    x = np.repeat(inputs(1, 1), batch, axis=2)[0]
    readout = 3.0 * np.sin(np.arange(12.0)).reshape(3, SIZE)

    def one_pass():
        dy.renew_cg()
        state = lstm.start(batch, p_x=0.5, p_h=0.5)
        for _ in range(3):
            state = state.add_input(feed(x, batched=True))
        return read(dy.log_softmax(feed(readout) * state.output()))

    return one_pass


def test_the_average_over_masks_converges_as_one_over_the_root_of_the_samples():
    pc = dy.ParameterCollection()
    entries = 2000  # independent estimates, one a batch entry
    one_pass = passes(make(pc), entries)
    truth = np.exp(mc_dropout(one_pass, 400)).mean(axis=1, keepdims=True)
    errors = []
    for samples in (1, 4, 16, 64):
        estimate = np.exp(mc_dropout(one_pass, samples))
        np.testing.assert_allclose(estimate.sum(axis=0), 1.0, atol=1e-5)
        errors.append(np.sqrt(((estimate - truth) ** 2).mean(axis=1)))
    ratios = np.array(errors[:-1]) / np.array(errors[1:])  # 2 each; relative error about 3 %
    np.testing.assert_allclose(ratios, 2.0, rtol=0.12)


def test_the_average_is_of_probabilities_and_survives_very_small_ones():
    drawn = iter([np.array([-1000.0, -np.inf, np.log(0.2)]), np.array([-1001.0, -np.inf, 0.0])])
    found = mc_dropout(lambda: next(drawn), 2)
    expected = [-1000 + math.log((1 + math.exp(-1)) / 2), -np.inf, math.log(0.6)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_sample_is_the_pass_itself_and_each_sample_is_one_pass():
    calls = []

    def one_pass():
        calls.append(1)
        return [-0.5, -1.5]

    np.testing.assert_array_equal(mc_dropout(one_pass, 1), [-0.5, -1.5])
    mc_dropout(one_pass, 7)
    assert len(calls) == 8


def test_bad_samples_shapes_and_nans_are_refused():
    with pytest.raises(ValueError, match="samples"):
        mc_dropout(lambda: [0.0], 0)
    drawn = iter([[0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"expected \(1,\), found \(2,\)"):
        mc_dropout(lambda: next(drawn), 2)
    with pytest.raises(ValueError, match="NaN"):
        mc_dropout(lambda: [float("nan")], 2)
