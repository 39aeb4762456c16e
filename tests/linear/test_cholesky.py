import jax.numpy as jnp
import numpy as np
import pytest

from argrad.linear.cholesky import DEFINITE, INDEFINITE, SINGULAR, invert


def symmetric(rng, eigenvalues):
    q, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))
    a = q @ np.diag(eigenvalues) @ q.T
    return jnp.asarray((a + a.T) / 2)


def factor(h, units=None):
    units = jnp.ones(len(h)) if units is None else units
    h = units[:, None] * h * units
    return invert(h, jnp.abs(jnp.diagonal(h)))


@pytest.mark.parametrize(
    ("lowest", "curvature"),
    [(1.0, DEFINITE), (1e-9, DEFINITE), (0.0, SINGULAR), (-1e-3, INDEFINITE), (-50.0, INDEFINITE)],
)
def test_curvature_whatever_the_units(rng, lowest, curvature):
    h = symmetric(rng, [3.0, 2.0, 1.0, 0.5, lowest])
    assert factor(h).curvature == curvature
    assert factor(h, jnp.logspace(-6, 6, 5)).curvature == curvature


def test_the_inverse_of_a_definite_matrix(rng):
    h = symmetric(rng, np.logspace(-2, 2, 8))
    found = factor(h)
    assert found.shift == 0
    np.testing.assert_allclose(found.inverse, jnp.linalg.inv(h), rtol=1e-9, atol=1e-11)


def test_an_indefinite_matrix_is_shifted_until_it_descends(rng):
    h = symmetric(rng, [3.0, 1.0, -2.0])
    found = factor(h)
    assert found.shift > 0
    assert jnp.min(jnp.linalg.eigvalsh(found.inverse)) > 0


def test_a_flat_one_dimensional_hessian_is_singular_beside_what_was_seen():
    assert invert(jnp.array([[1e-16]]), jnp.array([1.0])).curvature == SINGULAR
    assert invert(jnp.array([[1e-16]]), jnp.array([1e-16])).curvature == DEFINITE
    assert invert(jnp.array([[0.0]]), jnp.array([0.0])).curvature != DEFINITE


def test_nan_is_not_called_definite():
    assert invert(jnp.full((2, 2), jnp.nan), jnp.ones(2)).curvature != DEFINITE
