"""Fingerprints of matrices tell them apart, however little they differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argrad.linalg.fingerprint import fingerprint


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_matrices_that_differ_are_told_apart(rng, dtype):
    matrix = rng.normal(size=(9, 7)).astype(dtype)
    others = [matrix.copy() for _ in range(8)]
    i, j, k, m = 2, 3, 5, 6
    others[0][i, j] = np.nextafter(matrix[i, j], dtype(np.inf))
    others[1][i, j] *= -1
    others[2][[i, k], [j, m]] *= -1  # two signs, as of a symmetric pair
    others[3][[i, k]] = matrix[[k, i]]
    others[4][:, [j, m]] = matrix[:, [m, j]]
    others[5] = -matrix
    others[6] = matrix * dtype(2)
    others[7] = np.roll(matrix, 1)
    words = {tuple(np.asarray(fingerprint(jnp.asarray(other)))) for other in [matrix, *others]}
    assert len(words) == 9


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_two_of_many_random_changes_collide(rng, dtype):
    many = rng.integers(0, 3, size=(20_000, 3, 4)).astype(dtype)
    words = np.asarray(jax.jit(jax.vmap(fingerprint))(many)).astype(np.uint64)
    different = len(np.unique(many.reshape(len(many), -1), axis=0))
    assert len(np.unique(words, axis=0)) == different


def test_they_do_not_depend_on_how_they_are_compiled(rng):
    matrix = jnp.asarray(rng.normal(size=(50, 33)))
    plain = fingerprint(matrix)
    assert np.array_equal(jax.jit(fingerprint)(matrix), plain)
    assert np.array_equal(jax.vmap(fingerprint)(jnp.stack([matrix] * 3))[1], plain)
    assert np.array_equal(jax.jit(lambda m: fingerprint(m.T))(matrix.T), plain)
