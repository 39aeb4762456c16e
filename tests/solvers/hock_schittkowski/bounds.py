"""Nothing but bounds: HS1–HS5, HS25, HS38, HS45, HS110."""

from math import inf, pi, sqrt

import jax.numpy as jnp
import numpy as np

from .program import Program, scalar


@scalar
def rosenbrock(y1, y2):
    return 100 * (y2 - y1**2) ** 2 + (1 - y1) ** 2


# HS25: 0.01 i is fitted by exp(−(uᵢ − y₂)^y₃ / y₁), i = 1, …, 99.
LEVELS = np.arange(1, 100) / 100
U = 25 + (-50 * np.log(LEVELS)) ** (2 / 3)


@scalar
def weibull_misfit(y1, y2, y3):
    return jnp.sum((jnp.exp(-((U - y2) ** y3) / y1) - LEVELS) ** 2)


@scalar
def colville4(y1, y2, y3, y4):
    return (
        100 * (y2 - y1**2) ** 2
        + (1 - y1) ** 2
        + 90 * (y4 - y3**2) ** 2
        + (1 - y3) ** 2
        + 10.1 * ((y2 - 1) ** 2 + (y4 - 1) ** 2)
        + 19.8 * (y2 - 1) * (y4 - 1)
    )


def paviani(y):
    return jnp.sum(jnp.log(y - 2) ** 2 + jnp.log(10 - y) ** 2) - jnp.prod(y) ** 0.2


PROGRAMS = [
    Program(
        name="HS1",
        objective=rosenbrock,
        lower=(-inf, -1.5),
        start=(-2.0, 1.0),
        optimum=0.0,
        minimiser=(1.0, 1.0),
    ),
    Program(
        name="HS2",
        objective=rosenbrock,
        lower=(-inf, 1.5),
        start=(-2.0, 1.0),
        optimum=0.0504261878936071,
        minimiser=(1.22437074873635, 1.5),
        other_optima=(4.94122931798919,),
    ),
    Program(
        name="HS3",
        objective=scalar(lambda y1, y2: y2 + 1e-5 * (y2 - y1) ** 2),
        lower=(-inf, 0.0),
        start=(10.0, 1.0),
        optimum=0.0,
        minimiser=(0.0, 0.0),
        note="along the bound the objective curves by 2e-5 only",
    ),
    Program(
        name="HS4",
        objective=scalar(lambda y1, y2: (y1 + 1) ** 3 / 3 + y2),
        lower=(1.0, 0.0),
        start=(1.125, 0.125),
        optimum=8 / 3,
        minimiser=(1.0, 0.0),
    ),
    Program(
        name="HS5",
        objective=scalar(
            lambda y1, y2: jnp.sin(y1 + y2) + (y1 - y2) ** 2 - 1.5 * y1 + 2.5 * y2 + 1
        ),
        lower=(-1.5, -3.0),
        upper=(4.0, 3.0),
        start=(0.0, 0.0),
        optimum=-sqrt(3) / 2 - pi / 3,
        minimiser=(0.5 - pi / 3, -0.5 - pi / 3),
        other_optima=(-sqrt(3) / 2 + 2 * pi / 3,),
    ),
    Program(
        name="HS25",
        objective=weibull_misfit,
        lower=(0.1, 0.0, 0.0),
        upper=(100.0, 25.6, 5.0),
        start=(100.0, 12.5, 3.0),
        optimum=0.0,
        minimiser=(50.0, 25.0, 1.5),
        note="the start lies where the objective is flat; small gradients there are no minimum",
    ),
    Program(
        name="HS38",
        objective=colville4,
        lower=(-10.0,) * 4,
        upper=(10.0,) * 4,
        start=(-3.0, -1.0, -3.0, -1.0),
        optimum=0.0,
        minimiser=(1.0, 1.0, 1.0, 1.0),
    ),
    Program(
        name="HS45",
        objective=lambda y: 2 - jnp.prod(y) / 120,
        lower=(0.0,) * 5,
        upper=(1.0, 2.0, 3.0, 4.0, 5.0),
        start=(2.0,) * 5,
        optimum=1.0,
        minimiser=(1.0, 2.0, 3.0, 4.0, 5.0),
    ),
    Program(
        name="HS110",
        objective=paviani,
        lower=(2.001,) * 10,
        upper=(9.999,) * 10,
        start=(9.0,) * 10,
        optimum=-45.7784697074463,
        minimiser=(
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
            9.35026583306938,
        ),
    ),
]
