import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
import pytest

import argrad as ag
from argrad.linalg.cg import conjugate_gradients


@pytest.fixture
def system(rng):
    q, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    a = jnp.asarray(q @ np.diag(np.logspace(0, 3, 30)) @ q.T)
    return (a + a.T) / 2, jnp.asarray(rng.normal(size=30))


def test_solves_a_definite_system(system):
    a, b = system
    found = conjugate_gradients(lambda v: a @ v, b, tol=1e-12, max_steps=1000)
    np.testing.assert_allclose(found.solution, jnp.linalg.solve(a, b), rtol=1e-7)
    assert found.definite


def test_a_preconditioner_that_is_the_inverse_needs_one_or_two_steps(system):
    a, b = system
    inverse = jnp.linalg.inv(a)
    found = conjugate_gradients(
        lambda v: a @ v, b, precondition=lambda v: inverse @ v, tol=1e-10, max_steps=1000
    )
    assert found.steps <= 2
    np.testing.assert_allclose(found.solution, inverse @ b, rtol=1e-8)


def test_a_good_guess_needs_fewer_steps(system):
    a, b = system
    exact = jnp.linalg.solve(a, b)

    def steps(guess):
        return conjugate_gradients(lambda v: a @ v, b, u0=guess, tol=1e-6, max_steps=999).steps

    assert steps(exact * (1 + 1e-5)) < steps(None) / 2
    assert steps(exact) == 0


@pytest.mark.parametrize("lowest", [-1.0, 0.0, 1e-17])
def test_a_direction_without_positive_curvature_is_noticed(system, lowest):
    a, b = system
    eigenvalues, q = jnp.linalg.eigh(a)
    a = q @ jnp.diag(eigenvalues.at[3].set(lowest)) @ q.T
    found = conjugate_gradients(lambda v: a @ v, b, tol=1e-12, max_steps=1000)
    assert not found.definite
    assert jnp.all(jnp.isfinite(found.solution))


def test_as_a_lineax_solver(system):
    a, b = system
    operator = lx.MatrixLinearOperator(a, lx.positive_semidefinite_tag)

    def solve(a, b):
        operator = lx.MatrixLinearOperator(a, lx.positive_semidefinite_tag)
        return lx.linear_solve(operator, b, ag.CG()).value

    np.testing.assert_allclose(solve(a, b), jnp.linalg.solve(a, b), rtol=1e-7)
    cotangent = jnp.ones(30)
    for argument in (0, 1):
        ours = jax.grad(lambda *s: cotangent @ solve(*s), argument)(a, b)
        exact = jax.grad(lambda *s: cotangent @ jnp.linalg.solve(*s), argument)(a, b)
        np.testing.assert_allclose(ours, exact, atol=1e-8)
    with pytest.raises(Exception, match=r"breakdown|iterative"):
        solve(-a, b)
    stopped = lx.linear_solve(operator, b, ag.CG(max_steps=3), throw=False)
    assert stopped.result == lx.RESULTS.max_steps_reached
    guessed = lx.linear_solve(operator, b, ag.CG(), options={"y0": jnp.linalg.solve(a, b)})
    assert guessed.stats["num_steps"] <= 2


def test_in_optimistix_own_adjoint(system):
    a, b = system

    def minimum(b):
        return optx.minimise(
            lambda y, b: 0.5 * y @ a @ y - b @ y,
            ag.Newton(),
            jnp.zeros(30),
            b,
            adjoint=optx.ImplicitAdjoint(ag.CG()),
            tags=frozenset([lx.positive_semidefinite_tag]),
        ).value

    np.testing.assert_allclose(jax.jacrev(minimum)(b), jnp.linalg.inv(a), atol=1e-8)


def test_arguments_of_the_wrong_kind(system):
    a, b = system
    with pytest.raises(ValueError, match="symmetric"):
        lx.linear_solve(lx.MatrixLinearOperator(a), b, ag.CG())
    with pytest.raises(ValueError, match="rtol > 0, got 0"):
        ag.CG(rtol=0)
    with pytest.raises(ValueError, match="max_steps >= 1, got 0"):
        ag.CG(max_steps=0)


def test_damping_is_another_system(system, run):
    a, b = system
    found = run(ag.CG(damping=7.0), a, b)
    np.testing.assert_allclose(found.value, np.linalg.solve(a + 7 * np.eye(30), b), rtol=1e-7)
    assert found.counted == found.stats["num_steps"]


def test_stopping_where_asked_is_no_failure(system, run):
    a, b = system
    found = run(ag.CG(max_steps=5, truncate=True), a, b)
    assert found.result == lx.RESULTS.successful
    assert found.counted == 5
    left = np.linalg.norm(b - a @ found.value) / np.linalg.norm(b)
    assert found.stats["error"] == pytest.approx(left)
    krylov = np.stack([np.linalg.matrix_power(a / 1000, i) @ b for i in range(5)], 1)
    best = krylov @ np.linalg.solve(krylov.T @ a @ krylov, krylov.T @ b)
    np.testing.assert_allclose(found.value, best, rtol=1e-4, atol=1e-6)
    assert run(ag.CG(max_steps=5), a, b).result == lx.RESULTS.max_steps_reached
    assert run(ag.CG(max_steps=5, truncate=True), -a, b).result == lx.RESULTS.breakdown
    assert run(ag.CG(max_steps=5, truncate=True), a, b * np.nan).result != lx.RESULTS.successful


def test_a_guess_costs_one_product(system, run):
    a, b = system
    found = run(ag.CG(), a, b, {"y0": jnp.linalg.solve(a, b)})
    assert found.counted == found.stats["num_steps"] + 1 <= 2


def test_new_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="damping >= 0, got -1"):
        ag.CG(damping=-1.0)
    with pytest.raises(ValueError, match=r"truncate=True\) needs max_steps"):
        ag.CG(truncate=True)
    with pytest.raises(TypeError, match="one fixed matrix"):
        ag.CG(preconditioner=ag.Neumann())
