import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

Y = {"bias": np.zeros(2), "weights": np.zeros(3)}


def loss(y, x, data):
    rows, target = data
    flat = jnp.concatenate([y["bias"], y["weights"]])
    return 0.5 * jnp.mean((rows @ flat - target) ** 2) + 0.5 * jnp.exp(x) * jnp.sum(flat**2)


@pytest.fixture
def data(rng):
    return jnp.asarray(rng.normal(size=(40, 5))), jnp.asarray(rng.normal(size=40))


def hessian(data, x):
    return np.asarray(data[0].T @ data[0] / 40 + np.exp(x) * np.eye(5))


def test_samples_average_to_the_whole_hessian(data, rng):
    operator = ag.Minibatch(loss, size=4)(Y, 0.0, data)
    flat, unravel = ravel_pytree(Y)
    v = jnp.asarray(rng.normal(size=5))
    exact = hessian(data, 0.0) @ v
    np.testing.assert_allclose(ravel_pytree(operator.mv(unravel(v)))[0], exact, rtol=1e-10)
    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), 4000)
    one = lambda key: ravel_pytree(operator.sample(key, unravel(v)))[0]
    samples = np.asarray(jax.jit(jax.vmap(one))(keys))
    error = samples.std(0, ddof=1) / np.sqrt(4000)
    assert np.all(np.abs(samples.mean(0) - exact) < 5 * error)
    assert np.all(error > 0)
    assert flat.size == 5


def test_unbiased_for_the_truncated_series_with_the_right_standard_error(data, rng):
    """500 results of 6 chains each: their mean within 5 standard errors, their spread as stated."""
    x, steps, alpha = -1.0, 12, 0.08
    h, b = hessian(data, x), jnp.asarray(rng.normal(size=5))
    operator = ag.Minibatch(loss, size=2)(Y, x, data)
    unravel = ravel_pytree(Y)[1]

    @jax.jit
    @jax.vmap
    def result(key):
        solver = ag.StochasticNeumann(steps, chains=6, step_size=alpha, key=key)
        found = lx.linear_solve(operator, unravel(b), solver)
        return ravel_pytree(found.value)[0], found.stats["standard_error"]

    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), 500)
    found, stated = map(np.asarray, result(keys))
    series = sum(np.linalg.matrix_power(np.eye(5) - alpha * h, i) for i in range(steps + 1))
    spread = found.std(0, ddof=1)
    assert np.all(np.abs(found.mean(0) - alpha * series @ b) < 5 * spread / np.sqrt(500))
    np.testing.assert_allclose(np.sqrt(np.mean(stated**2, 0)), spread, rtol=0.25)


def test_more_steps_and_chains_come_to_the_inverse(data, rng):
    h, b = hessian(data, 0.0), jnp.asarray(rng.normal(size=5))
    operator = ag.Minibatch(loss, size=20)(Y, 0.0, data)
    unravel = ravel_pytree(Y)[1]
    solver = ag.StochasticNeumann(steps=60, chains=200)
    found = lx.linear_solve(operator, unravel(b), solver)
    value = np.asarray(ravel_pytree(found.value)[0])
    error = np.asarray(found.stats["standard_error"])
    assert np.all(np.abs(value - np.linalg.solve(h, b)) < 6 * error + 1e-6)
    assert np.linalg.norm(error) < 0.05 * np.linalg.norm(value)
    assert found.stats["num_products"] == 60 * 200 + 40
    assert found.stats["step_size"] < 0.5 / np.linalg.eigvalsh(h)[-1] * 1.5


def test_an_operator_without_samples_is_taken_whole(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 3, 6)), jnp.asarray(rng.normal(size=6))
    found = run(ag.StochasticNeumann(steps=10, chains=2, step_size=0.3), a, b)
    series = run(ag.Neumann(steps=10, step_size=0.3), a, b)
    np.testing.assert_allclose(found.value, series.value, rtol=1e-10)
    np.testing.assert_allclose(found.stats["standard_error"], 0, atol=1e-12)
    assert found.counted == 10
    assert run(ag.StochasticNeumann(steps=10, chains=2), a, b).counted == 20


def test_a_run_away_is_noticed(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 3, 6)), jnp.asarray(rng.normal(size=6))
    found = run(ag.StochasticNeumann(steps=60, chains=2, step_size=1.0), a, b)
    assert found.result == lx.RESULTS.breakdown


def test_the_derivative_of_an_argmin_by_minibatches(data):
    exact = jax.grad(lambda x: ag.argmin(loss)(x, Y, data)["weights"].sum())(0.0)
    adjoint = ag.Implicit(ag.StochasticNeumann(60, 100), ag.Minibatch(loss, size=20))
    solve = ag.argmin(loss, adjoint=adjoint)
    ours = jax.jit(jax.grad(lambda x: solve(x, Y, data)["weights"].sum()))(0.0)
    assert ours == pytest.approx(float(exact), rel=0.15)
    assert ours != exact


def test_misuse(data):
    with pytest.raises(ValueError, match="StochasticNeumann needs steps >= 1, got 0"):
        ag.StochasticNeumann(steps=0)
    with pytest.raises(ValueError, match="StochasticNeumann needs chains >= 2"):
        ag.StochasticNeumann(chains=1)
    with pytest.raises(ValueError, match="StochasticNeumann needs step_size > 0, got -1"):
        ag.StochasticNeumann(step_size=-1.0)
    with pytest.raises(ValueError, match="Minibatch needs size >= 1, got 0"):
        ag.Minibatch(loss, size=0)
    with pytest.raises(TypeError, match="Minibatch needs data"):
        ag.Minibatch(loss, size=1)(Y, 0.0)
    with pytest.raises(ValueError, match="all as many"):
        ag.Minibatch(loss, size=1)(Y, 0.0, (data[0], data[1][:3]))
