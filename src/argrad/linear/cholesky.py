"""Cholesky factors that say what kind of stationary point they were taken at."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float, Int

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
    known: Bool[Array, ""]

    def solve(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        """The inverse times b, or b itself where no matrix has been factorised yet."""
        return lax.cond(self.known, lambda: self.inverse @ b, lambda: b)


def no_factor(d: int, dtype) -> Factor:
    """The place of a factor to come: a preconditioner that changes nothing."""
    zero = jnp.zeros((), dtype)
    return Factor(jnp.zeros((d, d), dtype), zero, jnp.array(DEFINITE), jnp.array(False))


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
    scale = jnp.where(scale > 0, scale, 1)

    def shift(tries):
        larger = 1e-4 * jnp.exp2(3.0 * tries - 6.0)
        return jnp.where(tries == 0, 0, jnp.where(tries == 1, 2 * tiny, larger)).astype(
            hessian.dtype
        )

    def attempt(carry):
        _, tries, _ = carry
        shifted = hessian + jnp.diag(shift(tries) * scale)
        lower = lax.linalg.cholesky(shifted, symmetrize_input=False)
        good = jnp.min(jnp.diagonal(lower) ** 2 / scale) > tiny
        return lower, tries + 1, good

    def unfinished(carry):
        _, tries, good = carry
        # NaN would never become good; 24 shifts go beyond any norm of a finite H.
        return ~good & (tries < 24)

    lower, tries, _ = lax.while_loop(unfinished, attempt, (hessian, 0, jnp.array(False)))
    half = solve_triangular(lower, jnp.eye(d, dtype=hessian.dtype), lower=True)
    curvature = jnp.clip(tries - 1, DEFINITE, INDEFINITE)
    return Factor(half.T @ half, shift(tries - 1), curvature, jnp.array(True))
