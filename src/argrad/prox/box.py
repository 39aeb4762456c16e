"""The indicator of a box."""

from typing import Any

import jax.numpy as jnp

from argrad.constraints import box as box_rows
from argrad.prox.pieces import Coordinates
from argrad.prox.term import Separable, largest, spread


class Box(Separable):
    """0 where lower <= y <= upper, infinite elsewhere."""

    name = "box"
    lower: Any
    upper: Any

    def value(self, y):
        inside = jnp.all((y >= self.lower) & (y <= self.upper))
        return jnp.where(inside, 0.0, jnp.inf).astype(y.dtype)

    def prox(self, v, step):
        del step
        return jnp.clip(v, self.lower, self.upper)

    def piece(self, y):
        side = jnp.where(y >= self.upper, 1, 0) - jnp.where(y <= self.lower, 1, 0)
        held = (side != 0) | (self.lower == self.upper)
        return Coordinates(~held, side.astype(jnp.int8))

    def smooth(self, y, piece):
        return jnp.zeros((), y.dtype)

    def held(self, y, piece):
        bound = jnp.where(piece.side < 0, self.lower, self.upper)
        return jnp.where(piece.free, 0, bound)

    def margins(self, y, force, step, piece):
        room = jnp.minimum(y - self.lower, self.upper - y) / spread(y)
        pressed = force * piece.side / (largest(force) + spread(y) / step)
        pressed = jnp.where(self.lower == self.upper, jnp.inf, pressed)
        return jnp.where(piece.free, room, pressed)

    def kink(self, y, force, near):
        del force
        side = jnp.where(y - self.lower <= self.upper - y, -1, 1)
        return self.piece(y).opened(near, side, -side)

    def pressed(self, piece, force):
        # Bounds that are one may part as x moves, and y goes with one of them.
        side = jnp.where(self.lower == self.upper, jnp.sign(force), piece.side)
        return Coordinates(piece.free, side.astype(jnp.int8))

    def stay(self, y, piece):
        del piece
        return jnp.clip(y, self.lower, self.upper)


def box(lower: Any = None, upper: Any = None) -> Box:
    """The indicator of lower <= y <= upper.

    Bounds are given as those of `argrad.box`, with the same errors; they may be functions
    (x, *args) -> bounds. Quicker than the constraint where y is long and its objective smooth and
    well conditioned, with no multipliers: the force on a bound is −∂f/∂y there.

    >>> import jax.numpy as jnp, argrad as ag
    >>> nearest = lambda y, x: jnp.sum((y - x) ** 2)
    >>> solve = ag.argmin(nearest, nonsmooth=ag.prox.box(0.0, 1.0))
    >>> solve(jnp.array([-1.0, 0.5, 3.0]), jnp.zeros(3))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    box_rows(lower, upper)  # for its errors
    return Box(-jnp.inf if lower is None else lower, jnp.inf if upper is None else upper)
