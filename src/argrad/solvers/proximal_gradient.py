"""Accelerated proximal gradient with restarts.

Source: Beck and Teboulle 2009; O'Donoghue and Candès 2015 for the restarts.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Scalar

from argrad.prox.term import Proximable

Vector = Float[Array, " d"]


# (a and what else is known of f there, L) -> the same at prox(a − ∇f(a) / L, 1 / L), and the
# curvature of f that was met on the way, negative where all of it may be rounding
Look = Callable[[Float[Array, "m d"], Scalar], tuple[Float[Array, "m d"], Scalar]]


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


def looking(objective: Callable[[Vector], Scalar], term: Proximable) -> Look:
    """The proximal steps of f + g, for a smooth f of which a is all that is known."""

    def look(ahead, lipschitz):
        (a,) = ahead
        value, g = jax.value_and_grad(objective)(a)
        y = term.prox(a - g / lipschitz, 1 / lipschitz)
        d = y - a
        slope, square, terms = jnp.sum(jnp.stack([g * d, d * d, jnp.abs(g * a)]), 1)
        slack = 20 * jnp.finfo(y.dtype).eps * (jnp.abs(value) + terms)
        above = objective(y) - value - slope - slack
        return y[None], 2 * above / jnp.where(square > 0, square, 1)

    return look


def accelerate(
    look: Look, start: Float[Array, "m d"], lipschitz: Scalar, count: Array, tol: float
) -> tuple[Float[Array, "m d"], Scalar]:
    """At most `count` accelerated steps, fewer where they become shorter than `tol` of y; with an
    upper estimate of the curvature of f along the last of them.

    The first row of `start` is y, and what prox returns at the end; others are of anything that
    is affine in y. Each step goes from a point ahead of y, with L increased until f lies below its
    quadratic model there. Momentum is dropped where it points back.
    """

    # A step that is refused is tried again by the next turn of the loop: a loop within it would be
    # compiled beside it. Scalars share an array, and so do the terms of inner products.
    def unfinished(carry):
        return carry[-1][-1] > 0

    def advance(carry):
        last, here, numbers = carry
        momentum, gain, lipschitz, left = jnp.unstack(numbers)
        ahead = here + gain * (here - last)
        new, curvature = look(ahead, lipschitz)
        y, moved = new[0], new[0] - here[0]
        terms = jnp.stack([(y - ahead[0]) * moved, moved * moved, y * y])
        forward, step, size = jnp.sum(terms, 1)
        fits = (curvature <= lipschitz) | ~jnp.isfinite(size) | (lipschitz > 1e30)
        later = jnp.where(forward < 0, 1, (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2)
        later_gain = jnp.where(forward < 0, 0, (momentum - 1) / later)
        going = jnp.where(step > tol**2 * size, left - 1, 0)
        steeper = jnp.fmax(jnp.fmin(curvature / lipschitz, 8), 1.25) * lipschitz
        taken, refused = [later, later_gain, lipschitz, going], [momentum, gain, steeper, left]
        numbers = jnp.where(fits, jnp.stack(taken), jnp.stack(refused))
        return jnp.where(fits, here, last), jnp.where(fits, new, here), numbers

    one = jnp.ones((), start.dtype)
    numbers = jnp.stack([one, 0 * one, lipschitz, count.astype(start.dtype)])
    _, end, numbers = lax.while_loop(unfinished, advance, (start, start, numbers))
    return end, numbers[2]
