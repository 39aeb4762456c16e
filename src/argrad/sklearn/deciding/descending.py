"""A descent driven to its end, back from points that have no solution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper import Failure, Upper, going_back

# What is tuned to be compared only never needs more.
_LONGEST = 100


def evaluations(
    upper: Upper,
    objective: Callable[[np.ndarray], Evaluation],
    low: np.ndarray,
    high: np.ndarray,
) -> Iterator[Evaluation]:
    """Those of the points that `upper` asks for, in their order, as they are made.

    From a point where `objective` raises SolveError the descent goes on elsewhere between `low` and
    `high` (s,), see `going_back`; where no point has a solution the first error is raised.

    >>> from argrad.sklearn.upper import projected_descent
    >>> def bowl(h):
    ...     return Evaluation(h, float(h @ h), h**2, 2 * h, None)
    >>> box = np.array([-4.0]), np.array([4.0])
    >>> found = list(evaluations(projected_descent(*box, np.array([3.0]), 1e-9), bowl, *box))
    >>> min(each.value for each in found) < 1e-9
    True
    """
    points = going_back(upper, low, high)
    h = next(points)
    while True:
        found: Evaluation | Failure
        try:
            found = objective(h)
        except SolveError as error:
            found = Failure(h, error)
        if isinstance(found, Evaluation):
            yield found
        try:
            h = points.send(found)
        except StopIteration:
            return


def lowest(
    upper: Upper,
    objective: Callable[[np.ndarray], Evaluation],
    low: np.ndarray,
    high: np.ndarray,
) -> Evaluation:
    """The lowest of a descent's first hundred evaluations, see `evaluations`."""
    found = islice(evaluations(upper, objective, low, high), _LONGEST)
    return min(found, key=lambda each: each.value)
