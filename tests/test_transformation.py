import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optax
import optimistix as optx
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

ADJOINTS = {
    "default": {},
    "cholesky": {"adjoint": ag.Implicit(linear_solver=lx.Cholesky())},
    "lu": {"adjoint": ag.Implicit(linear_solver=lx.LU())},
    "lineax cg": {"adjoint": ag.Implicit(linear_solver=lx.CG(rtol=1e-12, atol=1e-14))},
    "our cg": {"adjoint": ag.Implicit(linear_solver=ag.CG())},
    "bfgs": {"solver": optx.BFGS(rtol=1e-6, atol=1e-6)},
    "lbfgs": {"solver": optx.LBFGS(rtol=1e-6, atol=1e-6)},
    "optax": {"solver": optax.adam(0.05)},
    "patient newton": {"solver": ag.Newton(patience=3)},
    "matrix-free newton": {"solver": ag.Newton(patience=None)},
}


def objective(y, x):
    """Strictly convex in y, coupled, and neither quadratic in y nor linear in x."""
    coupling = (y["b"] - y["a"][0] * x["u"]) ** 2
    return (
        jnp.sum(jnp.cosh(y["a"] - jnp.sin(x["v"])))
        + jnp.sum(coupling)
        + 0.1 * jnp.sum(y["a"] ** 4)
        + 0.5 * jnp.sum(y["a"] ** 2)
    )


@pytest.fixture
def problem(rng):
    x = {"u": jnp.asarray(rng.normal()), "v": jnp.asarray(rng.normal(size=3))}
    init = {"a": jnp.asarray(rng.normal(size=3)), "b": jnp.asarray(rng.normal(size=2))}
    flat, unravel = ravel_pytree(x)
    return flat, unravel, init


def flat_solution(solve, unravel, init):
    return lambda x: ravel_pytree(solve(unravel(jnp.asarray(x)), init))[0]


@pytest.mark.parametrize("options", ADJOINTS.values(), ids=ADJOINTS)
def test_first_derivatives_in_both_modes_agree_with_differences(
    options, problem, central_difference
):
    x, unravel, init = problem
    y = flat_solution(ag.argmin(objective, **options), unravel, init)
    expected = central_difference(flat_solution(ag.argmin(objective), unravel, init), x)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(y))(x), expected, atol=1e-9)
    np.testing.assert_allclose(jax.jacrev(y)(x), expected, atol=1e-9)


@pytest.mark.parametrize("options", [{}, ADJOINTS["lu"]], ids=["default", "lu"])
def test_second_derivatives_of_every_kind_agree_with_differences(
    options, problem, central_difference
):
    x, unravel, init = problem
    y = flat_solution(ag.argmin(objective, **options), unravel, init)

    def upper(x):
        return jnp.sum(jnp.sin(y(x)) * jnp.arange(1.0, 6.0))

    expected = central_difference(jax.grad(upper), x)
    np.testing.assert_allclose(jax.hessian(upper)(x), expected, atol=1e-8)
    np.testing.assert_allclose(jax.jacrev(jax.jacrev(upper))(x), expected, atol=1e-8)
    np.testing.assert_allclose(jax.jacfwd(jax.jacfwd(upper))(x), expected, atol=1e-8)


def test_jvp_and_vjp_are_adjoint_to_each_other(problem, rng):
    x, unravel, init = problem
    y = flat_solution(ag.argmin(objective), unravel, init)
    tangent, cotangent = rng.normal(size=x.size), rng.normal(size=5)
    _, pushed = jax.jvp(y, (x,), (jnp.asarray(tangent),))
    _, pull = jax.vjp(y, x)
    pulled = pull(jnp.asarray(cotangent))[0]
    assert float(pushed @ cotangent) == pytest.approx(float(pulled @ tangent), rel=1e-10)


