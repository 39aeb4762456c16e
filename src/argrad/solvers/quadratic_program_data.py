"""A convex quadratic program as arrays, and how far a point is from solving it."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

from argrad.linalg.extremes import largest
from argrad.rows import Layout


class Program(eqx.Module):
    """minimise ½ yᵀQy + pᵀy over y in R^n, subject to A y = b, G y <= h, lower <= y <= upper.

    Of a Q that is not said to be `symmetric`, (Q + Qᵀ)/2 counts. `rows` holds A and below it G.
    Bounds are None where there are none. A vector over all m rows has those of A, of G, of lower
    and of upper, in this order; rows with an infinite limit limit nothing.
    """

    Q: Float[Array, "n n"]
    p: Float[Array, " n"]
    rows: Float[Array, "k n"]
    b: Float[Array, " e"]
    h: Float[Array, " i"]
    lower: Float[Array, " n"] | None
    upper: Float[Array, " n"] | None
    symmetric: bool = eqx.field(static=True)

    @property
    def equalities(self) -> int:
        return self.b.size

    @property
    def bounded(self) -> bool:
        return self.lower is not None or self.upper is not None

    @property
    def size(self) -> int:
        """How many rows there are, m."""
        bounds = sum(bound.size for bound in (self.lower, self.upper) if bound is not None)
        return self.rows.shape[0] + bounds

    def limits(self) -> Float[Array, " m"]:
        """The right-hand side of all rows."""
        bounds = [] if self.lower is None else [-self.lower]
        bounds += [] if self.upper is None else [self.upper]
        return jnp.concatenate([self.b, self.h, *bounds])

    def times(self, y: Float[Array, " n"]) -> Float[Array, " m"]:
        """J y, J being the Jacobian of all rows."""
        rows = self.rows @ y
        if not self.bounded:
            return rows
        bounds = [] if self.lower is None else [-y]
        return jnp.concatenate([rows, *bounds, *([] if self.upper is None else [y])])

    def transposed(self, l: Float[Array, " m"]) -> Float[Array, " n"]:
        """Jᵀ l."""
        force = l[: self.rows.shape[0]] @ self.rows
        lower, upper = self.bounds(l)
        force = force if lower is None else force - lower
        return force if upper is None else force + upper

    def jacobian(self) -> Float[Array, "m n"]:
        """J as a matrix."""
        eye = jnp.eye(self.p.size, dtype=self.p.dtype)
        bounds = [] if self.lower is None else [-eye]
        return jnp.concatenate([self.rows, *bounds, *([] if self.upper is None else [eye])])

    def bounds(self, l: Array) -> tuple[Array | None, Array | None]:
        """What a vector over all rows says of the bounds, lower and upper."""
        n, k = self.p.size, self.rows.shape[0]
        lower = None if self.lower is None else l[k : k + n]
        return lower, None if self.upper is None else l[-n:]

    def squares(self) -> Float[Array, " k"]:
        """The squared lengths of the rows that are not bounds, 1 for zero."""
        return _positive(jnp.sum(self.rows**2, axis=1))

    def norms(self) -> Float[Array, " k"]:
        """The largest element of each row that is not a bound."""
        return jnp.max(jnp.abs(self.rows), axis=1, initial=0.0)

    def columns(self, weights: Float[Array, " k"]) -> Float[Array, " n"]:
        """The largest element of each column of the weighted rows that are not bounds."""
        return jnp.max(jnp.abs(self.rows) * weights[:, None], axis=0, initial=0.0)

    def curve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """Q y, of the symmetric half of Q."""
        return self.Q @ y if self.symmetric else (self.Q @ y + y @ self.Q) / 2

    def symmetrised(self) -> "Program":
        """The same with a Q that is symmetric, which only what factorises it has to have."""
        if self.symmetric:
            return self
        return dataclasses.replace(self, Q=(self.Q + self.Q.T) / 2, symmetric=True)

    def curvatures(self) -> Float[Array, " n"]:
        """The diagonal of Q."""
        return jnp.diagonal(self.Q)

    def scaled(self, scale: Float[Array, " n"]) -> "Program":
        """The program in y/scale."""
        return Program(
            Q=self.Q * scale[:, None] * scale,
            p=self.p * scale,
            rows=self.rows * scale,
            b=self.b,
            h=self.h,
            lower=None if self.lower is None else self.lower / scale,
            upper=None if self.upper is None else self.upper / scale,
            symmetric=self.symmetric,
        )

    def row_scale(self, scale: Float[Array, " n"]) -> Float[Array, " m"]:
        """What `scaled` multiplies limits with, and divides multipliers by."""
        bounds = [1 / scale for bound in (self.lower, self.upper) if bound is not None]
        return jnp.concatenate([jnp.ones(self.rows.shape[0], self.p.dtype), *bounds])

    def layout(self) -> Layout:
        """What the rows are called."""
        blocks = [("A", self.b), ("G", self.h), ("lower", self.lower), ("upper", self.upper)]
        return tuple((name, block.shape) for name, block in blocks if block is not None)


class Units(NamedTuple):
    """Sizes of the data, in which residuals are measured.

    `reach` is the distance of the limits from 0, `stiffness` a curvature that is neither lost
    beside that of the objective nor beside its slope over that distance.
    """

    norms: Float[Array, " m"]
    limits: Float[Array, " m"]
    force: Float[Array, ""]
    curvature: Float[Array, ""]
    reach: Float[Array, ""]
    stiffness: Float[Array, ""]


class Residual(NamedTuple):
    """∇f + Jᵀl and the slacks at a point, and the sizes of the terms they are sums of.

    Terms are allowed to cancel, which leaves their rounding, but not entirely: where y runs away
    along a direction that neither Q nor a row sees, nothing becomes small beside it.
    """

    gradient: Float[Array, " n"]
    slack: Float[Array, " m"]
    force: Float[Array, ""]
    reach: Float[Array, " m"]

    def error(self, held: Bool[Array, " m"]) -> Float[Array, ""]:
        """Of the equations that hold on the rows `held`, relative."""
        short = jnp.where(held, jnp.abs(self.slack) / self.reach, 0)
        return jnp.maximum(largest(jnp.abs(self.gradient)) / self.force, largest(short))

    def violation(self, equalities: int) -> Float[Array, ""]:
        """The most by which any limit is violated."""
        equal = jnp.arange(self.slack.size) < equalities
        excess = jnp.where(equal, jnp.abs(self.slack), -self.slack)
        return largest(excess)


def units(program: Program) -> Units:
    """Sizes of the data."""
    norms = program.norms()
    norms = jnp.concatenate([norms, jnp.ones(program.size - norms.size, norms.dtype)])
    limits = jnp.abs(program.limits())
    limits = jnp.where(jnp.isinf(limits), 0, limits)
    farthest = jnp.max(limits / _positive(norms), initial=0.0)
    force = jnp.max(jnp.abs(program.p))
    curvature = jnp.max(jnp.abs(program.curvatures()))
    # Where all limits are zero y may be so as well, and beside itself nothing is ever small.
    far = _positive(force / _positive(curvature))
    reach = jnp.where(farthest > 0, farthest, far)
    limits = jnp.where(farthest > 0, limits, norms * far)
    slope = _positive(force / reach)
    stiffness = jnp.where(curvature > 0, jnp.clip(slope, curvature, 1e4 * curvature), slope)
    return Units(norms, limits, force, curvature, reach, stiffness)


def _positive(size):
    """The sizes, 1 for zero."""
    return jnp.where(size > 0, size, 1)


def residual(program: Program, units: Units, y: Array, l: Array) -> Residual:
    """How far y with multipliers l is from the optimality conditions."""
    eps = float(jnp.finfo(y.dtype).eps)
    size = largest(jnp.abs(y))
    curved = program.curve(y)
    pushed = units.force + largest(jnp.abs(l) * units.norms)
    force = pushed + largest(jnp.abs(curved))
    force = jnp.minimum(pushed + units.curvature * size, eps ** (-1 / 3) * force)
    terms = abs(program.rows) @ jnp.abs(y)
    bounds = [jnp.abs(y) for bound in (program.lower, program.upper) if bound is not None]
    terms = jnp.concatenate([terms, *bounds]) if bounds else terms
    most = units.norms * size
    reach = units.limits + jnp.minimum(most, eps ** (-1 / 3) * terms + eps ** (1 / 6) * most)
    return Residual(
        gradient=curved + program.p + program.transposed(l),
        slack=program.limits() - program.times(y),
        force=_positive(force),
        reach=_positive(reach),
    )


def once(
    needed: Bool[Array, ""], function: Callable[..., PyTree], otherwise: PyTree, *operands: PyTree
) -> PyTree:
    """`function(*operands)` where `needed`, `otherwise` elsewhere.

    As `lax.cond`, but under `vmap` the function is run only if some element of the batch needs
    it, where a `cond` would run it for every batch. What is expensive has to come from `operands`:
    XLA takes out of a loop what is the same at every turn, and would run it always.
    """

    def body(carry):
        needed, _ = carry
        # Flat for a moment, so that matrices go in as they lie in memory: XLA would lay them out
        # as `function` reads them best, at every call.
        flat = jax.tree.map(jnp.ravel, operands)
        needed, flat = lax.optimization_barrier((needed, flat))
        now = jax.tree.map(lambda array, like: array.reshape(like.shape), flat, operands)
        return jnp.zeros_like(needed), function(*now)

    return lax.while_loop(lambda carry: carry[0], body, (needed, otherwise))[1]
