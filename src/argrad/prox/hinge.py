"""The hinge, its square, and their duals, which are boxes with a slope."""

import abc

import jax.numpy as jnp
from jaxtyping import Array, Float

from argrad.prox.box import Box
from argrad.prox.pieces import Coordinates, Kink
from argrad.prox.term import Parameter, Separable, check_nonnegative, nonnegative, spread


class Hinge(Separable):
    """Σ_i w_i max(0, 1 − y_i)."""

    name = "hinge"
    weight: Parameter

    def at(self, y, x, args):
        return Hinge(nonnegative(super().at(y, x, args).weight))

    def value(self, y):
        return self.weight @ jnp.maximum(0, 1 - y)

    def prox(self, v, step):
        return jnp.where(v > 1, v, jnp.minimum(v + step * self.weight, 1))

    def piece(self, y):
        side = jnp.sign(1 - y).astype(jnp.int8)
        return Coordinates((side != 0) | (self.weight == 0), side)

    def smooth(self, y, piece):
        return jnp.where(piece.side > 0, self.weight, 0) @ (1 - y)

    def held(self, y, piece):
        return jnp.where(piece.free, 0, 1).astype(y.dtype)

    def margins(self, y, force, step, piece):
        # At the corner the term pushes up with any part of w, so that the force is in [−w, 0].
        weight = jnp.where(self.weight > 0, self.weight, 1)
        away = jnp.where(self.weight > 0, jnp.abs(y - 1) / spread(y), jnp.inf)
        return jnp.where(piece.free, away, jnp.minimum(-force, weight + force) / weight)

    def kink(self, y, force, near):
        side = jnp.where(-force > self.weight / 2, 1, -1)
        return self.piece(y).opened(near, side, -side)

    def stay(self, y, piece):
        return jnp.where(((1 - y) * piece.side < 0) & (self.weight > 0), 1, y)

    def dual(self) -> "HingeDual":
        """−Σ a_i on 0 <= a_i <= w_i, as a term of the dual variables a."""
        return HingeDual(self.weight)


class SquaredHinge(Separable):
    """Σ_i w_i max(0, 1 − y_i)²."""

    name = "squared_hinge"
    curved = True
    weight: Parameter

    def at(self, y, x, args):
        return SquaredHinge(nonnegative(super().at(y, x, args).weight))

    def value(self, y):
        return self.weight @ jnp.maximum(0, 1 - y) ** 2

    def prox(self, v, step):
        pull = 2 * step * self.weight
        return jnp.where(v >= 1, v, (v + pull) / (1 + pull))

    def piece(self, y):
        return Coordinates(jnp.ones(y.shape, bool), jnp.sign(1 - y).astype(jnp.int8))

    def smooth(self, y, piece):
        return jnp.where(piece.side > 0, self.weight, 0) @ (1 - y) ** 2

    def margins(self, y, force, step, piece):
        del force, step, piece
        return jnp.where(self.weight > 0, jnp.abs(y - 1) / spread(y), jnp.inf)

    def kink(self, y, force, near):
        del force
        free, side = jnp.ones(y.shape, bool), self.piece(y).side
        on = lambda here: Coordinates(free, jnp.where(near, here, side).astype(jnp.int8))
        return Kink(on(-1), on(1), near.astype(jnp.int8), bends=near)

    def dual(self) -> "SquaredHingeDual":
        """Σ a_i² / 4w_i − a_i on a_i >= 0, as a term of the dual variables a."""
        return SquaredHingeDual(self.weight)


class _InBox(Separable):
    """A smooth function less Σ_i a_i, within a box that has its pieces."""

    @property
    @abc.abstractmethod
    def _box(self) -> Box: ...

    def piece(self, y):
        return self._box.piece(y)

    def held(self, y, piece):
        return self._box.held(y, piece)

    def margins(self, y, force, step, piece):
        return self._box.margins(y, force + 1, step, piece)

    def kink(self, y, force, near):
        return self._box.kink(y, force, near)

    def pressed(self, piece, force):
        return self._box.pressed(piece, force + 1)

    def stay(self, y, piece):
        return self._box.stay(y, piece)


