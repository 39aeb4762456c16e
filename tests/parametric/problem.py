"""A constrained problem with parameters: y*(p) = argmin f(y, p) under equalities and inequalities.

Nothing here makes a JAX array on import: pytest imports these files in float32, and runs them in
float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

Point = tuple[float, ...]
Bounds = Point | Callable | None


class Parametric(NamedTuple):
    """min f(y, p) s.t. h(y, p) = 0, g(y, p) ≤ 0, lower ≤ y ≤ upper; y is (n,), p is (k,).

    The Lagrangian is f + λ'h + μ'c, where c stacks g, lower − y and y − upper: see `rows`. μ ≥ 0
    has one entry for each row of c, the 2n of the bounds always included; it is zero where a
    bound is infinite.

    At every one of `points` the derivatives of y*, λ and μ exist. At a kink an inequality is
    weakly active: its slack and its multiplier are both zero. Points on both sides of a kink, with
    different active sets, differ from it by 1e-3·(1 + |kink|) at most.
    """

    name: str
    objective: Callable
    start: Point
    points: tuple[Point, ...]
    equality: Callable | None = None
    inequality: Callable | None = None
    lower: Bounds = None  # numbers, or a function of p; ±inf where there is none
    upper: Bounds = None
    kinks: tuple[Point, ...] = ()
    exact: Callable | None = None  # p -> y*(p), right away from kinks
    exact_multipliers: Callable | None = None  # p -> (λ, μ), right away from kinks

    @property
    def n(self) -> int:
        return len(self.start)


def bounds(problem, p):
    """The lower and the upper bounds, (n,) each, infinite where there are none."""

    def values(bound, default):
        if bound is None:
            return jnp.full(problem.n, default)
        return jnp.asarray(bound(p) if callable(bound) else bound, dtype=float)

    return values(problem.lower, -jnp.inf), values(problem.upper, jnp.inf)


def equalities(problem, y, p):
    """h(y, p), of length zero if there are none."""
    return jnp.zeros(0) if problem.equality is None else problem.equality(y, p)


def rows(problem, y, p):
    """All inequalities c(y, p) ≤ 0: g, then lower − y, then y − upper; −inf for no bound."""
    g = jnp.zeros(0) if problem.inequality is None else problem.inequality(y, p)
    lower, upper = bounds(problem, p)
    return jnp.concatenate([g, lower - y, y - upper])


def multipliers(n, g=(), lower=None, upper=None):
    """μ in the order of `rows`, zeros for what is not given."""
    zeros = jnp.zeros(n)
    return jnp.concatenate(
        [
            jnp.atleast_1d(jnp.asarray(g, dtype=float)),
            zeros if lower is None else lower,
            zeros if upper is None else upper,
        ]
    )


def astride(kink, direction, *distances):
    """The points kink ∓ t·direction, for each distance t."""
    return tuple(
        tuple(float(a + side * t * b) for a, b in zip(kink, direction, strict=True))
        for t in distances
        for side in (-1, 1)
    )
