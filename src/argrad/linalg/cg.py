"""Conjugate gradients that notice when the operator is not positive definite.

Lineax' own CG runs on through directions of negative curvature and returns whatever it finds.
At a minimum there are none, so meeting one means that the point is a saddle or that the problem
is flat there: exactly what an adjoint has to know.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from argrad.linalg.cholesky import singular_threshold

Vector = Float[Array, " d"]


class CGResult(NamedTuple):
    """What conjugate gradients found for A u = b.

    `error` is √(rᵀM⁻¹r / bᵀM⁻¹b) of the last residual r. `definite` is false where a direction p
    was met whose curvature pᵀAp / pᵀMp is not positive, or as small as the rounding of `largest`,
    the largest met so far; `lowest` is the smallest one met. `solved` where the tolerance was
    reached and no such direction met.
    """

    solution: Vector
    steps: Int[Array, ""]
    error: Float[Array, ""]
    definite: Bool[Array, ""]
    lowest: Float[Array, ""]
    largest: Float[Array, ""]
    solved: Bool[Array, ""]


def conjugate_gradients(
    matvec: Callable[[Vector], Vector],
    b: Vector,
    *,
    precondition: Callable[[Vector], Vector] = lambda v: v,
    u0: Vector | None = None,
    tol: Float[Array, ""] | float,
    max_steps: int,
    largest: Float[Array, ""] | float = 0.0,
) -> CGResult:
    """Solve A u = b for symmetric positive definite A : R^d -> R^d, matrix-free.

    Stops when the residual r has rᵀM⁻¹r <= tol² bᵀM⁻¹b, after `max_steps` products with A, or at
    the first direction without positive curvature, returning the iterate before it (Steihaug
    1983). `largest` is a curvature known beforehand in the units of M, to judge others by.
    """
    tiny = singular_threshold(b.size, b.dtype)
    u = jnp.zeros_like(b) if u0 is None else u0
    r = b if u0 is None else b - matvec(u0)
    z = precondition(r)
    rz = r @ z
    scale = rz if u0 is None else b @ precondition(b)

    # Curvature is measured in the units of M, so that a change of units of the variables changes
    # no verdict: pᵀMp follows from rᵀM⁻¹r, since the residual is orthogonal to the direction
    # before it. The scalars share one array, since each carried one by itself would be one more
    # kernel to compile.
    def unfinished(carry):
        *_, (rz, _, left, goal, lowest, largest) = carry
        return (rz > goal) & (left > 0) & (lowest > tiny * largest)

    def advance(carry):
        u, r, p, (rz, square, left, goal, lowest, largest) = carry
        ap = matvec(p)
        curvature = p @ ap
        lowest = jnp.minimum(lowest, curvature / square)
        largest = jnp.maximum(largest, curvature / square)
        definite = lowest > tiny * largest
        alpha = jnp.where(definite, rz / jnp.where(definite, curvature, 1), 0)
        u, r = u + alpha * p, r - alpha * ap
        z = precondition(r)
        rz_next = r @ z
        beta = rz_next / rz
        square = rz_next + beta**2 * square
        numbers = jnp.stack([rz_next, square, left - 1, goal, lowest, largest])
        return u, r, z + beta * p, numbers

    zero = 0 * rz
    start = [rz, rz, zero + max_steps, tol**2 * scale, zero + jnp.inf, zero + largest]
    u, *_, numbers = lax.while_loop(unfinished, advance, (u, r, z, jnp.stack(start)))
    rz, _, left, goal, lowest, top = numbers
    definite = lowest > tiny * top
    error = jnp.sqrt(rz / jnp.where(scale > 0, scale, 1))
    steps = (max_steps - left).astype(int)
    return CGResult(u, steps, error, definite, lowest, top, definite & (rz <= goal))


class CG(lx.AbstractLinearSolver[lx.AbstractLinearOperator]):
    """Conjugate gradients for the Hessian at a minimum, as a Lineax solver.

    Costs one Hessian-vector product a step. `options` may hold `preconditioner`, a Lineax
    operator approximating A⁻¹, and `y0`, a first guess with the structure of the solution, under
    the names that `lineax.CG` gives them. Fails with `lineax.RESULTS.breakdown` on a direction
    of zero or negative curvature, with `max_steps_reached` short of the tolerance.

    Source: Hestenes and Stiefel 1952; the curvature test follows Steihaug 1983.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.MatrixLinearOperator(jnp.array([[2.0, 1.0], [1.0, 3.0]]), lx.symmetric_tag)
    >>> lx.linear_solve(A, jnp.array([3.0, 4.0]), ag.CG()).value.round(4)
    Array([1., 1.], dtype=float32)
    """

    rtol: float | None = None
    max_steps: int | None = None

    def __check_init__(self):
        if self.rtol is not None and not self.rtol > 0:
            raise ValueError(f"CG needs rtol > 0, got {self.rtol}.")
        if self.max_steps is not None and self.max_steps < 1:
            raise ValueError(f"CG needs max_steps >= 1, got {self.max_steps}.")

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]):
        del options
        if not (lx.is_symmetric(operator) or lx.is_positive_semidefinite(operator)):
            raise ValueError(
                "CG needs a symmetric operator, tagged with lineax.symmetric_tag or "
                "lineax.positive_semidefinite_tag; for others use lineax.GMRES or lineax.LU."
            )
        return lx.linearise(operator)

    def compute(
        self, state: lx.AbstractLinearOperator, vector: PyTree[Array], options: dict[str, Any]
    ) -> tuple[PyTree[Array], lx.RESULTS, dict[str, Any]]:
        b, unravel = ravel_pytree(vector)
        preconditioner, guess = options.get("preconditioner"), options.get("y0")

        def flat(operator):
            return lambda v: ravel_pytree(operator.mv(unravel(v)))[0]

        rtol = float(jnp.finfo(b.dtype).eps) ** (2 / 3) if self.rtol is None else self.rtol
        found = conjugate_gradients(
            flat(state),
            b,
            precondition=(lambda v: v) if preconditioner is None else flat(preconditioner),
            u0=None if guess is None else ravel_pytree(guess)[0],
            tol=rtol,
            max_steps=10 * b.size + 100 if self.max_steps is None else self.max_steps,
        )
        results = lx.RESULTS
        result = results.where(found.solved, results.successful, results.max_steps_reached)
        result = results.where(found.definite, result, results.breakdown)
        return unravel(found.solution), result, {"num_steps": found.steps, "error": found.error}

    def transpose(self, state, options):
        return state, options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True
