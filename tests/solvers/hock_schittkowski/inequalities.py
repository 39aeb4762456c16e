"""Inequalities, with or without bounds, in two or three variables: HS10–HS66 in part."""

from math import inf, log, sqrt

import jax.numpy as jnp
import numpy as np

from .bounds import rosenbrock
from .program import Program, rows, scalar

SQRT2, SQRT3 = sqrt(2), sqrt(3)
# HS57: available chlorine by age in weeks; how many readings each even age from 8 to 42 has.
AGE = np.repeat(np.arange(8, 43, 2), [2, 4, 4, 3, 3, 2, 3, 3, 3, 3, 2, 3, 2, 1, 2, 2, 1, 1])
CHLORINE = np.concatenate(
    [
        [49, 49, 48, 47, 48, 47, 46, 46, 45, 43, 45, 43, 43, 44, 43, 43, 46, 45, 42, 42, 43, 41],
        [41, 40, 42, 40, 40, 41, 40, 41, 41, 40, 40, 40, 38, 41, 40, 40, 41, 38, 40, 40, 39, 39],
    ]
)


@scalar
def chlorine_misfit(y1, y2):
    return jnp.sum((CHLORINE / 100 - y1 - (0.49 - y1) * jnp.exp(-y2 * (AGE - 8))) ** 2)


@scalar
def fit_of_59(y1, y2):
    return (
        -75.196
        + 3.8112 * y1
        - 0.12694 * y1**2
        + 2.0567e-3 * y1**3
        - 1.0345e-5 * y1**4
        + 6.8306 * y2
        - 0.030234 * y1 * y2
        + 1.28134e-3 * y1**2 * y2
        - 3.5256e-5 * y1**3 * y2
        + 2.266e-7 * y1**4 * y2
        - 0.25645 * y2**2
        + 3.4604e-3 * y2**3
        - 1.3514e-5 * y2**4
        + 28.106 / (y2 + 1)
        + 5.2375e-6 * y1**2 * y2**2
        + 6.3e-8 * y1**3 * y2**2
        - 7e-10 * y1**3 * y2**3
        - 3.405e-4 * y1 * y2**2
        + 1.6638e-6 * y1 * y2**3
        + 2.8673 * jnp.exp(5e-4 * y1 * y2)
    )


