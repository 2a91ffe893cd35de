import math

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.shapes import MAX_ELEMENTS
from dynotes.tips.initializers import (
    GAINS,
    fans,
    gain,
    he_normal,
    he_uniform,
    initialise,
    lstm_xavier,
    orthogonal,
    parse_scheme,
    uniform,
    xavier_normal,
    xavier_uniform,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def relu(x):
    return np.maximum(x, 0)


def forward(draw, widths, activation, seed=0, scale=1.0, batch=400):
    """Second moment after a net of these widths, over that of its Gaussian input."""
    generator = rng(seed)
    x = scale * generator.standard_normal((widths[0], batch), dtype=np.float32)
    start = (x**2).mean()
    for n_in, n_out in zip(widths, widths[1:]):
        x = activation(draw(generator, (n_out, n_in)) @ x)
    return (x**2).mean() / start


def backward(draw, widths, seed=0, batch=400):
    """The same for a Gaussian gradient sent back through the weights of a linear net."""
    generator = rng(seed)
    g = generator.standard_normal((widths[-1], batch), dtype=np.float32)
    for n_in, n_out in reversed(list(zip(widths, widths[1:]))):
        g = draw(generator, (n_out, n_in)).T @ g
    return (g**2).mean()


# fans and gains


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((7, 3), (3, 7)),
        ((1, 5), (5, 1)),
        ((3, 5, 2, 8), (30, 120)),  # 3 x 5 window, 2 channels to 8
        ((4, 2, 6), (8, 24)),
    ],
)
def test_fans_count_the_window_and_the_channels(shape, expected):
    assert fans(shape) == expected


@pytest.mark.parametrize("shape", [(), (5,), (0, 3), (3, -1), (2.0, 3), (MAX_ELEMENTS, 3)])
def test_shapes_without_fans_are_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        fans(shape)


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("linear", lambda x: x),
        ("tanh", np.tanh),
        ("softsign", lambda x: x / (1 + abs(x))),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_the_gain_is_one_over_the_slope_at_zero(name, f):
    assert gain(name) == pytest.approx(2e-5 / (f(1e-5) - f(-1e-5)), rel=1e-4)


def test_every_gain_is_tested_above_and_relu_has_none():
    assert set(GAINS) == {"linear", "tanh", "softsign", "sigmoid"}
    with pytest.raises(ValueError, match=r"he_\* for relu"):
        gain("relu")


# ranges and variances

N_IN, N_OUT = 200, 500
VARIANCES = [
    (xavier_uniform, {}, 2 / (N_IN + N_OUT)),
    (xavier_uniform, {"activation": "sigmoid"}, 32 / (N_IN + N_OUT)),
    (xavier_uniform, {"mode": "fan_in"}, 1 / N_IN),
    (xavier_uniform, {"mode": "fan_out"}, 1 / N_OUT),
    (xavier_normal, {}, 2 / (N_IN + N_OUT)),
    (xavier_normal, {"activation": "sigmoid", "mode": "fan_in"}, 16 / N_IN),
    (he_uniform, {}, 2 / N_IN),
    (he_uniform, {"mode": "fan_out", "a": 0.5}, 2 / 1.25 / N_OUT),
    (he_normal, {}, 2 / N_IN),
    (he_normal, {"mode": "fan_out"}, 2 / N_OUT),
    (he_normal, {"a": 1.0}, 1 / N_IN),
]


@pytest.mark.parametrize(("draw", "options", "variance"), VARIANCES)
def test_weights_have_mean_0_and_the_variance_of_the_paper(draw, options, variance):
    w = draw(rng(1), (N_OUT, N_IN), **options)
    assert w.shape == (N_OUT, N_IN)
    assert w.dtype == np.float32
    w = w.astype(float)
    assert abs(w.mean()) < 5 * math.sqrt(variance / w.size)
    kurtosis = 1.8 if draw.__name__.endswith("uniform") else 3.0
    error = variance * math.sqrt((kurtosis - 1) / w.size)
    assert abs((w**2).mean() - variance) < 5 * error


