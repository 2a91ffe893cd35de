import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.graph.shapes import ShapeError
from dynotes.tips.dropout import (
    dropout,
    dropout_mask,
    output_dropout,
    scale_columns,
    unknown_replacement,
    word_dropout_factors,
)
from tests.helpers import assert_gradients, asymmetric

UNITS, RATE = 100_000, 0.3  # |z| < 5 fails once in 1.7 million honest runs


def refuse_draws(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("evaluation drew noise")

    for name in ("dropout", "dropout_dim", "dropout_batch", "block_dropout", "random_bernoulli"):
        monkeypatch.setattr(dy, name, refuse)


def vector(size=7, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2.0, (size, batch)).astype(np.float32)


# T01


@pytest.mark.parametrize(("mode", "factor"), [("inverted", 1 / (1 - RATE)), ("classic", 1.0)])
@pytest.mark.parametrize("batch", [1, 5])
def test_every_unit_is_zero_or_the_scaled_input(mode, factor, batch):
    x = vector(200, batch)
    y = read(dropout(feed(x, batched=True), RATE, mode=mode))
    kept = y != 0
    assert kept.any()
    assert not kept.all()
    np.testing.assert_allclose(y[kept], (x * factor)[kept], rtol=1e-6)


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_the_share_of_kept_units_is_one_minus_p(mode):
    y = read(dropout(dy.ones(UNITS), RATE, mode=mode))
    z = ((y != 0).mean() - (1 - RATE)) / np.sqrt(RATE * (1 - RATE) / UNITS)
    assert abs(z) < 5


def test_inverted_dropout_has_mean_1_and_variance_p_over_1_minus_p():
    y = read(dropout(dy.ones(UNITS), RATE)).astype(float)
    variance = RATE / (1 - RATE)
    assert abs(y.mean() - 1) < 5 * np.sqrt(variance / UNITS)
    fourth = RATE + (1 - RATE) * (1 / (1 - RATE) - 1) ** 4  # E (y - 1)^4
    assert abs(((y - 1) ** 2).mean() - variance) < 5 * np.sqrt((fourth - variance**2) / UNITS)


def test_classic_dropout_at_test_is_the_mean_of_training_passes():
    x, passes = vector(20), 20_000
    many = dropout(feed(np.repeat(x, passes, axis=1), batched=True), RATE, mode="classic")
    at_test = read(dropout(feed(x, batched=True), RATE, mode="classic", train=False))
    np.testing.assert_allclose(at_test, x * (1 - RATE), rtol=1e-6)
    error = x[:, 0] * np.sqrt(RATE * (1 - RATE) / passes)
    assert np.all(np.abs(read(many).mean(axis=1) - at_test[:, 0]) < 5 * error)


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_rate_0_returns_the_expression_itself_without_a_draw(mode, monkeypatch):
    refuse_draws(monkeypatch)
    x = dy.ones(3)
    assert dropout(x, 0.0, mode=mode) is x
    assert dropout(x, 0, mode=mode, train=False) is x


def test_evaluation_draws_nothing_and_inverted_dropout_is_the_identity(monkeypatch):
    refuse_draws(monkeypatch)
    x = dy.ones(3)
    assert dropout(x, RATE, train=False) is x
    assert output_dropout([x], RATE, train=False)[0] is x
    assert scale_columns(x, None) is x
    assert read(dropout(x, RATE, mode="classic", train=False)).max() == np.float32(1 - RATE)


def test_a_supplied_mask_is_what_x_is_multiplied_with_and_draws_nothing(monkeypatch):
    refuse_draws(monkeypatch)
    x, m = vector(4, 3), np.array([[0, 2, 0, 2], [2, 2, 0, 0], [0, 0, 0, 2]]).T
    y = dropout(feed(x, batched=True), 0.5, mask=feed(m, batched=True))
    np.testing.assert_array_equal(read(y), x * m)


def test_a_mask_of_batch_1_is_shared_by_the_batch():
    x = vector(50, 4)
    y = read(dropout(feed(x, batched=True), 0.5, mask=dropout_mask((50,), 0.5)))
    np.testing.assert_array_equal(y != 0, np.repeat(y[:, :1] != 0, 4, axis=1))


@pytest.mark.parametrize(("mode", "factor"), [("inverted", 1 / (1 - RATE)), ("classic", 1.0)])
def test_a_drawn_mask_holds_the_factors_and_differs_between_batch_entries(mode, factor):
    m = read(dropout_mask((30, 2), RATE, batch_size=3, mode=mode))
    assert m.shape == (30, 2, 3)
    np.testing.assert_allclose(np.unique(m), [0, factor], rtol=1e-6)
    assert (m[..., 0] != m[..., 1]).any()
    assert (m[..., 1] != m[..., 2]).any()


def test_dropout_draws_per_element_and_per_batch_entry():
    y = read(dropout(dy.ones((20, 3), batch_size=4), 0.5))
    columns = y.reshape(20, 12)
    assert len({tuple(column) for column in columns.T}) == 12


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_the_gradient_is_exactly_the_factor_of_each_unit(mode):
    pc = dy.ParameterCollection()
    p = pc.add_parameters((40,), init=1.0)
    y = dropout(p, RATE, mode=mode)
    dy.sum_elems(y).backward()
    np.testing.assert_array_equal(p.grad_as_array(), read(y)[:, 0])


def test_gradients_pass_through_a_supplied_mask_by_finite_differences():
    pc = dy.ParameterCollection()
    p = pc.add_parameters((5, 2))
    m = np.array([[0, 2], [2, 2], [0, 0], [2, 0], [2, 2]])
    assert_gradients(lambda: asymmetric(dropout(dy.tanh(p), 0.5, mask=feed(m))), [p])


@pytest.mark.parametrize("p", [1, 1.0, 1.5, -0.1, float("nan"), None, True])
def test_a_rate_outside_0_to_1_is_refused(p):
    x = dy.ones(3)
    for call in (
        lambda: dropout(x, p),
        lambda: dropout_mask((3,), p),
        lambda: output_dropout([x], p),
        lambda: word_dropout_factors(np.zeros((1, 1), int), p, np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match="0 <= p < 1"):
            call()


def test_a_bad_mode_mask_or_input_is_refused():
    x = dy.ones(3, batch_size=2)
    with pytest.raises(ValueError, match="mode"):
        dropout(x, 0.5, mode="gaussian")
    with pytest.raises(ValueError, match="mode"):
        dropout_mask((3,), 0.5, mode="gaussian")
    with pytest.raises(ShapeError, match="mask"):
        dropout(x, 0.5, mask=dy.ones(4))
    with pytest.raises(ValueError, match="expected batch 1 or 2, found 3"):
        dropout(x, 0.5, mask=dy.ones(3, batch_size=3))
    with pytest.raises(TypeError, match="x: expected a DyNet Expression"):
        dropout(None, 0.5)


# T02


def test_all_occurrences_of_a_word_in_a_column_share_their_factor():
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 12, (60, 7))
    f = word_dropout_factors(ids, 0.5, rng)
    assert f.shape == ids.shape
    assert f.dtype == np.float32
    per_type = {}
    for (t, b), word in np.ndenumerate(ids):
        assert per_type.setdefault((word, b), f[t, b]) == f[t, b]
    assert set(per_type.values()) == {0.0, 2.0}


def test_columns_have_their_own_factors_unless_shared_over_the_batch():
    ids = np.tile(np.arange(50)[:, None], (1, 4))
    own = word_dropout_factors(ids, 0.5, np.random.default_rng(2))
    shared = word_dropout_factors(ids, 0.5, np.random.default_rng(2), per_column=False)
    assert all((own[:, a] != own[:, b]).any() for a in range(4) for b in range(a))
    assert (shared == shared[:, :1]).all()
    assert len(np.unique(shared)) == 2


@pytest.mark.parametrize("per_column", [True, False])
def test_the_rate_is_over_word_types_and_types_are_independent(per_column):
    types, rounds = 40, 2000
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(types), 3)[:, None]
    drawn = [word_dropout_factors(ids, RATE, rng, per_column=per_column) for _ in range(rounds)]
    dropped = np.array(drawn)[:, ::3, 0] == 0
    error = np.sqrt(RATE * (1 - RATE) / rounds)
    assert np.all(np.abs(dropped.mean(axis=0) - RATE) < 5 * error)
    correlation = np.corrcoef(dropped.T)[np.triu_indices(types, 1)]
    assert np.all(np.abs(correlation) < 5.5 / np.sqrt(rounds))  # 780 pairs


