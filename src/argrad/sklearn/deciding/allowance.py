"""What a decision, or a comparison, may spend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.stopping import BudgetError, EndedError
from argrad.sklearn.limits import Limits


@dataclass
class Allowance:
    """What a decision may spend: `fits` of the model, until `deadline` on `time.perf_counter`.

    `listen` is told of every evaluation: what is tried, in words, the evaluation, and this, which
    knows whether it is the `first` of what is tried. The decision ends where it returns True.
    Where it is `dear` it went on until `clock` on `time.process_time`, or its first evaluation took
    half of that time: what trains all folds is followed by what trains most of them, twice at
    least.
    """

    fits: float
    deadline: float
    listen: Callable[[str, Evaluation, Allowance], Any] = lambda *told: False
    used: int = 0
    clock: float = np.inf
    half: float = np.inf
    dear: bool = False
    trying: str = ""
    first: bool = True
    ended: bool = False

    def seconds_left(self, most: float) -> float:
        """So many seconds, or what is left of them until the deadline."""
        return min(most, max(self.deadline - time.perf_counter(), 0.0))

    def begin_clock(self, seconds: float) -> None:
        """Allow so many seconds of processor time from now on."""
        now = time.process_time()
        self.clock, self.half = now + seconds, now + seconds / 2

    def begin(self, what: str) -> None:
        """Say what is tried from now on."""
        self.trying, self.first = what, True

    def spend(
        self, criterion: Callable[[np.ndarray], Evaluation], fits_each: int
    ) -> Callable[[np.ndarray], Evaluation]:
        """The criterion, raising BudgetError where an evaluation would be one too many."""

        def counted(log_values: np.ndarray) -> Evaluation:
            self.dear = self.dear or time.process_time() > self.clock
            if (
                self.dear
                or self.used + fits_each > self.fits
                or time.perf_counter() > self.deadline
            ):
                raise BudgetError
            self.used += fits_each
            evaluation = criterion(log_values)
            self.dear, self.half = time.process_time() > self.half, np.inf
            self.ended = self.listen(self.trying, evaluation, self) is True
            self.first = False
            if self.ended:
                raise EndedError
            return evaluation

        return counted

    @classmethod
    def half_of(cls, limits: Limits, fits_each: int, listen: Any = None) -> Allowance:
        """Half of the fits and of the seconds that a search may take, at `fits_each` a point."""
        seconds = np.inf if limits.seconds is None else limits.start + limits.seconds / 2
        fits = fits_each * (limits.evaluations - 1) / 2
        return cls(fits, seconds) if listen is None else cls(fits, seconds, listen)
