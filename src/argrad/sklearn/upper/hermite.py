"""Hermite interpolation: the polynomial that shares derivatives with a function at two places."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

Jet = tuple[float, float, float, float]


def quintic(left: Jet, right: Jet) -> Polynomial:
    """The polynomial of degree 5 in u = (t − t₀) / (t₁ − t₀) through two jets (t, F, F', F'').

    >>> square = quintic((0.0, 0.0, 0.0, 2.0), (2.0, 4.0, 4.0, 2.0))
    >>> float(square(0.5))
    1.0
    """
    (t0, f0, g0, c0), (t1, f1, g1, c1) = left, right
    width = t1 - t0
    g0, g1, c0, c1 = g0 * width, g1 * width, c0 * width**2, c1 * width**2
    rise = f1 - f0
    return Polynomial(
        [
            f0,
            g0,
            c0 / 2,
            10 * rise - 6 * g0 - 4 * g1 - 1.5 * c0 + 0.5 * c1,
            -15 * rise + 8 * g0 + 7 * g1 + 1.5 * c0 - c1,
            6 * rise - 3 * g0 - 3 * g1 - 0.5 * c0 + 0.5 * c1,
        ]
    )


def quintic_minimum(left: Jet, right: Jet) -> tuple[float, float]:
    """Where between t₀ and t₁ the quintic is lowest, and how low.

    >>> t, value = quintic_minimum((0.0, 1.0, -2.0, 2.0), (4.0, 9.0, 6.0, 2.0))  # (t − 1)²
    >>> round(t, 9), round(value, 9) + 0.0
    (1.0, 0.0)
    """
    polynomial = quintic(left, right)
    roots = np.asarray(polynomial.deriv().roots())
    inside = [float(u) for u in roots[np.abs(roots.imag) < 1e-9].real if 0 < u < 1]
    u = min([0.0, 1.0, *inside], key=lambda u: float(polynomial(u)))
    return float(left[0] + u * (right[0] - left[0])), float(polynomial(u))
