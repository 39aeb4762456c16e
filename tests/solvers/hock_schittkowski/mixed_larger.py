"""Seven to ten variables: HS99, HS107–HS112 with equalities, HS105 without."""

from math import cos, inf, pi, sin, sqrt

import jax.numpy as jnp
import numpy as np

from .program import Program, rows, scalar

# HS99: thrust of each leg of a flight, and the times that part them.
THRUST = np.array([50, 50, 75, 75, 75, 100, 100])
LEG = np.diff([0, 25, 50, 100, 150, 200, 290, 380])


def flight(y):
    """Height and vertical speed at the end."""
    climb = THRUST * jnp.sin(y) - 32
    speed = jnp.cumsum(LEG * climb)
    height = jnp.sum(0.5 * LEG**2 * climb) + jnp.sum(LEG[1:] * speed[:-1])
    return jnp.stack([height - 1e5, speed[-1] - 1e3])


# HS105: 235 readings, of which so many take each value.
READING = np.array([95, *range(105, 225, 5), *range(230, 255, 5)])
COUNT = np.concatenate(
    [
        [1, 1, 4, 4, 15, 15, 15, 13, 21, 12, 17, 4, 20, 8, 17],
        [8, 6, 6, 7, 4, 3, 3, 8, 1, 6, 5, 1, 7, 1, 2],
    ]
)


@scalar
def three_normals(y1, y2, y3, y4, y5, y6, y7, y8):
    def density(weight, mean, deviation):
        return weight / deviation * jnp.exp(-((READING - mean) ** 2) / (2 * deviation**2))

    mixture = density(y1, y3, y6) + density(y2, y4, y7) + density(1 - y1 - y2, y5, y8)
    return -jnp.sum(COUNT * jnp.log(mixture / sqrt(2 * pi)))


@rows
def voltages(y1, y2, y3, y4, y5, y6, y7, y8, y9):
    c, d = 48.4 / 50.176 * sin(0.25), 48.4 / 50.176 * cos(0.25)
    s8, c8, s9, c9 = jnp.sin(y8), jnp.cos(y8), jnp.sin(y9), jnp.cos(y9)
    s89, c89 = jnp.sin(y8 - y9), jnp.cos(y8 - y9)
    return [
        0.4 - y1 + 2 * c * y5**2 - y5 * y6 * (d * s8 + c * c8) - y5 * y7 * (d * s9 + c * c9),
        0.4 - y2 + 2 * c * y6**2 + y5 * y6 * (d * s8 - c * c8) + y6 * y7 * (d * s89 - c * c89),
        0.8 + 2 * c * y7**2 + y5 * y7 * (d * s9 - c * c9) - y6 * y7 * (d * s89 + c * c89),
        0.2 - y3 + 2 * d * y5**2 + y5 * y6 * (c * s8 - d * c8) + y5 * y7 * (c * s9 - d * c9),
        0.2 - y4 + 2 * d * y6**2 - y5 * y6 * (c * s8 + d * c8) - y6 * y7 * (c * s89 + d * c89),
        -0.337 + 2 * d * y7**2 - y5 * y7 * (c * s9 + d * c9) + y6 * y7 * (c * s89 - d * c89),
    ]


@rows
def network(y1, y2, y3, y4, y5, y6, y7, y8, y9):
    a, b, c, loss = 50.176, sin(0.25), cos(0.25), 0.7533e-3 * 50.176

    def active(angle):
        return jnp.sin(angle - 0.25)

    def reactive(angle):
        return jnp.cos(angle - 0.25)

    return [
        y5 * y6 * active(-y3) + y5 * y7 * active(-y4) + 2 * b * y5**2 - a * y1 + 400 * a,
        y5 * y6 * active(y3) + y6 * y7 * active(y3 - y4) + 2 * b * y6**2 - a * y2 + 400 * a,
        y5 * y7 * active(y4) + y6 * y7 * active(y4 - y3) + 2 * b * y7**2 + 881.779 * a,
        a * (y8 - 200) + y5 * y6 * reactive(-y3) + y5 * y7 * reactive(-y4) + (loss - 2 * c) * y5**2,
        a * (y9 - 200)
        + y5 * y6 * reactive(y3)
        + y6 * y7 * reactive(y3 - y4)
        + (loss - 2 * c) * y6**2,
        22.938 * a + y5 * y7 * reactive(y4) + y6 * y7 * reactive(y4 - y3) + (loss - 2 * c) * y7**2,
    ]


# HS111 and HS112: a chemical equilibrium, in logarithms and in amounts.
ENERGY = np.array(
    [-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179]
)
ATOMS = np.array(
    [
        [1, 2, 2, 0, 0, 1, 0, 0, 0, 1],
        [0, 0, 0, 1, 2, 1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 1, 1, 2, 1],
    ]
)
SUPPLY = np.array([2, 1, 1])


