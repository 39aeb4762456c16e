"""Sums and maxima that share a loop, against NumPy's."""

import jax.numpy as jnp
import numpy as np
import pytest

from argrad.linalg.together import together


@pytest.mark.parametrize("size", [0, 1, 2, 101])
def test_sums_and_maxima(size, rng):
    a, b, other = rng.normal(size=size), rng.normal(size=size), rng.normal(size=(size, 3))
    *sums, alone, largest = together([a, a > 0, a * b, other], [jnp.asarray(b)])
    np.testing.assert_allclose(sums, [a.sum(), (a > 0).sum(), a @ b], atol=1e-12)
    np.testing.assert_allclose(alone, other.sum(), atol=1e-12)
    assert largest == np.max(b, initial=-np.inf)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_an_array_that_is_alone(size, rng):
    a = rng.normal(size=size)
    np.testing.assert_allclose(together([a]), [a.sum()], atol=1e-12)
    assert together((), [a]) == [a.max()]
    assert np.isnan(together((), [np.append(a, np.nan)])[0])
