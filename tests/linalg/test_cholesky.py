import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argrad.linalg.cholesky import DEFINITE, INDEFINITE, SINGULAR, factorise, no_factor


def symmetric(rng, eigenvalues):
    """A matrix whose lowest curvature is seen in every coordinate, beyond its rounding."""
    q = np.zeros((len(eigenvalues),) * 2)
    while np.min(np.abs(q[:, -1])) < 0.2:
        q, _ = np.linalg.qr(rng.normal(size=q.shape))
    a = q @ np.diag(eigenvalues) @ q.T
    return jnp.asarray((a + a.T) / 2)


def factor(h, units=None):
    units = jnp.ones(len(h)) if units is None else units
    h = units[:, None] * h * units
    return factorise(h, jnp.abs(jnp.diagonal(h)))


@pytest.mark.parametrize(
    ("lowest", "curvature"),
    [(1.0, DEFINITE), (1e-9, DEFINITE), (0.0, SINGULAR), (-1e-3, INDEFINITE), (-50.0, INDEFINITE)],
)
def test_curvature_whatever_the_units(rng, lowest, curvature):
    h = symmetric(rng, [3.0, 2.0, 1.0, 0.5, lowest])
    assert factor(h).curvature == curvature
    assert factor(h, jnp.logspace(-6, 6, 5)).curvature == curvature


def test_solves_with_a_definite_matrix(rng):
    h = symmetric(rng, np.logspace(-2, 2, 8))
    found = factor(h)
    assert found.shift == 0
    inverse = jax.vmap(found.solve)(jnp.eye(8))
    np.testing.assert_allclose(inverse, jnp.linalg.inv(h), rtol=1e-9, atol=1e-11)


def test_an_indefinite_matrix_is_shifted_until_it_descends(rng):
    h = symmetric(rng, [3.0, 1.0, -2.0])
    found = factor(h)
    assert found.shift > 0
    assert found.curvature == INDEFINITE
    for g in jnp.eye(3):
        assert g @ found.solve(g) > 0


def test_no_factor_changes_nothing():
    b = jnp.array([1.0, -2.0])
    none = no_factor(2, b.dtype)
    assert not none.known
    np.testing.assert_array_equal(none.solve(b), b)


def test_a_flat_one_dimensional_hessian_is_singular_beside_what_was_seen():
    assert factorise(jnp.array([[1e-16]]), jnp.array([1.0])).curvature == SINGULAR
    assert factorise(jnp.array([[1e-16]]), jnp.array([1e-16])).curvature == DEFINITE
    assert factorise(jnp.array([[0.0]]), jnp.array([0.0])).curvature != DEFINITE


def test_nan_is_not_called_definite():
    assert factorise(jnp.full((2, 2), jnp.nan), jnp.ones(2)).curvature != DEFINITE
