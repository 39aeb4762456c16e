"""The upper level where it is not clear where to begin: a few points, then down from the best."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.upper.per_feature import projected_descent

# A second descent that comes so near to where the first has ended, in any logarithm, goes there.
_NEAR = 0.5


def scanned_descent(
    low: np.ndarray,
    high: np.ndarray,
    points: Sequence[np.ndarray],
    tol: float,
    again: int | None = None,
) -> Generator[np.ndarray, Evaluation, None]:
    """Minimise F(h) over the box: yields h (s,), is sent evaluations, as `projected_descent`.

    Every one of the `points` is evaluated, those that coincide in the box once, and the best of
    them descended from: a descent that started on a part where F is flat would stay there. With
    `again` it descends from that point as well, until it nears where the first has ended.
    """
    points = [np.clip(point, low, high) for point in points]
    known: dict[tuple[float, ...], Evaluation] = {}
    for point in points:
        if tuple(point) not in known:
            known[tuple(point)] = yield point
    first = min(known.values(), key=lambda each: each.value)
    starts = [first]
    if again is not None and known[tuple(points[again])] is not first:
        starts.append(known[tuple(points[again])])
    best = first
    for start in starts:
        aim = None if start is first else best.log_values
        descent = projected_descent(low, high, start, tol)
        with suppress(StopIteration):
            h = next(descent)
            while aim is None or np.max(np.abs(h - aim)) >= _NEAR:
                found = yield h
                if found.value < best.value:
                    best = found
                h = descent.send(found)
