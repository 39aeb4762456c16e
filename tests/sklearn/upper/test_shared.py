import numpy as np
import pytest

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import shared_descent

LOW, HIGH = np.log(1e-4), np.log(1e4)


def descend(f, start, low=LOW, high=HIGH, tol=1e-8, limit=40):
    """Points and values until the descent ends; f(t) gives F, F', F''."""
    upper = shared_descent(low, high, start, tol)
    points = [next(upper)]
    values = []
    while True:
        t = float(points[-1][0])
        value, slope, curvature = f(t)
        values.append(value)
        assert len(values) < limit, "does not end"
        evaluation = Evaluation(points[-1], value, np.array([value]), np.array([slope]), curvature)
        try:
            points.append(upper.send(evaluation))
        except StopIteration:
            return np.array(points).ravel(), np.array(values)


def sigmoids(t, centre=2.0, scale=1.0):
    """Bias rising and variance falling with the penalty, as in ridge regression."""
    up, down = 1 / (1 + np.exp(-(t - centre) / scale)), 1 / (1 + np.exp((t + centre) / scale))
    value = 1 + 3 * up**2 + 2 * down**2
    d_up, d_down = up * (1 - up) / scale, -down * (1 - down) / scale
    slope = 6 * up * d_up + 4 * down * d_down
    dd_up, dd_down = d_up * (1 - 2 * up) / scale, -d_down * (1 - 2 * down) / scale
    curvature = 6 * (d_up**2 + up * dd_up) + 4 * (d_down**2 + down * dd_down)
    return value, slope, curvature


def test_the_example_has_the_derivatives_it_claims():
    for t in (-4.0, 0.3, 2.0):
        ahead, behind = sigmoids(t + 1e-5), sigmoids(t - 1e-5)
        assert sigmoids(t)[1] == pytest.approx((ahead[0] - behind[0]) / 2e-5, abs=1e-8)
        assert sigmoids(t)[2] == pytest.approx((ahead[1] - behind[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("start", [-8.0, -3.0, 0.0, 2.5, 5.0, 9.0])
def test_the_minimum_is_found_from_anywhere(start):
    grid = np.linspace(LOW, HIGH, 20001)
    lowest = sigmoids(grid)[0].min()
    points, values = descend(sigmoids, start)
    assert values.min() <= lowest * (1 + 1e-5)
    assert len(points) <= 8


def test_a_parabola_takes_two_evaluations():
    points, values = descend(lambda t: (1 + (t - 1.5) ** 2, 2 * (t - 1.5), 2.0), 0.5)
    np.testing.assert_allclose(points, [0.5, 1.5])
    assert values[-1] == 1.0


@pytest.mark.parametrize(("sign", "bound"), [(1.0, LOW), (-1.0, HIGH)])
def test_a_monotone_criterion_ends_at_its_bound(sign, bound):
    points, _ = descend(lambda t: (10 + sign * t, sign, 0.0), 0.0)
    assert points[-1] == pytest.approx(bound)
    assert len(points) <= 5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_the_scale_of_the_criterion_does_not_matter(scale):
    expected, _ = descend(sigmoids, 6.0)
    points, _ = descend(lambda t: tuple(scale * each for each in sigmoids(t)), 6.0)
    np.testing.assert_allclose(points, expected, rtol=1e-9)


def test_points_stay_within_the_bounds():
    for start in (LOW, HIGH):
        points, _ = descend(lambda t: sigmoids(t, centre=0.3, scale=0.2), start)
        assert points.min() >= LOW
        assert points.max() <= HIGH


def test_a_flat_criterion_ends_at_once():
    points, _ = descend(lambda t: (1.0, 0.0, 0.0), 1.0)
    assert points.tolist() == [1.0]


def test_a_criterion_of_zero_does_not_loop():
    points, _ = descend(lambda t: (np.exp(-3 * t), -3 * np.exp(-3 * t), 9 * np.exp(-3 * t)), 0.0)
    assert points[-1] == pytest.approx(HIGH)


def test_a_larger_tolerance_needs_fewer_evaluations():
    exact, _ = descend(sigmoids, 6.0, tol=1e-8)
    rough, values = descend(sigmoids, 6.0, tol=1e-2)
    assert len(rough) < len(exact)
    assert values.min() <= 1.05 * sigmoids(np.linspace(LOW, HIGH, 2001))[0].min()
