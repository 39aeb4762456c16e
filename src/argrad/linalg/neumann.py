"""The inverse Hessian as a truncated Neumann series: gradient descent on the adjoint system."""

import jax.numpy as jnp
import lineax as lx
from jax import lax
from jaxtyping import Array, Float

from argrad.linalg.power_iteration import largest_eigenvalue
from argrad.linalg.symmetric import Product, Solved, SymmetricSolver, require


class Neumann(SymmetricSolver):
    """u = α Σ_{i=0..k} (I − αH)^i b, which tends to H⁻¹ b where 0 < α < 2/L, L the largest
    curvature.

    k = `steps` products with H, and `power_steps` more for α where no `step_size` is given: then
    α = 1/L, with L from power iteration. The relative error along a direction of curvature μ is
    (1 − αμ)^(k+1), so that k has to be several times L/μ; conjugate gradients need its root.

    - `tol`: stop once the relative residual is known to be below; then to run out of steps is a
      failure, `lineax.RESULTS.max_steps_reached`. Without, truncation is what was asked for.
    - `step_size`: α, by hand. One that is too long makes terms grow instead of shrinking, which
      also negative curvature does; that is noticed and fails with `lineax.RESULTS.breakdown`.
      One that is too short shows in `error` alone.
    - `lowest_curvature`: μ, a lower bound on the eigenvalues of H. The statistics then hold
      `remainder` = |1 − αμ|^(k+1), a bound on the relative error of u that is known beforehand,
      as long as α <= 2/(L + μ).

    Statistics: `num_steps`, `num_products`, `step_size`, and `error`, the relative residual
    before the last term was added. ValueError for steps < 1 and for tol, step_size or
    lowest_curvature that are not positive.

    Source: Lorraine, Vicol and Duvenaud 2020, arXiv:1911.02590.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.MatrixLinearOperator(jnp.array([[2.0, 1.0], [1.0, 3.0]]), lx.symmetric_tag)
    >>> lx.linear_solve(A, jnp.array([3.0, 4.0]), ag.Neumann(steps=3)).value.round(2)
    Array([0.96, 1.02], dtype=float32)
    """

    steps: int = 20
    tol: float | None = None
    step_size: float | Float[Array, ""] | None = None
    lowest_curvature: float | None = None
    power_steps: int = 20

    def __check_init__(self):
        require(self, "steps", self.steps >= 1, ">= 1")
        require(self, "power_steps", self.power_steps >= 1, ">= 1")
        for name in ("tol", "step_size", "lowest_curvature"):
            given = getattr(self, name)
            known = isinstance(given, int | float)
            require(self, name, not known or 0 < given < float("inf"), "> 0")

    def prepare(self, product: Product, options):
        del options
        if self.step_size is not None:
            return jnp.asarray(self.step_size, product.zeros.dtype), 0
        return 1 / largest_eigenvalue(product, product.zeros, self.power_steps), self.power_steps

    def solve(self, product: Product, data, b, options):
        del options
        alpha = data
        tol = 0.0 if self.tol is None else self.tol
        scale = jnp.linalg.norm(b)
        # No term is longer than the one before it where 0 <= αH <= 2; this much is rounding.
        growth = 1 + float(jnp.finfo(b.dtype).eps) ** 0.5

        def unfinished(carry):
            _, _, norm, lowest, steps = carry
            return (steps < self.steps) & (norm > tol * scale) & (norm <= growth * lowest)

        def advance(carry):
            u, r, norm, lowest, steps = carry
            r = r - alpha * product(r)
            return u + alpha * r, r, jnp.linalg.norm(r), jnp.minimum(norm, lowest), steps + 1

        start = alpha * b, b, scale, scale, jnp.array(0)
        u, _, norm, lowest, steps = lax.while_loop(unfinished, advance, start)
        results = lx.RESULTS
        result = results.successful
        if self.tol is not None:
            result = results.where(norm <= tol * scale, result, results.max_steps_reached)
        result = results.where(norm <= growth * lowest, result, results.breakdown)
        stats = {
            "num_steps": steps,
            "step_size": alpha,
            "error": norm / jnp.where(scale > 0, scale, 1),
        }
        if self.lowest_curvature is not None:
            # Along every direction (1 − αλ)^(k+1) of u is missing; where αL <= 1, the most where
            # λ is lowest.
            stats["remainder"] = jnp.abs(1 - alpha * self.lowest_curvature) ** (steps + 1)
        return Solved(u, result, steps, stats)