@pytest.mark.parametrize(("draw", "options", "variance"), VARIANCES)
def test_uniform_weights_fill_their_interval_and_normal_ones_leave_it(draw, options, variance):
    w, x = draw(rng(2), (N_OUT, N_IN), **options), math.sqrt(3 * variance)
    if draw.__name__.endswith("uniform"):
        assert 0.999 * x < w.max() <= x * (1 + 1e-6)
        assert 0.999 * x < -w.min() <= x * (1 + 1e-6)
    else:
        assert abs(w).max() > 2 * x


def test_the_interval_of_xavier_is_minus_x_to_x_of_equation_16():
    w = xavier_uniform(rng(3), (300, 100))
    assert abs(w).max() == pytest.approx(math.sqrt(6 / 400), rel=1e-3)
    assert w.min() < 0 < w.max()


@pytest.mark.parametrize("draw", [xavier_uniform, xavier_normal, he_uniform, he_normal])
def test_a_kernel_is_drawn_with_the_fans_of_its_window(draw):
    shape = (3, 3, 20, 80)
    n_in, n_out = 180, 720
    variance = 2 / (n_in + n_out) if "xavier" in draw.__name__ else 2 / n_in
    w = draw(rng(4), shape)
    assert w.shape == shape
    assert (w.astype(float) ** 2).mean() == pytest.approx(variance, rel=0.05)


def test_uniform_fills_any_shape():
    w = uniform(rng(5), (1000,), 0.25)
    assert w.shape == (1000,)
    assert w.dtype == np.float32
    assert 0.24 < w.max() <= 0.25
    assert -0.25 <= w.min() < -0.24


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform(rng(), (3,), 0.0), "scale"),
        (lambda: uniform(rng(), (3,), float("nan")), "scale"),
        (lambda: uniform(rng(), (0,), 1.0), "shape"),
        (lambda: xavier_uniform(rng(), (3,)), "shape"),
        (lambda: xavier_uniform(rng(), (3, 2), mode="both"), "mode"),
        (lambda: xavier_normal(rng(), (3, 2), activation="relu"), "activation"),
        (lambda: he_normal(rng(), (3, 2), mode="average"), "mode"),
        (lambda: he_uniform(rng(), (3, 2), a=float("inf")), "slope"),
        (lambda: orthogonal(rng(), (3,)), "shape"),
        (lambda: lstm_xavier(rng(), (10, 3)), r"expected \(4 H, I\)"),
        (lambda: lstm_xavier(rng(), (8,)), r"expected \(4 H, I\)"),
        (lambda: lstm_xavier(rng(), (8, 3), n_gates=0), "n_gates"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# depth.  Over 20 seeds the log of the second moment has a standard deviation of 0.05 to 0.08 in the
# linear and tanh nets, 0.3 in the leaky and 0.5 in the relu nets; every bound is 4 of them away


def test_a_linear_net_of_30_layers_keeps_the_second_moment_with_xavier():
    for draw in (xavier_uniform, xavier_normal):
        assert 0.6 < forward(draw, [512] * 31, lambda x: x) < 1.6


def test_a_tanh_net_of_30_layers_keeps_small_signals_within_their_order_with_xavier():
    assert 0.2 < forward(xavier_uniform, [512] * 31, np.tanh, scale=0.1) < 1.5


def test_xavier_sends_gradients_back_through_30_layers_at_the_same_size():
    assert 0.6 < backward(xavier_uniform, [512] * 31) < 1.6


def test_in_changing_widths_fan_in_keeps_the_signals_and_fan_out_the_gradients():
    widths = [512, 128] * 8 + [512]

    def fan_in(generator, shape):
        return xavier_uniform(generator, shape, mode="fan_in")

    def fan_out(generator, shape):
        return xavier_uniform(generator, shape, mode="fan_out")

    assert 0.3 < forward(fan_in, widths, lambda x: x) < 3
    assert 0.3 < backward(fan_out, widths) < 3
    # the average pays (4 * 512 * 128 / 640^2)^8 = 0.64^8 = 0.028 in both directions
    assert 0.009 < forward(xavier_uniform, widths, lambda x: x) < 0.09
    assert 0.009 < backward(xavier_uniform, widths) < 0.09


def test_a_relu_net_of_30_layers_keeps_its_order_with_he_and_loses_two_to_the_30_with_xavier():
    for draw in (he_normal, he_uniform):
        assert 0.1 < forward(draw, [512] * 31, relu) < 10
    lost = forward(xavier_normal, [512] * 31, relu)
    assert 0.1 < lost / 2.0**-30 < 10


def test_twice_the_variance_of_xavier_is_not_he_in_changing_widths():
    widths = [512, 128] * 10 + [512]  # 20 layers

    def twice_xavier(generator, shape):
        return math.sqrt(2) * xavier_normal(generator, shape)

    assert 0.1 < forward(he_normal, widths, relu) < 10
    shrunk = forward(twice_xavier, widths, relu)
    assert 0.1 < shrunk / 0.64**10 < 10  # 0.64^10 = 0.012


def test_the_leaky_slope_keeps_the_second_moment_of_a_leaky_net():
    def leaky(generator, shape):
        return he_normal(generator, shape, a=0.5)

    def activation(x):
        return np.where(x > 0, x, 0.5 * x)

    assert 0.2 < forward(leaky, [512] * 31, activation) < 5


# orthogonal


@pytest.mark.parametrize("shape", [(40, 40), (60, 20), (1, 1), (5, 1)])
def test_columns_of_an_orthogonal_matrix_are_orthonormal(shape):
    w = orthogonal(rng(6), shape)
    assert w.shape == shape
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.T @ w, np.eye(shape[1]), atol=1e-5)


