"""Accelerated proximal gradient with restarts.

Source: Beck and Teboulle 2009; O'Donoghue and Candès 2015 for the restarts.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Scalar

from argrad.linalg.together import together
from argrad.prox.term import Proximable

Vector = Float[Array, " d"]


# (a and what else is known of f there, L) -> the same at y = prox(a − ∇f(a) / L, 1 / L); arrays;
# and of the sums of these a function, the curvature of f that was met on the way from a, negative
# where all of it may be rounding
Look = Callable[
    [Float[Array, "m d"], Scalar],
    tuple[Float[Array, "m d"], list[Vector], Callable[..., Scalar]],
]


def first_curvature(gradient: Callable[[Vector], Vector], y: Vector) -> Scalar:
    """The curvature of f at y along its gradient, a start for `accelerate` to go up from."""
    g, push = jax.linearize(gradient, y)
    square, bend = together([g * g, g * push(g)])
    curvature = jnp.abs(bend) / jnp.where(square > 0, square, 1)
    return jnp.where((curvature > 0) & jnp.isfinite(curvature), curvature, 1)


def no_higher(height: Scalar, value: Scalar, terms: Scalar) -> Scalar:
    """Where f + g ends that is `height` but for rounding, for f = `value` and Σ |∂f/∂y_j y_j|."""
    eps = jnp.finfo(height.dtype).eps
    return height + 10 * eps * (jnp.abs(value) + terms + jnp.abs(height))


def looking(objective: Callable[[Vector], Scalar], term: Proximable) -> Look:
    """The proximal steps of f + g, for a smooth f of which a is all that is known."""

    def look(ahead, lipschitz):
        (a,) = ahead
        value, g = jax.value_and_grad(objective)(a)
        y = term.prox(a - g / lipschitz, 1 / lipschitz)
        d = y - a
        new = objective(y)

        def curvature(slope, square, terms):
            slack = 20 * jnp.finfo(y.dtype).eps * (jnp.abs(value) + terms)
            return 2 * (new - value - slope - slack) / jnp.where(square > 0, square, 1)

        return y[None], [g * d, d * d, jnp.abs(g * a)], curvature

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
    # compiled beside it. Arrays share one where they can, as each is compiled by itself.
    def unfinished(carry):
        return carry[1][-1] > 0

    def advance(carry):
        places, numbers = carry
        last, here = places
        momentum, gain, lipschitz, left = jnp.unstack(numbers)
        ahead = here + gain * (here - last)
        new, arrays, curvature = look(ahead, lipschitz)
        y, moved = new[0], new[0] - here[0]
        sums = together([(y - ahead[0]) * moved, moved * moved, y * y, *arrays])
        forward, step, size = sums[:3]
        bend = curvature(*sums[3:])
        fits = (bend <= lipschitz) | ~jnp.isfinite(size) | (lipschitz > 1e30)
        later = jnp.where(forward < 0, 1, (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2)
        later_gain = jnp.where(forward < 0, 0, (momentum - 1) / later)
        going = jnp.where(step > tol**2 * size, left - 1, 0)
        steeper = jnp.fmax(jnp.fmin(bend / lipschitz, 8), 1.25) * lipschitz
        taken, refused = [later, later_gain, lipschitz, going], [momentum, gain, steeper, left]
        numbers = jnp.where(fits, jnp.stack(taken), jnp.stack(refused))
        return jnp.where(fits, jnp.stack([here, new]), places), numbers

    one = jnp.ones((), start.dtype)
    numbers = jnp.stack([one, 0 * one, lipschitz, count.astype(start.dtype)])
    places = jnp.stack([start, start])
    (_, end), numbers = lax.while_loop(unfinished, advance, (places, numbers))
    return end, numbers[2]
