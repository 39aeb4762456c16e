import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
import pytest

import argrad as ag
from argrad.bilevel.evaluation import Warm, evaluate
from argrad.linalg.quasi_newton import Pairs, pairs_of


def dense(pairs):
    """The BFGS inverse Hessian by its rank-two updates, from a multiple of the identity."""
    s, y = (np.asarray(a) for a in pairs)
    eye = np.eye(s.shape[1])
    m = eye * (s[-1] @ y[-1]) / (y[-1] @ y[-1])
    for step, difference in zip(s, y, strict=True):
        rho = 1 / (step @ difference)
        left = eye - rho * np.outer(step, difference)
        m = left @ m @ left.T + rho * np.outer(step, step)
    return m


def test_the_matrix_of_given_pairs(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 9, 12)), jnp.asarray(rng.normal(size=12))
    s = jnp.asarray(rng.normal(size=(4, 12)))
    pairs = Pairs(s, s @ a)
    found = run(ag.QuasiNewton(), a, b, {"pairs": pairs})
    np.testing.assert_allclose(found.value, dense(pairs) @ b, rtol=1e-9)
    assert found.counted == 0
    none, nan = jnp.zeros((1, 12)), jnp.full((1, 12), jnp.nan)
    more = Pairs(jnp.concatenate([none, s, nan]), jnp.concatenate([none, s @ a, nan]))
    padded = run(ag.QuasiNewton(), a, b, {"pairs": more})
    np.testing.assert_allclose(padded.value, found.value, rtol=1e-12)
    assert padded.stats["pairs"] == 4
    assert run(ag.QuasiNewton(), a, b, {"pairs": Pairs(nan, nan)}).result == lx.RESULTS.breakdown


def test_pairs_of_its_own_from_as_many_products(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 9, 12)), jnp.asarray(rng.normal(size=12))
    exact = np.linalg.solve(a, b)
    error = lambda found: np.linalg.norm(found.value - exact) / np.linalg.norm(exact)
    few, all_of_them = run(ag.QuasiNewton(6), a, b), run(ag.QuasiNewton(50), a, b)
    assert few.counted == 6
    assert 1e-6 < error(few) < 0.8
    assert all_of_them.counted == 12
    assert error(all_of_them) < 1e-6
    negative = with_spectrum([-3.0, *np.linspace(1, 5, 11)])
    assert run(ag.QuasiNewton(12), negative, b).result == lx.RESULTS.breakdown


D = 60
SCALES = np.logspace(0, 2.5, D)


def objective(y, x):
    return 0.5 * jnp.sum(SCALES * (y - x) ** 2) + jnp.sum(jnp.cosh(y[1:] - y[:-1]))


def test_the_pairs_are_those_of_optimistix(rng):
    solver = optx.LBFGS(rtol=1e-6, atol=1e-6, history_length=5)
    x = jnp.asarray(rng.normal(size=D))
    found = optx.minimise(objective, solver, jnp.zeros(D), x)
    pairs = pairs_of(found.state)
    inverse = found.state.f_info.hessian_inv
    b = jnp.asarray(rng.normal(size=D))
    np.testing.assert_allclose(inverse.mv(b), dense(pairs) @ b, rtol=1e-8)
    assert pairs_of(None) is None


@pytest.mark.slow
def test_the_forward_solve_pays_for_the_derivative(rng):
    """Condition 300, 40 pairs, means over 30 gradients: errors of 0.6 to 1.6 with no product, 0.4
    with five steps of conjugate gradients on top, 0.9 with those five alone."""
    x = jnp.asarray(rng.normal(size=D))
    weights = jnp.asarray(rng.normal(size=(30, D)))
    lower = optx.LBFGS(rtol=1e-5, atol=1e-5, history_length=40)

    def gradient(linear_solver):
        adjoint = ag.Implicit(linear_solver)
        solve = ag.argmin(objective, solver=lower, adjoint=adjoint)
        pull = jax.vjp(lambda x: solve(x, jnp.zeros(D)), x)[1]
        return jax.vmap(lambda w: pull(w)[0])(weights)

    exact = gradient(None)
    error = lambda solver: np.linalg.norm(gradient(solver) - exact) / np.linalg.norm(exact)
    five = {"max_steps": 5, "truncate": True}
    alone, refined = error(ag.CG(**five)), error(ag.CG(**five, preconditioner=ag.QuasiNewton()))
    assert error(ag.QuasiNewton()) < 0.1 * error(ag.Identity())
    assert refined < 0.8 * alone


@pytest.mark.slow
def test_in_the_double_loop(rng):
    x = jnp.asarray(rng.normal(size=D))
    lower = ag.argmin(
        objective,
        solver=optx.LBFGS(rtol=1e-6, atol=1e-6),
        adjoint=ag.Implicit(ag.CG(preconditioner=ag.QuasiNewton())),
    )
    start = Warm(jnp.zeros(D), jnp.zeros(D))
    bilevel = ag.Bilevel(lambda y, x: jnp.sum(y**3), lower)
    found = evaluate(bilevel, x, start, ())
    y = ag.argmin(objective)(x, jnp.zeros(D))
    H = jax.hessian(objective)(y, x)
    exact = SCALES * np.linalg.solve(H, 3 * y**2)  # ∂²f/∂y∂x = −diag(SCALES)
    np.testing.assert_allclose(found.gradient, exact, rtol=1e-7, atol=1e-9)


def test_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="QuasiNewton needs memory >= 1, got 0"):
        ag.QuasiNewton(memory=0)
