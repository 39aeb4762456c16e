"""Minimum residuals: a Krylov method for symmetric operators that need not be definite."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from argrad.linalg.cholesky import curvature_threshold
from argrad.linalg.symmetric import Product, Solved, SymmetricSolver, require, require_damping

Vector = Float[Array, " d"]


class MINRES(SymmetricSolver):
    """The u that has the least ‖b − (H + damping I) u‖ in a growing Krylov space.

    For symmetric H of any signs: the Hessian at a saddle point (`stationarity(f, kind="saddle")`)
    and KKT matrices; at a minimum `CG` is as fast and notices when it is none. Costs one product
    with H a step, and one more for a first guess, `y0` in `options`; five vectors of memory. The
    residual never grows; with eigenvalues of both signs the number of steps goes with the
    condition number, not its root.

    Stops at a relative residual of `rtol` (eps^(2/3) by default), `error` in the statistics, or
    after `max_steps` (10 d + 100 by default), which fails with
    `lineax.RESULTS.max_steps_reached` unless `truncate` says that it was asked for. Fails with
    `singular` where H is, as far as b feels it, and no u solves the system. ValueError for
    rtol <= 0, max_steps < 1, damping < 0, and `truncate` without `max_steps`.

    Source: Paige and Saunders 1975.

    >>> import jax.numpy as jnp, lineax as lx, argrad as ag
    >>> A = lx.MatrixLinearOperator(jnp.array([[1.0, 2.0], [2.0, -1.0]]), lx.symmetric_tag)
    >>> lx.linear_solve(A, jnp.array([3.0, 1.0]), ag.MINRES()).value.round(4)
    Array([1., 1.], dtype=float32)
    """

    rtol: float | None = None
    max_steps: int | None = None
    truncate: bool = eqx.field(static=True, default=False)
    damping: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        require(self, "rtol", self.rtol is None or self.rtol > 0, "> 0")
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, ">= 1")
        require_damping(self)
        if self.truncate and self.max_steps is None:
            raise ValueError(
                "MINRES(truncate=True) needs max_steps, the number of steps to stop at."
            )

    def prepare(self, product: Product, options):
        del product, options
        return None, 0

    def solve(self, product: Product, data, b, options):
        del data
        guess = options.get("y0")
        matvec = lambda v: product(v) + self.damping * v
        u0 = jnp.zeros_like(b) if guess is None else ravel_pytree(guess)[0]
        r = b if guess is None else b - matvec(u0)
        rtol = float(jnp.finfo(b.dtype).eps) ** (2 / 3) if self.rtol is None else self.rtol
        max_steps = 10 * b.size + 100 if self.max_steps is None else self.max_steps
        scale = jnp.linalg.norm(b)

        def unfinished(carry: _Carry):
            return (carry.left > rtol * scale) & (carry.steps < max_steps) & ~carry.singular

        tiny = curvature_threshold(b.size, b.dtype)
        found = lax.while_loop(unfinished, lambda c: _advance(matvec, c, tiny), _start(u0, r))
        results = lx.RESULTS
        done = found.left <= rtol * scale
        if self.truncate:
            done |= ~found.singular & jnp.isfinite(found.left)
        result = results.where(done, results.successful, results.max_steps_reached)
        result = results.where(found.singular & ~done, results.singular, result)
        error = found.left / jnp.where(scale > 0, scale, 1)
        stats = {"num_steps": found.steps, "error": error}
        return Solved(found.u, result, found.steps + (guess is not None), stats)


class _Carry(NamedTuple):
    """Lanczos vectors v, search directions w, and the last two of the rotations that make the
    tridiagonal matrix triangular: its QR factors, one column at a time."""

    u: Vector
    v: Vector
    v_before: Vector
    w: Vector
    w_before: Vector
    beta: Float[Array, ""]
    cosine: Float[Array, ""]
    cosine_before: Float[Array, ""]
    sine: Float[Array, ""]
    sine_before: Float[Array, ""]
    residual: Float[Array, ""]
    largest: Float[Array, ""]
    steps: Int[Array, ""]
    singular: Array

    @property
    def left(self) -> Float[Array, ""]:
        """The norm of the residual."""
        return jnp.abs(self.residual)


def _start(u0: Vector, r: Vector) -> _Carry:
    nowhere, norm = jnp.zeros_like(r), jnp.linalg.norm(r)
    zero, one = jnp.zeros((), r.dtype), jnp.ones((), r.dtype)
    return _Carry(
        u=u0,
        v=r / jnp.where(norm > 0, norm, 1),
        v_before=nowhere,
        w=nowhere,
        w_before=nowhere,
        beta=zero,
        cosine=one,
        cosine_before=one,
        sine=zero,
        sine_before=zero,
        residual=norm,
        largest=zero,
        steps=jnp.array(0),
        singular=jnp.array(False),
    )


def _advance(matvec, last: _Carry, tiny: float) -> _Carry:
    """One step of Lanczos' recurrence, one rotation, and the step along w that it allows."""
    p = matvec(last.v)
    alpha = last.v @ p
    p = p - alpha * last.v - last.beta * last.v_before
    beta = jnp.linalg.norm(p)
    # The new column of the tridiagonal matrix, under the two rotations before it ...
    diagonal = last.cosine * alpha - last.cosine_before * last.sine * last.beta
    above = last.sine * alpha + last.cosine_before * last.cosine * last.beta
    twice_above = last.sine_before * last.beta
    # ... and the one that takes away what is below its diagonal.
    pivot = jnp.hypot(diagonal, beta)
    largest = jnp.maximum(last.largest, jnp.sqrt(last.beta**2 + alpha**2 + beta**2))
    singular = pivot <= tiny * largest
    divisor = jnp.where(singular, 1, pivot)
    cosine, sine = diagonal / divisor, beta / divisor
    w = (last.v - twice_above * last.w_before - above * last.w) / divisor
    keep = lambda new, old: jnp.where(singular, old, new)
    return _Carry(
        u=keep(last.u + cosine * last.residual * w, last.u),
        v=p / jnp.where(beta > 0, beta, 1),
        v_before=last.v,
        w=w,
        w_before=last.w,
        beta=beta,
        cosine=cosine,
        cosine_before=last.cosine,
        sine=sine,
        sine_before=last.sine,
        residual=keep(-sine * last.residual, last.residual),
        largest=largest,
        steps=last.steps + 1,
        singular=singular,
    )
