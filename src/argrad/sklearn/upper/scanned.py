"""The upper level where it is not clear where to begin: a few points, then down from the best."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.upper.per_feature import projected_descent


def scanned_descent(
    low: np.ndarray, high: np.ndarray, points: Sequence[np.ndarray], tol: float
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box: yields h (s,), is sent evaluations, as `projected_descent`.

    Every one of the `points` is evaluated, those that coincide in the box once, and the best of
    them descended from. A descent that started on a part where F is flat would stay there.
    """
    each = {tuple(point): point for point in (np.clip(point, low, high) for point in points)}
    best: Evaluation | None = None
    for point in each.values():
        found = yield point
        if best is None or found.value < best.value:
            best = found
    assert best is not None
    descent = projected_descent(low, high, best.log_values, tol)
    next(descent)  # what is there is known
    found = best
    while True:
        try:
            h = descent.send(found)
        except StopIteration:
            return
        found = yield h
