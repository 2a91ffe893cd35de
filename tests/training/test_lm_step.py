import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.bptt import columns
from dynotes.graph.arrays import read
from dynotes.tips.tied_embeddings import augmented_loss
from dynotes.tips.truncated_bptt import Window
from dynotes.training.lm_model import new_model
from dynotes.training.lm_step import LmStepper, TrainingError, share_of
from dynotes.training.parameters import named_parameters
from dynotes.training.trainers import make_trainer
from dynotes.training.workers import GradientSum, Workers
from tests.training.small_lm import config

V = 9


def make(count=60, rank=0, **settings):
    """A stepper over a stream of ids; the model lives as long as it does."""
    chosen = config(**{"clip": 0.0, "lr": 0.5, **settings})
    owned = new_model(chosen, V)
    ids = np.random.default_rng(5).integers(0, V, count)
    trainer = make_trainer(chosen, owned.pc)
    cut = columns(ids, chosen.batch_size, 0)
    sums = None if chosen.processes == 1 else GradientSum(Workers(1), [], {})
    stepper = LmStepper(owned.model, trainer, cut, chosen, rank=rank, gradients=sums)
    stepper.owned = owned
    return stepper


def zeros(stepper):
    return stepper.model.zero_state(stepper.mine.stop - stepper.mine.start)


def window(stepper, start=0, stop=None, loss_from=None):
    stop = len(stepper.columns) if stop is None else stop
    return Window(start, stop, start if loss_from is None else loss_from, stop)


def by_hand(stepper, rows, keep, rate, *, gamma=0.0, tau=1.0):
    """Gradient descent on 1/B sum -log P, written out: (nats, parameters after it)."""
    before = stepper.owned.arrays()
    dy.renew_cg()
    segment = stepper.model.segment(rows.inputs)
    losses = stepper.model.nll(segment, rows.targets)
    counted = np.flatnonzero(keep.ravel()).tolist()
    nats = float(read(losses)[0, counted].sum())
    loss = dy.sum_batches(dy.pick_batch_elems(losses, counted))
    if gamma:
        output = stepper.model.output
        scores = output.scores(segment.h)
        extra = augmented_loss(scores, output, rows.targets.ravel(), tau=tau, gamma=gamma)
        loss = loss + dy.sum_batches(dy.pick_batch_elems(extra, counted))
    (loss * (1 / rows.targets.shape[1])).backward()
    after = {}
    for name, p in named_parameters(stepper.owned.pc).items():
        after[name] = before[name] - rate * p.grad_as_array()
        p.scale_gradient(0.0)
    dy.renew_cg()
    return nats, after


def assert_step(stepper, at, keep, *, rate=0.25, **options):
    rows = stepper.columns.rows(at.start, at.stop)
    nats, expected = by_hand(stepper, rows, keep, rate, **options)
    result = stepper.step(at, zeros(stepper), 0, rate)
    assert result.nats == pytest.approx(nats, rel=1e-5)
    assert result.tokens == keep.sum()
    for name, value in stepper.owned.arrays().items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)
    return result


def test_an_update_is_gradient_descent_on_the_loss_summed_over_time_and_averaged_over_columns():
    stepper = make()
    at = window(stepper)
    assert_step(stepper, at, np.ones((15, 4), bool))


def test_padding_counts_nothing():
    stepper = make(count=58)
    at = window(stepper)
    keep = stepper.columns.keep
    assert keep.sum() == 58
    assert_step(stepper, at, keep)


def test_losses_before_loss_from_count_nothing():
    stepper = make()
    at = window(stepper, 2, 10, loss_from=7)
    keep = np.zeros((8, 4), bool)
    keep[5:] = True
    assert_step(stepper, at, keep)


def test_the_augmented_loss_adds_to_the_gradient_and_not_to_the_nats():
    stepper = make(count=58, tie=True, augmented_gamma=0.5, augmented_tau=2.0)
    assert_step(stepper, window(stepper), stepper.columns.keep, gamma=0.5, tau=2.0)


