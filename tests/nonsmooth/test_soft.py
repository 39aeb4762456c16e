"""Soft functions against sums over the sets that they are maxima over."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from argrad.nonsmooth import soft


@pytest.mark.parametrize("temperature", [1.0, 0.1, 1e-3])
def test_sums_of_the_largest_are_sums_over_all_choices(temperature, rng):
    x = rng.normal(size=7)
    exact = [
        temperature * logsumexp([sum(c) / temperature for c in itertools.combinations(x, k)])
        for k in range(1, 8)
    ]
    np.testing.assert_allclose(soft.top_sums(jnp.asarray(x), 7, temperature), exact, rtol=1e-12)


def test_sorting(rng):
    x = jnp.asarray(rng.normal(size=9))
    # Compiled once each, for all temperatures.
    sort, permutation, rank = map(jax.jit, (soft.sort, soft.permutation, soft.rank))
    top_k = jax.jit(soft.top_k, static_argnums=1)
    for temperature in (1.0, 0.05):
        ordered = sort(x, temperature)
        assert np.all(np.diff(ordered) >= -1e-12)
        np.testing.assert_allclose(jnp.sum(ordered), jnp.sum(x), rtol=1e-10, atol=1e-12)
        matrix = permutation(x, temperature)
        assert np.min(matrix) > -1e-10
        np.testing.assert_allclose(jnp.sum(matrix, 0), 1, rtol=1e-10)
        np.testing.assert_allclose(jnp.sum(matrix, 1), 1, rtol=1e-10)
        chosen = top_k(x, 3, temperature)
        np.testing.assert_allclose(jnp.sum(chosen), 3, rtol=1e-12)
        assert np.all((chosen > 0) & (chosen < 1))
    spaced = jnp.asarray(rng.permutation(9) * 1.0)
    np.testing.assert_allclose(sort(spaced, 0.02), jnp.sort(spaced), atol=1e-12)
    np.testing.assert_allclose(rank(spaced, 0.02), spaced + 1, atol=1e-12)


def test_second_derivatives_exist_at_ties():
    x = jnp.array([1.0, 1.0, 2.0, 2.0])
    assert np.all(np.isfinite(jax.hessian(lambda x: soft.sort(x, 0.1)[1])(x)))


def test_huber_is_the_envelope_of_the_absolute_value(rng):
    x, grid = rng.normal(size=20), np.linspace(-5, 5, 200_001)
    envelope = [np.min(np.abs(grid) + (grid - each) ** 2 / 1.4) for each in x]
    np.testing.assert_allclose(soft.huber(jnp.asarray(x), 0.7), envelope, atol=1e-8)
