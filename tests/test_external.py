import subprocess
import sys

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
import scipy.optimize

import argrad as ag


def loss(w, x, A, b):
    return jnp.mean(jnp.logaddexp(0, -b * (A @ w))) + 0.5 * jnp.sum(jnp.exp(x) * w**2)


def scipy_fit(x, init, A, b):
    fun = lambda w: np.mean(np.logaddexp(0, -b * (A @ w))) + 0.5 * np.sum(np.exp(x) * w**2)
    jac = lambda w: -A.T @ (b / (1 + np.exp(b * (A @ w)))) / len(b) + np.exp(x) * w
    return scipy.optimize.minimize(fun, init, jac=jac, method="BFGS", options={"gtol": 1e-9}).x


@pytest.fixture
def data(rng):
    return rng.normal(size=(30, 4)), np.sign(rng.normal(size=30)), rng.normal(size=4) - 2


@pytest.mark.parametrize("linear_solver", [None, lx.LU(), ag.CG()])
def test_scipy_is_differentiated_like_our_own_solver(data, linear_solver):
    A, b, x = data
    ours = ag.argmin(loss)
    theirs = ag.implicit(scipy_fit, ag.stationarity(loss), linear_solver=linear_solver)
    init = jnp.zeros(4)
    for mode in (jax.jacfwd, jax.jacrev):
        expected = mode(ours)(x, init, A, b)
        np.testing.assert_allclose(mode(theirs)(x, init, A, b), expected, atol=1e-6)
        np.testing.assert_allclose(jax.jit(mode(theirs))(x, init, A, b), expected, atol=1e-6)
    batch = jnp.stack([x, x + 1])
    np.testing.assert_allclose(
        jax.vmap(jax.jacrev(theirs), (0, None, None, None))(batch, init, A, b),
        jnp.stack([jax.jacrev(ours)(v, init, A, b) for v in batch]),
        atol=1e-6,
    )


def test_second_derivatives_of_a_solver_that_is_not_jax(data):
    A, b, x = data
    upper = lambda solve: lambda x: jnp.sum(solve(x, jnp.zeros(4), A, b) ** 2)
    theirs = jax.hessian(upper(ag.implicit(scipy_fit, ag.stationarity(loss))))(x)
    np.testing.assert_allclose(theirs, jax.hessian(upper(ag.argmin(loss)))(x), atol=1e-6)


def test_a_subprocess_is_never_called_while_tracing(rng):
    calls = []

    def cube_root(x, init):
        calls.append(x)
        script = f"print({float(x)!r} ** (1 / 3))"
        return np.float64(subprocess.check_output([sys.executable, "-c", script]))

    solve = ag.implicit(cube_root, ag.root(lambda y, x: y**3 - x), host=True)
    x = float(rng.uniform(1, 8))
    assert jax.jit(jax.grad(solve))(x, 1.0) == pytest.approx(x ** (-2 / 3) / 3, rel=1e-12)
    assert all(isinstance(x, np.ndarray) for x in calls)


def test_a_fixed_point_iteration_written_in_jax(rng):
    def contract(y, x):
        return jnp.tanh(W @ y + x)

    W = jnp.asarray(rng.normal(size=(3, 3))) / 4
    solver = lambda x, y: jax.lax.fori_loop(0, 200, lambda _, y: contract(y, x), y)
    solve = ag.implicit(solver, ag.fixed_point(contract))
    x = jnp.asarray(rng.normal(size=3))
    y = solve(x, jnp.zeros(3))
    D = jnp.diag(1 - y**2)
    expected = jnp.linalg.solve(jnp.eye(3) - D @ W, D)
    np.testing.assert_allclose(jax.jacfwd(solve)(x, jnp.zeros(3)), expected, atol=1e-12)
    np.testing.assert_allclose(jax.jacrev(solve)(x, jnp.zeros(3)), expected, atol=1e-12)


def test_many_unknowns_of_a_general_system_go_matrix_free(rng):
    d = 600
    solve = ag.implicit(lambda x, y: x / 3 + y * 0, ag.root(lambda y, x: 3 * y - x + 0 * y**2))
    x = jnp.asarray(rng.normal(size=d))
    pulled = jax.grad(lambda x: jnp.sum(solve(x, jnp.zeros(d)) * x))(x)
    np.testing.assert_allclose(pulled, 2 * x / 3, atol=1e-10)


def test_a_saddle_is_differentiated_when_it_is_meant():
    f = lambda y, x: (y[0] - x) ** 2 - (y[1] - x**2) ** 2
    at = lambda x, init: jnp.stack([x, x**2])
    slope = jax.jacfwd(ag.implicit(at, ag.stationarity(f, kind="saddle")))(3.0, jnp.zeros(2))
    np.testing.assert_allclose(slope, [1.0, 6.0])
    with pytest.raises(Exception, match=r"could not be differentiated|indefinite"):
        jax.jacfwd(ag.implicit(at, ag.stationarity(f)))(3.0, jnp.zeros(2))


def test_an_inaccurate_solution_is_not_differentiated():
    crude = ag.implicit(
        lambda x, init: jnp.sin(x) * 1.3, ag.stationarity(lambda y, x: (y - jnp.sin(x)) ** 2)
    )
    with pytest.raises(Exception, match="too far from satisfying"):
        jax.grad(crude)(1.0, 0.0)
    tolerant = ag.implicit(crude.solver, crude.conditions, tol=1.0)
    assert jax.grad(tolerant)(1.0, 0.0) == pytest.approx(float(jnp.cos(1.0)))
    silent = ag.implicit(crude.solver, crude.conditions, throw=False)
    assert jnp.isnan(jax.grad(silent)(1.0, 0.0))


def test_a_singular_system_is_an_error():
    solve = ag.implicit(
        lambda x, y: jnp.stack([x, x]), ag.root(lambda y, x: jnp.stack([y[0] - x] * 2))
    )
    with pytest.raises(Exception, match=r"singular|could not be differentiated"):
        jax.jacfwd(solve)(1.0, jnp.zeros(2))


def test_solvers_and_conditions_of_the_wrong_kind():
    good = ag.stationarity(lambda y, x: jnp.sum((y - x) ** 2))
    with pytest.raises(TypeError, match=r"argrad\.stationarity"):
        ag.implicit(lambda x, init: x, lambda y, x: y - x)
    with pytest.raises(ValueError, match="kind must be"):
        ag.stationarity(lambda y, x: y, kind="minimal")
    with pytest.raises(ValueError, match="not a pair"):
        ag.implicit(lambda x, init: (init, {}), good)(1.0, jnp.zeros(2))
    with pytest.raises(ValueError, match=r"shape \(3,\) where init has \(2,\)"):
        ag.implicit(lambda x, init: jnp.zeros(3), good)(1.0, jnp.zeros(2))
    with pytest.raises(ag.SolveError, match="NaN"):
        ag.implicit(lambda x, init: init * jnp.nan, good)(1.0, jnp.zeros(2))
