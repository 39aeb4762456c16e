"""A descent driven to its end: what it yields, and what it does where there is no solution."""

import numpy as np
import pytest

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.descending import evaluations
from argrad.sklearn.upper import projected_descent

from .test_prior import Bowl

LOW, HIGH = np.full(3, -6.0), np.full(3, 6.0)


def test_every_evaluation_and_the_lowest_is_the_minimum(rng):
    bowl, asked = Bowl(rng, 3), []

    def told(h):
        asked.append(h)
        return bowl(h)

    found = list(
        evaluations(projected_descent(LOW, HIGH, rng.normal(size=3), 1e-12), told, LOW, HIGH)
    )
    np.testing.assert_array_equal([each.log_values for each in found], asked)
    best = min(found, key=lambda each: each.value)
    np.testing.assert_allclose(best.log_values, bowl.m, atol=1e-4)


def test_points_without_a_solution_are_left_out_and_gone_back_from(rng):
    bowl = Bowl(rng, 3)

    def cliff(h):
        if h[0] > bowl.m[0] - 0.5:
            raise SolveError("none here")
        return bowl(h)

    start, box = bowl.m - 3.0, (LOW - 9, HIGH + 9)
    found = list(evaluations(projected_descent(*box, start, 1e-9), cliff, *box))
    assert all(isinstance(each, Evaluation) for each in found)
    assert min(each.value for each in found) < cliff(start).value
    found = list(evaluations(projected_descent(*box, bowl.m, 1e-9), cliff, *box))
    assert min(each.value for each in found) < cliff(start).value
    with pytest.raises(SolveError, match="none here"):
        list(evaluations(projected_descent(*box, bowl.m, 1e-9), cliff, bowl.m - 0.4, HIGH + 9))


def test_other_errors_end_it_after_what_was_found(rng):
    bowl, found, left = Bowl(rng, 3), [], [4]

    def budget(h):
        left[0] -= 1
        if left[0] < 0:
            raise ArithmeticError
        return bowl(h)

    each = evaluations(projected_descent(LOW, HIGH, bowl.m - 2.0, 1e-12), budget, LOW, HIGH)
    found.extend(next(each) for _ in range(4))
    with pytest.raises(ArithmeticError):
        next(each)
    assert len({one.value for one in found}) == 4
