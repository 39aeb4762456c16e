"""Linear programs with nondegenerate vertices. At a kink the vertex is degenerate, and the
multipliers jump."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride, multipliers

# Standard form, p = (b₁, b₂, price): max price·y₁ + 2y₂ with two resources and their slacks. The
# bases, as b₂ grows: y₂ alone, both, y₁ alone.


def _standard(p):
    first = jnp.clip((p[1] - 0.5 * p[0]) / 1.5, 0.0, p[0])
    second = jnp.where(first > 0, p[0] - first, 2 * p[1])
    return jnp.stack(
        [first, second, p[0] - first - second, p[1] - 2 * first - 0.5 * second],
    )


def _standard_multipliers(p):
    y = _standard(p)
    both = jnp.stack([2 - (p[2] - 2) / 3, (p[2] - 2) / 1.5])
    value = jnp.where(y[0] == 0, jnp.array([0.0, 4.0]), both)
    value = jnp.where(y[1] == 0, jnp.stack([p[2], 0.0]), value)  # of one more unit of b
    reduced = jnp.array([[1.0, 2.0], [1.0, 0.5], [1.0, 0.0], [0.0, 1.0]]) @ value
    return value, multipliers(4, lower=reduced - jnp.stack([p[2], 2.0, 0.0, 0.0]))


standard_form = Parametric(
    "standard_form",
    lambda y, p: -p[2] * y[0] - 2 * y[1],
    start=(1.0, 1.0, 1.0, 1.0),
    points=(
        (4.0, 5.0, 3.0),
        (4.0, 1.0, 3.0),
        (4.0, 9.0, 3.5),
        *astride((4.0, 2.0, 3.0), (0.0, 1.0, 0.0), 1e-3),
        *astride((4.0, 8.0, 3.0), (0.0, 1.0, 0.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack(
        [y[0] + y[1] + y[2] - p[0], 2 * y[0] + 0.5 * y[1] + y[3] - p[1]]
    ),
    lower=(0.0,) * 4,
    kinks=((4.0, 2.0, 3.0), (4.0, 8.0, 3.0)),
    exact=_standard,
    exact_multipliers=_standard_multipliers,
)

# Inequality form (Chvátal 1983, the first tableau), p = (b₁, b₃).

RESOURCES = np.array([[2.0, 3.0, 1.0], [4.0, 1.0, 2.0], [3.0, 4.0, 2.0]])
GAIN = np.array([5.0, 4.0, 3.0])


def _production(p):
    first = jnp.clip(2 * p[0] - p[1], 0.0, p[1] / 3)
    last = jnp.minimum(p[0], 2 * p[1] - 3 * p[0])
    return jnp.stack([first, 0.0, jnp.maximum(last, 0.0)])


def _production_multipliers(p):
    y = _production(p)
    value = jnp.where(y[0] == 0, jnp.array([3.0, 0.0, 0.0]), jnp.array([1.0, 0.0, 1.0]))
    value = jnp.where(y[2] == 0, jnp.array([0.0, 0.0, 5 / 3]), value)
    return jnp.zeros(0), multipliers(3, g=value, lower=RESOURCES.T @ value - GAIN)


production = Parametric(
    "production",
    lambda y, p: -jnp.dot(GAIN, y),
    start=(1.0, 0.0, 1.0),
    points=(
        (5.0, 8.0),
        (3.0, 8.0),
        (6.0, 8.0),
        *astride((4.0, 8.0), (1.0, 0.0), 1e-3),
        *astride((16 / 3, 8.0), (1.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: RESOURCES @ y - jnp.stack([p[0], 11.0, p[1]]),
    lower=(0.0,) * 3,
    kinks=((4.0, 8.0), (16 / 3, 8.0)),
    exact=_production,
    exact_multipliers=_production_multipliers,
)

# Transport from two stores to three customers, p = (what the second store has, what the first
# customer wants). The second store serves the other customers until it is empty.

COST = np.array([[1.0, 4.0, 6.0], [3.0, 2.0, 3.0]])


def _transport(p):
    second, third = jnp.clip(7 - p[0], 0.0, 3.0), jnp.maximum(4 - p[0], 0.0)
    return jnp.stack([p[1], second, third, 0.0, 3 - second, 4 - third])


def _transport_multipliers(p):
    value = jnp.where(p[0] < 4, 3.0, jnp.where(p[0] < 7, 2.0, 0.0))  # of the second store's stock
    customers = -jnp.stack([1.0, jnp.minimum(4.0, 2 + value), jnp.minimum(6.0, 3 + value)])
    lower = COST + customers + jnp.stack([0.0, value])[:, None]
    return customers, multipliers(6, g=jnp.stack([0.0, value]), lower=lower.ravel())


transport = Parametric(
    "transport",
    lambda y, p: jnp.dot(COST.ravel(), y),
    start=(1.5, 1.0, 0.0, 0.0, 2.0, 4.0),
    points=(
        (6.0, 1.5),
        (3.7, 1.5),
        (8.0, 1.5),
        *astride((7.0, 1.5), (1.0, 0.0), 1e-3),
        *astride((4.0, 1.5), (1.0, 0.0), 1e-3),
    ),
    equality=lambda y, p: y[:3] + y[3:] - jnp.stack([p[1], 3.0, 4.0]),
    inequality=lambda y, p: jnp.stack([y[:3].sum() - 5.0, y[3:].sum() - p[0]]),
    lower=(0.0,) * 6,
    kinks=((7.0, 1.5), (4.0, 1.5)),
    exact=_transport,
    exact_multipliers=_transport_multipliers,
)

# The straight line with the least largest error at four points, p their ordinates: an epigraph.
# The largest error is reached three times; at the kinks all four errors are equally large.

ABSCISSAE = np.array([0.0, 1.0, 2.0, 3.0])


def _errors(y, p):
    residual = y[0] + y[1] * ABSCISSAE - p
    return jnp.concatenate([residual, -residual]) - y[2]


chebyshev = Parametric(
    "chebyshev",
    lambda y, p: y[2],
    start=(0.0, 0.5, 1.0),
    points=(
        (0.0, 1.0, 0.5, 1.0),
        (0.0, 1.0, 0.5, 0.0),
        (0.0, 1.0, 0.5, 4.0),
        *astride((0.0, 1.0, 0.5, 0.75), (0.0, 0.0, 0.0, 1.0), 1e-3),
        *astride((0.0, 1.0, 0.5, 1.5), (0.0, 0.0, 0.0, 1.0), 1e-3),
        *astride((0.0, 1.0, 0.5, 3.0), (0.0, 0.0, 0.0, 1.0), 1e-3),
    ),
    inequality=_errors,
    kinks=((0.0, 1.0, 0.5, 0.75), (0.0, 1.0, 0.5, 1.5), (0.0, 1.0, 0.5, 3.0)),
)

PROBLEMS = (standard_form, production, transport, chebyshev)
