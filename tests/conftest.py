"""Tests run in float64; examples in docstrings and pages in float32, as a user finds JAX."""

import gc
import os
import pathlib
import signal

import jaxlib

# Tests compile much and run little: have XLA compile quickly, three times as quickly in all. Only
# for releases known to have these flags, because XLA aborts on one that it does not know.
if jaxlib.__version__.startswith("0.10."):
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1",
    )

import jax
import pytest

# A test run started in the background inherits an ignored Ctrl-C; the tests of it need a real one.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with jax.enable_x64(not isinstance(item, pytest.DoctestItem)):
        return (yield)


@pytest.fixture(scope="module", autouse=True)
def programs_within_the_limit():
    """Forget compiled programs before there are too many for one process.

    Each takes some hundred memory maps, of which Linux allows 65 530; beyond, XLA crashes.
    """
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="seed of the random inputs")


@pytest.fixture
def rng(request):
    """Fresh random numbers every day; a failure prints the seed that repeats it."""
    import datetime

    import numpy as np

    seed = request.config.getoption("--seed")
    if seed is None:
        seed = datetime.date.today().toordinal()
    print(f"--seed {seed}")
    return np.random.default_rng([seed, *request.node.nodeid.encode()])


@pytest.fixture
def central_difference():
    """d/dx of an array-valued function of a flat array, to O(h⁴), by Richardson's rule."""
    import numpy as np

    def derivative(function, x, h=1e-3):
        x = np.asarray(x, float)

        def quotient(direction, h):
            plus, minus = function(x + h * direction), function(x - h * direction)
            return (np.asarray(plus) - np.asarray(minus)) / (2 * h)

        columns = []
        for i in range(x.size):
            direction = np.eye(x.size)[i].reshape(x.shape)
            columns.append((4 * quotient(direction, h / 2) - quotient(direction, h)) / 3)
        stacked = np.stack(columns, -1)
        return stacked.reshape(stacked.shape[:-1] + x.shape)

    return derivative
