"""Truncated backpropagation: plans of windows, exact gradients on a tiny RNN, zeroed states."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.tips.truncated_bptt import (
    Window,
    random_lengths,
    reset_columns,
    windows,
    zero_columns,
)
from tests.reference import rnn

T, H, D, B = 6, 3, 2, 2
ALL_K = [(k1, k2) for k2 in range(1, T + 3) for k1 in range(1, k2 + 1)]


class TinyRnn:
    """A vanilla RNN in DyNet over T steps of B columns, and its numpy twin."""

    def __init__(self, seed=3):
        rng = np.random.default_rng(seed)
        self.W, self.R = rng.normal(0, 0.7, (H, D)), rng.normal(0, 0.7, (H, H))
        self.b = rng.normal(0, 0.3, H)
        self.xs, self.ys = rng.normal(0, 1, (T, D, B)), rng.normal(0, 1, (T, H, B))
        self.h0 = rng.normal(0, 0.5, (H, B))
        self.pc = dy.ParameterCollection()
        self.params = [self.pc.parameters_from_numpy(a) for a in (self.W, self.R, self.b)]
        self.biases = [self.params[2]] * T

    def run_windows(self, plan, train_only=None):
        """Run a plan, train all its windows or one; -> gradients, {step: state after it}."""
        saved, after = {0: self.h0.astype("f4")}, {}
        for w in plan:
            dy.renew_cg()
            h, losses = feed(saved[w.start], batched=True), []
            kept = {w.start: saved[w.start]}
            for t in range(w.start, w.stop):
                W, R, b = *self.params[:2], self.biases[t]
                h = dy.tanh(dy.affine_transform([b, W, feed(self.xs[t], batched=True), R, h]))
                kept[t + 1] = after[t] = read(h)
                if t >= w.loss_from:
                    losses.append(dy.squared_distance(h, feed(self.ys[t], batched=True)) * 0.5)
            if train_only in (None, w):
                dy.sum_batches(dy.esum(losses)).backward()
            saved = {w.save_at: kept[w.save_at]}
        return [p.grad_as_array() for p in self.params], after

    def expected(self, cuts):
        columns = [
            rnn.double_sum(
                self.W, self.R, self.b, self.xs[..., j], self.ys[..., j], self.h0[:, j], cuts
            )
            for j in range(B)
        ]
        return [sum(parts) for parts in zip(*columns)]


def assert_same_gradients(found, expected):
    for f, e in zip(found, expected):
        np.testing.assert_allclose(f, e, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("k1", "k2"), ALL_K)
def test_williams_peng_gradient_is_the_explicit_double_sum(k1, k2):
    model = TinyRnn()
    found, _ = model.run_windows(windows(T, k1, k2, "williams-peng"))
    ends = [min(t // k1 * k1 + k1, T) for t in range(T)]
    cuts = [(t, max(0, ends[t] - k2) if k1 < k2 else t // k1 * k1) for t in range(T)]
    assert_same_gradients(found, model.expected(cuts))


def test_williams_peng_with_one_new_step_truncates_every_loss_at_k2_steps():
    model = TinyRnn()
    found, _ = model.run_windows(windows(T, 1, 3, "williams-peng"))
    assert_same_gradients(found, model.expected([(t, max(0, t - 2)) for t in range(T)]))


@pytest.mark.parametrize(("k1", "k2"), ALL_K)
def test_notes_gradient_sums_the_losses_of_every_overlapping_window(k1, k2):
    model = TinyRnn()
    found, _ = model.run_windows(windows(T, k1, k2, "notes"))
    cuts = [(t, a) for a in range(0, T, k1) for t in range(a, min(a + k2, T))]
    assert_same_gradients(found, model.expected(cuts))


@pytest.mark.parametrize("variant", ["notes", "williams-peng"])
@pytest.mark.parametrize(("k1", "k2"), ALL_K)
def test_carried_forward_pass_is_one_long_forward_pass(variant, k1, k2):
    model = TinyRnn()
    _, after = model.run_windows(windows(T, k1, k2, variant))
    for j in range(B):
        states = rnn.forward(model.W, model.R, model.b, model.xs[..., j], model.h0[:, j])
        for t in range(T):
            np.testing.assert_allclose(after[t][:, j], states[t + 1], atol=1e-5)


@pytest.mark.parametrize(("k1", "k2"), [k for k in ALL_K if k[1] >= T])
def test_no_truncation_gives_the_full_gradient(k1, k2):
    model = TinyRnn()
    found, _ = model.run_windows(windows(T, k1, k2, "williams-peng"))
    assert_same_gradients(found, model.expected([(t, 0) for t in range(T)]))


@pytest.mark.parametrize("variant", ["notes", "williams-peng"])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 2), (2, 3), (3, 5)])
def test_no_gradient_crosses_the_cut(variant, k1, k2):
    for w in windows(T, k1, k2, variant):
        model = TinyRnn()
        # one bias a step, so that the steps which a gradient reached can be told apart
        model.biases = [model.pc.parameters_from_numpy(model.b) for _ in range(T)]
        model.run_windows(windows(T, k1, k2, variant), train_only=w)
        reached = [t for t in range(T) if model.biases[t].grad_as_array().any()]
        assert reached == list(range(w.start, w.stop))


def test_both_variants_are_the_same_for_equal_k():
    assert list(windows(17, 5, 5, "notes")) == list(windows(17, 5, 5, "williams-peng"))


def test_windows_of_a_small_case_written_out():
    assert list(windows(5, 2, 3, "williams-peng")) == [
        Window(0, 2, loss_from=0, save_at=1),
        Window(1, 4, loss_from=2, save_at=2),
        Window(2, 5, loss_from=4, save_at=5),
    ]
    assert list(windows(5, 2, 3, "notes")) == [
        Window(0, 3, loss_from=0, save_at=2),
        Window(2, 5, loss_from=2, save_at=4),
        Window(4, 5, loss_from=4, save_at=5),
    ]


@pytest.mark.parametrize(
    ("n", "k1", "k2"), [(1, 1, 1), (1, 3, 5), (20, 4, 4), (20, 3, 7), (7, 7, 9)]
)
def test_williams_peng_counts_every_loss_once(n, k1, k2):
    plan = list(windows(n, k1, k2, "williams-peng"))
    counted = [t for w in plan for t in range(w.loss_from, w.stop)]
    assert counted == list(range(n))
    assert all(w.stop - w.start <= k2 and w.n_losses <= k1 for w in plan)


@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 4), (5, 15), (4, 4)])
def test_notes_counts_a_loss_once_for_each_overlapping_window(k1, k2):
    n = 60
    counts = np.zeros(n, int)
    for w in windows(n, k1, k2):
        counts[w.loss_from : w.stop] += 1
    assert np.all(counts[k2 - k1 :] == k2 // k1)
    assert counts.sum() == sum(min(k2, n - a) for a in range(0, n, k1))


@pytest.mark.parametrize("variant", ["notes", "williams-peng"])
@pytest.mark.parametrize("lengths", [None, [3, 9, 1, 7]])
def test_every_window_starts_where_the_last_one_saved(variant, lengths):
    plan = list(windows(20, 3, 8, variant, lengths))
    assert plan[0].start == 0
    assert plan[-1].save_at == 20
    for w, after in zip(plan, plan[1:]):
        assert w.start <= w.save_at <= w.stop
        assert after.start == w.save_at


def test_given_lengths_replace_the_new_steps():
    plan = list(windows(20, 5, 7, "williams-peng", [3, 9, 1, 7]))
    assert [w.n_losses for w in plan] == [3, 9, 1, 7]
    assert [w.loss_from - w.start for w in plan] == [0, 2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 3, 2), "k1 = 3 > k2 = 2"),
        ((0, 1, 1), "n: expected 1"),
        ((10, 0, 1), "k1: expected 1"),
        ((10, 1.5, 2), "k1: expected a whole number"),
        ((10, 1, 2, "other"), "variant"),
        ((10, 5, 5, "notes", [5, 4]), "expected a sum of 10 steps, found 9"),
        ((10, 5, 5, "notes", [10, 0]), "length: expected 1"),
    ],
)
def test_impossible_plans_are_refused_at_the_call(arguments, message):
    with pytest.raises(ValueError, match=message):
        windows(*arguments)


def test_random_lengths_cover_the_columns_and_scale_the_rate():
    drawn = list(random_lengths(1003, 35, np.random.default_rng(5)))
    assert sum(r.length for r in drawn) == 1003
    assert all(r.length >= 5 for r in drawn[:-1])
    assert all(r.rate_scale == r.length / 35 for r in drawn)


def test_random_lengths_have_the_stated_distribution():
    n_short, base, sd = 20_000, 70, 5.0
    drawn = random_lengths(10**9, base, np.random.default_rng(11))
    lengths = np.array([next(drawn).length for _ in range(n_short)])
    short = lengths < 52  # 3.4 standard deviations from either mean
    assert abs(short.mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / n_short)
    long = lengths[~short]
    assert abs(long.mean() - (base - 0.5)) < 5 * sd / np.sqrt(len(long))  # int() rounds down
    assert abs(long.std() - sd) < 5 * sd / np.sqrt(2 * len(long)) + 0.05


def test_random_lengths_are_the_base_without_noise():
    drawn = list(random_lengths(25, 10, np.random.default_rng(0), p_short=0.0, sd=0.0))
    assert [tuple(r) for r in drawn] == [(10, 1.0), (10, 1.0), (5, 0.5)]
    assert next(random_lengths(25, 10, np.random.default_rng(0), 1.0, 0.0)).length == 5


@pytest.mark.parametrize("bad", [{"p_short": 1.5}, {"sd": -1.0}, {"min_length": 0}, {"sd": np.nan}])
def test_random_lengths_refuse_bad_numbers_at_the_call(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        random_lengths(100, 35, np.random.default_rng(0), **bad)


def state(columns=400, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(size, columns)).astype("f4") for size in (3, 3, 5, 5)]


def test_zeroed_columns_are_zero_in_every_array_and_the_others_untouched():
    before = state()
    after = zero_columns(before, 0.3, np.random.default_rng(1))
    zeroed = ~after[0].any(axis=0)
    assert 0 < zeroed.sum() < 400
    for old, new in zip(before, after):
        assert new.dtype == np.float32
        assert not new[:, zeroed].any()
        assert new[:, ~zeroed].tobytes() == old[:, ~zeroed].tobytes()
        assert old.all()


@pytest.mark.parametrize("whole_batch", [False, True])
def test_zeroing_happens_at_the_stated_rate(whole_batch):
    rng, q, draws = np.random.default_rng(2), 0.2, 8000
    one = [np.ones((1, 1 if whole_batch else 8))]
    n_calls = draws if whole_batch else draws // 8
    kept = [zero_columns(one, q, rng, whole_batch=whole_batch)[0] for _ in range(n_calls)]
    assert abs(1 - np.mean(kept) - q) < 5 * np.sqrt(q * (1 - q) / draws)


def test_whole_batch_zeroes_all_or_nothing():
    rng = np.random.default_rng(3)
    sums = {zero_columns([np.ones((1, 6))], 0.5, rng, whole_batch=True)[0].sum() for _ in range(50)}
    assert sums == {0.0, 6.0}


def test_zero_probability_changes_nothing_and_one_always_starts_afresh():
    before, rng = state(columns=5), np.random.default_rng(4)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(zero_columns(before, 0, rng), before))
    assert not any(a.any() for a in zero_columns(before, 1, rng))


def lstm_outputs(lstm, start, xs):
    """Outputs of an LSTM from a carried state (None: DyNet's own fresh start)."""
    dy.renew_cg()
    s = lstm.initial_state([feed(v, batched=True) for v in start] if start else None)
    return [read(h) for h in s.transduce([feed(x, batched=True) for x in xs])]


def test_zeroed_column_equals_a_fresh_start():
    rng = np.random.default_rng(5)
    lstm = dy.VanillaLSTMBuilder(2, 3, 4, pc := dy.ParameterCollection())
    xs = rng.normal(size=(3, 3, 4))
    carried = [rng.normal(size=(4, 4)) for _ in range(4)]
    which = np.array([False, True, False, True])
    mixed = lstm_outputs(lstm, reset_columns(carried, which), xs)
    kept, fresh = lstm_outputs(lstm, carried, xs), lstm_outputs(lstm, None, xs)
    for m, k, f in zip(mixed, kept, fresh):
        np.testing.assert_array_equal(m[:, which], f[:, which])
        np.testing.assert_array_equal(m[:, ~which], k[:, ~which])
    assert len(pc.parameters_list()) == 6


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan"), True])
def test_zeroing_refuses_what_is_no_probability(q):
    with pytest.raises(ValueError, match="q: expected a probability"):
        zero_columns(state(columns=2), q, np.random.default_rng(0))


@pytest.mark.parametrize(
    "values", [[], [np.zeros(3)], [np.zeros((2, 3)), np.zeros((2, 4))], [np.zeros((2, 3, 1))]]
)
def test_states_without_one_batch_size_are_refused(values):
    with pytest.raises(ValueError, match="arrays \\(H, B\\) with one B"):
        zero_columns(values, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("which", [[True], [0, 1, 1], np.ones((1, 3), bool)])
def test_reset_needs_one_truth_value_a_column(which):
    with pytest.raises(ValueError, match="which: expected \\(3,\\) bool"):
        reset_columns([np.zeros((2, 3))], np.asarray(which))
