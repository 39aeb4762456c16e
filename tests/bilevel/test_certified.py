"""Hypergradients with their errors, against extended precision."""

import dataclasses

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag

from .families import FAMILIES, D

BATCH = 48
ADJOINTS = {"exact": None, "truncated": ag.CG(max_steps=4, truncate=True)}


def returned(x, init, *data):
    """A solver that returns what it is given."""
    return init


def batch(rng, family):
    problems = [family.draw(rng, 10 ** rng.uniform(0, 8)) for _ in range(BATCH)]
    near = [
        jax.jit(ag.argmin(family.lower))(x, jnp.asarray(y), *data) if not y.any() else y
        for x, y, data in problems
    ]
    return [(x, np.asarray(y), data) for (x, _, data), y in zip(problems, near, strict=True)]


def stacked(problems):
    return jax.tree.map(lambda *a: np.stack(a), *problems)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_estimates_are_within_a_factor_of_ten_and_bounds_hold(rng, name):
    """576 problems of conditions 1 to 1e8, over all families, solvers and adjoints."""
    family = FAMILIES[name]
    problems = batch(rng, family)
    exact = [family.exact(*problem) for problem in problems]
    x, near, data = stacked(problems)
    y = np.stack([np.asarray(y, float) for y, _ in exact])
    wanted = np.stack([slope for _, slope in exact])
    size = np.linalg.norm(y, axis=1, keepdims=True)
    # y* with a relative error between 1e-9 and 1e-1.
    rough = y + size * 10 ** rng.uniform(-9, -1, (BATCH, 1)) * rng.normal(size=y.shape) / D**0.5
    close = []
    for kind in ("solved", "rough"):
        for adjoint in ADJOINTS.values():
            if kind == "solved":
                solve = ag.argmin(family.lower, adjoint=ag.Implicit(linear_solver=adjoint))
                start = near
            else:
                conditions = ag.stationarity(family.lower)
                solve = ag.implicit(returned, conditions, linear_solver=adjoint, tol=1e9)
                start = rough

            def evaluate(x, start, *data, solve=solve):
                return ag.hypergradient(family.upper, solve, x, start, *data)

            found = jax.jit(jax.vmap(evaluate))(x, start, *data)
            true = np.linalg.norm(np.asarray(found.gradient) - wanted, axis=1).astype(float)
            # Where the gradient is right to the last place there is no error to estimate.
            last_place = np.finfo(float).eps * np.linalg.norm(wanted, axis=1).astype(float)
            ratio = np.asarray(found.error) / np.maximum(true, last_place)
            close.append((ratio > 0.1) & (ratio < 10))
    assert np.mean(close) >= 0.9
    # Errors that were made on purpose, not by rounding, are known much better than that.
    assert np.mean((ratio > 0.5) & (ratio < 2)) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_bounds_hold_wherever_constants_do(rng, name):
    """Lower solves stopped early or perturbed, and truncated adjoints, at conditions 1 to 1e8."""
    family = FAMILIES[name]
    problems = batch(rng, family)
    exact = [family.exact(*problem) for problem in problems]
    x, _, data = stacked(problems)
    starts = np.stack([np.asarray(y, float) for y, _ in exact])
    starts = starts * (1 + 10 ** rng.uniform(-9, 0, (BATCH, 1)) * rng.normal(size=starts.shape))
    cheap = ag.Implicit(linear_solver=ADJOINTS["truncated"])
    for adjoint, steps in ((ag.Implicit(), 1), (cheap, 1), (ag.Implicit(), 100), (cheap, 100)):
        solve = ag.argmin(family.lower, adjoint=adjoint, max_steps=steps, throw=False)
        run = jax.jit(jax.vmap(lambda x, start, *data, s=solve: s(x, start, *data)))
        y = np.asarray(run(x, starts, *data))
        constants = []
        for k, (x_k, _, data_k) in enumerate(problems):
            radius = 2 * float(np.linalg.norm(y[k] - exact[k][0]))
            constants.append(family.constants(y[k], radius, x_k, *data_k))
        constants = jax.tree.map(lambda *a: np.stack(a), *constants)

        def evaluate(x, start, constants, *data, solve=solve):
            return ag.hypergradient(family.upper, solve, x, start, *data, constants=constants)

        found = jax.jit(jax.vmap(evaluate))(x, starts, constants, *data)
        for k, (y_k, slope) in enumerate(exact):
            wrong = float(np.linalg.norm(np.asarray(found.gradient[k]) - slope))
            assert np.isfinite(found.bound[k])
            assert wrong <= found.bound[k]
            assert float(np.linalg.norm(np.asarray(found.y[k]) - y_k)) <= found.lower_error[k]


def test_a_bound_allows_for_terms_that_cancel(rng):
    """m y = s x + b where s x and b are much larger than their sum: y is only as good as that."""
    m, s = 1e-3, 1e3
    constants = ag.Constants(convexity=m, smoothness=m, cross_norm=s, upper_lipschitz=1.0)
    solve = ag.argmin(lambda y, x, b: 0.5 * m * y**2 - (s * x + b) * y, throw=False)
    upper = lambda y, x: 0.5 * y**2
    x = rng.uniform(1, 2, 200)
    b = -s * x * (1 - 10 ** rng.uniform(-9, -3, 200))
    run = lambda x, b: ag.hypergradient(
        lambda y, x, b: upper(y, x), solve, x, 0.0, b, constants=constants
    )
    found = jax.jit(jax.vmap(run))(x, b)
    long = np.longdouble
    y = (long(s) * x.astype(long) + b.astype(long)) / long(m)
    lower_error = np.asarray(found.lower_error)
    assert np.all(np.abs(np.asarray(found.y) - y) <= lower_error)
    assert np.all(np.abs(np.asarray(found.gradient) - y * long(s / m)) <= np.asarray(found.bound))
    assert np.all(lower_error < 1000 * np.finfo(float).eps * s * x / m)  # and is of that size


