"""Block-tridiagonal Cholesky factors against dense and banded ones of NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from argrad.linalg.block_tridiagonal import BlockTridiagonal, banded, places

shapes = [(1, 0, 4), (7, 2, 16), (16, 3, 4), (37, 5, 5), (40, 4, 8), (61, 1, 16)]


def random_matrix(rng, n, width):
    """Symmetric positive definite, of half bandwidth `width`."""
    root = np.tril(np.triu(rng.normal(size=(n, n)), -width)) / np.sqrt(1 + width)
    return root @ root.T + 0.1 * np.eye(n)


def in_blocks(matrix, size):
    n = matrix.shape[0]
    blocks = -(-n // size)
    row, column = np.nonzero(matrix)
    return banded(
        jnp.asarray(matrix[row, column]), places(row, column, blocks, size), n, blocks, size
    )


def padded(b, blocks: BlockTridiagonal):
    shape = blocks.diagonal.shape[:2]
    return jnp.pad(b, (0, shape[0] * shape[1] - b.size)).reshape(shape)


@pytest.mark.parametrize(("n", "width", "size"), shapes)
def test_solves_as_dense_and_banded_factors_do(rng, n, width, size):
    matrix, b = random_matrix(rng, n, width), rng.normal(size=n)
    blocks = in_blocks(matrix, size)
    found = blocks.cholesky().solve(padded(b, blocks)).ravel()
    np.testing.assert_allclose(found[:n], np.linalg.solve(matrix, b), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found[n:], 0)
    below = np.zeros((width + 1, n))
    for k in range(width + 1):
        below[k, : n - k] = np.diagonal(matrix, -k)
    factor = scipy.linalg.cholesky_banded(below, lower=True)
    pivots = blocks.cholesky().pivots.ravel()
    np.testing.assert_allclose(pivots[:n], factor[0] ** 2, rtol=1e-10)
    np.testing.assert_allclose(pivots[n:], 1)


@pytest.mark.parametrize(("n", "width", "size"), shapes)
def test_blocks_hold_the_matrix(rng, n, width, size):
    matrix = random_matrix(rng, n, width)
    blocks = in_blocks(matrix, size)
    N = blocks.diagonal.shape[0]
    whole = np.zeros((N * size, N * size))
    for s in range(N):
        here = slice(s * size, (s + 1) * size)
        whole[here, here] = blocks.diagonal[s]
        if s:
            whole[here, (s - 1) * size : s * size] = blocks.below[s]
    np.testing.assert_allclose(np.tril(whole)[:n, :n], np.tril(matrix))
    np.testing.assert_array_equal(whole[n:, n:], np.eye(N * size - n))


def test_under_jit_and_vmap(rng):
    matrices = [random_matrix(rng, 21, 3) for _ in range(4)]
    b = rng.normal(size=(4, 21))
    blocks = jax.tree.map(lambda *parts: jnp.stack(parts), *[in_blocks(m, 4) for m in matrices])
    right = jnp.stack([padded(b[i], in_blocks(matrices[i], 4)) for i in range(4)])
    found = jax.jit(jax.vmap(lambda blocks, b: blocks.cholesky().solve(b)))(blocks, right)
    for i in range(4):
        expected = np.linalg.solve(matrices[i], b[i])
        np.testing.assert_allclose(found[i].ravel()[:21], expected, rtol=1e-9, atol=1e-9)


def test_a_matrix_that_is_not_definite_leaves_nan(rng):
    matrix = random_matrix(rng, 20, 2)
    matrix[11, 11] = -1
    factor = in_blocks(matrix, 4).cholesky()
    assert np.isfinite(factor.inverse[:2]).all()
    assert np.isnan(factor.inverse[2:]).any(axis=(1, 2)).all()


def test_entries_out_of_reach_are_refused():
    with pytest.raises(ValueError, match="do not reach"):
        places(np.array([9]), np.array([0]), 3, 4)
