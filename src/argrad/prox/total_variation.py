"""Total variation of a sequence."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int8

from argrad.constraints import at
from argrad.prox.pieces import Kink, Piece, Shares
from argrad.prox.term import Parameter, Proximable, check_nonnegative, nonnegative, spread

Vector = Float[Array, " d"]


class Segments(Piece):
    """Sequences that are constant but for `jumps`, up or down as `sign` says."""

    jumps: Bool[Array, " d-1"]
    sign: Int8[Array, " d-1"]

    def project(self, v):
        basis = self.basis(v.size)
        return basis.embed(basis.restrict(v))

    @property
    def dimension(self):
        return jnp.sum(self.jumps) + 1

    def parts(self, v):
        return jnp.diff(v)

    def basis(self, size):
        segment = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(self.jumps)])
        lengths = jax.ops.segment_sum(jnp.ones(segment.size), segment, size)
        # Scaled so that the sequence is as long as its numbers.
        share = 1 / jnp.sqrt(jnp.maximum(lengths, 1))
        return Shares(segment, share[segment], self.dimension, size)


class TotalVariation(Proximable):
    """Σ_i w_i |y_{i+1} − y_i|."""

    name: ClassVar[str] = "total_variation"
    weight: Parameter

    def at(self, y, x, args):
        flat, _ = ravel_pytree(y)
        weight = jnp.asarray(at(self.weight, x, args), flat.dtype)
        if weight.shape not in ((), (flat.size - 1,)):
            raise ValueError(
                f"total_variation: weight has shape {weight.shape}; it must be one number or have "
                f"one for each of the {flat.size - 1} differences of neighbours."
            )
        return TotalVariation(nonnegative(jnp.broadcast_to(weight, (flat.size - 1,))))

    def value(self, y):
        return self.weight @ jnp.abs(jnp.diff(y))

    def prox(self, v, step):
        return v if v.size == 1 else denoise(v, step * self.weight)

    def piece(self, y):
        sign = jnp.sign(jnp.diff(y)).astype(jnp.int8)
        return Segments((sign != 0) | (self.weight == 0), sign)

    def smooth(self, y, piece):
        return (self.weight * piece.sign) @ jnp.diff(y)

    def margins(self, y, force, step, piece):
        del step
        jumps = jnp.abs(jnp.diff(y)) / spread(y)
        # What the neighbours press each other with, by the sum of all forces to the left.
        pressed = jnp.abs(jnp.cumsum(force)[:-1]) / jnp.where(self.weight > 0, self.weight, 1)
        moving = jnp.where(self.weight > 0, jumps, jnp.inf)
        return jnp.where(piece.jumps, moving, 1 - pressed)

    def kink(self, y, force, near):
        piece = self.piece(y)
        toward = jnp.where(near, -jnp.sign(jnp.cumsum(force)[:-1]), 0).astype(jnp.int8)
        sign = jnp.where(near, toward, piece.sign)
        return Kink(Segments(piece.jumps | near, sign), Segments(piece.jumps & ~near, sign), toward)


def denoise(v: Vector, weight: Float[Array, " d-1"]) -> Vector:
    """argmin over y of ‖y − v‖² / 2 + Σ_i w_i |y_{i+1} − y_i|, exactly, in a time linear in d.

    By dynamic programming: the derivative of the optimal value of the first i terms, as a function
    of y_i, is piecewise linear and increasing; the next difference clips it to ± w_i. Its knots are
    kept in a queue with two ends, that clipping shortens and lengthens. Going back, each element
    is the next one clipped to where its derivative lies between ± w_i, so that the elements of a
    segment are equal to the last bit.

    Source: Johnson 2013.
    """
    d, dtype = v.size, v.dtype
    one = jnp.ones((), dtype)

    # One loop that crosses a knot or adds one in each turn, on the left of the queue and then on
    # its right: XLA copies all knots for a loop inside a loop.
    class Turn(NamedTuple):
        knots: Array  # place, and the change of slope and of intercept there, left to right
        knot: Array  # the one that is looked at next, read after what is written
        limits: Array
        i: Array
        right: Array
        first: Array
        last: Array
        slope: Array
        intercept: Array

    def unfinished(turn):
        return turn.i < d - 1

    def advance(turn):
        w = weight[turn.i]
        level = jnp.where(turn.right, w, -w)
        at = jnp.where(turn.right, turn.last, turn.first)
        knot = turn.knot
        there = turn.slope * knot[0] + turn.intercept
        crossed = jnp.where(turn.right, there > level, there <= level)
        crossed &= turn.first + turn.right <= turn.last  # not the knot just added on the left
        inwards = jnp.where(turn.right, -1, 1)
        outwards = jnp.where(crossed, 0, -inwards)

        # A crossed knot is written back as it was.
        place = (level - turn.intercept) / turn.slope
        added = jnp.stack([place, turn.slope, turn.intercept - level])
        signed = jnp.where(turn.right, -1, 1) * jnp.array([0, 1, 1]) + jnp.array([1, 0, 0])
        written = jnp.where(crossed, knot, added * signed)
        knots = lax.dynamic_update_slice(turn.knots, written[None], (at + outwards, 0))
        side = turn.right.astype(int)
        limits = lax.dynamic_update_slice(turn.limits, place[None, None], (turn.i, side))

        move = jnp.where(crossed, inwards, outwards)
        done = turn.right & ~crossed
        i = turn.i + done
        # After the left comes the right, and after it the next element's left.
        slope = jnp.where(crossed, turn.slope + inwards * knot[1], one)
        start = jnp.where(turn.right, -w, jnp.where(turn.i > 0, weight[turn.i - 1], 0)) - v[i]
        intercept = jnp.where(crossed, turn.intercept + inwards * knot[2], start)
        right = turn.right ^ ~crossed
        first = turn.first + jnp.where(turn.right, 0, move)
        last = turn.last + jnp.where(turn.right, move, 0)
        knot = lax.dynamic_slice(knots, (jnp.where(right, last, first), 0), (1, 3))[0]
        return Turn(knots, knot, limits, i, right, first, last, slope, intercept)

    empty = Turn(
        jnp.zeros((2 * d, 3), dtype), jnp.zeros(3, dtype), jnp.zeros((d, 2), dtype),
        jnp.array(0), jnp.array(False), jnp.array(d), jnp.array(d - 1), one, -v[0],
    )  # fmt: skip
    turn = lax.while_loop(unfinished, advance, empty)

    def below(carry):
        first, slope, intercept = carry
        return (first <= turn.last) & (slope * turn.knots[first, 0] + intercept <= 0)

    def cross(carry):
        first, slope, intercept = carry
        return first + 1, slope + turn.knots[first, 1], intercept + turn.knots[first, 2]

    _, slope, intercept = lax.while_loop(below, cross, (turn.first, turn.slope, turn.intercept))
    end = -intercept / slope

    def back(after, limits):
        y = jnp.clip(after, limits[0], limits[1])
        return y, y

    _, y = lax.scan(back, end, turn.limits[:-1], reverse=True)
    return jnp.append(y, end)


def total_variation(weight: Parameter) -> TotalVariation:
    """Σ_i w_i |y_{i+1} − y_i| over the elements of y in their order.

    `weight` is one number, or has one for each difference of neighbours (d − 1 of them); it may
    be a function (x, *args) -> either. ValueError for weights that are negative or not finite.

    The solution is constant on segments, and its derivative is that of a problem with one number a
    segment: for ½‖y − b‖² the Jacobian ∂y*/∂b is the projection on sequences that are constant
    there. Kinks are segments about to merge or to break.

    Source: Rudin, Osher and Fatemi 1992; Johnson 2013 for the proximal operator.

    >>> import jax, jax.numpy as jnp, argrad as ag
    >>> fit = lambda y, x: jnp.sum((y - x["signal"]) ** 2) / 2
    >>> solve = ag.argmin(fit, nonsmooth=ag.prox.total_variation(lambda x: x["weight"]))
    >>> x = {"signal": jnp.array([0.0, 0.5, 6.0, 6.5]), "weight": 1.0}
    >>> solve(x, jnp.zeros(4))
    Array([0.75, 0.75, 5.75, 5.75], dtype=float32)
    >>> print(jax.jacobian(solve)(x, jnp.zeros(4))["weight"].round(3))
    [ 0.5  0.5 -0.5 -0.5]
    """
    check_nonnegative(weight, "total_variation: weight")
    return TotalVariation(weight)
