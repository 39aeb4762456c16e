"""Every solver at full strength where it is used: in the adjoints, here and in Optimistix."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

EXACT = {
    "CG": ag.CG(),
    "Neumann": ag.Neumann(steps=400, tol=1e-11),
    "BlockDiagonal": ag.BlockDiagonal(groups={"bias": "all", "weights": "all"}),
    "MINRES": ag.MINRES(),
    "QuasiNewton": ag.QuasiNewton(memory=99),
    "Nystrom": ag.Nystrom(rank=99),
}


def objective(y, x, h, shift):
    """Not quadratic in y, whose solution is not linear in x."""
    flat = jnp.concatenate([y["bias"], y["weights"].ravel()])
    z = flat - shift @ jnp.sin(x)
    return 0.5 * z @ h @ z + 0.1 * jnp.sum(jnp.cosh(flat))


INIT = {"bias": np.zeros(2), "weights": np.zeros((2, 2))}


@pytest.fixture
def data(rng, with_spectrum):
    h = with_spectrum(np.linspace(1.0, 4.0, 6))
    return jnp.asarray(rng.normal(size=2)), h, jnp.asarray(0.3 * rng.normal(size=(6, 2)))


def derivatives(adjoint):
    """First and second derivatives at a batch of two, compiled."""
    solve = ag.argmin(objective, adjoint=adjoint)

    def both(x, h, shift):
        scalar = lambda x: jnp.sum(ravel_pytree(solve(x, INIT, h, shift))[0] ** 3)
        return jax.grad(scalar)(x), jax.jacfwd(jax.grad(scalar))(x)

    return jax.jit(
        lambda x, h, shift: jax.vmap(both, (0, None, None))(jnp.stack([x, -x]), h, shift)
    )


def minimum(linear_solver):
    """Optimistix' own minimise, differentiated backwards by its own adjoint."""
    adjoint, tags = optx.ImplicitAdjoint(linear_solver), frozenset([lx.positive_semidefinite_tag])

    def solve(x, h, shift):
        f = lambda y, data: objective(y, *data)
        found = optx.minimise(f, ag.Newton(), INIT, (x, h, shift), adjoint=adjoint, tags=tags)
        return jnp.sum(ravel_pytree(found.value)[0] ** 3)

    return jax.jit(jax.grad(solve))


EXACTLY, BY_CHOLESKY = derivatives(ag.Implicit()), minimum(lx.Cholesky())


@pytest.mark.parametrize("solver", EXACT.values(), ids=EXACT)
def test_first_and_second_derivatives_on_a_pytree_batched_and_compiled(data, solver):
    ours = derivatives(ag.Implicit(solver))(*data)
    for order, exact in zip(ours, EXACTLY(*data), strict=True):
        np.testing.assert_allclose(order, exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("solver", EXACT.values(), ids=EXACT)
def test_in_optimistix_own_adjoint(data, solver):
    np.testing.assert_allclose(minimum(solver)(*data), BY_CHOLESKY(*data), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("solver", EXACT.values(), ids=EXACT)
def test_the_dtype_of_the_vector_is_kept(solver):
    a = lx.MatrixLinearOperator(jnp.diag(jnp.array([1.0, 2.0], jnp.float32)), lx.symmetric_tag)
    solver = ag.Neumann(steps=60) if isinstance(solver, ag.Neumann) else solver
    solver = ag.BlockDiagonal() if isinstance(solver, ag.BlockDiagonal) else solver
    found = lx.linear_solve(a, jnp.ones(2, jnp.float32), solver)
    assert found.value.dtype == jnp.float32
    np.testing.assert_allclose(found.value, [1, 0.5], rtol=1e-4)


@pytest.mark.parametrize("solver", EXACT.values(), ids=EXACT)
def test_an_operator_that_is_not_said_to_be_symmetric_is_refused(solver):
    with pytest.raises(ValueError, match=f"{type(solver).__name__} needs a symmetric operator"):
        lx.linear_solve(lx.MatrixLinearOperator(jnp.eye(2)), jnp.ones(2), solver)
