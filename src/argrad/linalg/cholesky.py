"""Cholesky factors that say what kind of stationary point they were taken at."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.lax.linalg import triangular_solve
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.together import together

DEFINITE, SINGULAR, INDEFINITE = 0, 1, 2
_SMALLEST = 2  # shift, in thresholds


class Factor(NamedTuple):
    """The Cholesky factor of H + shift · diag(scale), and with it the curvature of H itself.

    The shift is negative where nothing has been factorised yet.
    """

    upper: Float[Array, "d d"]
    shift: Float[Array, ""]

    @property
    def known(self) -> Bool[Array, ""]:
        """Whether any matrix has been factorised yet."""
        return self.shift >= 0

    @property
    def curvature(self) -> Int[Array, ""]:
        """DEFINITE where H took no shift, SINGULAR where the smallest one did, else INDEFINITE."""
        return verdict(self.shift, singular_threshold(self.upper.shape[-1], self.upper.dtype))

    def solve(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        """(H + shift · diag(scale))⁻¹ b, or b itself where nothing has been factorised yet."""
        return lax.cond(self.known, lambda: self.substitute(b), lambda: b)

    def substitute(self, b: Float[Array, " d"]) -> Float[Array, " d"]:
        """The same, where something is known to have been factorised.

        Two calls of LAPACK, which need no compilation, unlike a product with the inverse.
        """
        half = triangular_solve(self.upper, b, left_side=True, transpose_a=True)
        return triangular_solve(self.upper, half, left_side=True)


def no_factor(d: int, dtype) -> Factor:
    """The place of a factor to come: a preconditioner that changes nothing."""
    return Factor(jnp.zeros((d, d), dtype), jnp.full((), -1, dtype))


def verdict(shift: Float[Array, ""], tiny: float | Float[Array, ""]) -> Int[Array, ""]:
    """`Factor.curvature`, for a factor that was made with this threshold."""
    return (shift > 0).astype(int) + (shift > _SMALLEST * tiny)


def singular_threshold(d: int | Int[Array, ""], dtype) -> Any:
    """Relative size under which a pivot is taken for zero: eps^(7/8), 2e-14 in float64.

    Larger where the rounding of a d × d factorisation, about d · eps, is itself larger.
    """
    eps = float(jnp.finfo(dtype).eps)
    least = eps**0.875
    if isinstance(d, int):
        return max(least, 4 * d * eps)
    return jnp.maximum(least, 4 * eps * d).astype(dtype)


def curvature_threshold(d: int, dtype) -> float:
    """Relative size under which a curvature pᵀHp that was summed up is taken for zero.

    As `singular_threshold`, but where nothing is factorised, and the rounding of d terms adds up
    like a random walk to about √d · eps (Higham and Mary 2019).
    """
    eps = float(jnp.finfo(dtype).eps)
    return max(eps**0.875, 2 * d**0.5 * eps)


def diagonal(matrix: Float[Array, "d d"]) -> Float[Array, " d"]:
    """As jnp.diagonal, which gathers, and takes ten times as long to trace."""
    return matrix.reshape(-1)[:: len(matrix) + 1]


def lower_cholesky(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """The lower factor of a symmetric matrix, NaN where there is none.

    What lies above its diagonal is left as it is: solves with a triangle do not look there, and
    zeros would be one more pass over the matrix, and one more kernel to compile.
    """
    # The transpose has LAPACK's columns without a copy.
    return lax.linalg.cholesky_p.bind(matrix.T)


def shifted_cholesky(
    hessian: Float[Array, "d d"],
    added: Float[Array, " d"],
    eye: Float[Array, "d d"] | None = None,
) -> Float[Array, "d d"]:
    """`lower_cholesky` of H + diag(added), given an identity where there is one at hand."""
    eye = jnp.eye(len(hessian), dtype=hessian.dtype) if eye is None else eye
    return lower_cholesky(hessian + eye * added)


def factorise(
    hessian: Float[Array, "d d"],
    scale: Float[Array, " d"],
    tiny: float | Float[Array, ""] | None = None,
    cholesky: Callable[[Array, Array], Array] = shifted_cholesky,
) -> Factor:
    """Factorise H, or H + τ diag(scale) with a τ > 0 that makes it definite.

    H is called singular where a pivot falls under `tiny`, by default `singular_threshold`, times
    its coordinate's `scale` (the largest curvature seen there), and indefinite where even that
    much shift leaves a negative pivot. Both tests are unchanged by a change of units of any
    coordinate. NaN in H leaves NaN in the factor. `cholesky` is for matrices that are known to
    have the identity in places.
    """
    if tiny is None:
        tiny = singular_threshold(len(hessian), hessian.dtype)
    smallest = _SMALLEST * tiny
    scale = scale + (scale == 0)

    def unfinished(carry):
        lower, shift = carry
        bad = ~(diagonal(lower) ** 2 > tiny * scale)
        # NaN would never become good; the last shift goes beyond any norm of a finite H.
        return (shift < 0) | (together([bad])[0] > 0) & (shift < 1e15)

    def attempt(carry):
        _, shift = carry
        larger = jnp.where(shift < smallest, smallest, jnp.maximum(8 * shift, 1e-4))
        shift = jnp.where(shift < 0, 0, larger)
        return cholesky(hessian, shift * scale), shift

    start = hessian, jnp.full((), -1, hessian.dtype)
    lower, shift = lax.while_loop(unfinished, attempt, start)
    return Factor(lower.T, shift)
