import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import argrad as ag
from argrad.solvers import choose_solver

PATIENCE = [0, 2, None]


def run(f, y0, x=None, **options):
    return optx.minimise(
        lambda y, x: f(y, x), ag.Newton(**options), y0, x, max_steps=500, throw=False
    )


@pytest.mark.parametrize("patience", PATIENCE)
def test_rosenbrock_to_machine_precision(patience):
    f = lambda y, _: (1 - y[0]) ** 2 + 100 * (y[1] - y[0] ** 2) ** 2
    found = run(f, jnp.array([-1.2, 1.0]), patience=patience)
    assert found.result == optx.RESULTS.successful
    np.testing.assert_allclose(found.value, [1, 1], rtol=1e-13)


@pytest.mark.parametrize("patience", PATIENCE)
@pytest.mark.parametrize(("unit_f", "unit_y"), [(1e-30, 1e-12), (1.0, 1.0), (1e30, 1e12)])
def test_neither_units_of_the_objective_nor_of_the_variables_matter(patience, unit_f, unit_y):
    f = lambda y, _: unit_f * jnp.sum(jnp.cosh(y / unit_y - 1) + 0.1 * (y / unit_y) ** 2)
    found = run(f, jnp.array([0.3, -0.4]) * unit_y, patience=patience)
    assert found.result == optx.RESULTS.successful
    slope = jax.grad(lambda y: f(y * unit_y, None) / unit_f)(found.value / unit_y)
    np.testing.assert_allclose(slope, 0, atol=1e-14)


@pytest.mark.parametrize("d", [5, 80, 1200])
def test_the_last_factor_is_that_of_the_solution_or_of_a_point_near_it(rng, d):
    f = lambda y, x: jnp.sum(jnp.cosh(y - x) * jnp.logspace(0, 4, d))
    x = jnp.asarray(rng.normal(size=d))
    found = run(f, jnp.zeros(d), x)
    np.testing.assert_allclose(found.value, x, atol=1e-12)
    factor = found.state.hessian.factor
    if d > 1000:
        assert factor is None
        return
    # The Hessian is that of the solution times cosh(y − x) ≥ 1.
    ratio = factor.solve(jnp.logspace(0, 4, d))
    assert jnp.all((ratio > (1 - 1e-6 if d == 5 else 0.1)) & (ratio < 1 + 1e-6))


def test_few_products_where_the_problem_is_well_conditioned(rng):
    """200 variables, condition number 4: no Hessian is ever formed."""
    h = jnp.linspace(1, 4, 200)
    found = run(lambda y, _: jnp.sum(h * jnp.log(jnp.cosh(y - 0.3))), jnp.zeros(200))
    assert not found.state.hessian.factor.known


@pytest.mark.parametrize("patience", PATIENCE)
@pytest.mark.parametrize(("of_y", "of_f"), [("float32", "float64"), ("float64", "float32")])
def test_an_objective_of_another_precision_than_its_variable(patience, of_y, of_f):
    f = lambda y, _: jnp.sum(jnp.cosh(y - 0.5) + y**2).astype(of_f)
    found = run(f, jnp.zeros(3, of_y), patience=patience)
    assert found.result == optx.RESULTS.successful
    assert found.value.dtype == of_y
    np.testing.assert_allclose(jnp.sinh(found.value - 0.5) + 2 * found.value, 0, atol=1e-6)


def test_a_domain_with_an_edge():
    """x y − log y has its minimum at 1/x, and no value for y <= 0."""
    found = run(lambda y, x: x * y - jnp.log(y), jnp.array(1e-3), 4.0)
    assert found.value == pytest.approx(0.25, rel=1e-13)


def test_tolerances_that_cannot_be_or_make_no_sense():
    with pytest.raises(ValueError, match=r"rtol=1e-17 cannot be reached in float64"):
        run(lambda y, _: y**2, jnp.array(1.0), rtol=1e-17)
    with pytest.raises(ValueError, match=r"rtol=1e-12 cannot be reached in float32.*float64"):
        run(lambda y, _: y**2, jnp.array(1.0, jnp.float32), rtol=1e-12)
    with pytest.raises(ValueError, match="0 < rtol < 1, got 2"):
        ag.Newton(rtol=2.0)
    with pytest.raises(ValueError, match="patience >= 0"):
        ag.Newton(patience=-1)


def test_a_loose_tolerance_takes_fewer_steps():
    f = lambda y, _: jnp.sum(jnp.exp(y) - 20 * y)
    loose = run(f, jnp.zeros(3), rtol=1e-2)
    tight = run(f, jnp.zeros(3))
    assert loose.stats["num_steps"] < tight.stats["num_steps"]
    np.testing.assert_allclose(loose.value, np.log(20), rtol=1e-2)


def test_choice_by_size():
    assert isinstance(choose_solver(1000), ag.Newton)
    assert isinstance(choose_solver(1001), optx.LBFGS)


def test_many_variables_in_single_precision_are_not_taken_for_flat():
    """Curvatures a thousandfold apart, summed over 300 000 terms of rounding 1e-7."""
    curvature = jnp.linspace(1e-3, 1, 300_000, dtype=jnp.float32)
    target = jnp.cos(jnp.arange(300_000, dtype=jnp.float32))
    solve = ag.argmin(lambda y, x: 0.5 * jnp.sum(curvature * (y - x * target) ** 2))
    found = solve.solution(jnp.float32(2.0), jnp.zeros(300_000, jnp.float32))
    assert found.status == ag.Status.converged
    np.testing.assert_allclose(found.primal, 2 * target, atol=1e-3)
    slope = jax.jvp(lambda x: solve(x, found.primal), (jnp.float32(2.0),), (jnp.float32(1.0),))[1]
    # Conjugate gradients stop at a relative residual of eps^(2/3), 2e-5.
    assert jnp.linalg.norm(curvature * (slope - target)) <= 5e-5 * jnp.linalg.norm(
        curvature * target
    )


def test_values_that_rounding_spoils_more_than_their_size_tells():
    """log cosh y has errors of eps, at any y, and so hides falls that the gradient shows."""

    def objective(y, x):
        return 0.5 * jnp.sum((y - x) ** 2) + jnp.sum(jnp.log(jnp.cosh(y)))

    x = jax.random.normal(jax.random.key(0), (300, 3), jnp.float32) / 10
    solve = ag.argmin(objective, solver=ag.Newton(), throw=False)
    solved = jax.vmap(solve.solution, (0, None))(x, jnp.zeros(3, jnp.float32))
    assert jnp.all(solved.status == ag.Status.converged)
    assert solved.iterations.max() <= 10
    y = solved.primal
    np.testing.assert_allclose(y + jnp.tanh(y), x, atol=1e-6)
