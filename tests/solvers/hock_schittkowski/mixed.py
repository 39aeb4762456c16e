"""Equalities with inequalities or bounds, up to six variables: HS14–HS81 in part."""

from math import exp, inf, sqrt

import jax.numpy as jnp
from jax.scipy.stats import norm

from .equalities import chain, three_equations
from .program import Program, rows, scalar

SQRT2, SQRT7 = sqrt(2), sqrt(7)


@scalar
def quality(y1, y2, y3, y4, y5, y6):
    """HS54, a correlated normal density turned over."""
    a, b = (y1 - 1e4) / 8e3, y2 - 1
    h = (
        (a**2 + 0.4 * a * b + b**2) / 0.96
        + (y3 - 2e6) ** 2 / 4.9e13
        + (y4 - 10) ** 2 / 2.5e3
        + (y5 - 1e-3) ** 2 / 2.5e-3
        + (y6 - 1e8) ** 2 / 2.5e17
    )
    return -jnp.exp(-h / 2)


@scalar
def reactors(y1, y2, y3):
    a, b, c = y1 + y2 + y3, y2 + y3, y3
    return -32.174 * (
        255 * jnp.log((a + 0.03) / (0.09 * y1 + b + 0.03))
        + 280 * jnp.log((b + 0.03) / (0.07 * y2 + c + 0.03))
        + 290 * jnp.log((c + 0.03) / (0.13 * y3 + 0.03))
    )


def inspection(name, a, b, n, **facts):
    """HS68 and HS69: the cheapest control chart."""

    @scalar
    def cost(y1, y2, y3, y4):
        growth = jnp.expm1(y1)
        return (a * n - (b * growth - y3) * y4 / (growth + y4)) / y1

    return Program(
        name=name,
        objective=cost,
        equality=rows(
            lambda y1, y2, y3, y4: [
                y3 - 2 * norm.cdf(-y2),
                y4 - norm.cdf(-y2 + sqrt(n)) - norm.cdf(-y2 - sqrt(n)),
            ]
        ),
        lower=(1e-4, 0.0, 0.0, 0.0),
        upper=(100.0, 100.0, 2.0, 2.0),
        start=(1.0, 1.0, 1.0, 1.0),
        note="stationary and flat where y1 = 100",
        **facts,
    )


def power(name, a, **facts):
    """HS74 and HS75: two generators, with angles at most `a` apart."""
    return Program(
        name=name,
        objective=scalar(
            lambda y1, y2, y3, y4: 3 * y1 + 1e-6 * y1**3 + 2 * y2 + (2 / 3) * 1e-6 * y2**3
        ),
        equality=rows(
            lambda y1, y2, y3, y4: [
                1000 * (jnp.sin(-y3 - 0.25) + jnp.sin(-y4 - 0.25)) + 894.8 - y1,
                1000 * (jnp.sin(y3 - 0.25) + jnp.sin(y3 - y4 - 0.25)) + 894.8 - y2,
                1000 * (jnp.sin(y4 - 0.25) + jnp.sin(y4 - y3 - 0.25)) + 1294.8,
            ]
        ),
        inequality=rows(lambda y1, y2, y3, y4: [y3 - y4 - a, y4 - y3 - a]),
        lower=(0.0, 0.0, -a, -a),
        upper=(1200.0, 1200.0, a, a),
        start=(0.0, 0.0, 0.0, 0.0),
        **facts,
    )


