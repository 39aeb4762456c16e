"""Around points without a solution: aside from the first one, later back towards the best met."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation

# Nearer than this, in logarithms, to a point without a solution there is nothing to look for.
_NEAR = 0.1
# Where the first point has none others are looked at, so far from it in all logarithms: penalties
# that are 10, 100, 10⁴ and 10⁸ times as strong or as weak. Which way is which is not known here.
_ASIDE = (2.3, -2.3, 4.6, -4.6, 9.2, -9.2, 18.4, -18.4)


@dataclass(frozen=True)
class Failure:
    """A point at which a fold could not be solved, and why."""

    log_values: np.ndarray
    error: SolveError


Upper = Generator[np.ndarray, Evaluation, None]


def going_back(
    upper: Upper, low: np.ndarray, high: np.ndarray
) -> Generator[np.ndarray, Evaluation | Failure, None]:
    """`upper`, which may be sent failures: it goes half the way back to the best point met.

    Where the first point fails there is none to go back to, and others are looked at between `low`
    and `high` (s,), the nearest first; the error of the first is raised where all of them fail.
    """
    h = next(upper)
    best: Evaluation | None = None
    aside = _others(h, low, high)
    first: SolveError | None = None
    while True:
        found = yield h
        if isinstance(found, Failure):
            first = first or found.error
            if best is None:
                another = next(aside, None)
                if another is None:
                    raise first
                h = another
                continue
            h = 0.5 * (found.log_values + best.log_values)
            if np.max(np.abs(h - best.log_values)) < _NEAR:
                return
            continue
        if best is None or found.value < best.value:
            best = found
        try:
            h = upper.send(found)
        except StopIteration:
            return


def _others(start: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[np.ndarray]:
    """Points around `start` (s,) in the box, no two of which are alike."""
    known = [start]
    for shift in _ASIDE:
        h = np.clip(start + shift, low, high)
        if all(np.max(np.abs(h - other)) >= _NEAR for other in known):
            known.append(h)
            yield h