def test_vmap_over_parameters_starts_and_data(rng):
    solve = ag.argmin(lambda y, x, data: jnp.sum(jnp.cosh(y - x * data)) + 0.5 * y @ y)
    x, init, data = (jnp.asarray(rng.normal(size=s)) for s in [(4,), (4, 3), (4, 3)])
    batched = jax.vmap(solve)(x, init, data)
    slopes = jax.vmap(jax.jacfwd(solve))(x, init, data)
    for i in range(4):
        np.testing.assert_allclose(batched[i], solve(x[i], init[i], data[i]), atol=1e-12)
        np.testing.assert_allclose(slopes[i], jax.jacfwd(solve)(x[i], init[i], data[i]), atol=1e-12)


def test_one_argmin_inside_another(rng, central_difference):
    """Lower: z*(y) = argmin cosh(z − y) + z²/2 has slope c/(c + 1), c = cosh(z − y)."""
    inner = ag.argmin(lambda z, y: jnp.cosh(z - y) + 0.5 * z**2)
    outer = ag.argmin(lambda y, x: (inner(y, jnp.zeros(())) - x) ** 2 + 0.3 * (y - x) ** 2)
    x = jnp.asarray(rng.normal())
    z = inner(x, 0.0)
    c = jnp.cosh(z - x)
    assert jax.grad(inner)(x, 0.0) == pytest.approx(float(c / (c + 1)), rel=1e-12)
    expected = central_difference(lambda x: outer(x, 0.0), x)
    assert jax.grad(outer)(x, 0.0) == pytest.approx(float(expected), rel=1e-8)
    assert jax.jit(jax.jacfwd(outer))(x, 0.0) == pytest.approx(float(expected), rel=1e-8)


def test_closures_over_traced_values_are_differentiated(rng):
    a = jnp.asarray(rng.normal(size=3))

    @jax.jit
    def closed(a):
        return ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - a)) + 0.5 * x * y @ y)(1.0, jnp.zeros(3))

    def passed(a):
        return ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - x)) + 0.5 * y @ y)(a, jnp.zeros(3))

    np.testing.assert_allclose(jax.jacrev(closed)(a), jax.jacrev(passed)(a), atol=1e-13)
    np.testing.assert_allclose(jax.jacfwd(closed)(a), jax.jacfwd(passed)(a), atol=1e-13)
    np.testing.assert_allclose(
        jax.vmap(closed)(jnp.stack([a, 2 * a])), jnp.stack([passed(a), passed(2 * a)]), atol=1e-13
    )


def test_extra_arguments_of_any_type():
    def loss(y, x, data, power, name):
        assert name == "squares"
        return jnp.sum(jnp.abs(y - x * data) ** power)

    solve = ag.argmin(loss)
    data = np.array([1.0, 2.0])
    assert jax.grad(lambda x: solve(x, 0.5, data, 2, "squares"))(3.0) == pytest.approx(1.5)


def test_jit_takes_functions_that_hold_arrays(rng):
    class Objective(eqx.Module):
        scale: jax.Array

        def __call__(self, y, x):
            return jnp.sum((y - x * self.scale) ** 2)

    scale, upper = jnp.asarray(rng.uniform(1.0, 2.0, 3)), jnp.asarray([1.0, 1.0, 9.0])
    bounded = ag.argmin(Objective(scale), subject_to=[ag.box(-upper, upper)])
    y = jnp.minimum(3 * scale, upper)
    start = jnp.zeros(3)
    for compiled in (jax.jit(bounded), jax.checkpoint(bounded)):
        np.testing.assert_allclose(compiled(3.0, start), y, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(bounded.solution)(3.0, start).primal, y, rtol=1e-12)
    assert jax.jit(ag.value(bounded))(3.0, start) == pytest.approx(float(sum((y - 3 * scale) ** 2)))
    by_hand = ag.implicit(lambda x, init: x * scale, ag.stationarity(Objective(scale)))
    np.testing.assert_allclose(jax.jit(by_hand)(3.0, start), 3 * scale, rtol=1e-12)