PROGRAMS = [
    Program(
        name="HS14",
        objective=scalar(lambda y1, y2: (y1 - 2) ** 2 + (y2 - 1) ** 2),
        equality=rows(lambda y1, y2: [y1 - 2 * y2 + 1]),
        inequality=rows(lambda y1, y2: [y1**2 / 4 + y2**2 - 1]),
        start=(2.0, 2.0),
        optimum=9 - 2.875 * SQRT7,
        minimiser=((SQRT7 - 1) / 2, (SQRT7 + 1) / 4),
    ),
    Program(
        name="HS32",
        objective=scalar(lambda y1, y2, y3: (y1 + 3 * y2 + y3) ** 2 + 4 * (y1 - y2) ** 2),
        equality=rows(lambda y1, y2, y3: [1 - y1 - y2 - y3]),
        inequality=rows(lambda y1, y2, y3: [y1**3 + 3 - 6 * y2 - 4 * y3]),
        lower=(0.0, 0.0, 0.0),
        start=(0.1, 0.7, 0.2),
        optimum=1.0,
        minimiser=(0.0, 0.0, 1.0),
        note="the first bound is active with multiplier zero",
    ),
    Program(
        name="HS41",
        objective=scalar(lambda y1, y2, y3, y4: 2 - y1 * y2 * y3),
        equality=rows(lambda y1, y2, y3, y4: [y1 + 2 * y2 + 2 * y3 - y4]),
        lower=(0.0, 0.0, 0.0, 0.0),
        upper=(1.0, 1.0, 1.0, 2.0),
        start=(2.0, 2.0, 2.0, 2.0),
        optimum=52 / 27,
        minimiser=(2 / 3, 1 / 3, 1 / 3, 2.0),
    ),
    Program(
        name="HS53",
        objective=scalar(
            lambda y1, y2, y3, y4, y5: (
                (y1 - y2) ** 2 + (y2 + y3 - 2) ** 2 + (y4 - 1) ** 2 + (y5 - 1) ** 2
            )
        ),
        equality=chain(0),
        lower=(-10.0,) * 5,
        upper=(10.0,) * 5,
        start=(2.0,) * 5,
        optimum=176 / 43,
        minimiser=(-33 / 43, 11 / 43, 27 / 43, -5 / 43, 11 / 43),
    ),
    Program(
        name="HS54",
        objective=quality,
        equality=rows(lambda y1, y2, y3, y4, y5, y6: [y1 + 4e3 * y2 - 1.76e4]),
        lower=(0.0, -10.0, 0.0, 0.0, -1.0, 0.0),
        upper=(2e4, 10.0, 1e7, 20.0, 1.0, 2e8),
        start=(6e3, 1.5, 4e6, 2.0, 3e-3, 5e7),
        optimum=-exp(-27 / 280),
        minimiser=(91600 / 7, 79 / 70, 2e6, 10.0, 1e-3, 1e8),
        note="variables between 1e-3 and 1e8 in size",
    ),
    Program(
        name="HS55",
        objective=scalar(lambda y1, y2, y3, y4, y5, y6: y1 + 2 * y2 + 4 * y5 + jnp.exp(y1 * y4)),
        equality=rows(
            lambda y1, y2, y3, y4, y5, y6: [
                y1 + 2 * y2 + 5 * y5 - 6,
                y1 + y2 + y3 - 3,
                y4 + y5 + y6 - 2,
                y1 + y4 - 1,
                y2 + y5 - 2,
                y3 + y6 - 2,
            ]
        ),
        lower=(0.0,) * 6,
        upper=(1.0, inf, inf, 1.0, inf, inf),
        start=(1.0, 2.0, 0.0, 0.0, 0.0, 2.0),
        optimum=19 / 3,
        minimiser=(0.0, 4 / 3, 5 / 3, 1.0, 2 / 3, 1 / 3),
        other_optima=(20 / 3,),
        note="the sixth equality follows from the others, which leave a segment: minima at both "
        "ends; 6.80585, the most on it, is stationary too",
    ),
    Program(
        name="HS60",
        objective=scalar(lambda y1, y2, y3: (y1 - 1) ** 2 + (y1 - y2) ** 2 + (y2 - y3) ** 4),
        equality=rows(lambda y1, y2, y3: [y1 * (1 + y2**2) + y3**4 - 4 - 3 * SQRT2]),
        lower=(-10.0, -10.0, -10.0),
        upper=(10.0, 10.0, 10.0),
        start=(2.0, 2.0, 2.0),
        optimum=0.0325682002550698,
        minimiser=(1.10485901973332, 1.19667418228826, 1.53526226032533),
        other_optima=(2.18966058758156,),
    ),
    Program(
        name="HS62",
        objective=reactors,
        equality=rows(lambda y1, y2, y3: [y1 + y2 + y3 - 1]),
        lower=(0.0, 0.0, 0.0),
        upper=(1.0, 1.0, 1.0),
        start=(0.7, 0.2, 0.1),
        optimum=-26272.5144873183,
        minimiser=(0.617812690812692, 0.328202223119669, 0.0539850860676384),
    ),
    Program(
        name="HS63",
        objective=scalar(lambda y1, y2, y3: 1000 - y1**2 - 2 * y2**2 - y3**2 - y1 * y2 - y1 * y3),
        equality=rows(
            lambda y1, y2, y3: [8 * y1 + 14 * y2 + 7 * y3 - 56, y1**2 + y2**2 + y3**2 - 25]
        ),
        lower=(0.0, 0.0, 0.0),
        start=(2.0, 2.0, 2.0),
        optimum=961.715172130052,
        minimiser=(3.51212134187469, 0.216987941515224, 3.55217115482705),
    ),
    inspection(
        "HS68",
        a=1e-4,
        b=1.0,
        n=24,
        optimum=-0.92042500363975,
        minimiser=(0.0678585770855125, 3.64621085568818, 0.000266135625215414, 0.894855039373553),
    ),
    inspection(
        "HS69",
        a=0.1,
        b=1000.0,
        n=4,
        optimum=-956.712886650028,
        minimiser=(0.0293714174217056, 1.19025345040691, 0.233946790667418, 0.791667811243804),
    ),
    Program(
        name="HS71",
        objective=scalar(lambda y1, y2, y3, y4: y1 * y4 * (y1 + y2 + y3) + y3),
        equality=rows(lambda y1, y2, y3, y4: [y1**2 + y2**2 + y3**2 + y4**2 - 40]),
        inequality=rows(lambda y1, y2, y3, y4: [25 - y1 * y2 * y3 * y4]),
        lower=(1.0,) * 4,
        upper=(5.0,) * 4,
        start=(1.0, 5.0, 5.0, 1.0),
        optimum=17.0140172891563,
        minimiser=(1.0, 4.74299963726442, 3.82114998418487, 1.37940829317267),
        other_optima=(27.1464281994823, 30.6969384566991),
    ),
    Program(
        name="HS73",
        objective=scalar(lambda y1, y2, y3, y4: 24.55 * y1 + 26.75 * y2 + 39 * y3 + 40.5 * y4),
        equality=rows(lambda y1, y2, y3, y4: [y1 + y2 + y3 + y4 - 1]),
        inequality=rows(
            lambda y1, y2, y3, y4: [
                5 - 2.3 * y1 - 5.6 * y2 - 11.1 * y3 - 1.3 * y4,
                21
                - (12 * y1 + 11.9 * y2 + 41.8 * y3 + 52.1 * y4)
                + 1.645 * jnp.sqrt(0.28 * y1**2 + 0.19 * y2**2 + 20.5 * y3**2 + 0.62 * y4**2),
            ]
        ),
        lower=(0.0,) * 4,
        start=(1.0,) * 4,
        optimum=29.8943781591423,
        minimiser=(0.635521568635073, 0.0, 0.312701880751489, 0.051776550613412),
    ),
    power(
        "HS74",
        0.55,
        optimum=5126.49810959527,
        minimiser=(679.945319851212, 1026.06713261046, 0.118876364493102, -0.39623355320321),
    ),
    power(
        "HS75",
        0.48,
        optimum=5174.41269537774,
        minimiser=(776.15902658606, 925.195138469091, 0.0511089285383512, -0.42889107146165),
    ),
    Program(
        name="HS80",
        objective=lambda y: jnp.exp(jnp.prod(y)),
        equality=three_equations,
        lower=(-2.3, -2.3, -3.2, -3.2, -3.2),
        upper=(2.3, 2.3, 3.2, 3.2, 3.2),
        start=(-2.0, 2.0, 2.0, -1.0, -1.0),
        optimum=0.053949847770272,
        other_optima=(0.438851219942812,),
        note="four minima: two signs among y3, y4, y5 turn together",
    ),
    Program(
        name="HS81",
        objective=lambda y: jnp.exp(jnp.prod(y)) - 0.5 * (y[0] ** 3 + y[1] ** 3 + 1) ** 2,
        equality=three_equations,
        lower=(-2.3, -2.3, -3.2, -3.2, -3.2),
        upper=(2.3, 2.3, 3.2, 3.2, 3.2),
        start=(-2.0, 2.0, 2.0, -1.0, -1.0),
        optimum=0.0539498477702719,
        other_optima=(0.438851219942812,),
        note="four minima: two signs among y3, y4, y5 turn together",
    ),
]
