"""A linear solver for the derivative of a lower problem whose Hessian is factorised already."""

from __future__ import annotations

from typing import Any

import lineax as lx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.linalg.self_adjoint import SelfAdjoint


class KnownInverse(SelfAdjoint[lx.AbstractLinearOperator]):
    """Solve A u = b with an inverse (q, q) that somebody has: u = A⁻¹ b.

    A must be symmetric. Under `vmap` each element may bring its own inverse.

    >>> import jax.numpy as jnp, lineax as lx
    >>> A = lx.MatrixLinearOperator(jnp.diag(jnp.array([2.0, 4.0])), lx.symmetric_tag)
    >>> solver = KnownInverse(jnp.diag(jnp.array([0.5, 0.25])))
    >>> lx.linear_solve(A, jnp.array([2.0, 2.0]), solver).value
    Array([1. , 0.5], dtype=float32)
    """

    inverse: Float[Array, "q q"]

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]):
        del options
        return operator

    def compute(
        self, state: lx.AbstractLinearOperator, vector: PyTree[Array], options: dict[str, Any]
    ) -> tuple[PyTree[Array], lx.RESULTS, dict[str, Any]]:
        del state, options
        b, unravel = ravel_pytree(vector)
        return unravel(self.inverse @ b), lx.RESULTS.successful, {}
