"""Designs of chemical plants, five to thirteen variables: HS84, HS85, HS101–HS106, HS114, HS116."""

import jax.numpy as jnp
import numpy as np

from .program import Program, rows, scalar, within


@scalar
def sugar(y1, y2, y3, y4, y5):
    rate = 150512.5253 * y2 - 156.6950325 * y3 + 476470.3222 * y4 + 729482.8271 * y5
    return 24345 + y1 * (8720288.849 - rate)


@rows
def sugar_constraints(y1, y2, y3, y4, y5):
    a = -145421.402 + 2931.1506 * y2 - 40.427932 * y3 + 5106.192 * y4 + 15711.36 * y5
    b = -155011.1084 + 4360.53352 * y2 + 12.9492344 * y3 + 10236.884 * y4 + 13176.786 * y5
    c = -326669.5104 + 7390.68412 * y2 - 27.8986976 * y3 + 16643.076 * y4 + 30988.146 * y5
    return [
        *within(0, y1 * a, 294000),
        *within(0, y1 * b, 294000),
        *within(0, y1 * c, 277200),
    ]


# HS85: what the plant does, seventeen quantities z of which the last sixteen are bounded.
LOW = np.concatenate(
    [
        [17.505, 11.275, 214.228, 7.458, 0.961, 1.612, 0.146, 107.99, 922.693, 926.832, 18.766],
        [1072.163, 8961.448, 0.063, 71084.33, 2802713],
    ]
)
HIGH = np.concatenate(
    [
        [1053.6667, 35.03, 665.585, 584.463, 265.916, 7.046, 0.222, 273.366, 1286.105],
        [1444.046, 537.141, 3247.039, 26844.086, 0.386, 140000, 12146108],
    ]
)


def pulp_mill(y1, y2, y3, y4, y5):
    z1 = y2 + y3 + 41.6
    z2 = 12.5 / (0.024 * y4 - 4.62) + 12
    c2 = 3.535e-4 * y1**2 + 0.5311 * y1 + 0.08705 * z2 * y1
    z3 = c2 / (0.052 * y1 + 78 + 2.377e-3 * z2 * y1)
    z4 = 19 * z3
    c4 = 0.04782 * (y1 - z3) + 0.1956 * (y1 - z3) ** 2 / y2 + 0.6376 * z4 + 1.594 * z3
    z5 = (y1 - z3 - z4) * (0.95 - c4 / (100 * y2))
    z6 = y1 - z5 - z4 - z3
    c8 = (z5 + z4) * 0.995
    z7, z8 = c8 / z1, c8 / 3798
    z9 = 96.82 / (z7 - 0.0663 * z7 / z8 - 0.3153) + 0.321 * z1
    z10 = 1.29 * z5 + 1.258 * z4 + 2.29 * z3 + 1.71 * z6
    z11 = 1.71 * y1 - 0.452 * z4 + 0.58 * z3
    c12 = 0.995 * z10 + 1998
    z12 = 12.3 / 752.3 * y1 + 1.75 * z2 * 0.995 * y1 / c12
    z13 = c12 - 1.75 * z2
    z14 = 3623 + 64.4 * y2 + 58.4 * y3 + 146312 / (z9 + y5)
    z15 = z13 / (0.995 * z10 + 60.8 * y2 + 48 * y4 - 0.1121 * z14 - 5095)
    z16 = 148000 - 331000 * z15 + 40 * z13 - 61 * z15 * z13
    z17 = 14130000 - 1328 * z10 - 531 * z11 + (2324 * z10 - 28740000 * z2) / c12
    return (z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17), c12


def profit(y):
    z, c12 = pulp_mill(*y)
    return (
        -5.843e-7 * z[16]
        + 1.17e-4 * z[13]
        + 2.358e-5 * z[12]
        + 1.502e-6 * z[15]
        + 0.0321 * z[11]
        + 0.004324 * z[4]
        + 1e-4 * (z[12] / z[14] - z[12] / 0.52) / (1.104 - 0.72 * z[14])
        + 37.48 * z[1] / c12
        + 0.1365
    )


def pulp_mill_constraints(y):
    z, c12 = pulp_mill(*y)
    bounded = jnp.stack(z[1:])
    others = [
        y[2] - 1.5 * y[1],
        *within(213.1, z[0], 405.23),
        0.28 / 0.72 * z[4] - z[3],
        3496 * z[1] / c12 - 21,
        110.6 + z[0] - 62212 / (z[8] + y[4]),
    ]
    return jnp.concatenate([jnp.stack(others), LOW - bounded, bounded - HIGH])


def posynomial(coefficients, exponents):
    """Σᵢ cᵢ Πⱼ yⱼ^eᵢⱼ."""
    c, e = np.array(coefficients), np.array(exponents)
    return lambda y: jnp.sum(c * jnp.prod(y**e, axis=1))


