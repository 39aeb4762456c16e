"""Around points without a solution: back towards the best point met."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation

# Nearer than this, in logarithms, to a point without a solution there is nothing to look for.
_NEAR = 0.1


@dataclass(frozen=True)
class Failure:
    """A point at which a fold could not be solved, and why."""

    log_values: np.ndarray
    error: SolveError


Upper = Generator[np.ndarray, Evaluation, None]


def going_back(upper: Upper) -> Generator[np.ndarray, Evaluation | Failure, None]:
    """`upper`, which may be sent failures: it goes half the way back to the best point met.

    The first point must not fail: its error is raised, because there is nowhere to go back to.
    """
    h = next(upper)
    best: Evaluation | None = None
    while True:
        found = yield h
        if isinstance(found, Failure):
            if best is None:
                raise found.error
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
