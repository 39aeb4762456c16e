"""Cholesky factors that say what kind of stationary point they were taken at."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

DEFINITE, SINGULAR, INDEFINITE = 0, 1, 2


class Factor(NamedTuple):
    """(H + shift · diag(scale))⁻¹, and the curvature of H itself.

    The inverse is kept rather than the triangle it came from: it is applied many times, as a
    preconditioner, and one product is quicker to run and to compile than two triangular solves.
    Whatever accuracy that costs, conjugate gradients restore.
    """

    inverse: Float[Array, "d d"]
    shift: Float[Array, ""]
    curvature: Int[Array, ""]

    def solve(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        return self.inverse @ b


def identity_factor(d: int, dtype) -> Factor:
    """The factor of the identity: a preconditioner that changes nothing."""
    return Factor(jnp.eye(d, dtype=dtype), jnp.zeros((), dtype), jnp.array(DEFINITE))


def singular_threshold(d: int, dtype) -> float:
    """Relative size under which a pivot is taken for zero: eps^(7/8), 2e-14 in float64.

    Larger where the rounding of a d × d factorisation, about d · eps, is itself larger.
    """
    eps = float(jnp.finfo(dtype).eps)
    return max(eps**0.875, 4 * d * eps)


def invert(hessian: Float[Array, "d d"], scale: Float[Array, " d"]) -> Factor:
    """Invert H by its Cholesky factor, or H + τ diag(scale) with a τ > 0 that makes it definite.

    H is called singular where a pivot falls under `singular_threshold` times its coordinate's
    `scale` (the largest curvature seen there), and indefinite where even that much shift leaves
    a negative pivot. Both tests are unchanged by a change of units of any coordinate. NaN in H
    leaves NaN in the inverse.
    """
    d = hessian.shape[0]
    tiny = singular_threshold(d, hessian.dtype)
    top = jnp.max(scale)
    scale = jnp.where(scale > tiny * top, scale, jnp.where(top > 0, tiny * top, 1))

    def attempt(carry):
        _, shift, _, tries = carry
        shift = jnp.where(tries == 0, 0, jnp.where(tries == 1, tiny, 8 * shift))
        shift = jnp.where(tries == 2, 1e-4, shift).astype(hessian.dtype)
        lower = lax.linalg.cholesky(hessian + jnp.diag(shift * scale), symmetrize_input=False)
        good = jnp.min(jnp.diagonal(lower) ** 2 / scale) > 0.5 * tiny
        return lower, shift, good, tries + 1

    def unfinished(carry):
        _, _, good, tries = carry
        # NaN would never become good; 24 shifts go beyond any norm of a finite H.
        return ~good & (tries < 24)

    start = (hessian, jnp.zeros((), hessian.dtype), jnp.array(False), 0)
    lower, shift, _, tries = lax.while_loop(unfinished, attempt, start)
    half = solve_triangular(lower, jnp.eye(d, dtype=hessian.dtype), lower=True)
    return Factor(half.T @ half, shift, jnp.clip(tries - 1, DEFINITE, INDEFINITE))
