"""Iterative refinement: a linear solve by an approximate inverse, taken to rounding."""

from typing import Any

import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree


class Refinement(lx.AbstractLinearSolver[lx.AbstractLinearOperator]):
    """u ← u + M (b − A u), M the `preconditioner` in `options`, a Lineax operator near A⁻¹.

    For operators, definite or not, whose inverse is all but known: the KKT matrix that the lower
    solve factorised at its last step. It costs one product with A and with M a step, and stops
    when the corrections are lost in rounding or shrink no more. Succeeds if the last correction,
    an estimate of the error, is below eps^(1/2) of u: rounding leaves that much where the
    condition number is 1e8 (3000 in float32).

    Source: Wilkinson 1963; Higham 2002, chapter 12.
    """

    max_steps: int = 10

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]):
        if "preconditioner" not in options:
            raise ValueError(
                "Refinement needs options=dict(preconditioner=M), a Lineax operator near A⁻¹."
            )
        return lx.linearise(operator), False

    def compute(
        self, state: Any, vector: PyTree[Array], options: dict[str, Any]
    ) -> tuple[PyTree[Array], lx.RESULTS, dict[str, Any]]:
        operator, transposed = state
        inverse = options["preconditioner"].T if transposed else options["preconditioner"]
        b, unravel = ravel_pytree(vector)
        eps = float(jnp.finfo(b.dtype).eps)
        product = lambda v: ravel_pytree(operator.mv(unravel(v)))[0]
        approximate = lambda v: ravel_pytree(inverse.mv(unravel(v)))[0]

        def refine(carry):
            u, _, last, steps = carry
            correction = approximate(b - product(u))
            return u + correction, last, jnp.linalg.norm(correction), steps + 1

        def unfinished(carry):
            u, before, last, steps = carry
            coarse = last > 4 * eps * jnp.linalg.norm(u)
            return coarse & (last < 0.5 * before) & (steps < self.max_steps)

        u = approximate(b)
        size = jnp.linalg.norm(u)
        carry = refine((u, size, size, 0))
        u, before, last, steps = lax.while_loop(unfinished, refine, carry)
        # A correction that did not shrink says what rounding leaves, or that M is no inverse.
        error = jnp.where(jnp.any(b != 0), jnp.minimum(last, before) / jnp.linalg.norm(u), 0)
        good = error <= eps**0.5
        results = lx.RESULTS
        result = results.where(good, results.successful, results.stagnation)
        return unravel(u), result, {"num_steps": steps, "error": error}

    def transpose(self, state, options):
        operator, transposed = state
        return (operator.T, not transposed), options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True
