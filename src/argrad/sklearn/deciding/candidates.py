"""The granularities that a decision is between, each tuned from the one before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.descending import lowest
from argrad.sklearn.deciding.prior import WithPrior
from argrad.sklearn.deciding.tied import Tied
from argrad.sklearn.upper import FIRST, projected_descent

# Strengths of the prior, strongest first: each is tuned from the solution of the one before.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.0)
# Of sparse models the least of them: the mean over the columns counts those out of use as well, and
# few of many columns can over-fit.
_SPARSE_EACH = 0.5
# Within one number the criterion is settled more closely than within many: a step costs the same.
_TOL_ONE, _TOL_EACH = 1e-6, 1e-4


Objective = Callable[[np.ndarray], Evaluation]
# Told in words what is tried next.
Trying = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """A granularity, and the strength of the prior that draws the penalties together."""

    granularity: str
    prior_strength: float

    def __str__(self) -> str:
        if 0 < self.prior_strength < np.inf:
            return f"{self.granularity}, prior {self.prior_strength:g}"
        return self.granularity


SHARED = Candidate("shared", np.inf)
GROUPED = Candidate("grouped", 0.0)
PER_CLASS = Candidate("per-class", 0.0)
PER_LAYER = Candidate("per-layer", 0.0)
ADAPTIVE = Candidate("adaptive", 0.0)


class Objectives(NamedTuple):
    """What is lowered on some splits: F in h (d m,), for m outputs of each of d columns.

    `adaptive` is that of adaptive penalties, in the logarithms (2,) of those of both fits, for a
    model which has them; `first` is the longest first step in any logarithm.
    """

    each: Objective
    adaptive: Objective | None = None
    first: float = FIRST

    def of(self, candidate: Candidate) -> Objective:
        """What is lowered in the numbers that a candidate has where its tuning has ended."""
        objective = self.adaptive if candidate == ADAPTIVE else self.each
        assert objective is not None
        return objective


@dataclass(frozen=True)
class Box:
    """Where log penalties h (s,) may be, the same for all, and where to begin."""

    low: float
    high: float
    start: np.ndarray


def sparse_strengths(columns: int) -> tuple[float, ...]:
    """Strengths for a sparse model, in proportion to its columns where these are many.

    >>> sparse_strengths(2000)
    (1000.0, 300.0, 100.0, 30.0, 10.0)
    """
    return tuple(float(t * max(_SPARSE_EACH * columns, 1.0)) for t in STRENGTHS[:-1])


class Tuned(NamedTuple):
    """A candidate, the log penalties (s,) where its tuning ended, and their CV loss."""

    candidate: Candidate
    log_values: np.ndarray
    cv_loss: float


class Unsolved(NamedTuple):
    """A candidate without a solution in some fold at any point looked at, and why."""

    candidate: Candidate
    error: SolveError


def solved(tuned: Tuned | Unsolved) -> Tuned:
    """What was tuned; raises the error if nothing was."""
    if isinstance(tuned, Unsolved):
        raise tuned.error
    return tuned


def path(
    objectives: Objectives,
    box: Box,
    groups: np.ndarray | None,
    outputs: int = 1,
    trying: Trying = lambda what: None,
    strengths: Sequence[float] = STRENGTHS,
) -> Generator[Tuned | Unsolved, None, None]:
    """Every candidate, tuned from the one before that had a solution.

    One of an own a group or class is tuned from the shared one, and so are adaptive penalties and
    the first of a column. Raises SolveError where the shared one has no solution.
    """
    numbers = np.arange(len(box.start)).reshape(-1, outputs)
    column, output = numbers // outputs, numbers % outputs
    ways = [(SHARED, np.zeros(numbers.shape, dtype=int))]
    if groups is not None:
        ways.append((GROUPED, groups[column]))
    if outputs > 1:
        ways.append((PER_CLASS, output))

    def tuned(
        candidate: Candidate, objective: Objective, start: np.ndarray, tol: float = _TOL_EACH
    ) -> Tuned | Unsolved:
        """Where the objective of a candidate is lowest, in its own numbers."""
        trying(str(candidate))
        bounds = np.full(len(start), box.low), np.full(len(start), box.high)
        descent = projected_descent(*bounds, start, tol, objectives.first)
        try:
            best = lowest(descent, objective, *bounds)
        except SolveError as error:
            return Unsolved(candidate, error)
        return Tuned(candidate, best.log_values, float(best.split_losses.mean()))

    level = box.start.mean()
    for candidate, number in ways:
        tied = Tied(objectives.each, number.ravel())
        tol = _TOL_ONE if tied.size == 1 else _TOL_EACH
        found = tuned(candidate, tied, np.full(tied.size, level), tol)
        if candidate is SHARED:
            level, scale = solved(found).log_values[0], solved(found).cv_loss
        yield _spread(found, number)
    if objectives.adaptive is not None:
        yield tuned(ADAPTIVE, objectives.adaptive, np.full(2, level))
    each_column = objectives.each if outputs == 1 else Tied(objectives.each, column.ravel())
    h = np.full(len(numbers), level)
    for strength in strengths:
        found = tuned(
            Candidate("per-feature", strength), WithPrior(each_column, strength, scale), h
        )
        if isinstance(found, Tuned):
            h = found.log_values
        yield _spread(found, column)


def _spread(found: Tuned | Unsolved, number: np.ndarray) -> Tuned | Unsolved:
    """What was tuned, with the penalty `number` has for each column and output."""
    if isinstance(found, Unsolved):
        return found
    return found._replace(log_values=found.log_values[number.ravel()])
