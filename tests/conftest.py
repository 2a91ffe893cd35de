"""Starts the engine once for all tests; every test begins with a new graph and a fixed seed."""

import numpy as np

np.finfo(np.float32), np.finfo(np.float64)  # cached before dynet switches denormals off

import dynet_config  # noqa: E402

dynet_config.set(mem="64", random_seed=1)

import dynet as dy  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def fresh_graph():
    dy.reset_random_seed(1)
    dy.renew_cg()
    # W * x is computed as 0 * old memory + W x: no NaN of another test may be left there
    dy.zeros((250000,)).forward()
    dy.renew_cg()
    yield
    dy.renew_cg()