def test_word_dropout_equals_masking_the_table_before_the_lookup():
    rng = np.random.default_rng(4)
    table = rng.normal(size=(9, 5)).astype(np.float32)
    pc = dy.ParameterCollection()
    lookup = pc.lookup_parameters_from_numpy(table)
    ids = rng.integers(0, 9, (6, 3))
    f = word_dropout_factors(ids, 0.5, rng, per_column=False)
    mask = np.zeros(9)
    mask[ids.ravel()] = f.ravel()
    x = scale_columns(dy.lookup_batch(lookup, ids.ravel().tolist()), f)
    np.testing.assert_allclose(read(x).T, (table * mask[:, None])[ids.ravel()], rtol=1e-6)


def test_dropped_words_get_exactly_no_gradient_and_kept_words_their_factor():
    rng = np.random.default_rng(5)
    pc = dy.ParameterCollection()
    lookup = pc.add_lookup_parameters((10, 3))
    ids = np.tile(np.arange(10)[:, None], (1, 2))
    f = word_dropout_factors(ids, 0.5, rng)
    x = scale_columns(dy.lookup_batch(lookup, ids.ravel().tolist()), f)
    dy.sum_batches(dy.sum_elems(x)).backward()
    np.testing.assert_array_equal(lookup.grad_as_array(), np.repeat(f.sum(1)[:, None], 3, axis=1))
    assert (f.sum(1) == 0).any()


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_scale_columns_scales_values_and_gradients(size, batch):
    pc = dy.ParameterCollection()
    p = pc.add_parameters((size, batch))
    f = np.array([0.0, 2.0, 0.5])[-batch:]

    def build():
        return asymmetric(scale_columns(dy.reshape(p, (size,), batch_size=batch), f))

    x = scale_columns(dy.reshape(p, (size,), batch_size=batch), f)
    assert x.dim() == ((size,), batch)
    np.testing.assert_allclose(read(x), p.as_array() * f, rtol=1e-6)
    assert_gradients(build, [p])


