"""Quadratic programs whose solutions have a closed form."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride, multipliers

# An equality-constrained quadratic program whose Hessian has a negative eigenvalue, and is definite
# on the null space of the constraint. p = (right-hand side, an entry of the Jacobian, a cost).

SADDLE = np.array([[2.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 3.0]])


def _saddle_system(p):
    row = jnp.stack([1.0, 2.0 + p[1], 1.0])
    K = jnp.block([[jnp.asarray(SADDLE), row[:, None]], [row[None], jnp.zeros((1, 1))]])
    return jnp.linalg.solve(K, jnp.stack([p[2], 0.0, 1.0, p[0]]))


saddle = Parametric(
    "saddle",
    lambda y, p: 0.5 * y @ SADDLE @ y - p[2] * y[0] - y[2],
    start=(1.0, 0.0, 0.0),
    points=((1.0, 1.0, 0.0), (2.0, 1.5, -1.0), (-1.0, 2.0, 3.0)),
    equality=lambda y, p: jnp.stack([y[0] + (2 + p[1]) * y[1] + y[2] - p[0]]),
    exact=lambda p: _saddle_system(p)[:3],
    exact_multipliers=lambda p: (_saddle_system(p)[3:], jnp.zeros(6)),
)

# Soft thresholding as a quadratic program in the positive and the negative part; the Hessian is
# singular. p = (two data, the threshold).


def _soft(p):
    return jnp.concatenate([jnp.maximum(p[:2] - p[2], 0.0), jnp.maximum(-p[:2] - p[2], 0.0)])


def _soft_multipliers(p):
    y = _soft(p)
    slope = y[:2] - y[2:] - p[:2]
    return jnp.zeros(0), multipliers(4, lower=jnp.concatenate([p[2] + slope, p[2] - slope]))


soft_threshold = Parametric(
    "soft_threshold",
    lambda y, p: 0.5 * jnp.sum((y[:2] - y[2:] - p[:2]) ** 2) + p[2] * jnp.sum(y),
    start=(0.1,) * 4,
    points=(
        (2.0, -1.5, 0.5),
        (2.0, 0.3, 0.5),
        *astride((2.0, 0.5, 0.5), (0.0, 1.0, 0.0), 1e-3),
        *astride((2.0, -0.75, 0.75), (0.0, 0.0, 1.0), 1e-3),
    ),
    lower=(0.0,) * 4,
    kinks=((2.0, 0.5, 0.5), (2.0, -0.75, 0.75)),
    exact=_soft,
    exact_multipliers=_soft_multipliers,
)

# Isotonic regression: y₁ ≤ y₂ ≤ y₃ ≤ y₄, by the min-max formula.


def _isotonic(p):
    def mean(a, b):
        return jnp.mean(p[a : b + 1])

    def entry(i):
        lowest = [jnp.stack([mean(a, b) for b in range(i, 4)]).min() for a in range(i + 1)]
        return jnp.stack(lowest).max()

    return jnp.stack([entry(i) for i in range(4)])


isotonic = Parametric(
    "isotonic",
    lambda y, p: 0.5 * jnp.sum((y - p) ** 2),
    start=(0.0, 1.0, 2.0, 3.0),
    points=(
        (0.0, 1.0, 2.0, 4.0),
        (3.0, 1.0, 2.5, 4.0),
        (4.0, 3.0, 2.1, 1.0),
        *astride((0.0, 2.0, 2.0, 4.0), (0.0, 1.0, 0.0, 0.0), 1e-3),
        *astride((3.0, 1.0, 2.0, 4.0), (0.0, 0.0, 1.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: y[:-1] - y[1:],
    kinks=((0.0, 2.0, 2.0, 4.0), (3.0, 1.0, 2.0, 4.0)),
    exact=_isotonic,
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(4, g=jnp.cumsum(p - _isotonic(p))[:-1]),
    ),
)

# Two variables eight orders of magnitude apart in size: p = (two targets, a shared budget).


def _scaled(p):
    over = jnp.maximum(p[0] + p[1] - p[2], 0.0) / 2
    return jnp.stack([1e4 * (p[0] - over), 1e-4 * (p[1] - over)])


badly_scaled = Parametric(
    "badly_scaled",
    lambda y, p: 0.5 * (1e-4 * y[0] - p[0]) ** 2 + 0.5 * (1e4 * y[1] - p[1]) ** 2,
    start=(1e4, 1e-4),
    points=(
        (2.0, 1.0, 2.5),
        (2.0, 1.0, 4.0),
        *astride((2.0, 1.0, 3.0), (1.0, 0.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([1e-4 * y[0] + 1e4 * y[1] - p[2]]),
    kinks=((2.0, 1.0, 3.0),),
    exact=_scaled,
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(2, g=jnp.maximum(p[0] + p[1] - p[2], 0.0) / 2),
    ),
)

# A quadratic in a rotated half-plane: the Jacobian of the constraint is (cos p, sin p).


def _rotated(p):
    normal = jnp.stack([jnp.cos(p[0]), jnp.sin(p[0])])
    target = jnp.array([2.0, 1.0])
    return target, normal, jnp.maximum(normal @ target - p[1], 0.0)


def _rotated_exact(p):
    target, normal, excess = _rotated(p)
    return target - excess * normal


# (2, 1)·(cos p, sin p) = √5 cos(p − atan ½) is 1 here.
ROTATED_KINK = math.atan2(1.0, 2.0) + math.acos(1 / math.sqrt(5))

rotated = Parametric(
    "rotated",
    lambda y, p: 0.5 * (y[0] - 2) ** 2 + 0.5 * (y[1] - 1) ** 2,
    start=(0.0, 0.0),
    points=((0.3, 1.0), (2.2, 1.0), *astride((ROTATED_KINK, 1.0), (1.0, 0.0), 1e-3)),
    inequality=lambda y, p: jnp.stack([jnp.cos(p[0]) * y[0] + jnp.sin(p[0]) * y[1] - p[1]]),
    kinks=((ROTATED_KINK, 1.0),),
    exact=_rotated_exact,
    exact_multipliers=lambda p: (jnp.zeros(0), multipliers(2, g=_rotated(p)[2])),
)

PROBLEMS = (saddle, soft_threshold, isotonic, badly_scaled, rotated)
