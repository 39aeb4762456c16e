"""Nothing but equalities: HS6–HS9, HS26–HS28, HS39–HS56 in part, HS61, HS77–HS79."""

from math import asin, pi, sqrt

import jax.numpy as jnp

from .program import Program, rows, scalar

SQRT2 = sqrt(2)


def three_equations(y):
    """The constraints of HS78, HS80 and HS81."""
    y1, y2, y3, y4, y5 = y
    return jnp.stack([jnp.sum(y**2) - 10, y2 * y3 - 5 * y4 * y5, y1**3 + y2**3 + 1])


# The constraints of HS51, HS52 and HS53, the last two with 0 for 4.
def chain(total):
    return rows(lambda y1, y2, y3, y4, y5: [y1 + 3 * y2 - total, y3 + y4 - 2 * y5, y2 - y5])


PROGRAMS = [
    Program(
        name="HS6",
        objective=scalar(lambda y1, y2: (1 - y1) ** 2),
        equality=rows(lambda y1, y2: [10 * (y2 - y1**2)]),
        start=(-1.2, 1.0),
        optimum=0.0,
        minimiser=(1.0, 1.0),
    ),
    Program(
        name="HS7",
        objective=scalar(lambda y1, y2: jnp.log(1 + y1**2) - y2),
        equality=rows(lambda y1, y2: [(1 + y1**2) ** 2 + y2**2 - 4]),
        start=(2.0, 2.0),
        optimum=-sqrt(3),
        minimiser=(0.0, sqrt(3)),
    ),
    Program(
        name="HS8",
        objective=scalar(lambda y1, y2: -1.0 + 0 * y1),
        equality=rows(lambda y1, y2: [y1**2 + y2**2 - 25, y1 * y2 - 9]),
        start=(2.0, 1.0),
        optimum=-1.0,
        note="two equations in two unknowns, with four solutions; the objective is constant",
    ),
    Program(
        name="HS9",
        objective=scalar(lambda y1, y2: jnp.sin(pi * y1 / 12) * jnp.cos(pi * y2 / 16)),
        equality=rows(lambda y1, y2: [4 * y1 - 3 * y2]),
        start=(0.0, 0.0),
        optimum=-0.5,
        note="minima at (12 k − 3, 16 k − 4) for every integer k",
    ),
    Program(
        name="HS26",
        objective=scalar(lambda y1, y2, y3: (y1 - y2) ** 2 + (y2 - y3) ** 4),
        equality=rows(lambda y1, y2, y3: [(1 + y2**2) * y1 + y3**4 - 3]),
        start=(-2.6, 2.0, 2.0),
        optimum=0.0,
        note="the same value at −1.810536 (1, 1, 1); the Hessian of the Lagrangian is "
        "singular at both",
    ),
    Program(
        name="HS27",
        objective=scalar(lambda y1, y2, y3: 0.01 * (y1 - 1) ** 2 + (y2 - y1**2) ** 2),
        equality=rows(lambda y1, y2, y3: [y1 + y3**2 + 1]),
        start=(2.0, 2.0, 2.0),
        optimum=0.04,
        minimiser=(-1.0, 1.0, 0.0),
    ),
    Program(
        name="HS28",
        objective=scalar(lambda y1, y2, y3: (y1 + y2) ** 2 + (y2 + y3) ** 2),
        equality=rows(lambda y1, y2, y3: [y1 + 2 * y2 + 3 * y3 - 1]),
        start=(-4.0, 1.0, 1.0),
        optimum=0.0,
        minimiser=(0.5, -0.5, 0.5),
    ),
    Program(
        name="HS39",
        objective=scalar(lambda y1, y2, y3, y4: -y1),
        equality=rows(lambda y1, y2, y3, y4: [y2 - y1**3 - y3**2, y1**2 - y2 - y4**2]),
        start=(2.0, 2.0, 2.0, 2.0),
        optimum=-1.0,
        minimiser=(1.0, 1.0, 0.0, 0.0),
    ),
    Program(
        name="HS40",
        objective=lambda y: -jnp.prod(y),
        equality=rows(lambda y1, y2, y3, y4: [y1**3 + y2**2 - 1, y1**2 * y4 - y3, y4**2 - y2]),
        start=(0.8, 0.8, 0.8, 0.8),
        optimum=-0.25,
        note="two minima: the signs of y3 and y4 turn together",
    ),
    Program(
        name="HS42",
        objective=scalar(
            lambda y1, y2, y3, y4: (y1 - 1) ** 2 + (y2 - 2) ** 2 + (y3 - 3) ** 2 + (y4 - 4) ** 2
        ),
        equality=rows(lambda y1, y2, y3, y4: [y1 - 2, y3**2 + y4**2 - 2]),
        start=(1.0, 1.0, 1.0, 1.0),
        optimum=28 - 10 * SQRT2,
        minimiser=(2.0, 2.0, 0.6 * SQRT2, 0.8 * SQRT2),
    ),
    Program(
        name="HS46",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y3 - 1) ** 2 + (y4 - 1) ** 4 + (y5 - 1) ** 6
            )
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [
                y1**2 * y4 + jnp.sin(y4 - y5) - 1,
                y2 + y3**4 * y4**2 - 2,
            ]
        ),
        start=(SQRT2 / 2, 1.75, 0.5, 2.0, 2.0),
        optimum=0.0,
        minimiser=(1.0,) * 5,
        other_optima=(0.0210889286274713, 3.95024703997424),
        note="the Hessian of the Lagrangian is singular at the solution; further minima above 100",
    ),
    Program(
        name="HS47",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y2 - y3) ** 3 + (y3 - y4) ** 4 + (y4 - y5) ** 4
            )
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [
                y1 + y2**2 + y3**3 - 3,
                y2 - y3**2 + y4 - 1,
                y1 * y5 - 1,
            ]
        ),
        start=(2.0, SQRT2, -1.0, 2 - SQRT2, 0.5),
        optimum=-0.0267141826939409,
        minimiser=(
            0.67700439486664,
            0.726089472652032,
            1.2154912142371,
            1.75132941923554,
            1.47709528561773,
        ),
        other_optima=(10.0699102841348, 275.761973545345),
        note="the point of ones, of value 0 and given by the collection, is stationary, "
        "not a minimum: to third order the objective falls",
    ),
    Program(
        name="HS48",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (y1 - 1) ** 2 + (y2 - y3) ** 2 + (y4 - y5) ** 2
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [y1 + y2 + y3 + y4 + y5 - 5, y3 - 2 * (y4 + y5) + 3]
        ),
        start=(3.0, 5.0, -3.0, 2.0, -2.0),
        optimum=0.0,
        minimiser=(1.0,) * 5,
    ),
    Program(
        name="HS49",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y3 - 1) ** 2 + (y4 - 1) ** 4 + (y5 - 1) ** 6
            )
        ),
        equality=rows(lambda y1, y2, y3, y4, y5: [y1 + y2 + y3 + 4 * y4 - 7, y3 + 5 * y5 - 6]),
        start=(10.0, 7.0, 2.0, -3.0, 0.8),
        optimum=0.0,
        minimiser=(1.0,) * 5,
        note="the Hessian of the Lagrangian is singular at the solution",
    ),
    Program(
        name="HS50",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y2 - y3) ** 2 + (y3 - y4) ** 4 + (y4 - y5) ** 2
            )
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [
                y1 + 2 * y2 + 3 * y3 - 6,
                y2 + 2 * y3 + 3 * y4 - 6,
                y3 + 2 * y4 + 3 * y5 - 6,
            ]
        ),
        start=(35.0, -31.0, 11.0, 5.0, -5.0),
        optimum=0.0,
        minimiser=(1.0,) * 5,
    ),
    Program(
        name="HS51",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y2 + y3 - 2) ** 2 + (y4 - 1) ** 2 + (y5 - 1) ** 2
            )
        ),
        equality=chain(4),
        start=(2.5, 0.5, 2.0, -1.0, 0.5),
        optimum=0.0,
        minimiser=(1.0,) * 5,
    ),
    Program(
        name="HS52",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (4 * y1 - y2) ** 2 + (y2 + y3 - 2) ** 2 + (y4 - 1) ** 2 + (y5 - 1) ** 2
            )
        ),
        equality=chain(0),
        start=(2.0,) * 5,
        optimum=1859 / 349,
        minimiser=(-33 / 349, 11 / 349, 180 / 349, -158 / 349, 11 / 349),
    ),
    Program(
        name="HS56",
        objective=scalar(lambda y1, y2, y3, y4, y5, y6, y7: -y1 * y2 * y3),
        equality=rows(
            lambda y1, y2, y3, y4, y5, y6, y7: [
                y1 - 4.2 * jnp.sin(y4) ** 2,
                y2 - 4.2 * jnp.sin(y5) ** 2,
                y3 - 4.2 * jnp.sin(y6) ** 2,
                y1 + 2 * y2 + 2 * y3 - 7.2 * jnp.sin(y7) ** 2,
            ]
        ),
        start=(1.0, 1.0, 1.0, *[asin(sqrt(1 / 4.2))] * 3, asin(sqrt(5 / 7.2))),
        optimum=-3.456,
        note="the sines repeat: minima at (2.4, 1.2, 1.2) with infinitely many angles",
    ),
    Program(
        name="HS61",
        objective=scalar(
            lambda y1, y2, y3: 4 * y1**2 + 2 * y2**2 + 2 * y3**2 - 33 * y1 + 16 * y2 - 24 * y3
        ),
        equality=rows(lambda y1, y2, y3: [3 * y1 - 2 * y2**2 - 7, 4 * y1 - y3**2 - 11]),
        start=(0.0, 0.0, 0.0),
        optimum=-143.64614219778,
        minimiser=(5.32677013556393, -2.11899863221898, 3.21046422535055),
        other_optima=(-81.9190960946274,),
        note="the Jacobian of the constraints loses rank at the start",
    ),
    Program(
        name="HS77",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - 1) ** 2 + (y1 - y2) ** 2 + (y3 - 1) ** 2 + (y4 - 1) ** 4 + (y5 - 1) ** 6
            )
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [
                y1**2 * y4 + jnp.sin(y4 - y5) - 2 * SQRT2,
                y2 + y3**4 * y4**2 - 8 - SQRT2,
            ]
        ),
        start=(2.0,) * 5,
        optimum=0.241505128790179,
        minimiser=(
            1.1661721897093,
            1.1821113888027,
            1.38025704314546,
            1.50603627362305,
            0.610920196043091,
        ),
        other_optima=(4.6025615121182, 5.5333572786407, 9.90876019669981),
    ),
    Program(
        name="HS78",
        objective=jnp.prod,
        equality=three_equations,
        start=(-2.0, 1.5, 2.0, -1.0, -1.0),
        optimum=-2.91970040896368,
        other_optima=(-0.823594830085023,),
        note="four minima: two signs among y3, y4, y5 turn together",
    ),
    Program(
        name="HS79",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - 1) ** 2 + (y1 - y2) ** 2 + (y2 - y3) ** 2 + (y3 - y4) ** 4 + (y4 - y5) ** 4
            )
        ),
        equality=rows(
            lambda y1, y2, y3, y4, y5: [
                y1 + y2**2 + y3**3 - 2 - 3 * SQRT2,
                y2 - y3**2 + y4 + 2 - 2 * SQRT2,
                y1 * y5 - 2,
            ]
        ),
        start=(2.0,) * 5,
        optimum=0.0787768208710569,
        minimiser=(
            1.19112745631105,
            1.36260316496174,
            1.47281793151209,
            1.63501661916799,
            1.67908143616641,
        ),
        other_optima=(13.9668249003902, 27.4520040947083, 27.521961454403, 86.5275397159262),
    ),
]