def free_energy(amount):
    return jnp.sum(amount * (ENERGY + jnp.log(amount / jnp.sum(amount))))


PROGRAMS = [
    Program(
        name="HS99",
        objective=lambda y: -((THRUST * LEG @ jnp.cos(y)) ** 2),
        equality=flight,
        lower=(0.0,) * 7,
        upper=(1.58,) * 7,
        start=(0.5,) * 7,
        optimum=-831079891.510108,
        minimiser=(
            0.542467816212318,
            0.529021424201976,
            0.5084491553164,
            0.480268850961816,
            0.451236349796647,
            0.409183082420985,
            0.352787891781123,
        ),
    ),
    Program(
        name="HS105",
        objective=three_normals,
        inequality=lambda y: y[:1] + y[1:2] - 1,
        lower=(0.001, 0.001, 100.0, 130.0, 170.0, 5.0, 5.0, 5.0),
        upper=(0.499, 0.449, 180.0, 210.0, 240.0, 25.0, 25.0, 25.0),
        start=(0.1, 0.2, 100.0, 125.0, 175.0, 11.2, 13.2, 15.8),
        optimum=1136.30730357407,
        minimiser=(
            0.499,
            0.352763030489016,
            163.058218199661,
            130.24561422816,
            222.766942900022,
            19.5373680850396,
            11.8783163526293,
            16.4148936093589,
        ),
        other_optima=(1136.3609836447, 1137.96045683051),
        note="the collection prints 1138.416240, which these data do not give; three "
        "normal densities can change places within the bounds",
    ),
    Program(
        name="HS107",
        objective=lambda y: 3000 * y[0] + 1000 * y[0] ** 3 + 2000 * y[1] + 666.667 * y[1] ** 3,
        equality=voltages,
        lower=(0.0, 0.0, -inf, -inf, *[0.90909] * 3, -inf, -inf),
        upper=(inf, inf, inf, inf, *[1.0909] * 3, inf, inf),
        start=(0.8, 0.8, 0.2, 0.2, 1.0454, 1.0454, 1.0454, 0.0, 0.0),
        optimum=5055.01180354382,
        note="minima repeat with the angles y8 and y9",
    ),
    Program(
        name="HS109",
        objective=lambda y: 3 * y[0] + 1e-6 * y[0] ** 3 + 2 * y[1] + 0.522074e-6 * y[1] ** 3,
        equality=network,
        inequality=rows(
            lambda y1, y2, y3, y4, y5, y6, y7, y8, y9: [
                y3 - y4 - 0.55,
                y4 - y3 - 0.55,
                y1**2 + y8**2 - 2250000,
                y2**2 + y9**2 - 2250000,
            ]
        ),
        lower=(0.0, 0.0, -0.55, -0.55, 196.0, 196.0, 196.0, -400.0, -400.0),
        upper=(inf, inf, 0.55, 0.55, 252.0, 252.0, 252.0, 800.0, 800.0),
        start=(0.0,) * 9,
        optimum=5326.85133008621,
        minimiser=(
            669.10976102571,
            1131.66314622371,
            0.132959212598544,
            -0.360424308423272,
            252.0,
            252.0,
            209.2124685809,
            386.44245595538,
            327.990489607166,
        ),
        note="the collection prints 5362.06928",
    ),
    Program(
        name="HS111",
        objective=lambda y: free_energy(jnp.exp(y)),
        equality=lambda y: ATOMS @ jnp.exp(y) - SUPPLY,
        lower=(-100.0,) * 10,
        upper=(100.0,) * 10,
        start=(-2.3,) * 10,
        optimum=-47.7610908593663,
        minimiser=(
            -3.20231158855119,
            -1.91236659708098,
            -0.244426747750382,
            -6.56117727165815,
            -0.723097963295281,
            -7.27423228018816,
            -3.59723742232776,
            -4.02031673069085,
            -3.28837688136024,
            -2.33437173922062,
        ),
        note="stationary and flat where variables go to −∞",
    ),
    Program(
        name="HS112",
        objective=free_energy,
        equality=lambda y: ATOMS @ y - SUPPLY,
        lower=(1e-6,) * 10,
        start=(0.1,) * 10,
        optimum=-47.7610908593663,
        minimiser=(
            0.0406680873556882,
            0.147730354340817,
            0.783153354009242,
            0.00141421980903013,
            0.485246648699287,
            0.000693172078421255,
            0.0273993107140028,
            0.0179472795849254,
            0.0373143659130294,
            0.0968713238657761,
        ),
    ),
]