LIMITED = [
    posynomial(
        [0.5, 0.7, 0.2],
        [[0.5, 0, -1, 0, 0, -2, 1], [3, 1, -2, 0, 0, 1, 0.5], [0, -1, 1, -0.5, 0, 2 / 3, 0.25]],
    ),
    posynomial(
        [1.3, 0.8, 3.1],
        [[-0.5, 1, -1, 0, -1, 1, 0], [0, 0, 1, -1, -1, 2, 0], [-1, 0.5, 0, -2, -1, 1 / 3, 0]],
    ),
    posynomial(
        [2, 0.1, 1, 0.65],
        [
            [1, 0, -1.5, 0, 1, -1, 1 / 3],
            [0, 1, -0.5, 0, 1, -1, -0.5],
            [-1, 1, 0.5, 0, 1, 0, 0],
            [0, -2, 1, 0, 1, -1, 1],
        ],
    ),
    posynomial(
        [0.2, 0.3, 0.4, 0.5],
        [
            [-2, 1, 0, -1, 0.5, 0, 1 / 3],
            [0.5, 2, 1, 1 / 3, -2 / 3, 0, 0.25],
            [-3, -2, 1, 0, 1, 0, 0.75],
            [0, 0, -2, 1, 0, 0, 0.5],
        ],
    ),
]


def geometric(name, a, **facts):
    """HS101–HS103, which differ in one exponent."""
    cost = posynomial(
        [10, 15, 20, 25],
        [
            [1, -1, 0, 2, 0, -3, a],
            [-1, -2, 1, 1, -1, 0, -0.5],
            [-2, 1, 0, -1, -2, 1, 0],
            [2, 2, -1, 0, 0.5, -2, 1],
        ],
    )

    def constraints(y):
        return jnp.stack([*[limited(y) - 1 for limited in LIMITED], *within(100, cost(y), 3000)])

    return Program(
        name=name,
        objective=cost,
        inequality=constraints,
        lower=(*[0.1] * 6, 0.01),
        upper=(10.0,) * 7,
        start=(6.0,) * 7,
        **facts,
    )


@scalar
def reactor_design(y1, y2, y3, y4, y5, y6, y7, y8):
    return 0.4 * (y1 / y7) ** 0.67 + 0.4 * (y2 / y8) ** 0.67 + 10 - y1 - y2


def reactor_constraints(y):
    y1, y2, y3, y4, y5, y6, y7, y8 = y
    return jnp.stack(
        [
            0.0588 * y5 * y7 + 0.1 * y1 - 1,
            0.0588 * y6 * y8 + 0.1 * y1 + 0.1 * y2 - 1,
            4 * y3 / y5 + 2 * y3**-0.71 / y5 + 0.0588 * y3**-1.3 * y7 - 1,
            4 * y4 / y6 + 2 * y4**-0.71 / y6 + 0.0588 * y4**-1.3 * y8 - 1,
            *within(0.1, reactor_design(y), 4.2),
        ]
    )


@scalar
def alkylation(y1, y2, y3, y4, y5, y6, y7, y8, y9, y10):
    return 5.04 * y1 + 0.035 * y2 + 10 * y3 + 3.36 * y5 - 0.063 * y4 * y7


@rows
def alkylation_balance(y1, y2, y3, y4, y5, y6, y7, y8, y9, y10):
    return [
        1.22 * y4 - y1 - y5,
        98000 * y3 / (y4 * y9 + 1000 * y3) - y6,
        (y2 + y5) / y1 - y8,
    ]


@rows
def alkylation_tolerances(y1, y2, y3, y4, y5, y6, y7, y8, y9, y10):
    a, b = 0.99, 0.9
    acid = 35.82 - 0.222 * y10
    octane = 3 * y7 - 133
    yielded = 1.12 * y1 + 0.13167 * y1 * y8 - 0.00667 * y1 * y8**2
    motor = 57.425 + 1.098 * y8 - 0.038 * y8**2 + 0.325 * y6
    return [
        *within(b * y9, acid, y9 / b),
        *within(a * y10, octane, y10 / a),
        *within(a * y4, yielded, y4 / a),
        *within(a * y7, motor, y7 / a),
    ]


@rows
def membranes(y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13):
    a, b, c, d, e, f = 0.002, 1.262626, 1.231059, 0.03475, 0.975, 0.00975
    return [
        y2 - y3,
        y1 - y2,
        a * y7 - a * y8 - 1,
        *within(50, y11 + y12 + y13, 250),
        b * y10 - c * y3 * y10 - y13,
        d * y2 + e * y2 * y5 - f * y2**2 - y5,
        d * y3 + e * y3 * y6 - f * y3**2 - y6,
        d * y1 + e * y1 * y4 - f * y1**2 - y4,
        b * y9 - c * y2 * y9 - y12,
        b * y8 - c * y1 * y8 - y11,
        y1 * y8 + y4 * y7 - y5 * y7 - y4 * y8,
        a * (y2 * y9 + y5 * y8 - y1 * y8 - y6 * y9) + y5 + y6 - 1,
        y3 * y10 + y6 * y9 + 500 * y2 - y2 * y9 - 500 * y6 - y2 * y10,
        0.9 + a * (y2 * y10 - y3 * y10) - y2,
    ]


