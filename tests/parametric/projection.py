"""Nearest points of balls, ellipsoids, spheres, boxes, cones, simplices and their outsides."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from .problem import Parametric, astride, multipliers


def _half_square(y, p):
    return 0.5 * jnp.sum((y - p[: y.size]) ** 2)


# A ball: p = (a point, the radius); the constraint is written |y|² ≤ r².


def _ball(p):
    return p[:2] * jnp.minimum(1.0, p[2] / jnp.linalg.norm(p[:2]))


ball = Parametric(
    "ball",
    _half_square,
    start=(0.1, 0.1),
    points=(
        (3.0, -1.0, 2.0),
        (0.5, 0.2, 1.0),
        *astride((0.6, 0.8, 1.0), (0.6, 0.8, 0.0), 1e-3),
        *astride((-3.0, 4.0, 5.0), (0.0, 0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([jnp.sum(y**2) - p[2] ** 2]),
    kinks=((0.6, 0.8, 1.0), (-3.0, 4.0, 5.0)),
    exact=_ball,
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(2, g=jnp.maximum(jnp.linalg.norm(p[:2]) / p[2] - 1, 0.0) / 2),
    ),
)

# An ellipsoid with the half axes 1, 2 and ½, and a scale; no closed form.

ellipsoid = Parametric(
    "ellipsoid",
    _half_square,
    start=(0.1, 0.1, 0.1),
    points=(
        (2.0, 1.0, 1.0, 1.0),
        (0.3, -0.5, 0.1, 1.0),
        (-1.0, 3.0, 0.4, 2.0),
        *astride((2 / 3, 4 / 3, 1 / 6, 1.0), (1.0, 1.0, 1.0, 0.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([jnp.sum(y**2 * np.array([1.0, 0.25, 4.0])) - p[3]]),
    kinks=((2 / 3, 4 / 3, 1 / 6, 1.0),),
)

# A sphere: the multiplier has either sign, and passes zero where the point is on the sphere.

sphere = Parametric(
    "sphere",
    _half_square,
    start=(1.0, 1.0, 1.0),
    points=(
        (2.0, 1.0, -1.0, 1.5),
        (0.3, 0.2, 0.4, 1.0),
        (1 / 3, 2 / 3, 2 / 3, 1.0),
    ),
    equality=lambda y, p: jnp.stack([0.5 * jnp.sum(y**2) - 0.5 * p[3] ** 2]),
    exact=lambda p: p[3] * p[:3] / jnp.linalg.norm(p[:3]),
    exact_multipliers=lambda p: ((jnp.linalg.norm(p[:3]) / p[3] - 1)[None], jnp.zeros(6)),
)

# A box whose bounds move: −w ≤ y₁ ≤ w, w² ≤ y₂ ≤ 3w. p = (a point, w).


def _box_lower(p):
    return jnp.stack([-p[2], p[2] ** 2])


def _box_upper(p):
    return jnp.stack([p[2], 3 * p[2]])


moving_box = Parametric(
    "moving_box",
    _half_square,
    start=(0.0, 1.5),
    points=(
        (2.0, 1.5, 1.0),
        (-2.0, 0.5, 1.0),
        (0.2, 4.0, 1.0),
        (0.2, 1.5, 1.0),
        *astride((1.0, 1.5, 1.0), (0.0, 0.0, 1.0), 1e-3),
        *astride((-2.0, 1.44, 1.2), (0.0, 0.0, 1.0), 1e-3),
    ),
    lower=_box_lower,
    upper=_box_upper,
    kinks=((1.0, 1.5, 1.0), (-2.0, 1.44, 1.2)),
    exact=lambda p: jnp.clip(p[:2], _box_lower(p), _box_upper(p)),
    exact_multipliers=lambda p: (
        jnp.zeros(0),
        multipliers(
            2,
            lower=jnp.maximum(_box_lower(p) - p[:2], 0.0),
            upper=jnp.maximum(p[:2] - _box_upper(p), 0.0),
        ),
    ),
)

# A simplex of size s, p = (a point, s).


def _threshold(p, s):
    descending = jnp.sort(p)[::-1]
    candidates = (jnp.cumsum(descending) - s) / jnp.arange(1, p.size + 1)
    return jnp.max(candidates)  # the largest is the one at which Σ max(p − τ, 0) is s


def _simplex(p):
    return jnp.maximum(p[:4] - _threshold(p[:4], p[4]), 0.0)


def _simplex_multipliers(p):
    threshold = _threshold(p[:4], p[4])
    return threshold[None], multipliers(4, lower=jnp.maximum(threshold - p[:4], 0.0))


simplex = Parametric(
    "simplex",
    _half_square,
    start=(0.25,) * 4,
    points=(
        (0.3, 0.1, 0.4, 0.5, 1.0),
        (2.0, 0.1, 0.4, 1.5, 1.0),
        (0.9, -0.4, 0.6, 0.1, 1.0),
        *astride((0.9, -0.4, 0.6, 0.25, 1.0), (0.0, 0.0, 0.0, 1.0, 0.0), 1e-3),
        *astride((3.0, 1.0, 0.5, 0.0, 2.0), (0.0, 0.0, 0.0, 0.0, 1.0), 1e-3),
    ),
    equality=lambda y, p: jnp.stack([jnp.sum(y) - p[4]]),
    lower=(0.0,) * 4,
    kinks=((0.9, -0.4, 0.6, 0.25, 1.0), (3.0, 1.0, 0.5, 0.0, 2.0)),
    exact=_simplex,
    exact_multipliers=_simplex_multipliers,
)

# The cone √(y₁² + y₂²) ≤ y₃, squared: the constraint function is not convex, the set is.


def _cone(p):
    size = jnp.linalg.norm(p[:2])
    height = (size + p[2]) / 2
    outside = jnp.concatenate([height * p[:2] / size, height[None]])
    return jnp.where(size <= p[2], p, outside)


def _cone_multipliers(p):
    size = jnp.linalg.norm(p[:2])
    g = jnp.where(size <= p[2], 0.0, (size - p[2]) / (size + p[2]) / 2)
    return jnp.zeros(0), multipliers(3, g=g)


cone = Parametric(
    "cone",
    _half_square,
    start=(0.5, 0.5, 1.0),
    points=(
        (3.0, 4.0, 1.0),
        (1.0, 1.0, -0.5),
        (1.0, 0.5, 3.0),
        *astride((3.0, 4.0, 5.0), (0.0, 0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([y[0] ** 2 + y[1] ** 2 - y[2] ** 2]),
    lower=(-np.inf, -np.inf, 0.0),
    kinks=((3.0, 4.0, 5.0),),
    exact=_cone,
    exact_multipliers=_cone_multipliers,
)

# Between two places around a disk, p = (x of the first place, height of both, radius): the set is
# not convex, and the way round above the disk is a strict local minimum.

CENTRE = np.array([0.0, -1.0])


def _around(p):
    middle = jnp.stack([(p[0] + 2) / 2, p[1]])
    arm = middle - CENTRE
    return CENTRE + arm * jnp.maximum(1.0, p[2] / jnp.linalg.norm(arm))


def _around_multipliers(p):
    middle = jnp.stack([(p[0] + 2) / 2, p[1]])
    size = jnp.linalg.norm(middle - CENTRE)
    return jnp.zeros(0), multipliers(2, g=2 * jnp.maximum(1 - size / p[2], 0.0))


around_disk = Parametric(
    "around_disk",
    lambda y, p: (y[0] - p[0]) ** 2 + (y[0] - 2) ** 2 + 2 * (y[1] - p[1]) ** 2,
    start=(0.5, 2.0),
    points=(
        (-1.0, 0.0, 2.0),
        (-1.0, 2.0, 2.0),
        *astride((-0.8, -0.2, 1.0), (0.0, 0.0, 1.0), 1e-3),
    ),
    inequality=lambda y, p: jnp.stack([p[2] ** 2 - jnp.sum((y - CENTRE) ** 2)]),
    kinks=((-0.8, -0.2, 1.0),),
    exact=_around,
    exact_multipliers=_around_multipliers,
)

PROBLEMS = (ball, ellipsoid, sphere, moving_box, simplex, cone, around_disk)
