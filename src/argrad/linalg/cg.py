"""Conjugate gradients that notice when the operator is not positive definite.

Lineax' own CG runs on through directions of negative curvature and returns whatever it finds.
At a minimum there are none, so meeting one means that the point is a saddle or that the problem
is flat there: exactly what an adjoint has to know.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from argrad.linalg.cholesky import curvature_threshold
from argrad.linalg.symmetric import (
    ApproximateInverse,
    Product,
    Solved,
    SymmetricSolver,
    require,
    require_damping,
)

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
    tiny = curvature_threshold(b.size, b.dtype)
    # Zeros made of b: XLA would fill others long before, and keep them through the lower solve.
    u = 0 * b if u0 is None else u0
    r = b if u0 is None else b - matvec(u0)
    z = precondition(r)
    rz = r @ z
    scale = rz if u0 is None else b @ precondition(b)

    # Curvature is measured in the units of M, so that a change of units of the variables changes
    # no verdict: pᵀMp follows from rᵀM⁻¹r, since the residual is orthogonal to the direction
    # before it. Every kernel is compile time: the scalars share one array, and the three updates
    # of vectors are the same a − s b, with s a quotient, which is why −u is carried.
    def unfinished(carry):
        rz, _, left, goal, lowest, largest = jnp.unstack(carry[-1])
        return (rz > goal) & (left > 0) & (lowest > tiny * largest)

    def advance(carry):
        minus_u, r, p, numbers = carry
        rz, square, left, goal, lowest, largest = jnp.unstack(numbers)
        ap = matvec(p)
        curvature = p @ ap
        lowest = jnp.minimum(lowest, curvature / square)
        largest = jnp.maximum(largest, curvature / square)
        definite = lowest > tiny * largest
        alpha = jnp.where(definite, rz, 0) / jnp.where(definite, curvature, 1)
        minus_u, r = minus_u - alpha * p, r - alpha * ap
        z = precondition(r)
        rz_next = r @ z
        minus_beta = rz_next / -rz
        square = rz_next + minus_beta**2 * square
        numbers = jnp.stack([rz_next, square, left - 1, goal, lowest, largest])
        return minus_u, r, z - minus_beta * p, numbers

    zero = 0 * rz
    start = [rz, rz, zero + max_steps, tol**2 * scale, zero + jnp.inf, zero + largest]
    minus_u, *_, numbers = lax.while_loop(unfinished, advance, (-u, r, z, jnp.stack(start)))
    u = -minus_u
    rz, _, left, goal, lowest, top = jnp.unstack(numbers)
    definite = lowest > tiny * top
    error = jnp.sqrt(rz / jnp.where(scale > 0, scale, 1))
    steps = (max_steps - left).astype(int)
    return CGResult(u, steps, error, definite, lowest, top, definite & (rz <= goal))


class CG(SymmetricSolver):
    """Conjugate gradients for the Hessian at a minimum, as a Lineax solver.

    u ≈ (H + damping I)⁻¹ b, to a relative residual of `rtol` (eps^(2/3) by default, 4e-11 in
    float64). Costs one Hessian-vector product a step, and one more for a first guess. With a
    condition number κ the error falls by the factor (√κ − 1)/(√κ + 1) a step.

    - `max_steps`: the most steps; 10 d + 100 by default.
    - `truncate`: to stop at `max_steps` is then what was asked for, and no failure. `error` in
      the statistics is the relative residual that is left, in the units of the preconditioner.
    - `damping`: solves another system on purpose, and is off by a factor λ/(λ + damping) along a
      direction of curvature λ.
    - `preconditioner`: another of the approximate inverses here, such as `Nystrom(20)` or
      `DiagonalApproximation()`.

    `options` may hold `preconditioner`, a Lineax operator approximating H⁻¹, and `y0`, a first
    guess with the structure of the solution, under the names that `lineax.CG` gives them. Fails
    with `lineax.RESULTS.breakdown` on a direction of zero or negative curvature, with
    `max_steps_reached` short of the tolerance. ValueError for rtol <= 0, max_steps < 1, damping
    < 0, `truncate` without `max_steps`, and two preconditioners; TypeError for a preconditioner
    that is not one fixed matrix.

    Source: Hestenes and Stiefel 1952; the curvature test follows Steihaug 1983.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.MatrixLinearOperator(jnp.array([[2.0, 1.0], [1.0, 3.0]]), lx.symmetric_tag)
    >>> lx.linear_solve(A, jnp.array([3.0, 4.0]), ag.CG()).value.round(4)
    Array([1., 1.], dtype=float32)
    >>> once = ag.CG(max_steps=1, truncate=True)
    >>> lx.linear_solve(A, jnp.array([3.0, 4.0]), once).value.round(2)
    Array([0.83, 1.11], dtype=float32)
    """

    rtol: float | None = None
    max_steps: int | None = None
    truncate: bool = eqx.field(static=True, default=False)
    damping: float | Float[Array, ""] = 0.0
    preconditioner: ApproximateInverse | None = None

    def __check_init__(self):
        require(self, "rtol", self.rtol is None or self.rtol > 0, "> 0")
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, ">= 1")
        require_damping(self)
        if self.truncate and self.max_steps is None:
            raise ValueError("CG(truncate=True) needs max_steps, the number of steps to stop at.")
        if not isinstance(self.preconditioner, ApproximateInverse | None):
            raise TypeError(
                "CG needs a preconditioner that is one fixed matrix, such as Nystrom(20), "
                f"DiagonalApproximation() or BlockDiagonal(), got {self.preconditioner!r}."
            )

    def prepare(self, product: Product, options):
        if self.preconditioner is None:
            return None, 0
        if "preconditioner" in options:
            raise ValueError("CG was given two preconditioners: its own and one in the options.")
        found = self.preconditioner.approximate(product, self.damping, options)
        inverse, result, num_products, _ = found
        return (inverse, result), num_products

    def solve(self, product: Product, data, b, options):
        given, guess = options.get("preconditioner"), options.get("y0")
        if self.preconditioner is not None:
            inverse, prepared = data
            precondition = lambda v: self.preconditioner.apply(inverse, v)
        else:
            precondition = (lambda v: v) if given is None else Product(given)
        damped = isinstance(self.damping, Array) or self.damping > 0
        rtol = float(jnp.finfo(b.dtype).eps) ** (2 / 3) if self.rtol is None else self.rtol
        found = conjugate_gradients(
            (lambda v: product(v) + self.damping * v) if damped else product,
            b,
            precondition=precondition,
            u0=None if guess is None else ravel_pytree(guess)[0],
            tol=rtol,
            max_steps=10 * b.size + 100 if self.max_steps is None else self.max_steps,
        )
        done = found.solved
        if self.truncate:
            done |= found.definite & jnp.isfinite(found.error)
        results = lx.RESULTS
        verdict = results.where(done, results.successful, results.max_steps_reached)
        verdict = results.where(found.definite, verdict, results.breakdown)
        if self.preconditioner is not None:
            verdict = results.where(prepared == results.successful, verdict, prepared)
        stats = {"num_steps": found.steps, "error": found.error}
        return Solved(found.solution, verdict, found.steps + (guess is not None), stats)
