"""The form in which a problem of the collection is stated, and two ways to write its functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar


class Program(NamedTuple):
    """min f(y) subject to h(y) = 0, g(y) <= 0 and lower <= y <= upper.

    The collection writes g(y) >= 0; signs are turned here. `optimum` is refined beyond the digits
    printed in 1981. `minimiser` is None where several points share that value.
    """

    name: str
    objective: Callable[[Float[Array, " d"]], Scalar]
    start: tuple[float, ...]  # may violate constraints and bounds
    optimum: float
    equality: Callable[[Float[Array, " d"]], Float[Array, " p"]] | None = None
    inequality: Callable[[Float[Array, " d"]], Float[Array, " q"]] | None = None
    lower: tuple[float, ...] | None = None
    upper: tuple[float, ...] | None = None
    minimiser: tuple[float, ...] | None = None
    other_optima: tuple[float, ...] = ()  # values of further local minima, where known
    note: str = ""


def scalar(statement):
    """y ↦ f(y₁, …, y_d), so that variables can be numbered from one, as the collection does."""
    return lambda y: statement(*y)


def rows(statement):
    """y ↦ the vector of the constraints that f(y₁, …, y_d) lists."""
    return lambda y: jnp.stack(statement(*y))


def within(low, value, high):
    """low <= value <= high as two rows."""
    return [low - value, value - high]
