"""Early stopping, rollback and learning-rate schedules as tables of scores -> decisions."""

import json
import math

import numpy as np
import pytest

from dynotes.tips.dev_tuning import (
    ROLLBACK_STRATEGIES,
    Action,
    Annealed,
    Constant,
    EarlyStopping,
    HalveOnPlateau,
    RollbackDecay,
    ZarembaDecay,
)

NAN, INF = float("nan"), float("inf")


def improvements(stopping, values):
    """One letter a value: B best, w worse, S worse and stop."""
    letters = []
    for value in values:
        verdict = stopping.update(value)
        letters.append("B" if verdict.improved else "S" if verdict.stop else "w")
    return "".join(letters)


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({"patience": 0}, [3, 2, 1, 1], "BBBS"),
        ({"patience": 2}, [5, 6, 7, 8, 9], "BwwSS"),
        ({"patience": 2}, [5, 6, 7, 4, 5, 5, 5], "BwwBwwS"),
        ({"patience": 1}, [5, 5, 5], "BwS"),  # ties
        ({"patience": 1}, [NAN, NAN], "wS"),
        ({"patience": 1}, [NAN, 3, NAN, 2, NAN, NAN], "wBwBwS"),
        ({"patience": 1}, [INF, 3, -INF, INF], "wBwS"),
        ({"patience": 1, "min_delta": 0.25}, [2.0, 1.75, 1.5, 1.25], "BwBw"),
        ({"patience": 1, "min_delta": 0.25}, [2.0, 1.75, 1.74], "BwB"),
        ({"patience": 0, "mode": "max"}, [0.1, 0.2, 0.2], "BBS"),
        ({"patience": 0, "mode": "max", "min_delta": 0.5}, [1.0, 1.5], "BS"),
        ({"patience": 0, "mode": "max"}, [0.1, NAN], "BS"),
    ],
)
def test_early_stopping_follows_the_script(arguments, values, expected):
    assert improvements(EarlyStopping(**arguments), values) == expected


def test_patience_counts_evaluations_from_the_best_one():
    """Stop at t - t* > P, checked against the definition on random scores."""
    rng = np.random.default_rng(4)
    for patience in (0, 1, 3):
        scores = rng.integers(0, 30, 40).tolist()
        stopping = EarlyStopping(patience)
        for t in range(len(scores)):
            best = int(np.argmin(scores[: t + 1]))  # the first minimum: a tie is no improvement
            assert stopping.update(scores[t]).stop == (t - best > patience)


def schedules():
    return [
        EarlyStopping(2, 0.5),
        Constant(),
        ZarembaDecay(2, 2.0),
        HalveOnPlateau(1.0),
        RollbackDecay(0.5, 3),
        Annealed("cosine", 0.1),
    ]


def decide(machine, t, rate, value):
    if isinstance(machine, EarlyStopping):
        return machine.update(value)
    return machine.after_epoch(t + 1, rate, value)


@pytest.mark.parametrize("which", range(len(schedules())))
@pytest.mark.parametrize("cut", [0, 1, 4, 9])
def test_resuming_from_the_json_state_continues_as_if_never_interrupted(which, cut):
    values = [9.0, 7.0, NAN, 7.0, 6.8, 3.0, 3.5, 2.75, 8.0, 1.0, 1.0]
    straight, resumed = schedules()[which], schedules()[which]
    expected = [decide(straight, t, 1.0, v) for t, v in enumerate(values)]
    found = [decide(resumed, t, 1.0, v) for t, v in enumerate(values[:cut])]
    text = json.dumps(resumed.state_dict(), allow_nan=False)
    resumed = schedules()[which]
    resumed.load_state_dict(json.loads(text))
    found += [decide(resumed, t, 1.0, v) for t, v in enumerate(values) if t >= cut]
    assert found == expected


@pytest.mark.parametrize("which", range(len(schedules())))
def test_numpy_scores_leave_a_json_state(which):
    machine = schedules()[which]
    decide(machine, 0, 1.0, np.float32(2.5))
    assert json.loads(json.dumps(machine.state_dict())) == machine.state_dict()


@pytest.mark.parametrize("which", range(len(schedules())))
def test_a_state_of_another_schedule_is_refused(which):
    with pytest.raises(ValueError, match="state: expected the keys"):
        schedules()[which].load_state_dict({"unknown": 1})


def run(schedule, values, rate=1.0):
    """Actions of a training that obeys them; it ends where the schedule stops it."""
    actions = []
    for t, value in enumerate(values):
        action = schedule.after_epoch(t + 1, rate, value)
        actions.append(action)
        rate = action.rate
        if action.stop:
            break
    return actions


def test_constant_rate_never_changes():
    assert run(Constant(), [3, NAN, 5]) == [Action(1.0, rollback=False, stop=False)] * 3
    assert Constant().at(0.3, 0.5) == 0.3


