"""Sets as constraints: the simplex, balls and spheres of three norms."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from argrad.constraints import Constraint, at, bounds, concrete

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


def simplex(total: Any = 1.0, *, name: str | None = None) -> Simplex:
    """y >= 0 and Σ y = total, over all elements of y; `total` may be a function (x, *args).

    Rows: Σ y − total = 0 and −y <= 0, so multipliers are a pair (one number, shaped like y).
    ValueError for a total that is not positive, or not one number.

    >>> import jax.numpy as jnp, argrad as ag
    >>> project = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.simplex()])
    >>> project(jnp.array([1.0, 0.5, -1.0]), jnp.ones(3) / 3).round(3)
    Array([0.75, 0.25, 0.  ], dtype=float32)
    """
    _check_positive(total, "simplex", "total")
    return Simplex(total=total, name=name or "simplex")


def ball(
    radius: Any = 1.0, *, norm: float = 2, centre: Any = 0.0, name: str | None = None
) -> Constraint:
    """‖y − centre‖ <= radius over all elements of y, in the 2- or the ∞-norm.

    `radius` is one number, `centre` whatever a bound of `box` may be: a number, an array that
    broadcasts against y, a pytree of them with the structure of y; each may be a function
    (x, *args) -> any of these. Rows: ‖y − c‖₂² − r² <= 0, one number; for the ∞-norm
    c − r − y <= 0 and y − c − r <= 0, a dictionary with `lower` and `upper` shaped like y.

    ValueError for other norms and for a radius that is not positive and finite; where it becomes
    negative at run time, the solve is infeasible.

    >>> import jax.numpy as jnp, argrad as ag
    >>> nearest = ag.argmin(lambda y, x: jnp.sum((y - x) ** 2), subject_to=[ag.ball(2.5)])
    >>> nearest(jnp.array([3.0, 4.0]), jnp.zeros(2)).round(3)
    Array([1.5, 2. ], dtype=float32)
    """
    _check(radius, norm, centre, "ball")
    if norm == 2:
        return Round(radius=radius, centre=centre, surface=False, name=name or "ball")
    return Cube(radius=radius, centre=centre, name=name or "ball")


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