def test_the_state_after_the_window_is_carried():
    stepper = make()
    whole = make().step(window(make(), 0, 9), zeros(stepper), 0, 0.0)
    first = stepper.step(window(stepper, 0, 4), zeros(stepper), 0, 0.0)
    second = stepper.step(window(stepper, 4, 9), first.state, 1, 0.0)
    np.testing.assert_allclose(second.state, whole.state, atol=1e-6)
    assert first.nats + second.nats == pytest.approx(whole.nats, rel=1e-5)


def test_the_state_kept_is_that_of_save_at():
    stepper = make()
    state = zeros(stepper)
    kept = stepper.step(Window(0, 9, 0, 4), state, 0, 0.0).state
    shorter = stepper.step(window(stepper, 0, 4), state, 0, 0.0).state
    np.testing.assert_allclose(kept, shorter, atol=1e-6)
    started = [np.full_like(v, 0.2) for v in state]
    same = stepper.step(Window(0, 9, 0, 0), started, 0, 0.0).state
    np.testing.assert_array_equal(same, started)


NOISE = {"dropout_embed": 0.3, "dropout_x": 0.3, "dropout_out": 0.3, "zero_state": 0.5}


def nats_of(number, seed=1, rank=0, **settings):
    stepper = make(**{**NOISE, **settings}, seed=seed, rank=rank)
    started = [np.full_like(v, 0.2) for v in zeros(stepper)]
    dy.random_gumbel(3).value()  # whatever was drawn before does not matter
    return stepper.step(window(stepper), started, number, 0.0).nats


def test_the_noise_is_a_function_of_seed_update_and_worker():
    assert nats_of(3) == nats_of(3)
    assert nats_of(3) != nats_of(4)
    workers = {"processes": 2, "batch_size": 4}
    assert nats_of(3, rank=0, **workers) != nats_of(3, rank=1, **workers)


def test_without_noise_the_engines_generator_is_left_alone():
    stepper = make()
    dy.reset_random_seed(9)
    expected = dy.random_gumbel(1).value()
    dy.reset_random_seed(9)
    stepper.step(window(stepper), zeros(stepper), 0, 0.1)
    assert dy.random_gumbel(1).value() == expected


def test_zero_state_restarts_some_columns_at_the_update():
    stepper = make(zero_state=0.5, batch_size=4)
    started = [np.full_like(v, 0.9) for v in zeros(stepper)]
    plain = make().step(window(stepper, 0, 3), started, 0, 0.0).nats
    found = {stepper.step(window(stepper, 0, 3), started, n, 0.0).nats for n in range(30)}
    assert 4 < len(found) <= 16  # a choice of 4 columns
    assert min(abs(f - plain) for f in found) < 1e-4
    always = make(zero_state=1.0)
    fresh = make().step(window(always, 0, 3), zeros(always), 0, 0.0).nats
    assert always.step(window(always, 0, 3), started, 0, 0.0).nats == pytest.approx(fresh)


def test_a_loss_that_is_no_number_is_told_with_the_update_and_changes_nothing():
    stepper = make()
    name, p = next(iter(named_parameters(stepper.owned.pc).items()))
    before = stepper.owned.arrays()
    stepper.model.nll = lambda segment, targets: dy.inputTensorTranspose(
        [float("nan")] * targets.size, dim=(1,), batch_size=targets.size
    )
    with pytest.raises(TrainingError, match="update 8: the loss is nan; lower the learning rate"):
        stepper.step(window(stepper), zeros(stepper), 7, 0.1)
    np.testing.assert_array_equal(stepper.owned.arrays()[name], before[name])
    assert p.shape() == before[name].shape


@pytest.mark.parametrize(("batch_size", "processes"), [(1, 1), (7, 3), (8, 2), (5, 5), (20, 8)])
def test_the_shares_of_the_workers_are_all_columns_in_order_and_nearly_equal(batch_size, processes):
    shares = [share_of(batch_size, rank, processes) for rank in range(processes)]
    numbers = [list(range(batch_size))[share] for share in shares]
    assert [n for own in numbers for n in own] == list(range(batch_size))
    sizes = [len(n) for n in numbers]
    assert max(sizes) - min(sizes) <= 1