PROGRAMS = [
    Program(
        name="HS84",
        objective=sugar,
        inequality=sugar_constraints,
        lower=(0.0, 1.2, 20.0, 9.0, 6.5),
        upper=(1000.0, 2.4, 60.0, 9.3, 7.0),
        start=(2.52, 2.0, 37.5, 9.25, 6.8),
        optimum=-5280335.13321476,
        minimiser=(4.5374309746554, 2.4, 60.0, 9.3, 7.0),
    ),
    Program(
        name="HS85",
        objective=profit,
        inequality=pulp_mill_constraints,
        lower=(704.4148, 68.6, 0.0, 193.0, 25.0),
        upper=(906.3855, 288.88, 134.75, 287.0966, 84.1988),
        start=(900.0, 80.0, 115.0, 267.0, 27.0),
        optimum=-1.90515525853478,
        minimiser=(705.174537070091, 68.6, 102.9, 282.32493159366, 37.5841164258056),
        note="three active constraints on two variables: gradients are dependent. The "
        "collection prints −1.90513375",
    ),
    geometric(
        "HS101",
        -0.25,
        optimum=1809.76476557141,
        minimiser=(
            2.85615855575515,
            0.61082303080345,
            2.15081256216447,
            4.71287370924123,
            0.999487540857464,
            1.34750750482833,
            0.0316527665027743,
        ),
    ),
    geometric(
        "HS102",
        0.125,
        optimum=911.880571430109,
        minimiser=(
            3.89625319107028,
            0.809358760105415,
            2.66438599377549,
            4.30091287479402,
            0.853554935248583,
            1.0952874445761,
            0.0273104596577192,
        ),
    ),
    geometric(
        "HS103",
        0.5,
        optimum=543.667958466281,
        minimiser=(
            4.39410451052641,
            0.854468738797425,
            2.8432303139509,
            3.39997866768656,
            0.722926133007302,
            0.870406381804457,
            0.0246388263272285,
        ),
    ),
    Program(
        name="HS104",
        objective=reactor_design,
        inequality=reactor_constraints,
        lower=(0.1,) * 8,
        upper=(10.0,) * 8,
        start=(6.0, 3.0, 0.4, 0.2, 6.0, 6.0, 1.0, 0.5),
        optimum=3.95116344010337,
        minimiser=(
            6.4651140283691,
            2.23270864798522,
            0.667397491286629,
            0.595756422900371,
            5.93267567790984,
            5.52723456497694,
            1.01332200890256,
            0.400668229125703,
        ),
    ),
    Program(
        name="HS106",
        objective=lambda y: jnp.sum(y[:3]),
        inequality=rows(
            lambda y1, y2, y3, y4, y5, y6, y7, y8: [
                0.0025 * (y4 + y6) - 1,
                0.0025 * (y5 + y7 - y4) - 1,
                0.01 * (y8 - y5) - 1,
                833.33252 * y4 + 100 * y1 - 83333.333 - y1 * y6,
                1250 * y5 + y2 * y4 - 1250 * y4 - y2 * y7,
                1250000 + y3 * y5 - 2500 * y5 - y3 * y8,
            ]
        ),
        lower=(100.0, 1000.0, 1000.0, *[10.0] * 5),
        upper=(*[10000.0] * 3, *[1000.0] * 5),
        start=(5000.0, 5000.0, 5000.0, 200.0, 350.0, 150.0, 225.0, 425.0),
        optimum=7049.24802052867,
        minimiser=(
            579.306684425351,
            1359.97066805166,
            5109.97066805165,
            182.01769958112,
            295.601173277934,
            217.98230041888,
            286.416526303186,
            395.601173277934,
        ),
        note="the collection prints 7049.330923",
    ),
    Program(
        name="HS114",
        objective=alkylation,
        equality=alkylation_balance,
        inequality=alkylation_tolerances,
        lower=(*[1e-5] * 5, 85.0, 90.0, 3.0, 1.2, 145.0),
        upper=(2000.0, 16000.0, 120.0, 5000.0, 2000.0, 93.0, 95.0, 12.0, 4.0, 162.0),
        start=(1745.0, 12000.0, 110.0, 3048.0, 1974.0, 89.2, 92.8, 8.0, 3.6, 145.0),
        optimum=-1768.80696371626,
        minimiser=(
            1698.09476518897,
            15818.614924183,
            54.1026823332473,
            3031.22521736801,
            2000.0,
            90.1154221989867,
            95.0,
            10.4932983067055,
            1.56163636363636,
            153.535353535354,
        ),
    ),
    Program(
        name="HS116",
        objective=lambda y: jnp.sum(y[10:]),
        inequality=membranes,
        lower=(0.1, 0.1, 0.1, 1e-4, 0.1, 0.1, 0.1, 0.1, 500.0, 0.1, 1.0, 1e-4, 1e-4),
        upper=(1.0, 1.0, 1.0, 0.1, 0.9, 0.9, *[1000.0] * 3, 500.0, 150.0, 150.0, 150.0),
        start=(0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489.0, 80.0, 650.0, 450.0, 150.0, 150.0, 150.0),
        optimum=97.5875095580705,
        note="dependent active gradients; further stationary points at 97.5910346637. The "
        "collection prints 97.588409",
    ),
]
