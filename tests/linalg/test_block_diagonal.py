import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import argrad as ag

Y = {"a": jnp.zeros(2), "b": jnp.zeros((3, 2)), "c": jnp.zeros(())}


def on_pytree(a):
    unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf.astype(a.dtype), Y))[1]
    product = lambda v: unravel(a @ ravel_pytree(v)[0])
    return lx.FunctionLinearOperator(product, unravel(a[0]), lx.positive_semidefinite_tag), unravel


@pytest.mark.parametrize(
    ("groups", "blocks"),
    [
        (None, [[0, 1], [2, 3, 4, 5, 6, 7], [8]]),
        ({"a": "x", "b": "y", "c": "x"}, [[0, 1, 8], [2, 3, 4, 5, 6, 7]]),
        ({"a": 1, "b": 1, "c": 1}, [list(range(9))]),
    ],
)
def test_the_inverse_of_each_block(with_spectrum, rng, groups, blocks):
    a, b = with_spectrum(np.linspace(1, 9, 9)), rng.normal(size=9)
    operator, unravel = on_pytree(a)
    solver = ag.BlockDiagonal(groups, damping=0.5)

    @jax.jit
    def solve(b):
        found = lx.linear_solve(operator, b, solver)
        return ravel_pytree(found.value)[0], found.stats

    found, stats = solve(unravel(jnp.asarray(b)))
    expected = np.zeros(9)
    for block in blocks:
        matrix = np.asarray(a)[np.ix_(block, block)] + 0.5 * np.eye(len(block))
        expected[block] = np.linalg.solve(matrix, b[block])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert stats["num_products"] == 9
    assert stats["num_blocks"] == len(blocks)


def test_products_counted(with_spectrum, run, rng):
    a, b = with_spectrum(np.linspace(1, 9, 40)), jnp.asarray(rng.normal(size=40))
    found = run(ag.BlockDiagonal(), a, b)  # one leaf: one block
    np.testing.assert_allclose(found.value, np.linalg.solve(a, b), rtol=1e-9)
    assert found.counted == 40
    preconditioned = run(ag.CG(preconditioner=ag.BlockDiagonal()), a, b)
    assert preconditioned.stats["num_steps"] <= 2


def test_a_block_that_no_minimum_has(with_spectrum, run, rng):
    a = with_spectrum([-1.0, 2.0, 3.0])
    assert run(ag.BlockDiagonal(), a, jnp.ones(3)).result == lx.RESULTS.breakdown
    found = run(ag.BlockDiagonal(damping=1.5), a, jnp.ones(3))
    assert found.result == lx.RESULTS.successful


def test_groups_of_another_structure(with_spectrum):
    operator, unravel = on_pytree(with_spectrum(np.linspace(1, 9, 9)))
    with pytest.raises(ValueError, match="one label for each leaf of y"):
        lx.linear_solve(operator, unravel(jnp.ones(9)), ag.BlockDiagonal({"a": 0, "b": 1}))