def test_zaremba_small_halves_after_each_epoch_from_the_fourth():
    rates = [a.rate for a in run(ZarembaDecay(4, 2.0), [1.0] * 7)]
    assert rates == [1, 1, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]


def test_zaremba_large_divides_by_its_factor_whatever_dev_says():
    actions = run(ZarembaDecay(14, 1.15), [NAN] * 16)
    assert actions[12].rate == 1.0
    assert actions[15].rate == pytest.approx(1.15**-3)
    assert not any(a.rollback or a.stop for a in actions)


def test_kim_halves_when_perplexity_improves_by_less_than_one():
    values = [100.0, 99.0, 98.5, 97.0, 97.0, NAN, 90.0, 95.0]
    rates = [a.rate for a in run(HalveOnPlateau(1.0), values)]
    assert rates == [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 8, 1 / 8, 1 / 16]
    assert [a.rate for a in run(HalveOnPlateau(0.5, mode="max"), [1, 2, 2.25])] == [1, 1, 0.5]


def test_rollback_decays_on_every_failure_and_stops_after_the_allowed_ones():
    actions = run(RollbackDecay(0.5, 2), [5, 6, 4, 4, 4.5, 3])
    assert actions == [
        Action(1.0),
        Action(0.5, rollback=True),
        Action(0.5),
        Action(0.25, rollback=True),
        Action(0.125, rollback=True, stop=True),
    ]


def test_rollback_stops_below_the_smallest_rate():
    actions = run(RollbackDecay(0.1, 100, min_rate=0.01), [5.0] * 9)
    assert [a.stop for a in actions] == [False, False, False, True]
    assert actions[2].rate == pytest.approx(0.01)


def test_rollback_takes_nan_as_worse_and_keeps_the_best():
    schedule = RollbackDecay(0.5, 5)
    actions = run(schedule, [NAN, 5.0, NAN, 4.9])
    assert [a.rollback for a in actions] == [True, False, True, False]
    assert schedule.best == 4.9


def test_rollback_knows_scores_that_grow():
    actions = run(RollbackDecay(0.5, 5, mode="max", min_delta=0.25), [1.0, 1.25, 1.5])
    assert [a.rollback for a in actions] == [False, True, False]


def test_cosine_follows_its_formula():
    schedule = Annealed("cosine", final=0.1)
    for p in (0.0, 0.25, 0.5, 0.9, 1.0):
        eta = 0.1 * 2.0 + 0.5 * (2.0 - 0.1 * 2.0) * (1 + math.cos(math.pi * p))
        assert schedule.at(2.0, p) == pytest.approx(eta)
    assert run(schedule, [1.0, 2.0]) == [Action(1.0)] * 2


@pytest.mark.parametrize("curve", ["cosine", "linear"])
def test_warm_up_rises_to_the_base_rate_and_ends_at_the_final_one(curve):
    schedule = Annealed(curve, warmup=0.2, final=0.05)
    found = [schedule.at(3.0, p) for p in (0.0, 0.1, 0.2, 0.6, 1.0)]
    assert found == pytest.approx([0.0, 1.5, 3.0, 3.0 * 0.525, 0.15])
    falling = [schedule.at(3.0, p) for p in np.linspace(0.2, 1.0, 20)]
    assert falling == sorted(falling, reverse=True)


def test_warm_up_alone_ends_at_the_base_rate():
    assert Annealed(warmup=1.0).at(2.0, 0.5) == 1.0
    assert Annealed(warmup=1.0).at(2.0, 1.0) == 2.0


def test_the_strategies_are_named_in_the_order_of_the_notes():
    assert ROLLBACK_STRATEGIES == ("restore", "reset", "keep")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(-1), "patience: expected 0"),
        (lambda: EarlyStopping(1.5), "patience: expected a whole number"),
        (lambda: EarlyStopping(1, -0.1), "min_delta: expected a number from 0"),
        (lambda: EarlyStopping(1, NAN), "min_delta"),
        (lambda: EarlyStopping(1, mode="least"), 'mode: expected "min" or "max"'),
        (lambda: ZarembaDecay(0), "first: expected 1"),
        (lambda: ZarembaDecay(4, 0.5), "factor: expected a number from 1"),
        (lambda: HalveOnPlateau(-1.0), "threshold"),
        (lambda: HalveOnPlateau(1.0, "up"), "mode"),
        (lambda: RollbackDecay(0.0), "decay: expected more than 0"),
        (lambda: RollbackDecay(1.5), "decay: expected a number from 0.0 to 1.0"),
        (lambda: RollbackDecay(0.5, -1), "max_rollbacks"),
        (lambda: RollbackDecay(0.5, 1, -1.0), "min_rate"),
        (lambda: Annealed("square"), "curve"),
        (lambda: Annealed(warmup=1.5), "warmup"),
        (lambda: Annealed(final=True), "final"),
        (lambda: Annealed().at(1.0, 1.5), "progress: expected a number from 0.0 to 1.0"),
    ],
)
def test_bad_settings_are_refused_with_the_found_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
