"""Problems whose sensitivities are published or follow in a line, with the published numbers."""

from __future__ import annotations

import math

import jax.numpy as jnp

from .problem import Parametric, astride, multipliers

# Hock & Schittkowski 71, with its two right-hand sides as parameters, at p = (25, 40).

HS71_KINKS = (
    (18.07800713415758, 40.0),
    (35.22648299879589, 40.0),
    (25.0, 43.055838400212565),
)

hs71 = Parametric(
    "hs71",
    lambda y, p: y[0] * y[3] * (y[0] + y[1] + y[2]) + y[2],
    start=(1.0, 5.0, 5.0, 1.0),
    points=(
        (25.0, 40.0),
        (24.0, 41.0),
        (15.0, 40.0),
        (40.0, 40.0),
        (25.0, 46.0),
        *astride(HS71_KINKS[0], (1.0, 0.0), 1e-2),
        *astride(HS71_KINKS[1], (1.0, 0.0), 1e-2),
        *astride(HS71_KINKS[2], (0.0, 1.0), 1e-2),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y**2) - p[1]]),
    inequality=lambda y, p: jnp.stack([p[0] - jnp.prod(y)]),
    lower=(1.0,) * 4,
    upper=(5.0,) * 4,
    kinks=HS71_KINKS,
)
HS71_AT = (25.0, 40.0)
# From central differences of the optimality conditions solved to 50 digits.
HS71_BY_FIRST = (0.0, -0.03128005884923997, 0.0179652137872515359, 0.057788206574557897)
HS71_BY_SECOND = (0.0, 0.08642907098174257, 0.0375361939011443105, -0.0386865000822083933)
HS71_EQUALITY_BY_P = (0.01094276099925696, -0.01053663309135046)
HS71_INEQUALITY_BY_P = (0.003006510366126757, -0.01094276099925696)
HS71_VALUE = (0.5522936601207268, -0.1614685667705058)

# Ganesh & Biegler: the Jacobian of an equality depends on p. Above the kink no bound is active and
# y is the shortest solution of the equalities; below it y₃ = 0.


def _ganesh_biegler(p):
    A = jnp.array([[6.0, 3.0, 2.0], [0.0, 1.0, -1.0]]).at[1, 0].set(p[1])
    b = jnp.stack([p[0], 1.0])
    free = A.T @ jnp.linalg.solve(A @ A.T, b)
    first = (p[0] - 3.0) / (6.0 - 3.0 * p[1])
    bound = jnp.stack([first, 1.0 - p[1] * first, 0.0])
    return jnp.where(free[2] > 0, free, bound)


def _ganesh_biegler_multipliers(p):
    y = _ganesh_biegler(p)
    A = jnp.array([[6.0, 3.0], [0.0, 1.0]]).at[1, 0].set(p[1])
    equality = -jnp.linalg.solve(A.T, 2 * y[:2])
    last = 2 * y[2] + 2 * equality[0] - equality[1]
    lower = jnp.stack([0.0, 0.0, jnp.where(y[2] > 0, 0.0, last)])
    return equality, multipliers(3, lower=lower)


