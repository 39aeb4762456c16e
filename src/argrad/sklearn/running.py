"""One run of a search: from point to point, told to whoever listens, within its limits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.limits import Limits
from argrad.sklearn.reporting.results import Record
from argrad.sklearn.reporting.scoring import FoldScoring
from argrad.sklearn.reporting.tasks import Tasks
from argrad.sklearn.upper import Failure, Upper, going_back


@dataclass(frozen=True)
class Run:
    """A descent on `criterion`, kept in `record`.

    `fit(h, rows)` is the estimator with the hyperparameters e^h, fitted by scikit-learn on the
    rows at these positions, or on all of them for None; `listen` is told of every point, and ends
    the search by returning True. `fit_best` fits what would be the result if it ended there.
    """

    criterion: Callable[[np.ndarray], Evaluation]
    limits: Limits
    record: Record
    scoring: FoldScoring
    fit: Callable[[np.ndarray, Any], Any]
    tasks: Tasks
    listen: Callable[[dict[str, Any]], Any]
    fit_best: Callable[[], Any]

    def descend(self, upper: Upper, low: np.ndarray, high: np.ndarray) -> bool:
        """Evaluate where `upper` says, until it has nothing to say or something ends the search.

        True if a listener did. Points without a solution are left for others between `low` and
        `high` (s,). Raises SolveError where there is one and the error score is 'raise', or where
        no point had a solution.
        """
        points = going_back(upper, low, high)
        h = next(points)
        while True:
            task = self.tasks.begin_evaluation()
            found = self._evaluate(h)
            ended = self.listen(self._told())
            ended = self.tasks.end_evaluation(task, self._fit_so_far) or ended is True
            if ended or not self.limits.allow(len(self.record)):
                if isinstance(found, Failure) and not self.record.any_solved:
                    raise found.error
                return ended
            try:
                h = points.send(found)
            except StopIteration:
                return False

    def _evaluate(self, h: np.ndarray) -> Evaluation | Failure:
        found: Evaluation | Failure
        begun, scores = self.limits.elapsed(), None
        try:
            found = self.criterion(h)
        except SolveError as error:
            if self.scoring.error_score == "raise":
                raise
            found = Failure(h, error)
            warnings.warn(
                f"{error} The score of this point is {self.scoring.error_score!r}, and the search "
                "goes on from others.",
                FitFailedWarning,
                stacklevel=5,
            )
        solved = self.limits.elapsed()
        if isinstance(found, Evaluation) and self.scoring.scorers.reported:
            scores = self.scoring.at(self.fit, h, in_words(self.record.params(h)))
        self.record.add(found, scores, begun, solved, self.limits.elapsed())
        return found

    def _told(self) -> dict[str, Any]:
        return {
            **self.record.told(),
            "trying": None,
            "seconds_left": self.limits.seconds_left(self.record.durations),
        }

    def _fit_so_far(self) -> dict[str, Any]:
        """What the search would have fitted if it ended here."""
        return {"best_estimator_": self.fit_best()}


def in_words(params: dict[str, Any]) -> str:
    """A point as a message names it.

    >>> in_words({"C": 0.25})
    'C=0.25'
    >>> in_words({"C": np.array([0.25, 4.0])})
    'C between 0.25 and 4'
    """
    return ", ".join(f"{name}{_said(value)}" for name, value in params.items())


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        value = list(value.values())
    if np.ndim(value):
        return f" between {np.min(value):.6g} and {np.max(value):.6g}"
    return f"={value:.6g}" if isinstance(value, float) else f"={value!r}"
