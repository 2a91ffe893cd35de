"""Starts the engine once for all tests; every test begins with a new graph and a fixed seed."""

import pytest

from dynotes import runtime

dy = runtime.start(mem="64", seed=1)


@pytest.fixture(autouse=True)
def fresh_graph():
    dy.reset_random_seed(1)
    dy.renew_cg()
    # W * x is computed as 0 * old memory + W x: no NaN of another test may be left there
    dy.zeros((250000,)).forward()
    dy.renew_cg()
    yield
    dy.renew_cg()
