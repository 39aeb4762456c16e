"""Cholesky factors that say what kind of stationary point they were taken at."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

DEFINITE, SINGULAR, INDEFINITE = 0, 1, 2


class Factor(NamedTuple):
    """Lower-triangular L with LLᵀ = H + shift · diag(scale), and the curvature of H itself."""

    lower: Float[Array, "d d"]
    shift: Float[Array, ""]
    curvature: Int[Array, ""]

    def solve(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        """(LLᵀ)⁻¹ b by two triangular solves."""
        half = solve_triangular(self.lower, b, lower=True)
        return solve_triangular(self.lower, half, lower=True, trans=1)


def identity_factor(d: int, dtype) -> Factor:
    """The factor of the identity: a preconditioner that changes nothing."""
    return Factor(jnp.eye(d, dtype=dtype), jnp.zeros((), dtype), jnp.array(DEFINITE))


def singular_threshold(d: int, dtype) -> float:
    """Relative size under which a pivot is taken for zero: eps^(7/8), 2e-14 in float64.

    Larger where the rounding of a d × d factorisation, about d · eps, is itself larger.
    """
    eps = float(jnp.finfo(dtype).eps)
    return max(eps**0.875, 4 * d * eps)


def shifted_cholesky(hessian: Float[Array, "d d"], scale: Float[Array, " d"]) -> Factor:
    """Factorise H, or H + τ diag(scale) with a τ > 0 that makes it positive definite.

    H is called singular where a pivot falls under `singular_threshold` times its coordinate's
    `scale` (the largest curvature seen there), and indefinite where even that much shift leaves
    a negative pivot. Both tests are unchanged by a change of units of any coordinate. NaN in H
    leaves NaN in the factor.
    """
    tiny = singular_threshold(hessian.shape[0], hessian.dtype)
    top = jnp.max(scale)
    scale = jnp.where(scale > tiny * top, scale, jnp.where(top > 0, tiny * top, 1))

    def attempt(shift):
        lower = lax.linalg.cholesky(hessian + jnp.diag(shift * scale), symmetrize_input=False)
        return lower, jnp.all(jnp.diagonal(lower) ** 2 > 0.5 * tiny * scale)

    lower, good = attempt(jnp.zeros((), hessian.dtype))

    def repair(carry):
        _, shift, _, tries = carry
        shift = jnp.where(tries == 0, tiny, jnp.maximum(8 * shift, 1e-4))
        lower, good = attempt(shift)
        return lower, shift, good, tries + 1

    def broken(carry):
        _, _, good, tries = carry
        return ~good & (tries < 24)

    start = (lower, jnp.zeros((), hessian.dtype), good | ~jnp.all(jnp.isfinite(hessian)), 0)
    lower, shift, _, tries = lax.while_loop(broken, repair, start)
    curvature = jnp.where(tries == 0, DEFINITE, jnp.where(tries == 1, SINGULAR, INDEFINITE))
    return Factor(lower, shift, curvature)
