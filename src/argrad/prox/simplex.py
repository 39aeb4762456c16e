"""The indicator of the simplex."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Bool

from argrad.constraints import at
from argrad.prox.pieces import Kink, Piece, Support, support
from argrad.prox.term import Proximable, check_nonnegative, spread


class Balanced(Support):
    """Coordinates whose sum stays as it is."""

    def project(self, z):
        real = self.index < self.size
        centred = z - jnp.sum(jnp.where(real, z, 0)) / jnp.maximum(jnp.sum(real), 1)
        return jnp.where(real, centred, 0)


class Face(Piece):
    """The face of a simplex: coordinates that are positive, with a given sum."""

    free: Bool[Array, " d"]

    def project(self, v):
        mean = jnp.sum(jnp.where(self.free, v, 0)) / jnp.maximum(jnp.sum(self.free), 1)
        return jnp.where(self.free, v - mean, 0)

    @property
    def dimension(self):
        return jnp.sum(self.free)

    def basis(self, size):
        index = support(self.free, size).index
        return Balanced(index, self.free.size)


class Simplex(Proximable):
    """0 where y >= 0 and Σ y = total, infinite elsewhere."""

    name: ClassVar[str] = "simplex"
    total: Any

    def at(self, y, x, args):
        del y
        total = jnp.asarray(at(self.total, x, args))
        if total.shape != ():
            raise ValueError(f"simplex: total must be one number, got shape {total.shape}.")
        return Simplex(jnp.where(total > 0, total, jnp.nan))

    def value(self, y):
        eps = jnp.finfo(y.dtype).eps
        inside = jnp.all(y >= 0) & (jnp.abs(jnp.sum(y) - self.total) <= y.size * eps * self.total)
        return jnp.where(inside, 0.0, jnp.inf).astype(y.dtype)

    def prox(self, v, step):
        # Sort, find how many coordinates stay positive, and shift them all by the same number.
        del step
        ordered = jnp.sort(v)[::-1]
        excess = jnp.cumsum(ordered) - self.total
        count = jnp.arange(1, v.size + 1)
        last = jnp.sum(ordered * count > excess) - 1
        return jnp.maximum(v - excess[last] / (last + 1), 0).astype(v.dtype)

    def piece(self, y):
        return Face(y > 0)

    def smooth(self, y, piece):
        del piece
        return jnp.zeros((), y.dtype)

    def held(self, y, piece):
        share = self.total / jnp.maximum(jnp.sum(piece.free), 1)
        return jnp.where(piece.free, share, 0).astype(y.dtype)

    def margins(self, y, force, step, piece):
        level = jnp.sum(jnp.where(piece.free, force, 0)) / jnp.maximum(jnp.sum(piece.free), 1)
        scale = jnp.max(jnp.abs(force)) + spread(y) / step
        return jnp.where(piece.free, y / self.total, (level - force) / scale)

    def kink(self, y, force, near):
        del force
        free = y > 0
        return Kink(Face(free | near), Face(free & ~near), near.astype(jnp.int8))

    def stay(self, y, piece):
        return self.prox(jnp.where(piece.free, y, -jnp.inf), 1.0)


def simplex(total: Any = 1.0) -> Simplex:
    """The indicator of y >= 0, Σ y = total, over all elements of y.

    `total` is positive; it may be a function (x, *args) -> number. ValueError unless it is
    positive and finite.

    Source: Held, Wolfe and Crowder 1974, for the projection.

    >>> import jax.numpy as jnp, argrad as ag
    >>> nearest = lambda y, x: jnp.sum((y - x) ** 2)
    >>> solve = ag.argmin(nearest, nonsmooth=ag.prox.simplex())
    >>> solve(jnp.array([1.0, 0.5, -1.0]), jnp.ones(3) / 3)
    Array([0.75, 0.25, 0.  ], dtype=float32)
    """
    check_nonnegative(total, "simplex: total", strictly=True)
    return Simplex(total)
