"""Descent over a lower problem with constraints."""

import jax.numpy as jnp
import numpy as np

import argrad as ag
from argrad.bilevel import BilevelStatus


def test_a_follower_that_runs_into_its_cap():
    """y* = min(x, 1); F falls for ever along y = x until the cap, and beyond it to x = 3."""
    follower = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.box(None, 1.0)])
    upper = lambda y, x: jnp.sum((y - 0.5) ** 2) + 0.1 * jnp.sum((x - 3) ** 2)
    found = ag.minimise(ag.Bilevel(upper, follower), jnp.array([2.0]), jnp.zeros(1))
    assert found.status == BilevelStatus.converged
    np.testing.assert_allclose(found.x, [3.0], atol=1e-6)
    np.testing.assert_allclose(found.y, [1.0], atol=1e-12)
    np.testing.assert_allclose(found.value, 0.25, atol=1e-12)


def test_closed_form_optimum_above_a_projection_onto_a_plane(rng):
    """y* = P x + 1/d with P the projection along 1, so the whole is least squares in x."""
    d, target, rho = 5, rng.normal(size=5), rng.uniform(0.1, 1)
    lower = ag.argmin(
        lambda y, x, target: 0.5 * jnp.sum((y - x) ** 2),
        subject_to=[ag.equality(lambda y, x, target: jnp.sum(y) - 1, name="budget")],
    )
    upper = lambda y, x, target: jnp.sum((y - target) ** 2) + rho * jnp.sum(x**2)
    found = ag.minimise(ag.Bilevel(upper, lower), rng.normal(size=d), jnp.zeros(d), target)
    P = np.eye(d) - 1 / d
    x = np.linalg.solve(P @ P + rho * np.eye(d), P @ (target - 1 / d))
    np.testing.assert_allclose(found.x, x, atol=1e-5)
    np.testing.assert_allclose(found.y, P @ x + 1 / d, atol=1e-5)
    assert found.status == BilevelStatus.converged
