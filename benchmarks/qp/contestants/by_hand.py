"""The yardstick: an interior point method for problems of this kind, without any library.

Q = L L' is factorised once, and y and the multipliers of the equalities are eliminated: what is
left are the multipliers z and the slacks s of the inequalities,

    s = K z + d,   s, z >= 0,   s·z = 0,      K = V'V,   d = h - G y_eq,

where y_eq minimises under the equalities alone and V is L⁻¹G' projected on their null space.
Each step factorises K + diag(z⁻¹s), which has one row an inequality. One more factor, of K with
the rows masked out that are not active, takes z to rounding and serves the backward pass.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from qp.contestants.in_jax import contestant

TOLERANCE = 1e-11  # of s - K z - d and of the mean of s·z, relative to d
MAX_STEPS = 50
MOST = 0.995  # of the way to the nearest bound


class _Reduced(NamedTuple):
    L: jax.Array
    W: jax.Array  # L⁻¹A'
    E: jax.Array  # the factor of W'W
    T: jax.Array  # (W'W)⁻¹ W'L⁻¹G'
    V: jax.Array  # L⁻¹G' - W T


def _cholesky(matrix):
    return lax.linalg.cholesky(matrix, symmetrize_input=False)


def _over(L, rows):
    """Rows times L⁻ᵀ: quicker than L⁻¹ times columns, as LAPACK and XLA order matrices."""
    return lax.linalg.triangular_solve(L, rows, lower=True, transpose_a=True)


def _back(L, x):
    """L⁻ᵀx."""
    return lax.linalg.triangular_solve(L, x[None], lower=True)[0]


def _reduce(Q, G, A):
    L = _cholesky(Q)
    rows = _over(L, jnp.concatenate([A, G]))
    W, R = rows[: len(A)].T, rows[len(A) :].T
    E = _cholesky(W.T @ W)
    T = cho_solve((E, True), W.T @ R)
    return _Reduced(L, W, E, T, R - W @ T)


def _longest(value, change):
    """The longest step up to 1 that keeps `value` nonnegative."""
    return jnp.min(jnp.where(change < 0, -value / change, 1.0), initial=1.0)


def _complementarity(K, d):
    """Mehrotra's predictor and corrector for s = K z + d."""
    m, scale = len(d), jnp.maximum(1.0, jnp.max(jnp.abs(d)))

    def errors(s, z):
        return s - K @ z - d, s @ z / m

    def step(carry):
        s, z, residual, gap, k = carry
        factor = _cholesky(K + jnp.diag(s / z)), True

        def direction(product):
            dz = cho_solve(factor, residual + product / z)
            return (product - s * dz) / z, dz

        def longest(ds, dz):
            return jnp.minimum(_longest(s, ds), _longest(z, dz))

        ds, dz = direction(-s * z)
        t = longest(ds, dz)
        sigma = ((s + t * ds) @ (z + t * dz) / (m * gap)) ** 3
        ds, dz = direction(sigma * gap - ds * dz - s * z)
        t = jnp.minimum(1.0, MOST * longest(ds, dz))
        s, z = s + t * ds, z + t * dz
        return s, z, *errors(s, z), k + 1

    def unfinished(carry):
        _, _, residual, gap, k = carry
        worst = jnp.maximum(jnp.max(jnp.abs(residual)), gap)
        return (worst > TOLERANCE * scale) & (k < MAX_STEPS)

    s, z = jnp.maximum(jnp.abs(d), 1.0), jnp.ones_like(d)
    s, z, _, _, k = lax.while_loop(unfinished, step, (s, z, *errors(s, z), 0))
    return s, z, k


def _forward(Q, p, G, h, A, b):
    reduced = _reduce(Q, G, A)
    L, W, E, T, V = reduced
    r = _over(L, p[None])[0]
    b_and_r = cho_solve((E, True), b + r @ W)
    x = W @ b_and_r - r  # L'y_eq
    K, d = V.T @ V, h - G @ _back(L, x)
    s, z, _ = _complementarity(K, d)
    active = z > s
    factor = _cholesky(jnp.where(active[:, None] & active, K, jnp.eye(len(d))))
    z = cho_solve((factor, True), jnp.where(active, -d, 0.0))
    y = _back(L, x - V @ z)
    return y, (reduced, factor, active, y, z, -b_and_r - T @ z)


def _backward(kept, weights):
    (L, W, E, T, V), factor, active, y, z, mu = kept
    r = _over(L, weights[None])[0]
    v = cho_solve((factor, True), jnp.where(active, r @ V, 0.0))
    along = cho_solve((E, True), r @ W)
    u, w = _back(L, r - W @ along - V @ v), along - T @ v
    uy = jnp.outer(u, y)
    G = -jnp.outer(z, u) - jnp.outer(v, y)
    return -(uy + uy.T) / 2, -u, G, v, -jnp.outer(mu, u) - jnp.outer(w, y), w


@jax.custom_vjp
def _solution(Q, p, G, h, A, b):
    return _forward(Q, p, G, h, A, b)[0]


_solution.defvjp(_forward, _backward)


def interior_point():
    return contestant(
        "by hand: interior point",
        f"Mehrotra on the multipliers of the inequalities, tolerance {TOLERANCE:g}",
        _solution,
        by_hand=True,
    )
