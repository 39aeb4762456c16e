"""The nuclear norm: proximal steps, and derivatives on matrices of one rank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argrad as ag

near = ag.argmin(
    lambda y, x: jnp.sum((y - x["matrix"]) ** 2) / 2,
    nonsmooth=ag.prox.nuclear_norm(lambda x: x["weight"]),
)


def matrix(rng, sigma, m, n):
    left, right = (np.linalg.qr(rng.normal(size=(k, k)))[0] for k in (m, n))
    return (left[:, : len(sigma)] * sigma) @ right[: len(sigma)]


def shrunk(x, direction, weight):
    """y* of `near` and its derivative along dX, in the bases of singular vectors of X: divided
    differences of the singular values, which are shrunk by the weight."""
    q = min(x.shape)
    left, sigma, right = np.linalg.svd(x)
    h = np.maximum(sigma - weight, 0)
    slope = (sigma > weight).astype(float)
    turned = left.T @ direction @ right.T
    # Odd functions of the eigenvalues ± σ of [0 X; Xᵀ 0], in its symmetric and its skew part.
    core = turned[:q, :q]
    even, odd = (core + core.T) / 2, (core - core.T) / 2
    gap = sigma[:, None] - sigma
    equal = np.abs(gap) < 1e-9
    by_gap = np.where(equal, slope[:, None], (h[:, None] - h) / np.where(equal, 1, gap))
    by_sum = (h[:, None] + h) / (sigma[:, None] + sigma)
    out = np.zeros_like(turned)
    out[:q, :q] = by_gap * even + by_sum * odd
    out[q:, :q] = turned[q:, :q] * (h / sigma)
    out[:q, q:] = turned[:q, q:] * (h / sigma)[:, None]
    return (left[:, :q] * h) @ right[:q], left @ out @ right


@pytest.mark.parametrize(("m", "n"), [(5, 3), (3, 5)])
def test_the_nearest_matrix_has_the_closed_form(m, n, rng):
    function = lambda x: near(x, jnp.zeros((m, n)))

    @jax.jit
    def derivatives(x, tangent, cotangent):
        return jax.jvp(function, (x,), (tangent,)), jax.vjp(function, x)[1](cotangent)

    for sigma in ([3.0, 2.0, 0.4], [2.0, 2.0, 0.4], [2.0, 2.0, 1.5], [0.6, 0.5, 0.4]):
        x = matrix(rng, sigma, m, n)
        tangent, cotangent = rng.normal(size=(2, m, n))
        exact, pushed = shrunk(x, tangent, 1.0)
        _, back = shrunk(x, cotangent, 1.0)  # the Jacobian is symmetric
        at, along = ({"matrix": v, "weight": w} for v, w in ((x, 1.0), (tangent, 0.0)))
        (y, moved), (pulled,) = derivatives(at, along, cotangent)
        np.testing.assert_allclose(y, exact, atol=1e-12)
        np.testing.assert_allclose(moved, pushed, atol=1e-9)
        np.testing.assert_allclose(pulled["matrix"], back, atol=1e-9)
        left, s, right = np.linalg.svd(x, full_matrices=False)
        slope = -np.sum(cotangent * ((left * (s > 1)) @ right))
        np.testing.assert_allclose(pulled["weight"], slope, atol=1e-9)


def test_second_derivatives_are_those_of_first_ones(rng):
    """Equal singular values included; the first derivatives have a closed form."""
    x, step = matrix(rng, [3.0, 3.0, 0.4], 3, 4), rng.normal(size=(3, 4))
    moving = lambda t: near({"matrix": x + t * step, "weight": 1.0}, jnp.zeros((3, 4)))
    second = jax.jacfwd(jax.jacfwd(moving))(0.0)
    slope = lambda t: shrunk(x + t * step, step, 1.0)[1]
    quotient = lambda h: (slope(h) - slope(-h)) / (2 * h)
    exact = (4 * quotient(5e-4) - quotient(1e-3)) / 3
    np.testing.assert_allclose(second, exact, atol=1e-7)


def test_matrix_regression_beside_free_variables(rng, central_difference):
    X, truth = rng.normal(size=(40, 4)), rng.normal(size=(4, 1)) @ rng.normal(size=(1, 3))
    B = X @ truth + 0.3 * rng.normal(size=(40, 3)) + 1

    def loss(y, x):
        return jnp.mean((X @ y["slopes"] + y["level"] - B) ** 2)

    term = ag.prox.nuclear_norm(lambda x: jnp.exp(x), of=lambda y: y["slopes"])
    solve = ag.argmin(loss, nonsmooth=term)
    flat = lambda x: jnp.concatenate([v.ravel() for v in jax.tree.leaves(solve(x, init))])
    init = {"slopes": jnp.zeros((4, 3)), "level": jnp.zeros(3)}
    y = solve(-1.5, init)
    rank = np.sum(np.linalg.svd(y["slopes"])[1] > 1e-9)
    assert 0 < rank < 3
    left, _, right = np.linalg.svd(y["slopes"], full_matrices=False)
    force = -np.asarray(jax.grad(loss)(y, -1.5)["slopes"])
    aligned = left[:, :rank].T @ force @ right[:rank].T  # w UᵀV on the singular vectors
    np.testing.assert_allclose(aligned, np.exp(-1.5) * np.eye(rank), atol=1e-10)
    exact = central_difference(lambda x: flat(x[0]), [-1.5])[:, 0]
    np.testing.assert_allclose(jax.jacfwd(flat)(-1.5), exact, atol=1e-9)


def test_kinks_are_refused(rng):
    x = {"matrix": matrix(rng, [3.0, 1.0, 0.2], 3, 3), "weight": 1.0}
    y = jnp.zeros((3, 3))
    assert near.solution(x, y).status == ag.Status.kink
    with pytest.raises(Exception, match=r"kink.*nuclear_norm\[1\]"):
        jax.jvp(lambda x: near(x, y), (x,), (x,))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ag.prox.nuclear_norm(0.0), "weight must be positive"),
        (lambda: near({"matrix": 0.0, "weight": 1.0}, jnp.zeros(3)), "must be one matrix"),
    ],
)
def test_wrong_arguments(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_the_matrix_is_made_of_different_elements():
    term = ag.prox.nuclear_norm(1.0, of=lambda y: jnp.stack([y, y]))
    with pytest.raises(ValueError, match="twice"):
        ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), nonsmooth=term)(1.0, jnp.zeros(3))
