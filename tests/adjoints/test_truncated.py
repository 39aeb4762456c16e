"""Unrolled and OneStep: derivatives of an iteration rather than of the solution."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optax
import optimistix as optx
import pytest

import argrad as ag

H = np.array([1.0, 2.0, 5.0])


def quadratic(y, x):
    return 0.5 * jnp.sum(H * (y - jnp.sin(x)) ** 2)


@pytest.mark.parametrize("library", ["optimistix", "optax"])
def test_unrolled_gradient_descent_in_closed_form(rng, library):
    """k steps of length a leave (1 − aH)^k of the start and 1 − (1 − aH)^k of the solution."""
    descent = optx.GradientDescent(0.1, rtol=1e-15, atol=1e-15)
    solver = descent if library == "optimistix" else optax.sgd(0.1)
    solve = ag.argmin(quadratic, solver=solver, adjoint=ag.Unrolled(7))
    x, y0 = jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.normal(size=3))
    left = (1 - 0.1 * H) ** 7
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(solve)(x, y0), np.diag((1 - left) * np.cos(x)), atol=1e-12)
        np.testing.assert_allclose(mode(solve, 1)(x, y0), np.diag(left), atol=1e-12)
    solution = solve.solution(x, y0)
    assert solution.status == ag.Status.max_steps_reached
    assert solution.gradient_norm == pytest.approx(
        np.linalg.norm(H * left * (np.asarray(y0) - np.sin(x))), rel=1e-10
    )


def test_unrolled_tends_to_the_implicit_derivative(rng):
    f = lambda y, x: jnp.sum(jnp.cosh(y - x)) + 0.5 * jnp.sum(y**2) + 0.1 * y[0] * y[1]
    x = jnp.asarray(rng.normal(size=2))
    exact = jax.jacfwd(ag.argmin(f))(x, jnp.zeros(2))
    solver = optx.GradientDescent(0.3, rtol=1e-15, atol=1e-15)

    def error(steps):
        solve = ag.argmin(f, solver=solver, adjoint=ag.Unrolled(steps))
        return np.abs(jax.jacrev(solve)(x, jnp.zeros(2)) - exact).max()

    assert error(80) < 1e-8 < error(5)
    default = ag.argmin(f, adjoint=ag.Unrolled(40))
    assert np.abs(jax.jacfwd(default)(x, jnp.zeros(2)) - exact).max() < 1e-3


def test_unrolled_has_second_derivatives(rng, central_difference):
    f = lambda y, x: jnp.cosh(y - x) + 0.5 * y**2
    solver = optx.GradientDescent(0.2, rtol=1e-15, atol=1e-15)
    solve = ag.argmin(f, solver=solver, adjoint=ag.Unrolled(5))
    first = lambda x: jax.grad(solve)(x, 0.0)
    x = float(rng.normal())
    assert jax.grad(first)(x) == pytest.approx(float(central_difference(first, x)), rel=1e-7)


def test_unrolled_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="Newton cannot be unrolled"):
        ag.argmin(quadratic, solver=ag.Newton(), adjoint=ag.Unrolled(3))(jnp.ones(3), jnp.ones(3))
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        ag.Unrolled(0)
    diverging = ag.argmin(lambda y, x: x * y**4, solver=optax.sgd(1.0), adjoint=ag.Unrolled(50))
    with pytest.raises(ag.SolveError, match="NaN or infinity"):
        diverging(1.0, 10.0)


def test_one_step_is_h_over_l_times_the_right_derivative(rng):
    solve = ag.argmin(quadratic, adjoint=ag.OneStep())
    x = jnp.asarray(rng.normal(size=3))
    expected = np.diag(H / H.max() * np.cos(x))
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(solve)(x, jnp.zeros(3)), expected, atol=1e-6)
    np.testing.assert_allclose(solve(x, jnp.zeros(3)), jnp.sin(x), atol=1e-13)


def test_one_newton_step_is_exact(rng):
    f = lambda y, x: jnp.cosh(y - x) + 0.5 * y**2

    def newton_step(y, x):
        return y - jax.grad(f)(y, x) / jax.hessian(f)(y, x)

    solve = ag.argmin(f, adjoint=ag.OneStep(step=newton_step))
    x = float(rng.normal())
    assert jax.grad(solve)(x, 0.0) == pytest.approx(
        float(jax.grad(ag.argmin(f))(x, 0.0)), rel=1e-10
    )


def test_one_step_of_a_failed_solve():
    with pytest.raises(Exception, match="ran away"):
        jax.grad(ag.argmin(lambda y, x: x * y, adjoint=ag.OneStep()))(1.0, 0.0)
    silent = ag.argmin(lambda y, x: x * y, adjoint=ag.OneStep(), throw=False)
    assert jnp.isnan(jax.grad(silent)(1.0, 0.0))


def test_a_pseudo_inverse_is_taken_at_its_word():
    """(y₀ + y₁ − x)²: the least-norm derivative of a line of minima is (1/2, 1/2)."""
    solve = ag.argmin(
        lambda y, x: (y[0] + y[1] - x) ** 2, adjoint=ag.Implicit(linear_solver=lx.SVD())
    )
    np.testing.assert_allclose(jax.jacrev(solve)(1.0, jnp.zeros(2)), [0.5, 0.5], atol=1e-12)
