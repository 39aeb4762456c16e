"""Auto: what it means without bounds, and what a decision may cost."""

import numpy as np
import pytest

from argrad.sklearn import Auto, Grouped, PerFeature, Shared
from argrad.sklearn.deciding.auto import affordable_rows
from argrad.sklearn.deciding.candidates import GROUPED, SHARED, Box, Candidate


def test_bounds_follow_the_start(rng):
    """In other units of a column, and of the penalty with it, the bounds move as it does."""
    start = rng.normal(size=6)
    box = Auto().box(start)
    assert box.low == pytest.approx(start.min() - np.log(1e5))
    assert box.high == pytest.approx(start.max() + np.log(1e5))
    moved = Auto().box(start + 3.0)
    assert (moved.low - box.low, moved.high - box.high) == pytest.approx((3.0, 3.0))


def test_bounds_that_are_given_are_kept(rng):
    box = Auto(1e-2, 1e2).box(np.array([-20.0, 0.0, 20.0]))
    np.testing.assert_allclose(box.start, [np.log(1e-2), 0.0, np.log(1e2)])
    decided = Auto(1e-2, 1e2).decided(SHARED, box)
    assert decided == Shared(1e-2, 1e2)


def test_each_candidate_is_a_hyperparameter():
    box, auto = Box(0.0, 1.0, np.zeros(3)), Auto(groups=["a", "b", "a"])
    assert auto.decided(SHARED, box) == Shared(1.0, np.e)
    assert auto.decided(GROUPED, box) == Grouped(["a", "b", "a"], 1.0, np.e)
    assert auto.decided(Candidate("per-feature", 0.1), box) == PerFeature(1.0, np.e)
    np.testing.assert_array_equal(auto.numbers(["x0", "x1", "x2"]), [0, 1, 0])
    assert Auto().numbers(["x0"]) is None


def test_what_is_no_interval_or_no_groups_is_refused():
    with pytest.raises(ValueError, match="Auto needs both bounds or neither, got low=None"):
        Auto(high=3.0)
    with pytest.raises(ValueError, match="Auto needs its lower bound first"):
        Auto(2.0, 1.0)
    with pytest.raises(TypeError, match="Grouped needs a label for each column"):
        Auto(groups="columns")


def test_rows_that_are_affordable():
    """Fewer for more coefficients, more where rows are condensed, none in the end."""
    rows = [affordable_rows(p, False) for p in (10, 20, 40, 80)]
    assert rows == sorted(rows, reverse=True)
    assert affordable_rows(40, True) > 10 * affordable_rows(40, False) > 0
    assert affordable_rows(1000, True) == affordable_rows(1000, False) == 0
