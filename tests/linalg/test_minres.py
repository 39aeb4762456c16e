import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import argrad as ag

BOTH_SIGNS = [*np.linspace(-5, -1, 10), *np.linspace(1, 20, 15)]


def test_solves_indefinite_systems(with_spectrum, run, rng):
    a, b = with_spectrum(BOTH_SIGNS), jnp.asarray(rng.normal(size=25))
    found = run(ag.MINRES(rtol=1e-12), a, b)
    np.testing.assert_allclose(found.value, np.linalg.solve(a, b), rtol=1e-8, atol=1e-10)
    assert found.result == lx.RESULTS.successful
    assert found.counted == found.stats["num_steps"] < 80
    assert run(ag.CG(), a, b).result == lx.RESULTS.breakdown


def test_each_step_has_the_least_residual_in_its_krylov_space(with_spectrum, run, rng):
    a, b = with_spectrum(BOTH_SIGNS), jnp.asarray(rng.normal(size=25))
    basis = np.empty((25, 0))
    for steps in (1, 2, 3, 6, 10):
        while basis.shape[1] < steps:
            new = a @ basis[:, -1] if basis.size else b
            basis = np.linalg.qr(np.column_stack([basis, new]))[0]
        best = basis @ np.linalg.lstsq(a @ basis, b)[0]
        found = run(ag.MINRES(max_steps=steps, truncate=True), a, b)
        np.testing.assert_allclose(found.value, best, rtol=1e-8, atol=1e-10)
        left = np.linalg.norm(b - a @ found.value) / np.linalg.norm(b)
        assert found.stats["error"] == pytest.approx(left)
        assert found.counted == steps
        assert found.result == lx.RESULTS.successful
    assert run(ag.MINRES(max_steps=10), a, b).result == lx.RESULTS.max_steps_reached


def test_damping_and_a_first_guess(with_spectrum, run, rng):
    a, b = with_spectrum(BOTH_SIGNS), jnp.asarray(rng.normal(size=25))
    exact = np.linalg.solve(a + 0.5 * np.eye(25), b)
    solver = ag.MINRES(damping=0.5)
    np.testing.assert_allclose(run(solver, a, b).value, exact, rtol=1e-7, atol=1e-9)
    guessed = run(solver, a, b, {"y0": jnp.asarray(exact)})
    assert guessed.counted == guessed.stats["num_steps"] + 1 <= 2
    near = run(solver, a, b, {"y0": jnp.asarray(exact * (1 + 1e-4))})
    np.testing.assert_allclose(near.value, exact, rtol=1e-7, atol=1e-9)


def test_singular_systems(with_spectrum, run, rng):
    a = with_spectrum([0.0, 0.0, *np.linspace(1, 5, 6), -2.0])
    assert run(ag.MINRES(), a, jnp.asarray(rng.normal(size=9))).result != lx.RESULTS.successful
    solvable = a @ rng.normal(size=9)
    found = run(ag.MINRES(rtol=1e-11), a, solvable)
    assert found.result == lx.RESULTS.successful
    np.testing.assert_allclose(found.value, np.linalg.pinv(a, 1e-10) @ solvable, atol=1e-8)
    assert run(ag.MINRES(), 0 * a, jnp.ones(9)).result == lx.RESULTS.singular
    zero = run(ag.MINRES(), a, jnp.zeros(9))
    assert zero.result == lx.RESULTS.successful
    assert zero.counted == 0


def test_differentiates_a_saddle_point():
    f = lambda y, x: 0.5 * y[0] ** 2 - y[1] ** 2 + 3 * y[0] * y[1] - jnp.sin(x) @ y + y[0] ** 3 / 9
    conditions = ag.stationarity(f, kind="saddle")

    def newton(x, init):
        step = lambda _, y: y - jnp.linalg.solve(jax.hessian(f)(y, x), jax.grad(f)(y, x))
        return jax.lax.fori_loop(0, 20, step, init)

    x = jnp.array([0.3, 0.4])
    ours = ag.implicit(newton, conditions, linear_solver=ag.MINRES())
    exact = ag.implicit(newton, conditions, linear_solver=lx.LU())
    for mode in (jax.jacfwd, jax.jacrev):
        jacobian = mode(lambda x: ours(x, jnp.zeros(2)))(x)
        np.testing.assert_allclose(jacobian, mode(exact)(x, jnp.zeros(2)), rtol=1e-8)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"rtol": 0.0}, "rtol > 0, got 0"),
        ({"max_steps": 0}, "max_steps >= 1, got 0"),
        ({"damping": -1.0}, "damping >= 0, got -1"),
    ],
)
def test_arguments_that_make_no_sense(argument, message):
    with pytest.raises(ValueError, match=f"MINRES needs {message}"):
        ag.MINRES(**argument)
    with pytest.raises(ValueError, match=r"truncate=True\) needs max_steps"):
        ag.MINRES(truncate=True)