def test_rows_of_a_broad_orthogonal_matrix_are_orthonormal():
    w = orthogonal(rng(7), (20, 60))
    np.testing.assert_allclose(w @ w.T, np.eye(20), atol=1e-5)


def test_filters_of_an_orthogonal_kernel_are_orthonormal():
    w = orthogonal(rng(8), (3, 3, 2, 10)).reshape(18, 10)
    np.testing.assert_allclose(w.T @ w, np.eye(10), atol=1e-5)


def test_an_orthogonal_linear_net_of_30_layers_keeps_the_second_moment_exactly():
    assert forward(orthogonal, [64] * 31, lambda x: x) == pytest.approx(1.0, rel=1e-4)


def test_orthogonal_matrices_have_no_preferred_direction():
    entries = np.array([orthogonal(rng(s), (2, 2)) for s in range(2000)])
    # every entry is the cosine of a uniform angle: mean 0, variance 1/2
    assert np.all(abs(entries.mean(axis=0)) < 5 * math.sqrt(0.5 / 2000))


# gates


def test_every_gate_of_an_lstm_matrix_has_its_own_fans():
    size, n_in = 150, 60
    w = lstm_xavier(rng(9), (4 * size, n_in))
    bound, stacked = math.sqrt(6 / (size + n_in)), math.sqrt(6 / (4 * size + n_in))
    for gate in np.split(w, 4):
        assert 0.99 * bound < abs(gate).max() <= bound * (1 + 1e-6)
    assert abs(w).max() > 1.5 * stacked


def test_the_number_of_gates_is_free():
    w = lstm_xavier(rng(10), (3 * 100, 40), n_gates=3)
    assert abs(w).max() == pytest.approx(math.sqrt(6 / 140), rel=1e-2)


# filling a collection


@pytest.fixture
def model():
    """A root with a matrix, a vector, a kernel, a table, and an LSTM in a sub-collection."""
    pc = dy.ParameterCollection()
    parts = {
        "matrix": pc.add_parameters((60, 30)),
        "vector": pc.add_parameters((50,)),
        "kernel": pc.add_parameters((2, 3, 4, 10)),
        "table": pc.add_lookup_parameters((500, 12)),
    }
    lstm = dy.VanillaLSTMBuilder(1, 20, 40, pc.add_subcollection("lstm"))
    parts["gates"] = lstm.get_parameters()[0]
    return pc, parts


def values(parts):
    flat = [parts[n] for n in ("matrix", "vector", "kernel", "table")] + list(parts["gates"])
    return [p.as_array().copy() for p in flat]


def test_uniform_draws_everything_biases_and_tables_included(model):
    pc, parts = model
    initialise(pc, "uniform:0.3", rng(11))
    for value in values(parts):
        assert 0.2 < abs(value).max() <= np.float32(0.3)
        assert value.min() < 0 < value.max()


