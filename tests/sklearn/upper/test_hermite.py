import numpy as np
import pytest
from numpy.polynomial import Polynomial

from argrad.sklearn.upper.hermite import quintic, quintic_minimum


@pytest.mark.parametrize(("a", "b"), [(-1.0, 2.0), (3.0, 0.5)])
def test_polynomials_of_degree_five_are_reproduced(a, b):
    p = Polynomial(np.random.default_rng(0).normal(size=6))
    jets = [(t, p(t), p.deriv()(t), p.deriv(2)(t)) for t in (a, b)]
    u = np.linspace(0, 1, 7)
    np.testing.assert_allclose(quintic(*jets)(u), p(a + u * (b - a)), rtol=1e-10)


def test_the_lowest_of_several_minima_is_found():
    p = Polynomial.fromroots([-1.0, -1.0, 1.0, 1.0]) + Polynomial([0.0, 0.3])
    jets = [(t, p(t), p.deriv()(t), p.deriv(2)(t)) for t in (-2.0, 2.0)]
    t, value = quintic_minimum(*jets)
    grid = np.linspace(-2, 2, 100001)
    assert t == pytest.approx(grid[np.argmin(p(grid))], abs=1e-4)
    assert value == pytest.approx(p(grid).min(), abs=1e-8)


def test_a_monotone_polynomial_is_lowest_at_an_end():
    t, value = quintic_minimum((0.0, 1.0, -1.0, 0.0), (1.0, 0.0, -1.0, 0.0))
    assert (t, value) == (1.0, pytest.approx(0.0))
