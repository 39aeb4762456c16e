"""The hypergradient of the double loop against NumPy and central differences."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag
from argrad.bilevel.evaluation import Warm, evaluate

LINEAR = {
    "default": None,
    "argrad-cg": ag.CG(),
    "lineax-cg": lx.CG(rtol=1e-12, atol=1e-12),
    "cholesky": lx.Cholesky(),
}


def at(bilevel, x, y, u, data):
    return eqx.filter_jit(evaluate)(bilevel, jnp.asarray(x), Warm(y, u), data)


@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize("guess", ["none", "random", "opposite", "huge"])
def test_gradient_is_that_of_the_whole_pipeline(ridge, rng, differences, linear, guess):
    """Whatever the adjoint solve starts from, and whichever solver does it."""
    bilevel = ridge.bilevel(adjoint=ag.Implicit(linear_solver=LINEAR[linear]))
    x, zeros = rng.normal(size=ridge.d), jnp.zeros(ridge.d)
    right = at(bilevel, x, zeros, zeros, ridge.data).warm.adjoint
    start = {"none": zeros, "random": rng.normal(size=ridge.d), "opposite": -right}
    start["huge"] = 1e6 * right + 1e3
    found = at(bilevel, x, zeros, jnp.asarray(start[guess]), ridge.data)
    assert not found.failed
    np.testing.assert_allclose(found.value, ridge.pipeline(x), rtol=1e-12)
    expected = differences(ridge.pipeline, x)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-6, atol=1e-8)


def test_gradient_agrees_with_automatic_differentiation_to_rounding(ridge, rng):
    """Two implementations of the same formula: conditioning is all that may separate them."""
    bilevel = ridge.bilevel()
    x, zeros = jnp.asarray(rng.normal(size=ridge.d)), jnp.zeros(ridge.d)
    found = at(bilevel, x, zeros, zeros, ridge.data)
    expected = jax.grad(bilevel)(x, zeros, *ridge.data)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-9, atol=1e-11)


def test_a_maximum_below_has_the_gradient_of_its_negated_objective(ridge, rng, differences):
    bilevel = ag.Bilevel(ridge.upper, ag.argmax(lambda *a: -ridge.lower(*a)))
    x, zeros = rng.normal(size=ridge.d), jnp.zeros(ridge.d)
    found = at(bilevel, x, zeros, zeros, ridge.data)
    expected = differences(ridge.pipeline, x)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-6, atol=1e-8)


def by_numpy(x, init, A, b, V, v):
    return np.linalg.solve(A.T @ A + np.diag(np.exp(x)), A.T @ b)


def newton_step(w, x, A, b, V, v):
    return jnp.linalg.solve(A.T @ A + jnp.diag(jnp.exp(x)), A.T @ b) + 0 * w


@pytest.mark.parametrize("kind", ["external", "unrolled", "one-step"])
def test_every_other_lower_level_has_the_right_gradient_too(ridge, rng, differences, kind):
    if kind == "external":
        lower = ag.implicit(by_numpy, ag.stationarity(ridge.lower))
    else:
        adjoint = ag.Unrolled(100) if kind == "unrolled" else ag.OneStep(newton_step)
        lower = ag.argmin(ridge.lower, adjoint=adjoint)
    x, zeros = rng.normal(size=ridge.d), jnp.zeros(ridge.d)
    found = at(ag.Bilevel(ridge.upper, lower), x, zeros, zeros, ridge.data)
    assert not found.failed
    expected = differences(ridge.pipeline, x)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-6, atol=1e-7)


def test_warm_start_at_the_answer_costs_next_to_nothing(rng):
    """200 variables of spread curvature, no factor: the adjoint is conjugate gradients alone."""
    d = 200
    h = jnp.asarray(np.exp(rng.uniform(0, 6, size=d)))
    lower = ag.argmin(
        lambda y, x: 0.5 * jnp.sum(h * y**2) - jnp.sum(y) * x, solver=ag.Newton(patience=None)
    )
    bilevel = ag.Bilevel(lambda y, x: jnp.sum(jnp.sin(y)), lower)
    zeros = jnp.zeros(d)
    cold = at(bilevel, 1.0, zeros, zeros, ())
    warm = at(bilevel, 1.0, cold.warm.y, cold.warm.adjoint, ())
    near = at(bilevel, 1.001, cold.warm.y, cold.warm.adjoint, ())
    assert cold.adjoint_steps > 50
    assert warm.adjoint_steps == 0
    assert warm.lower_iterations < cold.lower_iterations
    assert near.adjoint_steps < 0.8 * cold.adjoint_steps
    np.testing.assert_allclose(warm.gradient, cold.gradient, rtol=1e-10)
    exact = jnp.sum(jnp.cos(1.001 / h) / h)
    np.testing.assert_allclose(near.gradient, exact, rtol=1e-10)


def test_pytrees_above_and_below(rng, differences):
    """x and y as dictionaries and tuples of arrays of mixed shapes, a scalar among them."""
    T = jnp.asarray(rng.normal(size=(2, 3)))

    def lower(y, x):
        pull = jnp.sum((y["m"] - x[0] * T) ** 2) + (y["s"] - x[1]["b"][0]) ** 2
        return pull + 0.1 * jnp.sum(y["m"]) * y["s"] + jnp.sum(y["m"] ** 4)

    def upper(y, x):
        return jnp.sum(jnp.tanh(y["m"])) + y["s"] ** 3 + jnp.sum(x[1]["b"] ** 2)

    bilevel = ag.Bilevel(upper, lower)
    y = {"m": jnp.zeros((2, 3)), "s": jnp.array(0.0)}
    x = (jnp.asarray(rng.normal()), {"b": jnp.asarray(rng.normal(size=2))})
    found = eqx.filter_jit(evaluate)(bilevel, x, Warm(y, y), ())
    assert jax.tree.structure(found.gradient) == jax.tree.structure(x)
    flat, unravel = jax.flatten_util.ravel_pytree(x)
    expected = differences(lambda v: float(bilevel(unravel(jnp.asarray(v)), y)), flat)
    got = jax.flatten_util.ravel_pytree(found.gradient)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "objective",
    [
        lambda y, x: x * jnp.sum(y),  # unbounded
        lambda y, x: jnp.sum(jnp.log(x * y)),  # not finite at the start
        lambda y, x: x * y[0] ** 2 + y[0] - 0 * y[1],  # flat along y[1]
        lambda y, x: jnp.sum((y**2 - x) ** 2),  # the maximum y = 0 is where it starts
    ],
    ids=["unbounded", "not-finite", "flat", "maximum"],
)
def test_a_failed_lower_solve_is_never_a_gradient(objective):
    start = jnp.zeros(2)
    found = at(ag.Bilevel(lambda y, x: jnp.sum(y) + x, objective), 1.0, start, start, ())
    assert found.failed
    assert found.status != ag.Status.converged
    assert found.value == jnp.inf
    assert found.gradient == 0.0


def test_too_few_steps_below_fail_whether_or_not_the_lower_level_throws():
    lower = ag.argmin(lambda y, x: jnp.cosh(y - x) + y**4, max_steps=2)
    for choice in (lower, dataclasses.replace(lower, throw=False)):
        found = at(ag.Bilevel(lambda y, x: y, choice), 3.0, jnp.array(0.0), jnp.array(0.0), ())
        assert found.failed
        assert found.status == ag.Status.max_steps_reached
