"""What a hypergradient needs beside the lower solve, in vectors of the lower variable's size."""

import jax
import jax.numpy as jnp
import pytest

import argrad as ag

GROUPS, ROWS = 8, 16


def _loss(y, data):
    X, sign = data
    return jnp.mean(jnp.logaddexp(0.0, -sign * (X @ y)))


def _lower(y, x, train, valid):
    squares = jnp.sum((y**2).reshape(-1, GROUPS), axis=0)
    return _loss(y, train) + 0.5 * jnp.sum(jnp.exp(x) * squares)


def _vectors(function, d):
    """Temporary memory of the compiled program; nothing is run, and no data made."""
    given = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    data = given(ROWS, d), given(ROWS)
    compiled = jax.jit(function).lower(given(GROUPS), given(d), data, data).compile()
    return compiled.memory_analysis().temp_size_in_bytes / (4 * d)


@pytest.mark.parametrize("d", [10**6, 10**7])
@pytest.mark.parametrize("linear_solver", [None, ag.CG(max_steps=10, truncate=True)])
def test_at_most_three_vectors_above_the_solve(d, linear_solver):
    solve = ag.argmin(_lower, adjoint=ag.Implicit(linear_solver=linear_solver))

    def value(x, init, train, valid):
        return _loss(solve(x, init, train, valid), valid)

    alone = _vectors(lambda *given: solve(*given), d)
    assert _vectors(jax.grad(value), d) <= alone + 3
