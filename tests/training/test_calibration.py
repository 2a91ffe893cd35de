"""T48: what the calibrator measures and returns; how long anything took is not asserted."""

import dynet as dy
import numpy as np
import pytest

from dynotes.structures.cluster_costs import CostModel, LayerCost, LevelCost, optimal_cutoffs
from dynotes.training import calibration
from dynotes.training.calibration import TimedLayer, calibrated_cost, measure_products


@pytest.mark.parametrize("d", [None, 2])
def test_every_size_has_a_time(d):
    seconds = measure_products([3, 40, 7], n_hidden=8, columns=5, d=d, repeats=2)
    assert seconds.shape == (3,)
    assert (seconds > 0).all()


def test_the_time_of_a_size_is_the_quickest_of_its_repeats_without_the_first(monkeypatch):
    times = iter([9.0, 1.0, 5.0, 3.0, 7.0, 2.0])  # sizes take turns
    monkeypatch.setattr(TimedLayer, "step", lambda self: next(times))
    found = measure_products([3, 4], n_hidden=8, columns=5, repeats=2)
    np.testing.assert_array_equal(found, [5.0, 2.0])


@pytest.mark.parametrize("d", [None, 2])
def test_a_timed_step_trains_the_layer(d):
    layer = TimedLayer(6, n_hidden=8, columns=5, d=d)
    before = [p.as_array().copy() for p in layer._pc.parameters_list()]
    layer.step()
    after = [p.as_array() for p in layer._pc.parameters_list()]
    assert [b.shape for b in before] == ([(6, 8)] if d is None else [(2, 8), (6, 2)])
    assert all((a != b).any() for a, b in zip(after, before))


def test_a_new_graph_is_left_behind():
    version = dy.cg_version()
    measure_products([3], n_hidden=8, columns=5, repeats=1)
    assert dy.cg_version() > version
    assert dy.inputVector([1.0, 2.0]).npvalue().tolist() == [1.0, 2.0]


def fake_times(sizes, *, n_hidden, columns, d, repeats):
    """Known times: a row costs its dimensions times the columns."""
    width = n_hidden if d is None else d
    return np.array([1e3 + width * columns * k for k in sizes])


def test_a_calibrated_cost_has_a_fit_for_every_level_idle_and_busy(monkeypatch):
    monkeypatch.setattr(calibration, "measure_products", fake_times)
    cost = calibrated_cost(n_hidden=32, columns=10, clusters=2, div=4.0)
    assert isinstance(cost, LayerCost)
    levels = [cost.head, *cost.tails]
    assert [level.idle.slope for level in levels] == pytest.approx([32, 8, 2])
    assert [level.busy.slope for level in levels] == pytest.approx([320, 80, 20])
    assert all(level.busy.fixed == pytest.approx(1e3, rel=1e-4) for level in levels)


def test_a_calibration_of_this_machine_serves_to_choose_cut_offs():
    cost = calibrated_cost(n_hidden=8, columns=4, clusters=1, sizes=(1000, 4000, 16000), repeats=3)
    assert isinstance(cost.head, LevelCost)
    assert isinstance(cost.tails[0].busy, CostModel)
    assert len(optimal_cutoffs([9, 5, 4, 2, 1], 1, cost)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": []}, "sizes: expected at least one"),
        ({"sizes": [3, 0]}, r"sizes\[1\]: expected 1 to"),
        ({"n_hidden": 0}, "n_hidden: expected 1 to"),
        ({"columns": -1}, "columns: expected 1 to"),
        ({"repeats": 0}, "repeats: expected 1 to"),
        ({"d": 0}, "d: expected 1 to"),
    ],
)
def test_wrong_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        measure_products(**{"sizes": [3], "n_hidden": 8, "columns": 5, **change})


def test_a_calibration_of_wrong_sizes_is_refused():
    with pytest.raises(ValueError, match="clusters"):
        calibrated_cost(n_hidden=8, columns=4, clusters=-1)
    with pytest.raises(ValueError, match="div"):
        calibrated_cost(n_hidden=8, columns=4, clusters=1, div=0)
