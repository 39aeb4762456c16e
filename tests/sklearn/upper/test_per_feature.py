import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import projected_descent


def descend(f, start, low=-9.0, high=9.0, tol=1e-9, limit=400):
    size = np.ones(len(start))
    upper = projected_descent(low * size, high * size, np.asarray(start, float), tol)
    points, values = [next(upper)], []
    while True:
        value, gradient = f(points[-1])
        values.append(value)
        assert len(values) < limit, "does not end"
        evaluation = Evaluation(points[-1], value, np.array([value]), gradient, None)
        try:
            points.append(upper.send(evaluation))
        except StopIteration:
            return np.array(points), np.array(values)


def quadratic(seed, d, condition):
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(d, d)))
    hessian = basis @ np.diag(np.geomspace(1, condition, d)) @ basis.T
    minimum = random.normal(size=d)
    return (
        lambda h: (1 + 0.5 * (h - minimum) @ hessian @ (h - minimum), hessian @ (h - minimum)),
        minimum,
    )


@pytest.mark.parametrize("d", [1, 3, 30])
def test_quadratics_are_solved_in_tens_of_evaluations(d):
    f, minimum = quadratic(d, d, 30.0)
    points, values = descend(f, np.zeros(d))
    assert values.min() <= 1 + 1e-6
    np.testing.assert_allclose(points[np.argmin(values)], minimum, atol=2e-3)
    assert len(values) <= 40


def test_a_bent_valley_is_followed():
    points, values = descend(lambda h: (rosen(h) + 1, rosen_der(h)), [-1.5, 2.0, 1.0], tol=1e-12)
    np.testing.assert_allclose(points[np.argmin(values)], 1.0, atol=1e-2)


def test_bounds_hold_and_the_rest_is_solved_exactly():
    """Two variables end at bounds; the others at the minimum of what is left."""
    f, _ = quadratic(4, 6, 10.0)
    points, values = descend(f, np.zeros(6), low=-0.3, high=0.3)
    assert np.abs(points).max() <= 0.3
    best = points[np.argmin(values)]
    gradient = f(best)[1]
    inside = np.abs(best) < 0.3
    assert 0 < inside.sum() < 6
    np.testing.assert_allclose(gradient[inside], 0.0, atol=2e-3)
    assert np.all(gradient[~inside] * best[~inside] < 0)


def test_a_start_outside_is_moved_to_the_bounds():
    points, _ = descend(lambda h: (1 + h @ h, 2 * h), [20.0, -20.0])
    assert points[0].tolist() == [9.0, -9.0]


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_scale_of_the_criterion_does_not_matter(scale):
    f, _ = quadratic(1, 5, 20.0)
    expected, _ = descend(f, np.zeros(5))
    points, _ = descend(lambda h: tuple(scale * each for each in f(h)), np.zeros(5))
    np.testing.assert_allclose(points, expected, rtol=1e-6, atol=1e-9)


def test_ends_at_once_where_nothing_can_fall():
    points, _ = descend(lambda h: (1.0, np.zeros(2)), [1.0, 2.0])
    assert len(points) == 1
    points, _ = descend(lambda h: (3 + h.sum(), np.ones(2)), [-9.0, -9.0])
    assert len(points) == 1


def test_a_rejected_point_is_not_lost():
    """F rises over the first step; the descent still ends at the minimum."""
    _, values = descend(lambda h: (1 + 50 * h @ h, 100 * h), [0.1, -0.05])
    assert values[1] > values[0]
    assert values.min() == pytest.approx(1.0, abs=1e-6)
