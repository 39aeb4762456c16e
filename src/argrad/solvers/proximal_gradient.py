"""Accelerated proximal gradient with restarts.

Source: Beck and Teboulle 2009; O'Donoghue and Candès 2015 for the restarts.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Scalar

from argrad.prox.term import Proximable

Vector = Float[Array, " d"]


class Approach(NamedTuple):
    """Where `accelerate` has come: y is what a proximal step returned, so that its piece is exact;
    `lipschitz` an upper estimate of the curvature of f along the last steps."""

    y: Vector
    lipschitz: Scalar
    moved: Scalar


def first_curvature(gradient: Callable[[Vector], Vector], y: Vector) -> Scalar:
    """The curvature of f at y along its gradient, a start for `accelerate` to go up from."""
    g, push = jax.linearize(gradient, y)
    square = g @ g
    curvature = jnp.abs(g @ push(g)) / jnp.where(square > 0, square, 1)
    return jnp.where((curvature > 0) & jnp.isfinite(curvature), curvature, 1)


def rounding(value: Scalar, gradient: Vector, y: Vector) -> Scalar:
    """The rounding of f(y), that is of its terms: where these cancel in f, as those of
    yᵀAy/2 − bᵀy do, they do not in yᵀ∇f."""
    return jnp.finfo(y.dtype).eps * (jnp.abs(value) + jnp.abs(gradient) @ jnp.abs(y))


def accelerate(
    objective: Callable[[Vector], Scalar],
    term: Proximable,
    y: Vector,
    lipschitz: Scalar,
    count: Int[Array, ""],
    tol: float,
) -> Approach:
    """At most `count` accelerated steps from y, fewer where they become shorter than `tol` of y.

    Each goes to prox(a − ∇f(a) / L, 1 / L) from a point a ahead of y, with L doubled until f lies
    below its quadratic model there, and halved once before the first. Momentum is dropped
    where it points back.
    """

    class Now(NamedTuple):
        y: Vector
        ahead: Vector
        momentum: Scalar
        lipschitz: Scalar
        moved: Scalar
        left: Int[Array, ""]

    def unfinished(now: Now) -> Bool[Array, ""]:
        return (now.left > 0) & (now.moved > tol * jnp.linalg.norm(now.y))

    def advance(now: Now) -> Now:
        value, g = jax.value_and_grad(objective)(now.ahead)
        slack = 20 * rounding(value, g, now.ahead)

        def step(lipschitz):
            y = term.prox(now.ahead - g / lipschitz, 1 / lipschitz)
            d = y - now.ahead
            new = objective(y)
            return y, new <= value + g @ d + lipschitz / 2 * (d @ d) + slack

        def steeper(carry):
            lipschitz = 2 * carry[0]
            return lipschitz, *step(lipschitz)

        def refused(carry):
            lipschitz, y, fits = carry
            return ~fits & jnp.all(jnp.isfinite(y)) & (lipschitz < 1e30)

        start = now.lipschitz, *step(now.lipschitz)
        lipschitz, y, _ = lax.while_loop(refused, steeper, start)
        back = (now.ahead - y) @ (y - now.y) > 0
        momentum = jnp.where(back, 1, (1 + jnp.sqrt(1 + 4 * now.momentum**2)) / 2)
        gain = jnp.where(back, 0, (now.momentum - 1) / momentum)
        moved = jnp.linalg.norm(y - now.y)
        return Now(y, y + gain * (y - now.y), momentum, lipschitz, moved, now.left - 1)

    one = jnp.ones((), y.dtype)
    start = Now(y, y, one, lipschitz / 2, jnp.inf * one, count)
    end = lax.while_loop(unfinished, advance, start)
    return Approach(end.y, end.lipschitz, end.moved)
