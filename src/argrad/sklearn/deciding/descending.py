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
    upper: Upper, objective: Callable[[np.ndarray], Evaluation]
) -> Iterator[Evaluation]:
    """Those of the points that `upper` asks for, in their order, as they are made.

    From a point where `objective` raises SolveError the descent goes back, see `going_back`; that
    of the first one is raised.

    >>> from argrad.sklearn.upper import projected_descent
    >>> def bowl(h):
    ...     return Evaluation(h, float(h @ h), h**2, 2 * h, None)
    >>> box = np.array([-4.0]), np.array([4.0])
    >>> found = list(evaluations(projected_descent(*box, np.array([3.0]), 1e-9), bowl))
    >>> min(each.value for each in found) < 1e-9
    True
    """
    points = going_back(upper)
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


def lowest(upper: Upper, objective: Callable[[np.ndarray], Evaluation]) -> Evaluation:
    """The lowest of a descent's first hundred evaluations, see `evaluations`."""
    return min(islice(evaluations(upper, objective), _LONGEST), key=lambda each: each.value)
