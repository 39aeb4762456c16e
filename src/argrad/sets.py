"""Sets as constraints: the simplex, balls and spheres of three norms."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.constraints import (
    INACTIVE,
    STRONGLY_ACTIVE,
    WEAKLY_ACTIVE,
    Constraint,
    Piecewise,
    at,
    bounds,
    concrete,
)

_NORMS = (1, 2, math.inf)


class Simplex(Constraint):
    """y >= 0 and Σ y = total."""

    total: Any
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        total = sum(jnp.sum(v) for v in jax.tree.leaves(y))
        return total - _number(self.total, x, args, "total"), jax.tree.map(jnp.negative, y)

    def inside(self, y, x, args):
        positive = jax.tree.map(lambda v: jnp.maximum(v, 0), y)
        flat, unravel = ravel_pytree(positive)
        mean = _number(self.total, x, args, "total") / flat.size
        flat = jnp.where(jnp.sum(flat) > 0, flat / jnp.sum(flat), 0) * mean * flat.size
        return unravel((0.9 * flat + 0.1 * mean).astype(flat.dtype))


class Round(Constraint):
    """‖y − centre‖₂ <= radius or = radius, squared so that it is smooth."""

    radius: Any
    centre: Any
    surface: bool = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        offset = _offset(self.centre, y, x, args)
        radius = _number(self.radius, x, args, "radius")
        excess = offset @ offset - radius * jnp.abs(radius)  # infeasible where it is negative
        return (excess, None) if self.surface else (None, excess)

    def inside(self, y, x, args):
        """The surface has no normal at its centre: start off it."""
        if not self.surface:
            return y
        flat, unravel = ravel_pytree(y)
        offset = _offset(self.centre, y, x, args)
        radius = jnp.abs(_number(self.radius, x, args, "radius"))
        # No structured problem is symmetric about this direction.
        aside = jnp.cos(jnp.arange(flat.size, dtype=flat.dtype) ** 2 + 1)
        size = jnp.linalg.norm(offset)
        aside = radius * aside / jnp.linalg.norm(aside)
        return unravel(jnp.where(size > 1e-3 * radius, flat, flat + aside).astype(flat.dtype))


class Cube(Constraint):
    """max |y − centre| <= radius."""

    radius: Any
    centre: Any
    name: str | None = eqx.field(static=True)

    def rows(self, y, x, args):
        radius = _number(self.radius, x, args, "radius")
        centre = bounds(self.centre, y, x, args, f"{self.name}: centre")
        lower = jax.tree.map(lambda v, c: c - radius - v, y, centre)
        return None, {"lower": lower, "upper": jax.tree.map(lambda v, c: v - c - radius, y, centre)}


class OneNorm(Piecewise):
    """Σ |y_i − c_i| <= radius or = radius, orthant by orthant.

    In the orthant with signs σ: σᵀ(y − c) <= radius or = radius, and σ_i (y_i − c_i) >= 0. With
    multipliers λ of the first and ν_i of the others, ν_i = λ + σ_i ∂f/∂y_i where y_i = c_i, and
    the other side of c_i is better just where ν_i > 2 λ. Where σ_i = 0, y_i may have either sign:
    inside a ball, c_i is nothing special.
    """

    radius: Any
    centre: Any
    surface: bool = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def rows_on(self, piece, y, x, args):
        offset, unravel = _offset(self.centre, y, x, args), ravel_pytree(y)[1]
        inward = -piece * offset
        size = jnp.sum(jnp.where(piece == 0, jnp.abs(offset), -inward))
        excess = size - _number(self.radius, x, args, "radius")
        orthant = unravel(jnp.where(piece == 0, -1, inward).astype(offset.dtype))
        if self.surface:
            return excess, {"orthant": orthant}
        return None, {"norm": excess, "orthant": orthant}

    @staticmethod
    def probe(size):
        return jnp.ones(size, jnp.int8)

    @staticmethod
    def first(rows_at, gradient):
        offset = _above(rows_at, gradient.size)
        return _sign(jnp.where(offset == 0, -gradient, offset))

    @staticmethod
    def better(piece, rows_at, multipliers, activity):
        outer = multipliers[0] if _on_surface(multipliers) else multipliers[1]["norm"]
        nu, activity_nu = _flat(multipliers[1]["orthant"]), _flat(activity["orthant"])
        # Flipped beyond λ, not 2 λ: that side where ν_i goes to zero as y_i gets free. Beyond
        # 1.5 λ, so that rounding cannot flip it back, to λ/2.
        pressed = (activity_nu == STRONGLY_ACTIVE) | (_on_surface(multipliers) & (outer < 0))
        flips = (activity_nu != INACTIVE) & pressed & (nu > 1.5 * outer)
        found = jnp.where(flips, -piece, piece)
        if _on_surface(multipliers):
            return found
        within = activity["norm"] == INACTIVE
        settled = within & ~jnp.any(flips)
        found = jnp.where(settled & (activity_nu == WEAKLY_ACTIVE), 0, found)
        side = _sign(_above(rows_at, piece.size))
        return jnp.where((piece == 0) & ~within, side, found).astype(piece.dtype)

    @staticmethod
    def undecided(multipliers, activity, tol):
        outer = multipliers[0] if _on_surface(multipliers) else multipliers[1]["norm"]
        met = _on_surface(multipliers) or activity["norm"] != INACTIVE
        return met & (jnp.abs(outer) <= tol) & jnp.any(_flat(activity["orthant"]) != INACTIVE)


class CubeSurface(Piecewise):
    """max |y_i − c_i| = radius, face by face.

    On the face of ±e_k: ±(y_k − c_k) = radius and |y_j − c_j| <= radius for the others. Where
    several reach the radius, all multipliers must be >= 0, that of the face included: otherwise
    y_k moves inwards and another coordinate is the face.
    """

    radius: Any
    centre: Any
    name: str | None = eqx.field(static=True)

    def rows_on(self, piece, y, x, args):
        offset, unravel = _offset(self.centre, y, x, args), ravel_pytree(y)[1]
        radius = _number(self.radius, x, args, "radius")
        row = lambda v: unravel(jnp.where(piece == 0, v - radius, -1).astype(offset.dtype))
        return piece @ offset - radius, {"lower": row(-offset), "upper": row(offset)}

    @staticmethod
    def probe(size):
        return jnp.zeros(size, jnp.int8)

    @staticmethod
    def first(rows_at, gradient):
        below = rows_at(CubeSurface.probe(gradient.size))[1]
        offset = (_flat(below["upper"]) - _flat(below["lower"])) / 2
        size = jnp.abs(offset)
        sign = _sign(jnp.where(offset == 0, -gradient, offset))
        farthest = size >= jnp.max(size)
        return _face(jnp.where(farthest, -sign * gradient, -jnp.inf), sign)

    @staticmethod
    def better(piece, rows_at, multipliers, activity):
        del rows_at
        face, below = multipliers
        lower, upper = _flat(below["lower"]), _flat(below["upper"])
        above = _flat(activity["upper"]) != INACTIVE
        reached = above | (_flat(activity["lower"]) != INACTIVE)
        force = jnp.where(reached, jnp.where(above, upper, lower), -jnp.inf)
        margin = 1e-3 * jnp.maximum(jnp.abs(face), jnp.max(jnp.where(reached, force, 0)))
        other = _face(force, jnp.where(above, 1, -1))
        return jnp.where(jnp.max(force) > face + margin, other, piece)

    @staticmethod
    def undecided(multipliers, activity, tol):
        reached = [jnp.any(_flat(activity[side]) != INACTIVE) for side in ("lower", "upper")]
        return (jnp.abs(multipliers[0]) <= tol) & (reached[0] | reached[1])


def simplex(total: Any = 1.0, *, name: str | None = None) -> Simplex:
    """y >= 0 and Σ y = total, over all elements of y; `total` may be a function (x, *args).

    Rows: Σ y − total = 0 and −y <= 0, so multipliers are a pair (one number, shaped like y).
    ValueError for a total that is not positive, or not one number.

    >>> import jax.numpy as jnp, argrad as ag
    >>> project = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
    >>> project(jnp.array([1.0, 0.5, -1.0]), jnp.ones(3) / 3).round(2)
    Array([0.75, 0.25, 0.  ], dtype=float32)
    """
    _check_positive(total, "simplex", "total")
    return Simplex(total=total, name=name or "simplex")


def ball(
    radius: Any = 1.0, *, norm: float = 2, centre: Any = 0.0, name: str | None = None
) -> Constraint:
    """‖y − centre‖ <= radius over all elements of y, in the norm 1, 2 or jnp.inf.

    `radius` is one number, `centre` whatever a bound of `box` may be: a number, an array that
    broadcasts against y, a pytree of them with the structure of y; each may be a function
    (x, *args) -> any of these. ValueError for other norms and for a radius that is not positive
    and finite; where it becomes negative at run time, the solve is infeasible.

    Rows g <= 0, and so multipliers, by norm:

    - 2: ‖y − c‖² − r², one number.
    - jnp.inf: `lower`, c − r − y, and `upper`, y − c − r, both shaped like y.
    - 1: `norm`, Σ |y_i − c_i| − r, and `orthant`, −σ_i (y_i − c_i), shaped like y, with the signs σ
      of the orthant that the solution lies in, found by going from orthant to orthant as long as
      f falls. A coordinate stays at c_i exactly where its multiplier is positive. Inside the ball
      rows of coordinates at c_i are void (−1).

    The 1-norm knows nothing of other constraints that hold a coordinate to its centre too (a box
    with a bound there): rows then depend on each other, and derivatives raise.

    >>> import jax.numpy as jnp, argrad as ag
    >>> sparse = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.ball(2.5, norm=1)])
    >>> sparse(jnp.array([3.0, -1.0, 0.25]), jnp.zeros(3)).round(2)  # soft thresholding
    Array([ 2.25, -0.25,  0.  ], dtype=float32)
    """
    _check(radius, norm, centre, "ball")
    if norm == 2:
        return Round(radius=radius, centre=centre, surface=False, name=name or "ball")
    if norm == 1:
        return OneNorm(radius=radius, centre=centre, surface=False, name=name or "ball")
    return Cube(radius=radius, centre=centre, name=name or "ball")


def sphere(
    radius: Any = 1.0, *, norm: float = 2, centre: Any = 0.0, name: str | None = None
) -> Constraint:
    """‖y − centre‖ = radius over all elements of y, in the norm 1, 2 or jnp.inf.

    Parameters and errors are those of `ball`. A sphere is not convex: the solution is a local one,
    reached from the start, which counts for more than elsewhere.

    Rows, and so multipliers, by norm:

    - 2: ‖y − c‖² − r² = 0, one number.
    - 1: a pair of Σ |y_i − c_i| − r = 0 and `orthant`, −σ_i (y_i − c_i) <= 0, as for `ball`.
    - jnp.inf: a pair of ±(y_k − c_k) − r = 0, where ±e_k is the face that the solution lies on,
      and `lower`, `upper` as for `ball`, void (−1) for k. At an edge or corner the face is the
      one with the largest multiplier.

    >>> import jax.numpy as jnp, argrad as ag
    >>> nearest = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.sphere(2.5)])
    >>> nearest(jnp.array([0.3, 0.4]), jnp.ones(2)).round(2)
    Array([1.5, 2. ], dtype=float32)
    """
    _check(radius, norm, centre, "sphere")
    if norm == 2:
        return Round(radius=radius, centre=centre, surface=True, name=name or "sphere")
    if norm == 1:
        return OneNorm(radius=radius, centre=centre, surface=True, name=name or "sphere")
    return CubeSurface(radius=radius, centre=centre, name=name or "sphere")


def _check(radius: Any, norm: float, centre: Any, kind: str) -> None:
    if norm not in _NORMS:
        raise ValueError(f"{kind}: norm must be 1, 2 or jnp.inf, got {norm!r}.")
    _check_positive(radius, kind, "radius")
    for c in concrete(centre) or ():
        if not np.all(np.isfinite(c)):
            raise ValueError(f"{kind}: centre must be finite, got {c}.")


def _check_positive(value: Any, kind: str, what: str) -> None:
    known = concrete(value)
    if known is None:
        return
    if len(known) != 1 or known[0].shape != ():
        raise ValueError(f"{kind}: {what} must be one number, got {value!r}.")
    if not (known[0] > 0 and np.isfinite(known[0])):
        raise ValueError(f"{kind}: {what} must be positive and finite, got {known[0]:g}.")


def _number(value: Any, x: PyTree, args: tuple, what: str) -> Float[Array, ""]:
    value = jnp.asarray(at(value, x, args))
    if value.shape != ():
        raise ValueError(f"{what} must be one number, got an array of shape {value.shape}.")
    return value


def _offset(centre: Any, y: PyTree, x: PyTree, args: tuple) -> Float[Array, " d"]:
    """y − centre, flat."""
    return ravel_pytree(y)[0] - ravel_pytree(bounds(centre, y, x, args, "centre"))[0]


def _flat(tree: PyTree) -> Array:
    return ravel_pytree(tree)[0]


def _sign(v: Array) -> Array:
    """−1 or 1, never 0."""
    return jnp.where(v < 0, -1, 1).astype(jnp.int8)


def _above(rows_at, size: int) -> Float[Array, " d"]:
    """y − c of a `OneNorm`."""
    return -_flat(rows_at(OneNorm.probe(size))[1]["orthant"])


def _face(force: Float[Array, " d"], sign: Array) -> Array:
    """The coordinate with the largest force, with its sign; all others zero."""
    chosen = jnp.arange(force.size) == jnp.argmax(force)
    return jnp.where(chosen, sign, 0).astype(jnp.int8)


def _on_surface(multipliers) -> bool:
    return multipliers[0] is not None
