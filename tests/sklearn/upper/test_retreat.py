"""Descents around points without a solution."""

import numpy as np
import pytest

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import Failure, going_back, projected_descent, shared_descent


def run(points, wall, most=60):
    """Minimise Σ (h + 3)², which has no solution where any h is below `wall`."""
    found = []
    h = next(points)
    while len(found) < most:
        if np.any(h < wall):
            found.append(Failure(h, SolveError(f"none at {h}")))
        else:
            value, gradient = float(np.sum((h + 3) ** 2)), 2 * (h + 3)
            found.append(Evaluation(h, value, np.array([value]), gradient, 2.0))
        try:
            h = points.send(found[-1])
        except StopIteration:
            break
    return found


def best(found):
    return min((each for each in found if isinstance(each, Evaluation)), key=lambda e: e.value)


def test_without_failures_nothing_changes():
    plain = run(going_back(shared_descent(-10.0, 10.0, 4.0, 1e-8)), -np.inf)
    assert best(plain).log_values[0] == pytest.approx(-3.0, abs=1e-6)
    assert not any(isinstance(each, Failure) for each in plain)


@pytest.mark.parametrize("wall", [-2.2, 1.3])
def test_one_number_comes_near_the_wall(wall):
    found = run(going_back(shared_descent(-10.0, 10.0, 4.0, 1e-8)), wall)
    assert any(isinstance(each, Failure) for each in found)
    assert wall <= best(found).log_values[0] < wall + 0.2
    assert len(found) < 60


def test_many_numbers_come_near_the_wall():
    low, high = np.full(3, -10.0), np.full(3, 10.0)
    found = run(going_back(projected_descent(low, high, np.array([4.0, 3.0, 2.0]), 1e-4)), -1.5)
    assert any(isinstance(each, Failure) for each in found)
    assert np.all(best(found).log_values >= -1.5)
    assert best(found).value < 3 * 2.5**2
    assert len(found) < 60


def test_half_the_way_back_to_the_best():
    points = going_back(shared_descent(-10.0, 10.0, 4.0, 1e-8))
    h = next(points)
    there = points.send(Evaluation(h, 49.0, np.array([49.0]), np.array([14.0]), 2.0))
    nearer = points.send(Failure(there, SolveError("none")))
    np.testing.assert_allclose(nearer, (h + there) / 2)


def test_there_is_no_way_back_from_the_first_point():
    points = going_back(shared_descent(-10.0, 10.0, 4.0, 1e-8))
    with pytest.raises(SolveError, match="none here"):
        points.send(Failure(next(points), SolveError("none here")))
