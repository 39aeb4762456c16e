import numpy as np
import pytest

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import Failure, going_back, levelled_descent


def evaluation(h, value, gradient):
    return Evaluation(h, value, np.array([value]), gradient, None)


def descend(f, low, high, start, tol=1e-6):
    upper = levelled_descent(low, high, start, tol)
    h, found = next(upper), []
    while True:
        found.append(evaluation(h, *f(h)))
        assert len(found) < 200, "does not end"
        try:
            h = upper.send(found[-1])
        except StopIteration:
            return found


def bowl(minimum):
    return lambda h: (1 + float(np.sum((h - minimum) ** 2)), 2 * (h - minimum))


def test_first_all_by_one_factor_from_where_each_begins(rng):
    start, spread = rng.normal(size=5), 0.3 * rng.normal(size=5)
    spread -= spread.mean()
    bound = np.full(5, 20.0)
    found = descend(bowl(start + 6.0 + spread), -bound, bound, start)
    apart = [float(np.ptp(each.log_values - start)) for each in found]
    level = next(i for i, each in enumerate(apart) if each > 1e-9)
    assert level >= 3
    best = min(found[:level], key=lambda each: each.value)
    np.testing.assert_allclose(best.log_values - start, 6.0, atol=0.2)
    # The descent in each goes on from the best of these, which is not evaluated again.
    assert np.abs(found[level].log_values - best.log_values).max() <= 2.0 + 1e-9
    assert len({each.log_values.tobytes() for each in found}) == len(found)
    np.testing.assert_allclose(found[-1].log_values, start + 6.0 + spread, atol=1e-2)


def test_bounds_hold_while_the_level_is_sought(rng):
    low, high = np.full(4, -1.0), np.array([1.0, 1.0, 1.0, 3.0])
    minimum = np.array([5.0, 0.5, -4.0, 2.0])
    found = descend(bowl(minimum), low, high, np.array([0.9, 0.0, -0.9, 0.0]))
    points = np.array([each.log_values for each in found])
    assert np.all((points >= low) & (points <= high))
    best = min(found, key=lambda each: each.value)
    np.testing.assert_allclose(best.log_values, np.clip(minimum, low, high), atol=1e-2)


@pytest.mark.parametrize("edge", [1.0, 0.4])
def test_it_goes_on_where_the_level_has_no_solution(edge):
    """Beyond an edge nothing is solved; the way back is known for what it is."""
    minimum = np.array([edge - 0.1, edge - 0.5])
    box = np.full(2, -9.0), np.full(2, 9.0)
    upper = going_back(levelled_descent(*box, np.full(2, -4.0), 1e-8), *box)
    h, values = next(upper), []
    for _ in range(200):
        if h.max() > edge:
            found = Failure(h, SolveError("beyond"))
        else:
            found = evaluation(h, *bowl(minimum)(h))
            values.append(found.value)
        try:
            h = upper.send(found)
        except StopIteration:
            break
    assert min(values) < 1.01
