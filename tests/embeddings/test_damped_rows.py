"""T54: rows whose gradient is scaled, and the factors that keep the sum of many losses stable."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.damped_rows import StepFactors, columns, damped
from dynotes.graph.arrays import read
from tests.helpers import asymmetric, set_value

TABLE = np.random.default_rng(0).normal(size=(5, 3))


def table():
    pc = dy.ParameterCollection()
    found = pc.add_lookup_parameters((5, 3))
    set_value(found, TABLE)
    return pc, found


def test_columns_are_the_rows_of_the_table():
    pc, t = table()
    np.testing.assert_allclose(
        read(columns(t, np.array([3, 0, 3])))[..., 0], TABLE[[3, 0, 3]].T, rtol=1e-6
    )
    assert pc.parameter_count()


def test_damping_leaves_the_value_bit_for_bit_and_scales_the_gradient():
    pc, t = table()
    ids, factors = np.array([3, 0, 4]), np.array([0.5, 9, 9, 0.25, 1.0], np.float32)
    plain, scaled = columns(t, ids), columns(t, ids, factors)
    np.testing.assert_array_equal(read(plain), read(scaled))
    asymmetric(plain).backward()
    expected = t.grad_as_array() * factors[:, None]
    t.scale_gradient(0.0)
    asymmetric(scaled).backward()
    np.testing.assert_allclose(t.grad_as_array(), expected, rtol=1e-6)
    assert np.abs(expected).max() > 0
    assert pc.parameter_count()


def test_factors_are_those_of_the_formula_and_add_up_over_parts():
    factors = StepFactors([4, 5])
    one = [(np.array([1, 2]), np.array([2.0, 4.0]))]
    other = [(np.array([0, 3]), np.array([1.0, 2.0])), (np.array([3]), np.array([4.0]))]
    factors.set(0.5, [one, other])
    np.testing.assert_allclose(factors.tables[0], [1, 1 / 2, 1 / 3, 1])
    np.testing.assert_allclose(factors.tables[1], [1 / 1.5, 1, 1, 1 / 4, 1])


def test_factors_of_a_second_step_do_not_remember_the_first():
    factors = StepFactors([3])
    for _ in range(2):
        factors.set(1.0, [[(np.array([0, 1]), np.array([1, 3]))]])
    np.testing.assert_allclose(factors.tables[0][:2], [1 / 2, 1 / 4])


def test_a_sum_of_n_quadratic_losses_converges_with_damping_and_diverges_without():
    """n losses beta/2 (x - 1)^2: one damped step from 0 goes to n eta beta/(1 + n eta beta)."""
    n, eta, beta = 1000, 0.05, 0.25
    plain = damped_x = 0.0
    for _ in range(40):
        plain -= eta * n * beta * (plain - 1)
        damped_x -= eta / (1 + eta * beta * n) * n * beta * (damped_x - 1)
    assert abs(plain) > 1e20
    assert damped_x == pytest.approx(1, abs=1e-6)


def test_factors_of_another_number_are_refused():
    pc, t = table()
    with pytest.raises(ValueError, match=r"factors: expected \(2,\), found \(3,\)"):
        damped(columns(t, np.array([0, 1])), np.ones(3, np.float32))
    assert pc.parameter_count()
