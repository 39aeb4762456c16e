"""What `smooth` replaces, what it leaves, and where its limit is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import argrad as ag
from argrad.nonsmooth import soft


def largest_two(x):
    return jax.lax.top_k(x, 2)[0]


def branch(x):
    return jax.lax.cond(x[0] > x[1], lambda x: x**2, lambda x: 2 * x, x)


def running(x):
    return jax.lax.scan(lambda c, v: (jnp.maximum(c, v), c * v), x[0], x[1:])[0]


FUNCTIONS = {
    "abs": (jnp.abs, ["abs"]),
    "max": (jnp.max, ["reduce_max"]),
    "sort": (jnp.sort, ["sort"]),
    "median": (jnp.median, ["sort"]),
    "top-k": (largest_two, ["top_k"]),
    "relu": (jax.nn.relu, ["max"]),
    "clip": (lambda x: jnp.clip(x, -0.5, 0.5), ["max", "min"]),
    "where": (lambda x: jnp.where(x > 0.1, x**2, -x), ["gt"]),
    "logic": (lambda x: jnp.mean((x > 0) & (x < 1) | ~(x > -1), dtype=float), ["gt", "lt", "gt"]),
    "cond": (branch, ["gt"]),
    "scan": (running, ["max"]),
    "loop": (lambda x: jax.lax.fori_loop(0, 3, lambda i, c: jnp.abs(c - 0.1), x), ["abs"]),
    "sorted along": (lambda x: jax.lax.sort((x, x**2), num_keys=1)[1], ["sort"]),
    "huber": (optax.huber_loss, ["abs", "min"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_near_the_function_at_a_low_temperature(name, rng):
    function, operations = FUNCTIONS[name]
    x = jnp.asarray(rng.permutation(6) * 0.37 - 0.93 + 0.01 * rng.uniform(size=6))
    smooth = ag.smooth(function, 1e-3)
    np.testing.assert_allclose(smooth(x), function(x), atol=1e-10)
    np.testing.assert_allclose(jax.jacobian(smooth)(x), jax.jacobian(function)(x), atol=1e-7)
    changes = smooth.smoothed(x)
    assert [change.operation for change in changes.smoothed] == operations
    assert changes.left == ()


@pytest.mark.parametrize("name", ["abs", "top-k", "where", "cond", "scan", "logic", "sorted along"])
def test_its_derivatives_are_its_own(name, rng, central_difference):
    smooth = ag.smooth(FUNCTIONS[name][0], 0.3)
    x = rng.normal(size=4)
    found = jax.jit(jax.jacobian(smooth))(x)
    np.testing.assert_allclose(found, central_difference(jax.jit(smooth), x), atol=1e-7)


@pytest.mark.parametrize(
    "function", [jax.nn.logsumexp, jax.nn.softmax, jax.nn.softplus, jax.nn.gelu, jnp.std]
)
def test_what_is_smooth_stays(function, rng):
    x = jnp.asarray(rng.normal(size=5))
    smooth = ag.smooth(function, 1.0)
    np.testing.assert_array_equal(smooth(x), function(x))
    assert str(smooth.smoothed(x)) == "nothing to smooth"


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: x + jnp.floor(x), "floor"),
        (lambda x: x[jnp.argmax(x)], "argmax"),
        (lambda x: x[jnp.argsort(x)], "sort"),
        (lambda x: x * x.astype(int), "convert_element_type"),
    ],
)
def test_what_cannot_be_smoothed_is_said(function, operation, rng):
    x = jnp.asarray(rng.normal(size=4))
    with pytest.raises(ValueError, match=f"{operation} stays as it is.*test_smooth.py"):
        ag.smooth(function, 0.1)(x)
    partly = ag.smooth(function, 0.1, partial=True)
    np.testing.assert_array_equal(partly(x), function(x))
    assert [change.operation for change in partly.smoothed(x).left] == [operation]


def test_data_and_draws_are_left_alone(rng):
    data = jnp.asarray(rng.normal(size=20))

    def f(x, flag):
        noise = jax.random.uniform(jax.random.key(0), (20,))
        return jnp.sum(jnp.where(data > 0, data, 0.0) * noise) * x if flag else -x

    smooth = ag.smooth(f, 1.0)
    assert smooth(2.0, True) == f(2.0, True)
    assert smooth.smoothed(2.0, True) == ((), ())


def test_the_side_that_is_not_finite_has_no_share():
    root = ag.smooth(lambda x: jnp.where(x > 0, jnp.log(x), 0.0), 0.1)
    np.testing.assert_array_equal(root(jnp.array([-1.0])), 0.0)


def test_temperatures_and_batches(rng):
    x = jnp.asarray(rng.normal(size=(3, 4)))
    by_row = jax.vmap(lambda x, t: ag.smooth(jnp.max, t)(x))(x, jnp.array([0.1, 0.2, 0.3]))
    for row, temperature, found in zip(x, (0.1, 0.2, 0.3), by_row, strict=True):
        np.testing.assert_allclose(found, soft.largest(row, temperature), rtol=1e-12)
    assert jax.grad(lambda t: ag.smooth(jnp.abs, t)(0.0))(0.5) == pytest.approx(np.log(2))


STANDARD = {
    "max": jnp.max,
    "abs": lambda x: jnp.sum(jnp.abs(x)),
    "relu": lambda x: jnp.sum(jax.nn.relu(x)),
    "hinge": lambda x: jnp.sum(jnp.maximum(0, 1 - x)),
    "sort": jnp.sort,
    "top-k": largest_two,
}


@pytest.mark.parametrize("at_a_kink", [False, True])
@pytest.mark.parametrize("name", STANDARD)
def test_continuation_comes_to_the_function(name, at_a_kink, rng):
    """Bias below 1e-6, at every stage within a factor of 3 of the true one where that is more
    than the accuracy that was asked for."""
    function = STANDARD[name]
    x = rng.normal(size=6)
    if at_a_kink:  # of abs and relu, of the hinge, and of all that compare
        x[0], x[3], x[1] = 0.0, 1.0, 4.0
        x[2] = x[1]
    smooth = jax.jit(lambda t: ag.smooth(function, t)(x))
    found = ag.continuation(smooth)
    exact = function(jnp.asarray(x))
    error = np.max(np.abs(found.value - exact))
    assert found.converged
    assert error < 1e-6
    assert error < 3 * found.bias
    if error > 1e-13:
        assert found.bias < 3 * error
    for stage in found.stages:
        bias = np.max(np.abs(stage.value - exact))
        if bias > max(1e-9, 10 * found.bias):
            assert bias / 3 < stage.bias < 3 * bias


def test_continuation_of_solutions():
    """argmin (y − 1)² / 2 + |y − x|, warm started: at x for x within 1 of 1."""
    objective = lambda y, x, t: 0.5 * (y - 1) ** 2 + soft.absolute(y - x, t)
    solve = ag.argmin(objective)
    found = ag.continuation(lambda t, y: solve(0.4, y, t), init=0.0, tol=1e-7)
    assert abs(found.value - 0.4) < 1e-6
    assert abs(found.value - 0.4) < 3 * found.bias
    assert found.converged


def test_continuation_that_does_not_converge():
    found = ag.continuation(lambda t: jnp.cos(1 / t), max_stages=8)
    assert not found.converged
    assert found.bias > 1e-6
    with pytest.raises(FloatingPointError, match="not finite"):
        ag.continuation(lambda t: jnp.log(t - 0.1))
    with pytest.raises(ValueError, match="needs start > 0"):
        ag.continuation(lambda t: t, factor=1.0)
    with pytest.raises(ValueError, match="temperature must be positive"):
        ag.smooth(jnp.abs, 0.0)
    with pytest.raises(TypeError, match="must be a function"):
        ag.smooth(1.0, 0.1)
