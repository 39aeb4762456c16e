import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

# H = c (I + r w wᵀ) with a unit vector w of equal elements: stiff along w, flat elsewhere.
D, C, R = 50, 0.12, 16.0
W = np.full(D, D**-0.5)
H = C * (np.eye(D) + R * np.outer(W, W))


def test_a_gradient_without_the_hessian_is_far_off_and_looks_right():
    """Relative error 0.88 at a cosine of 0.97; with the diagonal 0.32 at the same cosine."""
    across = np.cos(np.pi * (np.arange(D) + 0.5) / D) * np.sqrt(2 / D)
    target = across + 0.25 * W  # ∂F/∂y

    def gradient(linear_solver):
        f = lambda y, x: 0.5 * y @ H @ y - x @ y
        solve = ag.argmin(f, adjoint=ag.Implicit(linear_solver))
        return jax.grad(lambda x: target @ solve(x, jnp.zeros(D)))(jnp.ones(D))

    exact = (across + 0.25 / (1 + R) * W) / C
    np.testing.assert_allclose(gradient(None), exact, rtol=1e-8)

    def compare(ours):
        error = np.linalg.norm(ours - exact) / np.linalg.norm(exact)
        return error, ours @ exact / np.linalg.norm(ours) / np.linalg.norm(exact)

    identity = gradient(ag.Identity())
    np.testing.assert_allclose(identity, target, rtol=1e-12)
    assert compare(identity) == pytest.approx((0.880, 0.974), abs=0.005)
    diagonal = gradient(ag.DiagonalApproximation())
    np.testing.assert_allclose(diagonal, target / (C * (1 + R / D)), rtol=1e-10)
    assert compare(diagonal) == pytest.approx((0.32, 0.974), abs=0.03)
    assert compare(gradient(ag.Nystrom(20, damping=C)))[0] < 1.0
    assert compare(gradient(ag.CG(max_steps=2, truncate=True)))[0] < 1e-6


def test_its_scale(run):
    found = run(ag.Identity(scale=0.5), jnp.eye(3), jnp.arange(3.0))
    np.testing.assert_allclose(found.value, [0, 0.5, 1])
    assert found.counted == 0
    with pytest.raises(ValueError, match="Identity needs scale > 0, got 0"):
        ag.Identity(scale=0)
