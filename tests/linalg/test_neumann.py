import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag


def test_the_sum_of_its_terms(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 5, 12)), jnp.asarray(rng.normal(size=12))
    found = run(ag.Neumann(steps=6, step_size=0.3), a, b)
    terms = [np.linalg.matrix_power(np.eye(12) - 0.3 * a, i) @ b for i in range(7)]
    np.testing.assert_allclose(found.value, 0.3 * np.sum(terms, 0), rtol=1e-12)
    assert found.counted == 6
    assert found.stats["error"] == pytest.approx(np.linalg.norm(terms[6]) / np.linalg.norm(b))


def test_tends_to_the_inverse_within_the_bound_known_beforehand(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 20, 30)), jnp.asarray(rng.normal(size=30))
    exact = np.linalg.solve(a, b)
    for steps in (1, 10, 100, 600):
        found = run(ag.Neumann(steps=steps, lowest_curvature=1.0), a, b)
        error = np.linalg.norm(found.value - exact) / np.linalg.norm(exact)
        assert error <= found.stats["remainder"] + 1e-13
        assert found.counted == steps + 20
        assert 0.045 < found.stats["step_size"] < 0.075  # 1/L = 0.05, from below in L
    assert found.stats["remainder"] < 1e-12


def test_stops_at_a_tolerance_or_says_that_it_could_not(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 5, 12)), jnp.asarray(rng.normal(size=12))
    found = run(ag.Neumann(steps=500, tol=1e-6), a, b)
    assert found.result == lx.RESULTS.successful
    assert np.linalg.norm(a @ found.value - b) <= 1e-6 * np.linalg.norm(b)
    assert 20 < found.counted < 120
    assert run(ag.Neumann(steps=5, tol=1e-6), a, b).result == lx.RESULTS.max_steps_reached


@pytest.mark.parametrize("step_size", [0.41, 1.0, 1e9])
def test_a_step_that_is_too_long_is_noticed(with_spectrum, run, rng, step_size):
    a, b = with_spectrum(np.linspace(1, 5, 12)), jnp.asarray(rng.normal(size=12))
    found = run(ag.Neumann(steps=200, step_size=step_size), a, b)
    assert found.result == lx.RESULTS.breakdown
    assert run(ag.Neumann(steps=200, step_size=0.39), a, b).result == lx.RESULTS.successful


def test_too_long_a_step_is_an_error_of_the_derivative():
    f = lambda y, x: 0.5 * jnp.sum(jnp.array([1.0, 5.0]) * y**2) - x * jnp.sum(y)
    solve = ag.argmin(f, adjoint=ag.Implicit(ag.Neumann(steps=100, step_size=0.5)))
    with pytest.raises(Exception, match="linear solve"):
        jax.grad(lambda x: solve(x, jnp.ones(2)).sum())(1.0)


def test_negative_curvature_is_noticed(with_spectrum, run, rng):
    a = with_spectrum([-0.1, *np.linspace(1, 5, 11)])
    found = run(ag.Neumann(steps=100), a, jnp.asarray(rng.normal(size=12)))
    assert found.result == lx.RESULTS.breakdown


def test_a_step_that_is_too_short_is_off_by_27_per_cent_and_says_so():
    """(1 − αλ)^(k+1) = 0.27 of the derivative is missing: that of ½ λ y² − x y is 1/λ."""
    curvature, steps = 3.0, 20
    short = (1 - 0.27 ** (1 / (steps + 1))) / curvature

    def derivative(linear_solver):
        f = lambda y, x: 0.5 * curvature * y**2 - x * y
        return jax.grad(ag.argmin(f, adjoint=ag.Implicit(linear_solver)))(1.0, 0.0)

    assert derivative(ag.Neumann(steps, step_size=short)) == pytest.approx((1 - 0.27) / 3)
    assert derivative(ag.Neumann(steps)) == pytest.approx(1 / 3)
    a = lx.MatrixLinearOperator(jnp.array([[curvature]]), lx.symmetric_tag)
    solver = ag.Neumann(steps, step_size=short, lowest_curvature=curvature)
    stats = lx.linear_solve(a, jnp.ones(1), solver).stats
    assert stats["remainder"] == pytest.approx(0.27)
    assert stats["error"] == pytest.approx(0.27 ** (steps / (steps + 1)))
    with pytest.raises(Exception, match="linear solve"):  # with a tolerance it is an error
        derivative(ag.Neumann(steps, tol=1e-3, step_size=short))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"steps": 0}, "steps >= 1, got 0"),
        ({"tol": 0.0}, "tol > 0, got 0"),
        ({"step_size": -1.0}, "step_size > 0, got -1"),
        ({"step_size": float("nan")}, "step_size > 0, got nan"),
        ({"lowest_curvature": 0.0}, "lowest_curvature > 0, got 0"),
        ({"power_steps": 0}, "power_steps >= 1, got 0"),
    ],
)
def test_arguments_that_make_no_sense(argument, message):
    with pytest.raises(ValueError, match=f"Neumann needs {message}"):
        ag.Neumann(**argument)
