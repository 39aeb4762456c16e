"""A failed solve is never passed on as a gradient: an error, or a status and NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import argrad as ag

S = ag.Status
CASES = {
    "unbounded": (lambda y, x: x * jnp.sum(y), [0.0, 0.0], S.unbounded, "ran away"),
    "unbounded, from far": (lambda y, x: x * jnp.sum(y), [30.0, -5.0], S.unbounded, "ran away"),
    "saddle": (lambda y, x: x * (y[0] ** 2 - y[1] ** 2), [0.0, 0.0], S.saddle, "indefinite"),
    "maximum": (lambda y, x: -x * jnp.sum(y**2), [0.0, 0.0], S.saddle, "indefinite"),
    "kink": (lambda y, x: jnp.sum(jnp.abs(y - x)), [0.3, 0.4], S.stalled, "smooth"),
    "nan at the start": (lambda y, x: jnp.sum(jnp.sqrt(y - x)), [0.0], S.nonfinite_start, "NaN"),
    "infinite at init": (lambda y, x: jnp.sum(1 / y + x * y), [0.0], S.nonfinite_start, "init"),
    "no minimum": (lambda y, x: jnp.sum(x * jnp.arctan(-y)), [0.0, 0.0], None, "lower solve"),
}  # fmt: skip


@pytest.mark.parametrize(("f", "init", "status", "message"), CASES.values(), ids=CASES)
def test_a_failed_solve_raises_and_says_what_to_do(f, init, status, message):
    init = jnp.asarray(init)
    solve = ag.argmin(f)
    with pytest.raises(ag.SolveError, match=message):
        solve(1.0, init)
    with pytest.raises(ag.SolveError, match="iterations"):
        solve.solution(1.0, init)
    with pytest.raises(Exception, match=message):
        jax.jit(solve)(1.0, init)
    with pytest.raises(ag.SolveError, match=message):  # the solve is not compiled with others
        jax.jacrev(solve)(1.0, init)
    with pytest.raises(Exception, match=message):
        jax.vmap(solve, (0, None))(jnp.array([1.0, 1.0]), init)


@pytest.mark.parametrize(("f", "init", "status", "message"), CASES.values(), ids=CASES)
def test_throw_false_gives_a_status_and_nan(f, init, status, message):
    init = jnp.asarray(init)
    solve = ag.argmin(f, throw=False)
    found = solve.solution(1.0, init).status
    assert found != S.converged
    if status is not None:
        assert found == status
    assert jnp.all(jnp.isnan(jax.jacfwd(solve)(1.0, init)))
    assert jnp.isnan(jax.grad(lambda x: jnp.sum(solve(x, init)))(1.0))


def test_vmap_keeps_a_status_for_each_element():
    # Convex for x > 0, unbounded for x < 0, flat at 0.
    solve = ag.argmin(lambda y, x: 0.5 * x * y**2 - y * jnp.sign(jnp.abs(x)), throw=False)
    x = jnp.array([2.0, -1.0, 0.0, 4.0])
    solution = jax.vmap(lambda x: solve.solution(x, 1.0))(x)
    np.testing.assert_array_equal(solution.status == S.converged, [True, False, False, True])
    np.testing.assert_allclose(solution.primal[jnp.array([0, 3])], [0.5, 0.25])
    slopes = jax.vmap(jax.grad(solve), (0, None))(x, 1.0)
    np.testing.assert_allclose(slopes[jnp.array([0, 3])], [-0.25, -0.0625], rtol=1e-12)
    assert jnp.all(jnp.isnan(slopes[1]))


@pytest.mark.parametrize("patience", [0, 2, None])
def test_a_singular_hessian_spoils_the_derivative_only(patience):
    """(y₀ + y₁ − x)² has a line of minima: each is one, none is a function of x."""
    solve = ag.argmin(lambda y, x: (y[0] + y[1] - x) ** 2, solver=ag.Newton(patience=patience))
    y = solve(1.0, jnp.array([0.2, 0.1])) if patience != 5 else None
    assert jnp.sum(y) == pytest.approx(1.0)
    weights = jnp.array([1.0, 2.0])
    with pytest.raises(Exception, match="singular"):
        jax.jit(jax.grad(lambda x: weights @ solve(x, jnp.array([0.2, 0.1]))))(1.0)


def test_a_degenerate_minimum_has_no_derivative():
    """argmin y⁴ − x y is (x/4)^(1/3), whose slope at x = 0 is infinite."""
    solve = ag.argmin(lambda y, x: y**4 - x * y)
    assert solve(0.0, 1.0) == pytest.approx(0, abs=1e-6)
    with pytest.raises(Exception, match="singular"):
        jax.grad(solve)(0.0, 1.0)
    assert jax.grad(solve)(4.0, 0.5) == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    "solver", [None, optx.BFGS(1e-8, 1e-8), optx.GradientDescent(0.1, 1e-8, 1e-8)]
)
def test_a_solve_stopped_early_is_an_error(solver):
    solve = ag.argmin(lambda y, x: jnp.sum(jnp.cosh(3 * y - x) + y**2), solver=solver, max_steps=2)
    with pytest.raises(ag.SolveError, match="max_steps"):
        solve(5.0, jnp.zeros(3))
    with pytest.raises(Exception, match="max_steps"):
        jax.grad(lambda x: jnp.sum(solve(x, jnp.zeros(3))))(5.0)


def test_an_adjoint_solve_that_fails_is_an_error(rng):
    a = jnp.asarray(rng.normal(size=(40, 40)))
    h = a @ a.T + 1e-6 * jnp.eye(40)

    def f(y, x):
        return 0.5 * y @ h @ y - x @ y

    x = jnp.asarray(rng.normal(size=40))
    weak = ag.Implicit(linear_solver=ag.CG(max_steps=2))
    solve = ag.argmin(f, adjoint=weak)
    y = solve(x, jnp.zeros(40))  # the solution itself is not touched
    assert jnp.linalg.norm(h @ y - x) < 1e-6
    with pytest.raises(Exception, match="could not be differentiated"):
        jax.jit(jax.grad(lambda x: jnp.sum(solve(x, jnp.zeros(40)))))(x)
    with pytest.raises(Exception, match="could not be differentiated"):
        jax.jvp(lambda x: solve(x, jnp.zeros(40)), (x,), (x,))
    silent = ag.argmin(f, adjoint=weak, throw=False)
    assert jnp.all(jnp.isnan(jax.grad(lambda x: jnp.sum(silent(x, jnp.zeros(40))))(x)))


def test_one_failed_adjoint_in_a_batch_leaves_the_others_alone():
    """Conjugate gradients need one step where the eigenvalues agree, and three where not."""
    eigenvalues = jnp.array([[1.0, 1.0, 1.0], [1.0, 10.0, 100.0]])
    solve = ag.argmin(
        lambda y, x, h: 0.5 * jnp.sum(h * y**2) - x @ y,
        adjoint=ag.Implicit(linear_solver=ag.CG(max_steps=1)),
        throw=False,
    )

    def upper(x, h):
        return jnp.sum(solve(x, jnp.zeros(3), h))

    gradients = jax.vmap(jax.grad(upper), (None, 0))(jnp.ones(3), eigenvalues)
    np.testing.assert_allclose(gradients[0], 1.0)
    assert jnp.all(jnp.isnan(gradients[1]))


class TestWhatOthersReturnSilently:
    """Wrong numbers seen in JAXopt and TorchOpt, with the right ones."""

    def test_torchopt_scalar_unknown_gives_gradient_zero(self):
        solve = ag.argmin(lambda y, x: (y - jnp.sin(x)) ** 2)
        assert jax.grad(solve)(0.7, 0.0) == pytest.approx(float(jnp.cos(0.7)), rel=1e-12)

    def test_torchopt_second_derivative_of_an_implicit_layer(self, central_difference):
        """y + e^y/5 = sin x + x³/4, the stationarity of y²/2 + e^y/5 − (sin x + x³/4) y."""
        solve = ag.argmin(lambda y, x: 0.5 * y**2 + jnp.exp(y) / 5 - (jnp.sin(x) + x**3 / 4) * y)
        second = jax.grad(jax.grad(solve))(0.9, 0.0)
        y = solve(0.9, 0.0)
        x, t = 0.9, 1 + jnp.exp(y) / 5
        first = (jnp.cos(x) + 0.75 * x**2) / t
        exact = (-jnp.sin(x) + 1.5 * x - jnp.exp(y) / 5 * first**2) / t
        assert second == pytest.approx(float(exact), rel=1e-12)
        numeric = central_difference(lambda x: jax.grad(solve)(x, 0.0), 0.9)
        assert second == pytest.approx(float(numeric), rel=1e-9)

    def test_jaxopt_forward_mode_and_hessian_raise(self):
        solve = ag.argmin(lambda y, x: jnp.cosh(y - x**2))
        assert jax.jacfwd(solve)(1.5, 0.0) == pytest.approx(3.0)
        assert jax.hessian(solve)(1.5, 0.0) == pytest.approx(2.0)

    def test_jaxopt_gradient_through_the_optimal_value_is_zero(self):
        """min (y − x)² + y² is x²/2."""
        solve = ag.argmin(lambda y, x: (y - x) ** 2 + y**2)
        assert jax.grad(lambda x: solve.solution(x, 0.0).value)(3.0) == pytest.approx(3.0)
        assert jax.hessian(lambda x: solve.solution(x, 0.0).value)(3.0) == pytest.approx(1.0)

    def test_jaxopt_a_solve_stopped_after_two_steps(self):
        solve = ag.argmin(lambda y, x: jnp.exp(y) - x * y, max_steps=2)
        with pytest.raises(Exception, match="did not converge"):
            jax.grad(solve)(20.0, 0.0)

    def test_jaxopt_recompiles_at_every_call_outside_jit(self):
        traces = []

        def loss(y, x):
            traces.append(None)
            return jnp.sum(jnp.cosh(y - x))

        solve = ag.argmin(loss)
        solve(1.0, jnp.zeros(3)), jax.grad(lambda x: solve(x, jnp.zeros(3)).sum())(1.0)
        compiled = len(traces)
        for x in (2.0, 3.0):
            solve(x, jnp.zeros(3)), jax.grad(lambda x: solve(x, jnp.zeros(3)).sum())(x)
        assert len(traces) == compiled