def test_factors_of_another_count_are_refused():
    with pytest.raises(ValueError, match="expected 2, one a batch entry, found 3"):
        scale_columns(dy.ones(4, batch_size=2), np.ones(3))


def test_word_rate_0_and_alpha_0_leave_the_words_and_the_generator_alone():
    rng = np.random.default_rng(6)
    ids = np.arange(6).reshape(3, 2)
    assert (word_dropout_factors(ids, 0.0, rng) == 1).all()
    assert unknown_replacement(ids, np.zeros(6), 0, 0.0, rng) is ids
    assert rng.bit_generator.state == np.random.default_rng(6).bit_generator.state


def test_the_same_seed_gives_the_same_factors_and_a_single_word_works():
    ids = np.random.default_rng(7).integers(0, 30, (20, 4))
    a, b = (word_dropout_factors(ids, 0.5, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    one = word_dropout_factors(np.array([[3]]), 0.5, np.random.default_rng(8))
    assert one.shape == (1, 1)
    assert one[0, 0] in (0.0, 2.0)


@pytest.mark.parametrize("ids", [np.zeros((2, 2)), np.zeros(3, int), np.array([[-1]]), [[]]])
def test_ids_that_are_no_table_of_words_are_refused(ids):
    with pytest.raises(ValueError, match="ids"):
        word_dropout_factors(ids, 0.5, np.random.default_rng(0))


def test_rare_words_become_unknown_with_probability_alpha_over_alpha_plus_count():
    rng = np.random.default_rng(9)
    counts, draws = np.array([0, 1, 3, 1000, 0]), 50_000
    ids = np.tile(np.arange(5), (draws, 1))
    replaced = unknown_replacement(ids, counts, 4, 0.25, rng)
    assert replaced.dtype == ids.dtype
    assert set(np.unique(replaced[replaced != ids])) == {4}
    p = 0.25 / (0.25 + counts)
    rate = (replaced == 4).mean(axis=0)
    assert rate[0] == 1.0  # a word never seen in training
    error = np.sqrt(p * (1 - p) / draws)
    assert np.all(np.abs(rate - p)[1:4] < 5 * error[1:4])


def test_bad_counts_ids_or_alpha_are_refused():
    rng, ids = np.random.default_rng(0), np.array([[0, 1]])
    for arguments, message in [
        ((ids, [1], 0, 0.25), "ids"),
        ((ids, [1, -1], 0, 0.25), "counts"),
        ((ids, [1, float("nan")], 0, 0.25), "counts"),
        ((ids, [[1, 1]], 0, 0.25), "counts"),
        ((ids, [1, 1], 2, 0.25), "unk_id"),
        ((ids, [1, 1], 0, -0.25), "alpha"),
    ]:
        with pytest.raises(ValueError, match=message):
            unknown_replacement(*arguments, rng)


# T04


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("steps", [1, 4])
def test_output_masks_are_shared_over_time_or_fresh_as_asked(shared, steps):
    hs = [dy.ones(40, batch_size=3) for _ in range(steps)]
    masks = [read(y) for y in output_dropout(hs, 0.5, shared_over_time=shared)]
    assert all(set(np.unique(m)) == {0.0, 2.0} for m in masks)
    assert all((m == masks[0]).all() == shared for m in masks[1:])
    assert (masks[0][:, 0] != masks[0][:, 1]).any()


@pytest.mark.parametrize("shared", [True, False])
def test_output_dropout_leaves_the_recurrent_path_alone(shared):
    pc = dy.ParameterCollection()
    lstm = dy.VanillaLSTMBuilder(2, 3, 4, pc)
    xs = [vector(3, 2, seed) for seed in range(5)]

    def states(p):
        dy.renew_cg()
        all_states, state = [], lstm.initial_state()
        for x in xs:
            state = state.add_input(feed(x, batched=True))
            all_states.append(state)
        dropped = output_dropout([s.output() for s in all_states], p, shared_over_time=shared)
        return [read(y) for y in dropped], [[read(e) for e in s.s()] for s in all_states]

    plain, before = states(0.0)
    dropped, after = states(0.5)
    np.testing.assert_array_equal(before, after)
    for y, h in zip(dropped, plain):
        np.testing.assert_allclose(y[y != 0], 2 * h[y != 0], rtol=1e-6)
    assert (np.array(dropped) == 0).any()


def test_output_dropout_of_nothing_or_of_mixed_shapes_is_refused():
    with pytest.raises(ValueError, match="at least one output"):
        output_dropout([], 0.5)
    with pytest.raises(ShapeError, match=r"hs\[1\]"):
        output_dropout([dy.ones(3), dy.ones(4)], 0.5)
    with pytest.raises(ShapeError, match=r"hs\[1\]"):
        output_dropout([dy.ones(3), dy.ones(3, batch_size=2)], 0.5)
