"""Inequalities, with or without bounds, in four to fifteen variables: HS43–HS118 in part."""

from math import inf

import jax.numpy as jnp
import numpy as np

from .program import Program, rows, scalar

# HS88–HS90: the eigenvalues μ tan μ = 1 of a heated slab.
MU = np.arange(30) * np.pi + 0.5
for _ in range(60):
    MU = np.arange(30) * np.pi + np.arctan(1 / MU)
WEIGHT = 2 * np.sin(MU) / (MU + np.sin(MU) * np.cos(MU))
TARGET = 2 * np.sin(MU) / MU**3 - 2 * np.cos(MU) / MU**2
GRAM = (np.sinc((MU[:, None] + MU) / np.pi) + np.sinc((MU[:, None] - MU) / np.pi)) / 2


SLAB_NOTES = {
    2: "four minima (±1.074319, ±0.456614); 0 is stationary for the constraint, and not feasible",
    3: "four minima, with y3 = 0; 0 is stationary for the constraint, and not feasible",
    4: "a continuum of minima; 0 is stationary for the constraint, and not feasible",
}


def slab(d):
    """HS88 for two switching times, HS89 for three, and so on."""

    def constraint(y):
        tails = jnp.cumsum(y[::-1] ** 2)[::-1]
        signs = np.array([1.0] + [2.0 * (-1) ** i for i in range(1, d)])
        decay = jnp.exp(-(MU[:, None] ** 2) * tails) @ signs + (-1) ** d
        q = -WEIGHT * decay
        return jnp.stack([q @ GRAM @ q - q @ TARGET + 2 / 15 - 1e-4])

    return Program(
        name=f"HS{86 + d}",
        objective=lambda y: jnp.sum(y**2),
        inequality=constraint,
        start=tuple(0.5 * (-1) ** i for i in range(d)),
        optimum=1.36265681488993,
        note=SLAB_NOTES[d],
    )


@scalar
def transformer(y1, y2, y3, y4, y5, y6):
    inner, outer = y1 * y4 * (y1 + y2 + y3), y2 * y3 * (y1 + 1.57 * y2 + y4)
    return 0.0204 * inner + 0.0187 * outer + 0.0607 * inner * y5**2 + 0.0437 * outer * y6**2


@rows
def transformer_constraints(y1, y2, y3, y4, y5, y6):
    inner, outer = y1 * y4 * (y1 + y2 + y3), y2 * y3 * (y1 + 1.57 * y2 + y4)
    return [
        2.07 - 1e-3 * y1 * y2 * y3 * y4 * y5 * y6,
        6.2e-4 * inner * y5**2 + 5.8e-4 * outer * y6**2 - 1,
    ]


def separation(name, demand, **facts):
    """HS95–HS98, which differ in the right-hand sides alone."""

    @rows
    def constraints(y1, y2, y3, y4, y5, y6):
        return [
            demand[0]
            - (17.1 * y1 + 38.2 * y2 + 204.2 * y3 + 212.3 * y4 + 623.4 * y5 + 1495.5 * y6)
            + (169 * y1 * y3 + 3580 * y3 * y5 + 3810 * y4 * y5)
            + (18500 * y4 * y6 + 24300 * y5 * y6),
            demand[1]
            - (17.9 * y1 + 36.8 * y2 + 113.9 * y3 + 169.7 * y4 + 337.8 * y5 + 1385.2 * y6)
            + (139 * y1 * y3 + 2450 * y4 * y5 + 16600 * y4 * y6 + 17200 * y5 * y6),
            demand[2] + 273 * y2 + 70 * y4 + 819 * y5 - 26000 * y4 * y5,
            demand[3] - (159.9 * y1 - 311 * y2 + 587 * y4 + 391 * y5 + 2198 * y6) + 14000 * y1 * y6,
        ]

    return Program(
        name=name,
        objective=lambda y: jnp.dot(np.array([4.3, 31.8, 63.3, 15.8, 68.5, 4.7]), y),
        inequality=constraints,
        lower=(0.0,) * 6,
        upper=(0.31, 0.046, 0.068, 0.042, 0.028, 0.0134),
        start=(0.0,) * 6,
        **facts,
    )


@scalar
def objective108(y1, y2, y3, y4, y5, y6, y7, y8, y9):
    return -0.5 * (y1 * y4 - y2 * y3 + y3 * y9 - y5 * y9 + y5 * y8 - y6 * y7)


@rows
def hexagon(y1, y2, y3, y4, y5, y6, y7, y8, y9):
    return [
        y3**2 + y4**2 - 1,
        y9**2 - 1,
        y5**2 + y6**2 - 1,
        y1**2 + (y2 - y9) ** 2 - 1,
        (y1 - y5) ** 2 + (y2 - y6) ** 2 - 1,
        (y1 - y7) ** 2 + (y2 - y8) ** 2 - 1,
        (y3 - y5) ** 2 + (y4 - y6) ** 2 - 1,
        (y3 - y7) ** 2 + (y4 - y8) ** 2 - 1,
        y7**2 + (y8 - y9) ** 2 - 1,
        y2 * y3 - y1 * y4,
        -y3 * y9,
        y5 * y9,
        y6 * y7 - y5 * y8,
    ]


