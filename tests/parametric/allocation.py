"""How much of each: water filling, entropies, consumers, costs, designs; in closed form."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride, multipliers

# Water filling: power over three channels of noise p₁, p₂ and 1, in all p₃. The water level is
# linear between the powers at which a further channel gets some.


def _noise(p):
    return jnp.stack([p[0], p[1], 1.0])


def _level(p):
    ascending = jnp.sort(_noise(p))
    return jnp.min((p[2] + jnp.cumsum(ascending)) / jnp.arange(1, 4))


def _water_multipliers(p):
    level = _level(p)
    return (1 / level)[None], multipliers(3, lower=jnp.maximum(1 / level - 1 / _noise(p), 0.0))


water_filling = Parametric(
    "water_filling",
    lambda y, p: -jnp.sum(jnp.log(y + _noise(p))),
    start=(0.5,) * 3,
    points=(
        (0.2, 0.5, 0.2),
        (0.2, 0.5, 0.7),
        (0.2, 0.5, 3.0),
        *astride((0.2, 0.5, 0.3), (0.0, 0.0, 1.0), 1e-3),
        *astride((0.2, 0.5, 1.3), (0.0, 0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - p[2]]),
    lower=(0.0,) * 3,
    kinks=((0.2, 0.5, 0.3), (0.2, 0.5, 1.3)),
    exact=lambda p: jnp.maximum(_level(p) - _noise(p), 0.0),
    exact_multipliers=_water_multipliers,
)

# Entropy over the simplex is the softmax; p = (utilities, temperature).


def _softmax(p):
    weights = jnp.exp(p[:3] / p[3])
    return weights / jnp.sum(weights)


entropy = Parametric(
    "entropy",
    lambda y, p: p[3] * jnp.sum(y * jnp.log(y)) - jnp.dot(p[:3], y),
    start=(1 / 3,) * 3,
    points=((1.0, 2.0, 0.5, 1.0), (0.3, -0.2, 0.1, 0.5)),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - 1]),
    lower=(1e-9,) * 3,
    exact=_softmax,
    exact_multipliers=lambda p: (
        (p[3] * jnp.log(jnp.sum(jnp.exp(p[:3] / p[3]))) - p[3])[None],
        jnp.zeros(6),
    ),
)

# The same with no share above p₄: a capped softmax, whose first share meets the cap alone.


def _capped(p):
    free = _softmax(jnp.append(p[:3], 1.0))
    rest = jnp.exp(p[1:3])
    cut = jnp.concatenate([p[3:], (1 - p[3]) * rest / jnp.sum(rest)])
    return jnp.where(free[0] < p[3], free, cut)


def _capped_multipliers(p):
    y = _capped(p)
    equality = p[1] - jnp.log(y[1]) - 1
    cap = p[0] - jnp.log(y[0]) - 1 - equality
    upper = jnp.stack([jnp.where(y[0] < p[3], 0.0, cap), 0.0, 0.0])
    return equality[None], multipliers(3, upper=upper)


capped_entropy = Parametric(
    "capped_entropy",
    lambda y, p: jnp.sum(y * jnp.log(y)) - jnp.dot(p[:3], y),
    start=(0.3, 0.3, 0.4),
    points=(
        (2.0, 1.0, 0.5, 0.5),
        (0.5, 0.3, 0.2, 0.5),
        *astride((math.log(2), 0.0, 0.0, 0.5), (1.0, 0.0, 0.0, 0.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - 1]),
    upper=lambda p: jnp.full(3, p[3]),
    kinks=((math.log(2), 0.0, 0.0, 0.5),),
    exact=_capped,
    exact_multipliers=_capped_multipliers,
)

# A Cobb-Douglas consumer with tastes .5, .3 and .2: p = (three prices, income, ration of the first
# good). The rest of the income goes to the others.

TASTES = np.array([0.5, 0.3, 0.2])


def _consumer(p):
    first = jnp.minimum(TASTES[0] * p[3] / p[0], p[4])
    rest = (p[3] - p[0] * first) * TASTES[1:] / TASTES[1:].sum() / p[1:3]
    return jnp.concatenate([first[None], rest])


def _consumer_multipliers(p):
    y = _consumer(p)
    budget = TASTES[1] / (p[1] * y[1])
    ration = jnp.where(y[0] < p[4], 0.0, TASTES[0] / y[0] - budget * p[0])
    upper = jnp.stack([ration, 0.0, 0.0])
    return jnp.zeros(0), multipliers(3, g=budget, upper=upper)


consumer = Parametric(
    "consumer",
    lambda y, p: -jnp.dot(TASTES, jnp.log(y)),
    start=(1.0, 1.0, 1.0),
    points=(
        (2.0, 1.0, 4.0, 20.0, 6.0),
        (2.0, 1.0, 4.0, 20.0, 3.0),
        *astride((2.0, 1.0, 4.0, 20.0, 5.0), (1.0, 0.0, 0.0, 0.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([jnp.dot(p[:3], y) - p[3]]),
    upper=lambda p: jnp.stack([p[4], jnp.inf, jnp.inf]),
    kinks=((2.0, 1.0, 4.0, 20.0, 5.0),),
    exact=_consumer,
    exact_multipliers=_consumer_multipliers,
)

# The cheapest factors for an output of p₃ = √(y₁ y₂), with prices p₁, p₂ and the first at most p₄.
# Cut off, y₁ = p₄.


def _factors(p):
    first = jnp.minimum(p[2] * jnp.sqrt(p[1] / p[0]), p[3])
    return jnp.stack([first, p[2] ** 2 / first])


def _factors_multipliers(p):
    y = _factors(p)
    output = 2 * p[1] * jnp.sqrt(y[1] / y[0])
    cap = jnp.where(y[0] < p[3], 0.0, output * jnp.sqrt(y[1] / y[0]) / 2 - p[0])
    return jnp.zeros(0), multipliers(2, g=output, upper=jnp.stack([cap, 0.0]))


factors = Parametric(
    "factors",
    lambda y, p: jnp.dot(p[:2], y),
    start=(1.5, 3.0),
    points=(
        (1.0, 4.0, 2.0, 5.0),
        (1.0, 4.0, 2.0, 3.0),
        *astride((1.0, 4.0, 2.0, 4.0), (0.0, 1.0, 0.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([p[2] - jnp.sqrt(y[0] * y[1])]),
    lower=(0.1, 0.1),
    upper=lambda p: jnp.stack([p[3], jnp.inf]),
    kinks=((1.0, 4.0, 2.0, 4.0),),
    exact=_factors,
    exact_multipliers=_factors_multipliers,
)

# A geometric program: the largest box with a surface of p₁, no higher than p₂.


def _crate(p):
    cube = jnp.sqrt(p[0] / 6)
    height = jnp.minimum(cube, p[1])
    side = jnp.sqrt(height**2 + p[0] / 2) - height
    return jnp.stack([side, side, height])


def _crate_multipliers(p):
    side, _, height = _crate(p)
    surface = 1 / (2 * side * (side + height))
    cap = jnp.where(height < p[1], 0.0, 1 / height - 4 * surface * side)
    return jnp.zeros(0), multipliers(3, g=surface, upper=jnp.stack([0.0, 0.0, cap]))


crate = Parametric(
    "crate",
    lambda y, p: -jnp.sum(jnp.log(y)),
    start=(1.0, 1.0, 0.5),
    points=(
        (6.0, 2.0),
        (6.0, 0.5),
        *astride((6.0, 1.0), (1.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack(
        [2 * (y[0] * y[1] + y[1] * y[2] + y[2] * y[0]) - p[0]],
    ),
    lower=(1e-3,) * 3,
    upper=lambda p: jnp.stack([jnp.inf, jnp.inf, p[1]]),
    kinks=((6.0, 1.0),),
    exact=_crate,
    exact_multipliers=_crate_multipliers,
)

PROBLEMS = (water_filling, entropy, capped_entropy, consumer, factors, crate)