class HingeDual(_InBox):
    """−Σ_i a_i where 0 <= a <= w, infinite elsewhere."""

    name = "hinge.dual"
    weight: Parameter

    def at(self, y, x, args):
        return HingeDual(nonnegative(super().at(y, x, args).weight))

    @property
    def _box(self) -> Box:
        return Box(jnp.zeros_like(self.weight), self.weight)

    def value(self, y):
        return self._box.value(y) - jnp.sum(y)

    def prox(self, v, step):
        return self._box.prox(v + step, step)

    def smooth(self, y, piece):
        return -jnp.sum(y)


class Emerging(Coordinates):
    """Coordinates, of which those whose weight is 0 grow with it, to first order at this rate."""

    rate: Float[Array, " d"]


class SquaredHingeDual(_InBox):
    """Σ_i a_i² / 4w_i − a_i where a >= 0, infinite elsewhere."""

    name = "squared_hinge.dual"
    curved = True
    weight: Parameter

    def at(self, y, x, args):
        return SquaredHingeDual(nonnegative(super().at(y, x, args).weight))

    @property
    def _box(self) -> Box:
        return Box(jnp.zeros_like(self.weight), jnp.where(self.weight > 0, jnp.inf, 0))

    @property
    def _slope(self):
        """Half of the second derivative, 1/4w, where a may move at all."""
        return jnp.where(self.weight > 0, 1 / (4 * jnp.where(self.weight > 0, self.weight, 1)), 0)

    def value(self, y):
        return self._box.value(y) + jnp.sum(self._slope * y**2 - y)

    def prox(self, v, step):
        return self._box.prox((v + step) / (1 + 2 * step * self._slope), step)

    def held(self, y, piece):
        grown = piece.rate * self.weight if isinstance(piece, Emerging) else 0
        return super().held(y, piece) + grown

    def pressed(self, piece, force):
        # a = 2w (1 + u) where that is positive.
        rate = jnp.where(self.weight > 0, 0, 2 * jnp.maximum(force + 1, 0))
        return Emerging(piece.free, piece.side, rate)

    def smooth(self, y, piece):
        del piece
        return jnp.sum(self._slope * y**2 - y)


def hinge(weight: Parameter) -> Hinge:
    """Σ_i w_i max(0, 1 − y_i) over all elements of y, which are margins.

    `weight` is given as that of `l1`, with the same errors. A support-vector machine,
    min over w of ‖w‖²/2 + Σ C max(0, 1 − s_i x_iᵀw), is smooth but for a box in its dual

        min over a of ‖Σ_i a_i s_i x_i‖²/2 − Σ a_i   subject to  0 <= a_i <= C

    whose second term, with the box, is `hinge(C).dual()`. Then w = Σ a_i s_i x_i.

    >>> import jax.numpy as jnp, argrad as ag
    >>> rows = jnp.array([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]])  # s_i x_i
    >>> half = lambda a, C: jnp.sum((a @ rows) ** 2) / 2
    >>> dual = ag.argmin(half, nonsmooth=ag.prox.hinge(lambda C: C).dual())
    >>> (dual(0.2, jnp.zeros(3)) @ rows).round(3)
    Array([0.5 , 0.25], dtype=float32)
    """
    check_nonnegative(weight, "hinge: weight")
    return Hinge(weight)


def squared_hinge(weight: Parameter) -> SquaredHinge:
    """Σ_i w_i max(0, 1 − y_i)² over all elements of y, which are margins.

    `weight` is given as that of `l1`, with the same errors. `.dual()` is Σ a_i² / 4w_i − a_i on
    a >= 0, for the dual of a support-vector machine; see `hinge`.

    >>> import jax.numpy as jnp, argrad as ag
    >>> solve = ag.argmin(lambda y, x: jnp.sum(y**2) / 2, nonsmooth=ag.prox.squared_hinge(0.5))
    >>> solve(0.0, jnp.zeros(2))
    Array([0.5, 0.5], dtype=float32)
    """
    check_nonnegative(weight, "squared_hinge: weight")
    return SquaredHinge(weight)
