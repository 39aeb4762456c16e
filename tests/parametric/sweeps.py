"""Quadratic programs without a closed form, most with several changes of the active set."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride


def _astride_all(kinks, direction, distance):
    return tuple(point for kink in kinks for point in astride(kink, direction, distance))


# An elastic string on two obstacles, pushed by p₁ and p₂.

STRING = np.array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]])

STRING_KINKS = tuple((p, 0.5) for p in (-0.25, 0.125, 0.75, 1.0, 1.5))

string = Parametric(
    "string",
    lambda y, p: 0.5 * y @ STRING @ y - p[0] * y[0] - p[1] * y[1] - (p[0] - p[1]) * y[2],
    start=(0.5,) * 3,
    points=(
        (-2.0, 0.5),
        (0.4, 0.5),
        (1.2, 0.5),
        (2.5, 0.5),
        *_astride_all(STRING_KINKS, (1.0, 0.0), 1e-3),
    ),
    lower=(0.0,) * 3,
    upper=(1.0,) * 3,
    kinks=STRING_KINKS,
)

# A portfolio: p = (tolerance of risk, the most that the last asset may take).

MEAN = np.array([0.05, 0.08, 0.11, 0.16])
RISK = np.array(
    [
        [0.010, 0.002, 0.001, 0.000],
        [0.002, 0.030, 0.010, 0.005],
        [0.001, 0.010, 0.060, 0.020],
        [0.000, 0.005, 0.020, 0.150],
    ]
)

PORTFOLIO_KINKS = ((0.48394152795561246, 0.5), (49 / 52, 0.5), (0.3, 0.2021201301778887))

portfolio = Parametric(
    "portfolio",
    lambda y, p: 0.5 * y @ RISK @ y - p[0] * jnp.dot(MEAN, y),
    start=(0.25,) * 4,
    points=(
        (0.1, 0.5),
        (0.3, 0.1),
        (0.7, 0.5),
        *_astride_all(PORTFOLIO_KINKS[:2], (1.0, 0.0), 1e-3),
        *_astride_all(PORTFOLIO_KINKS[2:], (0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - 1]),
    lower=(0.0,) * 4,
    upper=lambda p: jnp.stack([jnp.inf, jnp.inf, jnp.inf, p[1]]),
    kinks=PORTFOLIO_KINKS,
)

# The dual of a support vector machine with a Gaussian kernel: p = (C, γ).

SAMPLES = np.array([[0.0, 0.0], [1.0, 0.3], [0.2, 1.1], [1.5, 1.4], [1.1, 2.0], [0.7, 0.6]])
LABELS = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
SQUARES = np.sum((SAMPLES[:, None] - SAMPLES[None]) ** 2, axis=2)

MACHINE_KINKS = tuple(
    (C, 0.5)
    for C in (0.9555664625743495, 2.2309463529495934, 2.3267970001201297, 3.1758489884912917)
)

support_vectors = Parametric(
    "support_vectors",
    lambda y, p: 0.5 * (LABELS * y) @ jnp.exp(-p[1] * SQUARES) @ (LABELS * y) - jnp.sum(y),
    start=(0.5,) * 6,
    points=(
        (0.85, 0.5),
        (1.5, 0.7),
        (2.7, 0.5),
        (5.0, 0.5),
        *_astride_all(MACHINE_KINKS, (1.0, 0.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.dot(LABELS, y)]),
    lower=(0.0,) * 6,
    upper=lambda p: jnp.full(6, p[0]),
    kinks=MACHINE_KINKS,
)

# Nonnegative least squares, p the right-hand side.

DESIGN = np.array([[1.0, 0.5, 0.2], [0.3, 1.0, 0.4], [0.2, 0.6, 1.0], [0.7, 0.1, 0.5]])

LAST_KINKS = tuple((1.0, 0.5, 0.2, p) for p in (-91 / 115, 1453 / 1690, 1.0283870368650756))
FIRST_KINKS = tuple((p, 0.5, 0.2, 0.3) for p in (-62 / 99, 0.028013301184388377, 230 / 703))

nonnegative = Parametric(
    "nonnegative",
    lambda y, p: 0.5 * jnp.sum((DESIGN @ y - p) ** 2),
    start=(0.5,) * 3,
    points=(
        (1.0, 0.5, 0.2, 0.3),
        (1.0, 0.5, 0.2, 2.0),
        (-1.0, 0.5, 0.2, 0.3),
        (0.2, 0.5, 0.2, 0.3),
        *_astride_all(LAST_KINKS, (0.0, 0.0, 0.0, 1.0), 1e-3),
        *_astride_all(FIRST_KINKS, (1.0, 0.0, 0.0, 0.0), 1e-3),
    ),
    lower=(0.0,) * 3,
    kinks=(*LAST_KINKS, *FIRST_KINKS),
)

# Dispatch of four power stations: p = (demand in MW, price of fuel of the second).

QUADRATIC = np.array([0.004, 0.006, 0.009, 0.02])
LINEAR = np.array([5.3, 5.5, 5.8, 6.4])

DEMAND_KINKS = tuple((p, 1.0) for p in (165.0, 240.0, 6505 / 18, 7025 / 18, 3089 / 6))
PRICE_KINKS = ((400.0, 2897 / 3575), (400.0, 1511 / 1650), (400.0, 323 / 330))

dispatch = Parametric(
    "dispatch",
    lambda y, p: jnp.sum(QUADRATIC * y**2) + (LINEAR @ y) + (p[1] - 1) * LINEAR[1] * y[1],
    start=(100.0,) * 4,
    points=(
        (150.0, 1.0),
        (300.0, 1.0),
        (375.0, 1.0),
        (560.0, 1.0),
        (450.0, 1.1),
        *_astride_all(DEMAND_KINKS, (1.0, 0.0), 0.1),
        *_astride_all(PRICE_KINKS, (0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - p[0]]),
    lower=(50.0, 40.0, 30.0, 10.0),
    upper=(200.0, 180.0, 150.0, 60.0),
    kinks=(*DEMAND_KINKS, *PRICE_KINKS),
)

# A cart braked to rest in four steps of bounded force, a speed limit after the first: p its place
# and speed.


def _drive(force, p):
    place, speed = p[0], p[1]
    states = []
    for step in range(4):
        place, speed = place + speed + 0.5 * force[step], speed + force[step]
        states.append(jnp.stack([place, speed]))
    return jnp.stack(states)


PLACE_KINKS = tuple((p, 0.0) for p in (1.2979763668113178, 2.054986253436641, 4.10625, 4.825))
SPEED_KINKS = tuple(
    (1.0, p) for p in (-1.6946408209806156, -1.2726222818286412, 0.30207004723859743)
)

cart = Parametric(
    "cart",
    lambda y, p: 0.5 * jnp.sum(_drive(y, p) ** 2) + 0.05 * jnp.sum(y**2),
    start=(0.0,) * 4,
    points=(
        (1.0, 0.0),
        (3.0, 0.0),
        (4.9, 0.0),
        (1.0, -1.5),
        *_astride_all(PLACE_KINKS, (1.0, 0.0), 1e-3),
        *_astride_all(SPEED_KINKS, (0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([-0.8 - _drive(y, p)[0, 1], -0.8 - _drive(y, p)[1, 1]]),
    lower=(-1.0,) * 4,
    upper=(1.0,) * 4,
    kinks=(*PLACE_KINKS, *SPEED_KINKS),
)

PROBLEMS = (string, portfolio, support_vectors, nonnegative, dispatch, cart)
