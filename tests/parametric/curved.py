"""Objectives and constraints that are not convex, or have no closed form."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride, multipliers

# The largest product on a weighted budget: the Hessian of the objective is indefinite at the
# solution, and definite on the null space of the constraint. p = (budget, a weight).


def _product(p):
    return p[0] / 3 / jnp.stack([1.0, p[1], 3.0])


largest_product = Parametric(
    "largest_product",
    lambda y, p: -jnp.prod(y),
    start=(1.0, 0.7, 0.5),
    points=((3.0, 2.0), (5.0, 1.0), (2.0, 0.7)),
    equality=lambda y, p: jnp.stack([y[0] + p[1] * y[1] + 3 * y[2] - p[0]]),
    lower=(0.0,) * 3,
    exact=_product,
    exact_multipliers=lambda p: (
        (_product(p)[1] * _product(p)[2])[None],
        jnp.zeros(6),
    ),
)

# Rosenbrock's function in a disk of squared radius p₁, its valley at y₂ = p₂y₁².

valley = Parametric(
    "valley",
    lambda y, p: (1 - y[0]) ** 2 + 100 * (y[1] - p[1] * y[0] ** 2) ** 2,
    start=(0.5, 0.3),
    points=((1.0, 1.0), (3.0, 1.0), (0.5, 2.0), *astride((2.0, 1.0), (1.0, 0.0), 1e-3)),
    inequality=lambda y, p: jnp.stack([jnp.sum(y**2) - p[0]]),
    kinks=((2.0, 1.0),),
)

# A concave function on an annulus, of squared radii 1 and p₁, above a parabola: two strict local
# minima, equally low, of which this is the left one. p₂ tilts the function.


def _crescent(p):
    corner = (jnp.sqrt(4 * p[0] - 3) - 1) / 2
    second = jnp.maximum(corner, p[1] / 2)
    return jnp.stack([-jnp.sqrt(p[0] - second**2), second])


def _crescent_multipliers(p):
    outer = jnp.minimum((1 + p[1]) / (jnp.sqrt(4 * p[0] - 3)), 1.0)
    return jnp.zeros(0), multipliers(2, g=jnp.stack([outer, 0.0, 1 - outer]))


crescent = Parametric(
    "crescent",
    lambda y, p: -(y[0] ** 2) - p[1] * y[1],
    start=(-1.2, 1.0),
    points=(
        (4.0, 0.5),
        (3.0, 0.2),
        (4.0, 3.0),
        *astride((4.0, math.sqrt(13) - 1), (0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack(
        [jnp.sum(y**2) - p[0], 1.0 - jnp.sum(y**2), y[0] ** 2 - 1.0 - y[1]]
    ),
    kinks=((4.0, math.sqrt(13) - 1),),
    exact=_crescent,
    exact_multipliers=_crescent_multipliers,
)

# The larger of two parabolas, as an epigraph: y₂ ≥ (y₁ − p₁)², y₂ ≥ (y₁ − p₂)² + p₃.


def _minimax(p):
    both = (p[0] ** 2 - p[1] ** 2 - p[2]) / (2 * (p[0] - p[1]))
    place = jnp.where((p[0] - p[1]) ** 2 < p[2], p[1], both)
    return jnp.stack([place, (place - p[1]) ** 2 + p[2]])


def _minimax_multipliers(p):
    place = _minimax(p)[0]
    first = (place - p[1]) / (p[0] - p[1])
    return jnp.zeros(0), multipliers(2, g=jnp.stack([first, 1 - first]))


minimax = Parametric(
    "minimax",
    lambda y, p: y[1],
    start=(0.5, 2.0),
    points=(
        (0.0, 2.0, 1.0),
        (0.0, 2.0, 5.0),
        *astride((0.0, 2.0, 4.0), (0.0, 0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack(
        [(y[0] - p[0]) ** 2 - y[1], (y[0] - p[1]) ** 2 + p[2] - y[1]]
    ),
    kinks=((0.0, 2.0, 4.0),),
    exact=_minimax,
    exact_multipliers=_minimax_multipliers,
)

# The nearest point of the curve y₂ = p₃y₁²; p₁, p₂ the point.

parabola = Parametric(
    "parabola",
    lambda y, p: 0.5 * jnp.sum((y - p[:2]) ** 2),
    start=(1.0, 1.0),
    points=((2.0, 1.0, 1.0), (1.0, -1.0, 0.5), (1.0, 1.0, 1.0)),
    equality=lambda y, p: jnp.stack([y[1] - p[2] * y[0] ** 2]),
)

# An arm of three unit links reaches for p; each joint stays near its rest and within its limits.

REST = np.array([0.6, 0.5, 0.4])


def _tip(y, p):
    angle = jnp.cumsum(y)
    return jnp.stack([jnp.cos(angle).sum() - p[0], jnp.sin(angle).sum() - p[1]])


arm = Parametric(
    "arm",
    lambda y, p: 0.5 * jnp.sum((y - REST) ** 2),
    start=(0.3, 0.5, 0.5),
    points=(
        (1.0, 2.0),
        (1.5, 1.5),
        (1.0, 1.55),
        *astride((1.0, 1.6777577050406458), (0.0, 1.0), 1e-3),
    ),
    equality=_tip,
    lower=(-0.2,) * 3,
    upper=(1.2,) * 3,
    kinks=((1.0, 1.6777577050406458),),
)

# A logistic regression whose weights stay in a ball of squared radius p₁; p₂ moves one sample.

SAMPLES = np.array([[1.0, 0.5], [-0.5, 1.0], [0.3, -1.0], [-1.2, -0.4], [0.2, 0.8], [0.8, -0.1]])
LABELS = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])


def _logistic(y, p):
    X = jnp.asarray(SAMPLES).at[0, 0].add(p[1])
    return jnp.sum(jnp.logaddexp(0.0, -LABELS * (X @ y)))


logistic_ball = Parametric(
    "logistic_ball",
    _logistic,
    start=(0.1, 0.1),
    points=((0.25, 0.0), (9.0, 0.3), *astride((2.9110249711902227, 0.0), (1.0, 0.0), 1e-3)),
    inequality=lambda y, p: jnp.stack([jnp.sum(y**2) - p[0]]),
    kinks=((2.9110249711902227, 0.0),),
)

# The geometric median of four places, west of a border at p₁; p₂ is how far north the last one is.

PLACES = np.array([[0.0, 0.0], [3.0, 0.5], [2.0, 2.0], [0.0, 0.0]])


def _distances(y, p):
    places = jnp.asarray(PLACES).at[3].set(jnp.stack([1.0, p[1]]))
    return jnp.sum(jnp.sqrt(jnp.sum((y - places) ** 2, axis=1)))


median = Parametric(
    "median",
    _distances,
    start=(0.7, 0.9),
    points=((0.8, 3.0), (4.0, 3.0), (1.0, 2.5), *astride((17 / 9, 3.0), (1.0, 0.0), 1e-3)),
    inequality=lambda y, p: jnp.stack([y[0] - p[0]]),
    kinks=((17 / 9, 3.0),),
)

# A die of greatest entropy with the mean p.

FACES = np.arange(1.0, 7.0)

die = Parametric(
    "die",
    lambda y, p: jnp.sum(y * jnp.log(y)),
    start=(1 / 6,) * 6,
    points=((3.5,), (4.5,), (2.0,)),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - 1, jnp.dot(FACES, y) - p[0]]),
    lower=(1e-9,) * 6,
)

# The best mean return whose shortfall beyond −p₂ is unlikely: κ·(standard deviation) ≤ mean + p₂,
# κ = p₁, squared. Not all of the capital need be invested.

RETURN = np.array([0.08, 0.12, 0.2])
COVARIANCE = np.array([[0.01, 0.002, 0.0], [0.002, 0.04, 0.01], [0.0, 0.01, 0.12]])


def _chance(y, p):
    margin = RETURN @ y + p[1]
    return jnp.stack([p[0] ** 2 * (y @ COVARIANCE @ y) - margin**2, -margin, jnp.sum(y) - 1])


CHANCE_KINKS = (
    (math.sqrt(0.75), 0.1),
    (1.1954441405974088, 0.1),
    (2.124611143298323, 0.1),
)

chance = Parametric(
    "chance",
    lambda y, p: -jnp.dot(RETURN, y),
    start=(0.3, 0.1, 0.1),
    points=(
        (0.6, 0.1),
        (1.5, 0.1),
        (3.0, 0.1),
        *(point for kink in CHANCE_KINKS for point in astride(kink, (1.0, 0.0), 1e-3)),
    ),
    inequality=_chance,
    lower=(0.0,) * 3,
    kinks=CHANCE_KINKS,
)

PROBLEMS = (
    largest_product,
    valley,
    crescent,
    minimax,
    parabola,
    arm,
    logistic_ball,
    median,
    die,
    chance,
)
