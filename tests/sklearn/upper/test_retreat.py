"""Descents around points without a solution."""

import numpy as np
import pytest

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import Failure, going_back, projected_descent, shared_descent

BOX = np.array([-10.0]), np.array([10.0])


def back(upper, size=1):
    return going_back(upper, *(bound * np.ones(size) for bound in BOX))


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
    plain = run(back(shared_descent(-10.0, 10.0, 4.0, 1e-8)), -np.inf)
    assert best(plain).log_values[0] == pytest.approx(-3.0, abs=1e-6)
    assert not any(isinstance(each, Failure) for each in plain)


@pytest.mark.parametrize("wall", [-2.2, 1.3])
def test_one_number_comes_near_the_wall(wall):
    found = run(back(shared_descent(-10.0, 10.0, 4.0, 1e-8)), wall)
    assert any(isinstance(each, Failure) for each in found)
    assert wall <= best(found).log_values[0] < wall + 0.2
    assert len(found) < 60


def test_many_numbers_come_near_the_wall():
    low, high = np.full(3, -10.0), np.full(3, 10.0)
    found = run(back(projected_descent(low, high, np.array([4.0, 3.0, 2.0]), 1e-4), 3), -1.5)
    assert any(isinstance(each, Failure) for each in found)
    assert np.all(best(found).log_values >= -1.5)
    assert best(found).value < 3 * 2.5**2
    assert len(found) < 60


def test_half_the_way_back_to_the_best():
    points = back(shared_descent(-10.0, 10.0, 4.0, 1e-8))
    h = next(points)
    there = points.send(Evaluation(h, 49.0, np.array([49.0]), np.array([14.0]), 2.0))
    nearer = points.send(Failure(there, SolveError("none")))
    np.testing.assert_allclose(nearer, (h + there) / 2)


@pytest.mark.parametrize(
    ("start", "wall", "tries"), [(-6.0, -4.5, 1), (-9.0, 0.0, 7), (-9.9, 8.4, 7)]
)
def test_a_first_point_without_a_solution_is_left_for_another(start, wall, tries):
    """Further and further up and down, as long as there is anything between the bounds."""
    found = run(back(shared_descent(-10.0, 10.0, start, 1e-8)), wall)
    solved = [isinstance(each, Evaluation) for each in found]
    assert solved.index(True) <= tries
    assert best(found).value < found[solved.index(True)].value + 1e-9
    assert wall <= best(found).log_values[0] < max(wall, -3.0) + 0.2
    assert all(-10 <= each.log_values[0] <= 10 for each in found)


def test_many_numbers_start_elsewhere_as_well():
    low, high = np.full(3, -10.0), np.full(3, 10.0)
    found = run(back(projected_descent(low, high, np.array([-4.0, -5.0, -6.0]), 1e-4), 3), -4.5)
    assert isinstance(found[0], Failure)
    np.testing.assert_allclose(best(found).log_values, -3.0, atol=0.05)


def test_where_no_point_has_a_solution_the_first_error_is_raised():
    points = back(shared_descent(-10.0, 10.0, 4.0, 1e-8))
    seen = [next(points)]
    for _ in range(7):
        seen.append(points.send(Failure(seen[-1], SolveError(f"none at {seen[-1][0]}"))))
    np.testing.assert_allclose(np.ravel(seen), [4.0, 6.3, 1.7, 8.6, -0.6, 10.0, -5.2, -10.0])
    with pytest.raises(SolveError, match=r"none at 4\.0"):
        points.send(Failure(seen[-1], SolveError("none at the last")))