def test_argmax_is_argmin_of_the_negative_with_its_own_value(rng):
    def gain(y, x):
        return jnp.sum(x * y - jnp.cosh(y))

    x = jnp.asarray(rng.normal(size=3))
    best = ag.argmax(gain).solution(x, jnp.zeros(3))
    np.testing.assert_allclose(best.primal, jnp.arcsinh(x), atol=1e-12)
    assert best.value == pytest.approx(float(gain(jnp.arcsinh(x), x)))
    slope = jax.jacobian(ag.argmax(gain))(x, jnp.zeros(3))
    np.testing.assert_allclose(slope, jnp.diag(1 / jnp.sqrt(1 + x**2)), atol=1e-12)


def test_value_differentiates_by_the_envelope_theorem_to_second_order(problem, central_difference):
    x, unravel, init = problem
    solve = ag.argmin(objective)

    def value(x):
        return solve.solution(unravel(jnp.asarray(x)), init).value

    np.testing.assert_allclose(jax.grad(value)(x), central_difference(value, x), atol=1e-9)
    expected = central_difference(jax.grad(value), x)
    np.testing.assert_allclose(jax.hessian(value)(x), expected, atol=1e-8)


def test_a_solution_shows_its_numbers():
    found = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2)).solution(1.25, jnp.zeros(2))
    assert "primal=Array([1.25, 1.25]" in repr(found)
    assert "converged" in repr(found)
    assert jax.jit(lambda s: s.primal if repr(s) else None)(found).shape == (2,)


def test_solution_reports_how_it_was_found():
    solution = ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - x))).solution(1.0, jnp.zeros(2))
    assert solution.status == ag.Status.converged
    assert 1 < solution.iterations < 20
    assert solution.gradient_norm < 1e-6
    assert solution.step_norm < 1e-6


def test_derivative_by_the_start_is_zero_and_the_alternatives_are_not():
    def loss(y, x):
        return (y - x) ** 2

    assert jax.grad(ag.argmin(loss), argnums=1)(1.0, 0.3) == 0
    anchored = ag.argmin(ag.proximal(loss, strength=2.0))
    # argmin (y − x)² + (y − a)² is the mean of x and a.
    assert jax.grad(lambda a: anchored((1.0, a), a))(0.3) == pytest.approx(0.5)
    descent = optx.GradientDescent(0.1, rtol=1e-12, atol=1e-12)
    unrolled = ag.argmin(loss, solver=descent, adjoint=ag.Unrolled(4))
    assert jax.grad(unrolled, argnums=1)(1.0, 0.3) == pytest.approx(0.8**4)


def test_float32_is_solved_to_its_own_accuracy():
    with jax.enable_x64(False):
        solve = ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - x) + 0.5 * y**2))
        y = solve(jnp.ones(3), jnp.zeros(3))
        slope = jax.jacfwd(solve)(jnp.ones(3), jnp.zeros(3))
        assert y.dtype == jnp.float32
    c = np.cosh(np.asarray(y, float) - 1)
    np.testing.assert_allclose(np.diag(slope), c / (c + 1), rtol=1e-5)


@pytest.mark.slow
def test_many_variables_stay_matrix_free(rng):
    d = 3000
    solve = ag.argmin(lambda y, x: jnp.sum(jnp.cosh(y - x)) + 0.5 * jnp.sum(jnp.diff(y) ** 2))
    x = jnp.asarray(rng.normal(size=d))
    tangent = jnp.asarray(rng.normal(size=d))
    y, pushed = jax.jvp(lambda x: solve(x, jnp.zeros(d)), (x,), (tangent,))
    # (diag(c) + DᵀD) dy = c · dx, tridiagonal, checked by its residual.
    c = jnp.cosh(y - x)
    smooth = jnp.zeros(d).at[1:].add(jnp.diff(pushed)).at[:-1].add(-jnp.diff(pushed))
    np.testing.assert_allclose(c * pushed + smooth, c * tangent, atol=1e-9)