@pytest.mark.parametrize("scheme", ["xavier", "he", "orthogonal"])
def test_other_schemes_zero_the_vectors_and_give_word_vectors_length_about_1(model, scheme):
    pc, parts = model
    initialise(pc, scheme, rng(12), gates=parts["gates"])
    assert (parts["vector"].as_array() == 0).all()
    assert (parts["gates"][2].as_array() == 0).all()
    table = parts["table"].as_array()
    assert abs(table).max() == pytest.approx(math.sqrt(3 / 12), rel=0.01)
    assert (table**2).sum(axis=1).mean() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("scheme", "draw"), [("xavier", xavier_uniform), ("he", he_normal), ("orthogonal", orthogonal)]
)
def test_matrices_and_kernels_hold_the_draws_of_the_scheme_and_gates_one_draw_each(
    model, scheme, draw
):
    pc, parts = model
    initialise(pc, scheme, rng(13), gates=parts["gates"])
    generator = rng(13)
    expected = [draw(generator, (60, 30)), draw(generator, (2, 3, 4, 10))]
    np.testing.assert_allclose(parts["matrix"].as_array(), expected[0], atol=1e-7)
    np.testing.assert_allclose(parts["kernel"].as_array(), expected[1], atol=1e-7)
    for p, n_in in zip(parts["gates"], (20, 40)):
        gates = np.concatenate([draw(generator, (40, n_in)) for _ in range(4)])
        np.testing.assert_allclose(p.as_array(), gates, atol=1e-7)


@pytest.mark.parametrize("scheme", ["uniform:0.3", "xavier"])
def test_parameters_and_tables_that_are_kept_stay_as_they_are(model, scheme):
    pc, parts = model
    before = values(parts)
    initialise(pc, scheme, rng(16), keep=[parts["matrix"], parts["table"]])
    for name, old, new in zip(("matrix", "vector", "kernel", "table"), before, values(parts)):
        assert np.array_equal(old, new) == (name in ("matrix", "table"))


def test_dynet_leaves_everything_as_it_is(model):
    pc, parts = model
    before, generator = values(parts), rng(14)
    initialise(pc, "dynet", generator, gates=parts["gates"])
    for old, new in zip(before, values(parts)):
        np.testing.assert_array_equal(old, new)
    assert generator.bit_generator.state == rng(14).bit_generator.state


def test_the_same_seed_gives_the_same_model_and_another_seed_another(model):
    pc, parts = model
    found = []
    for seed in (15, 15, 16):
        initialise(pc, "xavier", rng(seed), gates=parts["gates"])
        found.append(np.concatenate([v.ravel() for v in values(parts)]))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize("size", [1, 2])
def test_gates_of_an_lstm_of_size_1_are_matrices_too(size):
    pc = dy.ParameterCollection()
    lstm = dy.VanillaLSTMBuilder(1, 1, size, pc)
    initialise(pc, "xavier", rng(17), gates=lstm.get_parameters()[0])
    wx, wh, b = (p.as_array() for p in lstm.get_parameters()[0])
    assert (wx != 0).all()
    assert (wh != 0).all()
    assert (b == 0).all()


def test_gates_outside_the_collection_or_of_odd_height_are_refused_before_anything_changes(model):
    pc, parts = model
    other = dy.ParameterCollection()
    stranger = other.add_subcollection("stranger").add_parameters((8, 2))
    odd = pc.add_parameters((5, 2))
    before = values(parts)
    with pytest.raises(ValueError, match="stranger"):
        initialise(pc, "xavier", rng(), gates=[stranger])
    with pytest.raises(ValueError, match=r"expected \(4 H, I\), found \(5, 2\)"):
        initialise(pc, "xavier", rng(), gates=[odd])
    for old, new in zip(before, values(parts)):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "scheme", ["", "glorot", "xavier:2", "uniform", "uniform:", "uniform:0", "uniform:-1",
               "uniform:x", "uniform:nan", "uniform:inf", "dynet:1"]
)  # fmt: skip
def test_an_unknown_scheme_is_refused(scheme):
    with pytest.raises(ValueError, match="scheme"):
        parse_scheme(scheme)


def test_a_scheme_is_a_name_and_for_uniform_a_scale():
    assert parse_scheme("uniform:0.05") == ("uniform", 0.05)
    assert parse_scheme("he") == ("he", 0.0)