loss = lambda y, x: 0.5 * jnp.sum(jnp.array([1.0, 3.0]) * y**2) - jnp.sum(x * y)
upper = lambda y, x: jnp.sum((y - 1) ** 2)


def test_the_gradient_is_that_of_the_composite():
    solve, x = ag.argmin(loss), jnp.array([2.0, 0.5])
    found = ag.hypergradient(upper, solve, x, jnp.zeros(2))
    exact = jax.grad(lambda x: upper(solve(x, jnp.zeros(2)), x))(x)
    np.testing.assert_allclose(found.gradient, exact, rtol=1e-13)
    np.testing.assert_allclose(found.value, upper(x / jnp.array([1.0, 3.0]), x), rtol=1e-13)
    assert found.error < 1e-14
    assert found.bound == np.inf


def test_above_constraints(rng):
    """The nearest point of a simplex to a random one: a derivative through multipliers."""
    solve = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
    x, weights = rng.normal(size=4), rng.normal(size=4)
    upper = lambda y, x: weights @ y**2
    found = ag.hypergradient(upper, solve, x, jnp.full(4, 0.25))
    exact = jax.grad(lambda x: upper(solve(x, jnp.full(4, 0.25)), x))(jnp.asarray(x))
    np.testing.assert_allclose(found.gradient, exact, atol=1e-12)
    assert found.error < 1e-10


unit = ag.Implicit(curvature=lambda y, x: lx.IdentityLinearOperator(jax.eval_shape(lambda: y)))


@pytest.mark.parametrize(
    "adjoint", [ag.Unrolled(3), ag.OneStep(), unit], ids=["unrolled", "one step", "own curvature"]
)
def test_other_adjoints_are_judged_by_the_same_measure(adjoint):
    solve, x = ag.argmin(loss, adjoint=adjoint, throw=False), jnp.array([2.0, 0.5])
    found = ag.hypergradient(upper, solve, x, jnp.zeros(2))
    exact = 2 * (x / jnp.array([1.0, 3.0]) - 1) / jnp.array([1.0, 3.0])
    wrong = np.linalg.norm(found.gradient - exact)
    np.testing.assert_allclose(found.error, wrong, rtol=1e-6, atol=1e-12)


def test_conditions_that_are_not_symmetric(rng):
    """A root of M y = x, its adjoint with Mᵀ."""
    M = np.eye(3) + 0.3 * rng.normal(size=(3, 3))
    solve = ag.implicit(lambda x, init: init, ag.root(lambda y, x: M @ y - x), tol=1e9)
    x, t = rng.normal(size=3), rng.normal(size=3)
    y = np.linalg.solve(M, x)
    wrong = y + 1e-3 * rng.normal(size=3)
    found = ag.hypergradient(lambda y, x: 0.5 * jnp.sum((y - t) ** 2), solve, x, wrong)
    exact = np.linalg.solve(M.T, y - t)
    np.testing.assert_allclose(found.gradient, np.linalg.solve(M.T, wrong - t), rtol=1e-10)
    np.testing.assert_allclose(found.error, np.linalg.norm(found.gradient - exact), rtol=1e-8)
    np.testing.assert_allclose(found.lower_error, np.linalg.norm(wrong - y), rtol=1e-8)


def test_a_saddle_is_refused_and_an_indefinite_adjoint_has_no_error_estimate():
    saddle = ag.argmin(lambda y, x: y[0] ** 2 - y[1] ** 2 + x * y[0])
    with pytest.raises(Exception, match="saddle"):
        ag.hypergradient(upper, saddle, 1.0, jnp.zeros(2))
    quiet = dataclasses.replace(saddle, throw=False)
    found = ag.hypergradient(upper, quiet, 1.0, jnp.zeros(2))
    assert np.isnan(found.gradient)
    conditions = ag.stationarity(lambda y, x: y[0] ** 2 - y[1] ** 2 + x * y[0] + y[1])
    taken = ag.implicit(returned, conditions, tol=1e9)
    found = ag.hypergradient(upper, taken, 1.0, jnp.array([-0.5, 0.4]))
    assert found.error == np.inf


def test_bad_arguments():
    solve = ag.argmin(loss)
    with pytest.raises(TypeError, match=r"argmin, argrad\.argmax or argrad\.implicit"):
        ag.hypergradient(upper, loss, jnp.ones(2), jnp.zeros(2))
    with pytest.raises(ValueError, match="max_products must be at least 1, got 0"):
        ag.hypergradient(upper, solve, jnp.ones(2), jnp.zeros(2), max_products=0)
    with pytest.raises(ValueError, match="one number"):
        ag.hypergradient(lambda y, x: y, solve, jnp.ones(2), jnp.zeros(2))
    with pytest.raises(ValueError, match="convexity > 0, got -1"):
        ag.Constants(-1.0, 1.0, 1.0, 1.0)
    capped = ag.argmin(loss, subject_to=[ag.box(None, 1.0)])
    constants = ag.Constants(1.0, 3.0, 1.0, 2.0)
    with pytest.raises(ValueError, match="without constraints"):
        ag.hypergradient(upper, capped, jnp.ones(2), jnp.zeros(2), constants=constants)