PROGRAMS = [
    Program(
        name="HS10",
        objective=scalar(lambda y1, y2: y1 - y2),
        inequality=rows(lambda y1, y2: [3 * y1**2 - 2 * y1 * y2 + y2**2 - 1]),
        start=(-10.0, 10.0),
        optimum=-1.0,
        minimiser=(0.0, 1.0),
    ),
    Program(
        name="HS11",
        objective=scalar(lambda y1, y2: (y1 - 5) ** 2 + y2**2 - 25),
        inequality=rows(lambda y1, y2: [y1**2 - y2]),
        start=(4.9, 0.1),
        optimum=-8.49846422315468,
        minimiser=(1.2347728250533, 1.5246639294901),
    ),
    Program(
        name="HS12",
        objective=scalar(lambda y1, y2: y1**2 / 2 + y2**2 - y1 * y2 - 7 * y1 - 7 * y2),
        inequality=rows(lambda y1, y2: [4 * y1**2 + y2**2 - 25]),
        start=(0.0, 0.0),
        optimum=-30.0,
        minimiser=(2.0, 3.0),
    ),
    Program(
        name="HS13",
        objective=scalar(lambda y1, y2: (y1 - 2) ** 2 + y2**2),
        inequality=rows(lambda y1, y2: [y2 - (1 - y1) ** 3]),
        lower=(0.0, 0.0),
        start=(-2.0, -2.0),
        optimum=1.0,
        minimiser=(1.0, 0.0),
        note="the constraint qualification fails at the solution: there are no multipliers",
    ),
    Program(
        name="HS15",
        objective=rosenbrock,
        inequality=rows(lambda y1, y2: [1 - y1 * y2, -y1 - y2**2]),
        upper=(0.5, inf),
        start=(-2.0, 1.0),
        optimum=306.5,
        minimiser=(0.5, 2.0),
        other_optima=(360.379767174283,),
    ),
    Program(
        name="HS16",
        objective=rosenbrock,
        inequality=rows(lambda y1, y2: [-y1 - y2**2, -(y1**2) - y2]),
        lower=(-0.5, -inf),
        upper=(0.5, 1.0),
        start=(-2.0, 1.0),
        optimum=0.25,
        minimiser=(0.5, 0.25),
        other_optima=(58.5 - 25 * SQRT2,),
    ),
    Program(
        name="HS17",
        objective=rosenbrock,
        inequality=rows(lambda y1, y2: [y1 - y2**2, y2 - y1**2]),
        lower=(-0.5, -inf),
        upper=(0.5, 1.0),
        start=(-2.0, 1.0),
        optimum=1.0,
        minimiser=(0.0, 0.0),
        note="the second constraint is active with multiplier zero",
    ),
    Program(
        name="HS18",
        objective=scalar(lambda y1, y2: 0.01 * y1**2 + y2**2),
        inequality=rows(lambda y1, y2: [25 - y1 * y2, 25 - y1**2 - y2**2]),
        lower=(2.0, 0.0),
        upper=(50.0, 50.0),
        start=(2.0, 2.0),
        optimum=5.0,
        minimiser=(sqrt(250), sqrt(2.5)),
    ),
    Program(
        name="HS19",
        objective=scalar(lambda y1, y2: (y1 - 10) ** 3 + (y2 - 20) ** 3),
        inequality=rows(
            lambda y1, y2: [
                100 - (y1 - 5) ** 2 - (y2 - 5) ** 2,
                (y2 - 5) ** 2 + (y1 - 6) ** 2 - 82.81,
            ]
        ),
        lower=(13.0, 0.0),
        upper=(100.0, 100.0),
        start=(20.1, 5.84),
        optimum=-6961.81387558005,
        minimiser=(14.095, 0.842960789215551),
    ),
    Program(
        name="HS20",
        objective=rosenbrock,
        inequality=rows(lambda y1, y2: [-y1 - y2**2, -(y1**2) - y2, 1 - y1**2 - y2**2]),
        lower=(-0.5, -inf),
        upper=(0.5, inf),
        start=(-2.0, 1.0),
        optimum=81.5 - 25 * SQRT3,
        minimiser=(0.5, SQRT3 / 2),
        other_optima=(83.5 - 25 * SQRT3,),
    ),
    Program(
        name="HS21",
        objective=scalar(lambda y1, y2: 0.01 * y1**2 + y2**2 - 100),
        inequality=rows(lambda y1, y2: [10 + y2 - 10 * y1]),
        lower=(2.0, -50.0),
        upper=(50.0, 50.0),
        start=(-1.0, -1.0),
        optimum=-99.96,
        minimiser=(2.0, 0.0),
    ),
    Program(
        name="HS22",
        objective=scalar(lambda y1, y2: (y1 - 2) ** 2 + (y2 - 1) ** 2),
        inequality=rows(lambda y1, y2: [y1 + y2 - 2, y1**2 - y2]),
        start=(2.0, 2.0),
        optimum=1.0,
        minimiser=(1.0, 1.0),
    ),
    Program(
        name="HS23",
        objective=scalar(lambda y1, y2: y1**2 + y2**2),
        inequality=rows(
            lambda y1, y2: [
                1 - y1 - y2,
                1 - y1**2 - y2**2,
                9 - 9 * y1**2 - y2**2,
                y2 - y1**2,
                y1 - y2**2,
            ]
        ),
        lower=(-50.0, -50.0),
        upper=(50.0, 50.0),
        start=(3.0, 1.0),
        optimum=2.0,
        minimiser=(1.0, 1.0),
        other_optima=(5 + 2 * sqrt(5),),
    ),
    Program(
        name="HS24",
        objective=scalar(lambda y1, y2: ((y1 - 3) ** 2 - 9) * y2**3 / (27 * SQRT3)),
        inequality=rows(lambda y1, y2: [y2 - y1 / SQRT3, -y1 - SQRT3 * y2, y1 + SQRT3 * y2 - 6]),
        lower=(0.0, 0.0),
        start=(1.0, 0.5),
        optimum=-1.0,
        minimiser=(3.0, SQRT3),
        note="every point of y2 = 0 is stationary",
    ),
    Program(
        name="HS29",
        objective=lambda y: -jnp.prod(y),
        inequality=rows(lambda y1, y2, y3: [y1**2 + 2 * y2**2 + 4 * y3**2 - 48]),
        start=(1.0, 1.0, 1.0),
        optimum=-16 * SQRT2,
        note="four minima: (4, 2 √2, 2), and the same with two signs turned",
    ),
    Program(
        name="HS30",
        objective=lambda y: jnp.sum(y**2),
        inequality=rows(lambda y1, y2, y3: [1 - y1**2 - y2**2]),
        lower=(1.0, -10.0, -10.0),
        upper=(10.0, 10.0, 10.0),
        start=(1.0, 1.0, 1.0),
        optimum=1.0,
        minimiser=(1.0, 0.0, 0.0),
        note="two active constraints with the same gradient: multipliers are not unique",
    ),
    Program(
        name="HS31",
        objective=scalar(lambda y1, y2, y3: 9 * y1**2 + y2**2 + 9 * y3**2),
        inequality=rows(lambda y1, y2, y3: [1 - y1 * y2]),
        lower=(-10.0, 1.0, -10.0),
        upper=(10.0, 10.0, 1.0),
        start=(1.0, 1.0, 1.0),
        optimum=6.0,
        minimiser=(1 / SQRT3, SQRT3, 0.0),
    ),
    Program(
        name="HS33",
        objective=scalar(lambda y1, y2, y3: (y1 - 1) * (y1 - 2) * (y1 - 3) + y3),
        inequality=rows(lambda y1, y2, y3: [y1**2 + y2**2 - y3**2, 4 - y1**2 - y2**2 - y3**2]),
        lower=(0.0, 0.0, 0.0),
        upper=(inf, inf, 5.0),
        start=(0.0, 0.0, 3.0),
        optimum=SQRT2 - 6,
        minimiser=(0.0, SQRT2, SQRT2),
        note="from the start many methods end at (0, 0, 2), which is stationary and no minimum",
    ),
    Program(
        name="HS34",
        objective=scalar(lambda y1, y2, y3: -y1),
        inequality=rows(lambda y1, y2, y3: [jnp.exp(y1) - y2, jnp.exp(y2) - y3]),
        lower=(0.0, 0.0, 0.0),
        upper=(100.0, 100.0, 10.0),
        start=(0.0, 1.05, 2.9),
        optimum=-log(log(10)),
        minimiser=(log(log(10)), log(10), 10.0),
    ),
    Program(
        name="HS35",
        objective=scalar(
            lambda y1, y2, y3: (
                9
                - 8 * y1
                - 6 * y2
                - 4 * y3
                + 2 * y1**2
                + 2 * y2**2
                + y3**2
                + 2 * y1 * y2
                + 2 * y1 * y3
            )
        ),
        inequality=rows(lambda y1, y2, y3: [y1 + y2 + 2 * y3 - 3]),
        lower=(0.0, 0.0, 0.0),
        start=(0.5, 0.5, 0.5),
        optimum=1 / 9,
        minimiser=(4 / 3, 7 / 9, 4 / 9),
    ),
    Program(
        name="HS36",
        objective=lambda y: -jnp.prod(y),
        inequality=rows(lambda y1, y2, y3: [y1 + 2 * y2 + 2 * y3 - 72]),
        lower=(0.0, 0.0, 0.0),
        upper=(20.0, 11.0, 42.0),
        start=(10.0, 10.0, 10.0),
        optimum=-3300.0,
        minimiser=(20.0, 11.0, 15.0),
    ),
    Program(
        name="HS37",
        objective=lambda y: -jnp.prod(y),
        inequality=rows(lambda y1, y2, y3: [y1 + 2 * y2 + 2 * y3 - 72, -y1 - 2 * y2 - 2 * y3]),
        lower=(0.0, 0.0, 0.0),
        upper=(42.0, 42.0, 42.0),
        start=(10.0, 10.0, 10.0),
        optimum=-3456.0,
        minimiser=(24.0, 12.0, 12.0),
    ),
    Program(
        name="HS57",
        objective=chlorine_misfit,
        inequality=rows(lambda y1, y2: [0.09 - 0.49 * y2 + y1 * y2]),
        lower=(0.4, -4.0),
        start=(0.42, 5.0),
        optimum=0.0284596697229867,
        minimiser=(0.419952650757801, 1.28484519362485),
        note="for large y2 the objective is flat at 0.030647619",
    ),
    Program(
        name="HS59",
        objective=fit_of_59,
        inequality=rows(
            lambda y1, y2: [
                700 - y1 * y2,
                y1**2 / 125 - y2,
                5 * (y1 - 55) - (y2 - 50) ** 2,
            ]
        ),
        lower=(0.0, 0.0),
        upper=(75.0, 65.0),
        start=(90.0, 10.0),
        optimum=-7.80278947153841,
        minimiser=(13.5501423237591, 51.6599739895429),
        other_optima=(-6.74950527365445,),
    ),
    Program(
        name="HS64",
        objective=scalar(
            lambda y1, y2, y3: 5 * y1 + 50000 / y1 + 20 * y2 + 72000 / y2 + 10 * y3 + 144000 / y3
        ),
        inequality=rows(lambda y1, y2, y3: [4 / y1 + 32 / y2 + 120 / y3 - 1]),
        lower=(1e-5, 1e-5, 1e-5),
        start=(1.0, 1.0, 1.0),
        optimum=6299.84242792152,
        minimiser=(108.734704910899, 85.1262127908938, 204.324596612605),
    ),
    Program(
        name="HS65",
        objective=scalar(
            lambda y1, y2, y3: (y1 - y2) ** 2 + (y1 + y2 - 10) ** 2 / 9 + (y3 - 5) ** 2
        ),
        inequality=rows(lambda y1, y2, y3: [y1**2 + y2**2 + y3**2 - 48]),
        lower=(-4.5, -4.5, -5.0),
        upper=(4.5, 4.5, 5.0),
        start=(-5.0, 5.0, 0.0),
        optimum=0.953528856804783,
        minimiser=(3.65046172521304, 3.65046172521304, 4.62041755532001),
    ),
    Program(
        name="HS66",
        objective=scalar(lambda y1, y2, y3: 0.2 * y3 - 0.8 * y1),
        inequality=rows(lambda y1, y2, y3: [jnp.exp(y1) - y2, jnp.exp(y2) - y3]),
        lower=(0.0, 0.0, 0.0),
        upper=(100.0, 100.0, 10.0),
        start=(0.0, 1.05, 2.9),
        optimum=0.518163274181541,
        minimiser=(0.184126487922848, 1.20216787319704, 3.3273223225991),
    ),
]