ganesh_biegler = Parametric(
    "ganesh_biegler",
    lambda y, p: jnp.sum(y**2),
    start=(0.15, 0.15, 0.0),
    points=(
        (5.0, 1.0),
        (4.5, 1.0),
        *astride((63 / 13, 1.0), (1.0, 0.0), 1e-3, 0.1),
        *astride((5.0, 0.9466185312619387), (0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack(
        [6 * y[0] + 3 * y[1] + 2 * y[2] - p[0], p[1] * y[0] + y[1] - y[2] - 1]
    ),
    lower=(0.0,) * 3,
    kinks=((63 / 13, 1.0), (5.0, 0.9466185312619387)),
    exact=_ganesh_biegler,
    exact_multipliers=_ganesh_biegler_multipliers,
)
GANESH_BIEGLER_AT = (5.0, 1.0)
GANESH_BIEGLER_Y = (31 / 49, 19 / 49, 1 / 49)
GANESH_BIEGLER_BY_FIRST = (11 / 98, 2 / 98, 13 / 98)
GANESH_BIEGLER_BY_SECOND = (-3 / 343, -82 / 343, 132 / 343)
GANESH_BIEGLER_VALUE = (8 / 49, -62 / 343)
GANESH_BIEGLER_BELOW = (4.5, 1.0)
GANESH_BIEGLER_Y_BELOW = (0.5, 0.5, 0.0)
GANESH_BIEGLER_BY_FIRST_BELOW = (1 / 3, -1 / 3, 0.0)

# The nearest point of a half-plane to one that runs on a sine.

sine = Parametric(
    "sine",
    lambda y, p: (y[0] - jnp.sin(p[0])) ** 2 + y[1] ** 2,
    start=(0.0, 1.0),
    points=(
        (0.0,),
        (math.pi / 2,),
        (3.0,),
        *astride((math.pi / 6,), (1.0,), 1e-3),
        *astride((5 * math.pi / 6,), (1.0,), 1e-3),
    ),
    inequality=lambda y, p: y[:1] - 0.5,
    kinks=((math.pi / 6,), (5 * math.pi / 6,)),
    exact=lambda p: jnp.stack([jnp.minimum(jnp.sin(p[0]), 0.5), 0.0]),
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(2, g=2 * jnp.maximum(jnp.sin(p[0]) - 0.5, 0.0)),
    ),
)

# The second equality decides y₃ alone, and costs nothing: its multiplier is zero at (10, 5), and
# dy/dp exists all the same. y₂ is a parabola's minimum, cut to an interval.


def _free_equality(p):
    low, high = jnp.maximum(p[0] - 10.0, 0.0), jnp.minimum(p[0], p[1])
    second = jnp.clip(p[0] / (2 * p[1]), low, high)
    return jnp.stack([p[0] - second, second, p[1] - second])


def _free_equality_multipliers(p):
    y = _free_equality(p)
    slope = 2 * p[1] * y[1] - p[0]  # of the objective along the feasible line, by y₂
    upper, last = jnp.maximum(slope, 0.0), jnp.maximum(-slope, 0.0)
    lower = jnp.stack([0.0, 0.0, last])
    return jnp.stack([-p[0] - upper, last]), multipliers(
        3, lower=lower, upper=jnp.stack([upper, 0.0, 0.0])
    )


free_equality = Parametric(
    "free_equality",
    lambda y, p: p[0] * y[0] + p[1] * y[1] ** 2 + p[0] * p[1],
    start=(8.0, 2.0, 3.0),
    points=(
        (10.0, 5.0),
        (12.0, 5.0),
        (10.0, 2.0),
        *astride((100 / 9, 5.0), (1.0, 0.0), 1e-3),
        *astride((8.0, 2.0), (0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([y[0] + y[1] - p[0], y[1] + y[2] - p[1]]),
    lower=(0.0,) * 3,
    upper=(10.0,) * 3,
    kinks=((100 / 9, 5.0), (8.0, 2.0)),
    exact=_free_equality,
    exact_multipliers=_free_equality_multipliers,
)
FREE_EQUALITY_AT = (10.0, 5.0)
FREE_EQUALITY_Y = (9.0, 1.0, 4.0)
FREE_EQUALITY_BY_P = ((0.9, 0.2), (0.1, -0.2), (-0.1, 1.2))

# Two one-sided derivatives at b = 1: (2/3, 1/3) below and (1/2, 1/2) above.


def _corner(p):
    b = p[0]
    bound = jnp.stack([(2 * b - 0.5) / 3, (b + 0.5) / 3])
    return jnp.where(b < 1, bound, jnp.stack([b / 2, b / 2]))


def _corner_multipliers(p):
    g = jnp.maximum(1 - p[0], 0.0) / 9
    return jnp.stack([-_corner(p)[0] - g]), multipliers(2, g=g)


corner = Parametric(
    "corner",
    lambda y, p: 0.5 * jnp.sum(y**2),
    start=(0.0, 1.0),
    points=((0.5,), (2.0,), *astride((1.0,), (1.0,), 1e-3)),
    equality=lambda y, p: jnp.stack([y[0] + y[1] - p[0]]),
    inequality=lambda y, p: jnp.stack([y[0] - 2 * y[1] + 0.5]),
    kinks=((1.0,),),
    exact=_corner,
    exact_multipliers=_corner_multipliers,
)
CORNER_BELOW = (2 / 3, 1 / 3)
CORNER_ABOVE = (1 / 2, 1 / 2)

# The mean of three numbers, kept positive (Gould et al. 2016).

positive_mean = Parametric(
    "positive_mean",
    lambda y, p: jnp.sum((p - y[0]) ** 2),
    start=(1.0,),
    points=((1.0, 2.0, 4.0), (-1.0, 0.0, -4.0), *astride((1.0, -2.0, 1.0), (1.0, 1.0, 1.0), 1e-3)),
    lower=(0.0,),
    kinks=((1.0, -2.0, 1.0),),
    exact=lambda p: jnp.maximum(jnp.mean(p), 0.0)[None],
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(1, lower=2 * jnp.maximum(-jnp.sum(p), 0.0)[None]),
    ),
)

PROBLEMS = (hs71, ganesh_biegler, sine, free_equality, corner, positive_mean)