def load(y):
    month = y.reshape(5, 3)
    cost = np.array([2.3, 1.7, 2.2]) * month + np.array([1e-4, 1e-4, 1.5e-4]) * month**2
    return jnp.sum(cost)


def load_constraints(y):
    month = y.reshape(5, 3)
    change = jnp.diff(month, axis=0)
    least = np.array([60, 50, 70, 85, 100]) - jnp.sum(month, axis=1)
    return jnp.concatenate([(-7 - change).ravel(), (change - np.array([6, 7, 6])).ravel(), least])


PROGRAMS = [
    Program(
        name="HS43",
        objective=scalar(
            lambda y1, y2, y3, y4: (
                y1**2 + y2**2 + 2 * y3**2 + y4**2 - 5 * y1 - 5 * y2 - 21 * y3 + 7 * y4
            )
        ),
        inequality=rows(
            lambda y1, y2, y3, y4: [
                y1**2 + y2**2 + y3**2 + y4**2 + y1 - y2 + y3 - y4 - 8,
                y1**2 + 2 * y2**2 + y3**2 + 2 * y4**2 - y1 - y4 - 10,
                2 * y1**2 + y2**2 + y3**2 + 2 * y1 - y2 - y4 - 5,
            ]
        ),
        start=(0.0, 0.0, 0.0, 0.0),
        optimum=-44.0,
        minimiser=(0.0, 1.0, 2.0, -1.0),
    ),
    Program(
        name="HS44",
        objective=scalar(
            lambda y1, y2, y3, y4: y1 - y2 - y3 - y1 * y3 + y1 * y4 + y2 * y3 - y2 * y4
        ),
        inequality=rows(
            lambda y1, y2, y3, y4: [
                y1 + 2 * y2 - 8,
                4 * y1 + y2 - 12,
                3 * y1 + 4 * y2 - 12,
                2 * y3 + y4 - 8,
                y3 + 2 * y4 - 8,
                y3 + y4 - 5,
            ]
        ),
        lower=(0.0, 0.0, 0.0, 0.0),
        start=(0.0, 0.0, 0.0, 0.0),
        optimum=-15.0,
        minimiser=(0.0, 3.0, 0.0, 4.0),
        other_optima=(-13.0,),
    ),
    Program(
        name="HS72",
        objective=lambda y: 1 + jnp.sum(y),
        inequality=rows(
            lambda y1, y2, y3, y4: [
                4 / y1 + 2.25 / y2 + 1 / y3 + 0.25 / y4 - 0.0401,
                0.16 / y1 + 0.36 / y2 + 0.64 / y3 + 0.64 / y4 - 0.010085,
            ]
        ),
        lower=(1e-3,) * 4,
        upper=(4e5, 3e5, 2e5, 1e5),
        start=(1.0, 1.0, 1.0, 1.0),
        optimum=727.679357789613,
        minimiser=(193.407427271946, 179.547076032275, 185.018063358152, 168.706791127241),
    ),
    Program(
        name="HS76",
        objective=scalar(
            lambda y1, y2, y3, y4: (
                y1**2
                + 0.5 * y2**2
                + y3**2
                + 0.5 * y4**2
                - y1 * y3
                + y3 * y4
                - y1
                - 3 * y2
                + y3
                - y4
            )
        ),
        inequality=rows(
            lambda y1, y2, y3, y4: [
                y1 + 2 * y2 + y3 + y4 - 5,
                3 * y1 + y2 + 2 * y3 - y4 - 4,
                1.5 - y2 - 4 * y3,
            ]
        ),
        lower=(0.0, 0.0, 0.0, 0.0),
        start=(0.5, 0.5, 0.5, 0.5),
        optimum=-103 / 22,
        minimiser=(3 / 11, 23 / 11, 0.0, 6 / 11),
    ),
    *map(slab, (2, 3, 4)),
    Program(
        name="HS93",
        objective=transformer,
        inequality=transformer_constraints,
        lower=(0.0,) * 6,
        start=(5.54, 4.4, 12.02, 11.82, 0.702, 0.852),
        optimum=135.075962829152,
        minimiser=(
            5.3326663355288,
            4.65674405917202,
            10.4329919404683,
            12.0823063400637,
            0.752607436223833,
            0.87865087465914,
        ),
    ),
    separation(
        "HS95",
        (4.97, -1.88, -29.08, -78.02),
        optimum=0.0156195252423919,
        minimiser=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0033233032430621),
    ),
    separation(
        "HS96",
        (4.97, -1.88, -69.08, -118.02),
        optimum=0.0156195252423911,
        minimiser=(0.0, 0.0, 0.0, 0.0, 0.0, 0.00332330324306193),
    ),
    separation(
        "HS97",
        (32.97, 25.12, -29.08, -78.02),
        optimum=3.13580912280702,
        minimiser=(0.268564912280702, 0.0, 0.0, 0.0, 0.028, 0.0134),
        other_optima=(4.07124635651321,),
    ),
    separation(
        "HS98",
        (32.97, 25.12, -124.08, -173.02),
        optimum=3.13580912280702,
        minimiser=(0.268564912280702, 0.0, 0.0, 0.0, 0.028, 0.0134),
        other_optima=(4.07124635651321,),
    ),
    Program(
        name="HS100",
        objective=scalar(
            lambda y1, y2, y3, y4, y5, y6, y7: (
                (y1 - 10) ** 2
                + 5 * (y2 - 12) ** 2
                + y3**4
                + 3 * (y4 - 11) ** 2
                + 10 * y5**6
                + 7 * y6**2
                + y7**4
                - 4 * y6 * y7
                - 10 * y6
                - 8 * y7
            )
        ),
        inequality=rows(
            lambda y1, y2, y3, y4, y5, y6, y7: [
                2 * y1**2 + 3 * y2**4 + y3 + 4 * y4**2 + 5 * y5 - 127,
                7 * y1 + 3 * y2 + 10 * y3**2 + y4 - y5 - 282,
                23 * y1 + y2**2 + 6 * y6**2 - 8 * y7 - 196,
                4 * y1**2 + y2**2 - 3 * y1 * y2 + 2 * y3**2 + 5 * y6 - 11 * y7,
            ]
        ),
        start=(1.0, 2.0, 0.0, 4.0, 0.0, 1.0, 1.0),
        optimum=680.630057374402,
        minimiser=(
            2.33049937287957,
            1.95137237289689,
            -0.477541392388866,
            4.36572623365581,
            -0.624486970526817,
            1.03813101860796,
            1.59422671161187,
        ),
    ),
    Program(
        name="HS108",
        objective=objective108,
        inequality=hexagon,
        lower=(*[-inf] * 8, 0.0),
        start=(1.0,) * 9,
        optimum=-0.8660254038,
        other_optima=(-0.674981442930105,),
        note="a continuum of minima, at some of which the active gradients are dependent",
    ),
    Program(
        name="HS113",
        objective=scalar(
            lambda y1, y2, y3, y4, y5, y6, y7, y8, y9, y10: (
                y1**2
                + y2**2
                + y1 * y2
                - 14 * y1
                - 16 * y2
                + (y3 - 10) ** 2
                + 4 * (y4 - 5) ** 2
                + (y5 - 3) ** 2
                + 2 * (y6 - 1) ** 2
                + 5 * y7**2
                + 7 * (y8 - 11) ** 2
                + 2 * (y9 - 10) ** 2
                + (y10 - 7) ** 2
                + 45
            )
        ),
        inequality=rows(
            lambda y1, y2, y3, y4, y5, y6, y7, y8, y9, y10: [
                4 * y1 + 5 * y2 - 3 * y7 + 9 * y8 - 105,
                10 * y1 - 8 * y2 - 17 * y7 + 2 * y8,
                -8 * y1 + 2 * y2 + 5 * y9 - 2 * y10 - 12,
                3 * (y1 - 2) ** 2 + 4 * (y2 - 3) ** 2 + 2 * y3**2 - 7 * y4 - 120,
                5 * y1**2 + 8 * y2 + (y3 - 6) ** 2 - 2 * y4 - 40,
                0.5 * (y1 - 8) ** 2 + 2 * (y2 - 4) ** 2 + 3 * y5**2 - y6 - 30,
                y1**2 + 2 * (y2 - 2) ** 2 - 2 * y1 * y2 + 14 * y5 - 6 * y6,
                -3 * y1 + 6 * y2 + 12 * (y9 - 8) ** 2 - 7 * y10,
            ]
        ),
        start=(2.0, 3.0, 5.0, 5.0, 1.0, 2.0, 7.0, 3.0, 6.0, 10.0),
        optimum=24.3062090681798,
        minimiser=(
            2.17199637125546,
            2.36368297369728,
            8.77392573847685,
            5.09598448794845,
            0.990654764963859,
            1.43057397893632,
            1.3216442081617,
            9.82872580788632,
            8.28009167009835,
            8.37592666392132,
        ),
    ),
    Program(
        name="HS118",
        objective=load,
        inequality=load_constraints,
        lower=(8.0, 43.0, 3.0, *[0.0] * 12),
        upper=(21.0, 57.0, 16.0, *[90.0, 120.0, 60.0] * 4),
        start=(20.0, 55.0, 15.0, *[20.0, 60.0, 20.0] * 4),
        optimum=664.82045,
        minimiser=(
            8.0,
            49.0,
            3.0,
            1.0,
            56.0,
            0.0,
            1.0,
            63.0,
            6.0,
            3.0,
            70.0,
            12.0,
            5.0,
            77.0,
            18.0,
        ),
    ),
]
