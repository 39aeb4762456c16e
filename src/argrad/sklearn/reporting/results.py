"""What a search reports: cv_results_ as scikit-learn has it, and the history as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.reporting.scoring import PointScores
from argrad.sklearn.space import Space
from argrad.sklearn.upper import Failure


class _Point(NamedTuple):
    """A point of the search; the clock when it began, the criterion was known, and scores were."""

    found: Evaluation | Failure
    scores: PointScores | None
    begun: float
    solved: float
    ended: float

    @property
    def loss(self) -> float:
        if isinstance(self.found, Failure):
            return np.nan
        return float(np.mean(self.found.split_losses))

    @property
    def objective(self) -> float:
        """What the search lowers: the loss, and a prior's share where there is one."""
        return np.nan if isinstance(self.found, Failure) else self.found.value

    @property
    def gradient_norm(self) -> float:
        if isinstance(self.found, Failure):
            return np.nan
        return float(np.linalg.norm(self.found.gradient))


class Record:
    """The points of one search, in order, with what was found there and when.

    `space` is what is searched; `fits_each` counts the fits that a point takes, `fits_before`
    those made before the first, which is number `evaluations_before` + 1; `error_score` is the
    score of a point at which a fold could not be solved. `values` are those of discrete
    hyperparameters, the same at all points.
    """

    def __init__(
        self,
        space: Space,
        n_splits: int,
        fits_each: int,
        error_score: Any,
        fits_before: int = 0,
        evaluations_before: int = 0,
        values: Mapping[str, Any] | None = None,
    ):
        self._space, self._n_splits = space, n_splits
        self._fits_each, self._fits_before = fits_each, fits_before
        self._evaluations_before, self.values = evaluations_before, dict(values or {})
        self._error_score = np.nan if error_score == "raise" else float(error_score)
        self._points: list[_Point] = []

    def __len__(self) -> int:
        return len(self._points)

    @property
    def fits(self) -> int:
        """Fits of the model until now."""
        return self._fits_before + self._fits_each * len(self)

    @property
    def durations(self) -> list[float]:
        """Seconds that each evaluation took."""
        return [point.ended - point.begun for point in self._points]

    @property
    def any_solved(self) -> bool:
        """Whether there is a best point."""
        return any(isinstance(point.found, Evaluation) for point in self._points)

    @property
    def several_scores(self) -> bool:
        """Whether more than one score is reported beside the criterion."""
        return any(p.scores is not None and len(p.scores.values) > 1 for p in self._points)

    @property
    def best_index(self) -> int:
        """Where the lowest objective is, the first of several."""
        return int(np.nanargmin(self.objectives))

    @property
    def best(self) -> Evaluation:
        """The evaluation with the lowest objective: the CV loss, unless there is a prior."""
        found = self._points[self.best_index].found
        assert isinstance(found, Evaluation)
        return found

    def add(
        self,
        found: Evaluation | Failure,
        scores: PointScores | None,
        begun: float,
        solved: float,
        ended: float,
    ) -> None:
        """Keep a point: when it was `begun`, its criterion `solved`, and its scores `ended`."""
        self._points.append(_Point(found, scores, begun, solved, ended))

    def told(self) -> dict[str, Any]:
        """What there is to tell of the last point."""
        point = self._points[-1]
        scores = {} if point.scores is None else point.scores.values
        return {
            "evaluation": self._evaluations_before + len(self),
            "fits": self.fits,
            "seconds": point.ended,
            "cv_loss": point.loss,
            "gradient_norm": point.gradient_norm,
            "params": self.params(point.found.log_values),
            "scores": {name: float(values.mean()) for name, values in scores.items()},
        }

    def params(self, log_values: np.ndarray) -> dict[str, Any]:
        """The hyperparameters of a point as `set_params` would name them."""
        return {**self.values, **self._space.params(log_values)}

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Of each number tuned, by its name in the history, the interval that it is from."""
        return self._space.bounds

    def history(self) -> pd.DataFrame:
        """One row an evaluation: what the callback is told, with a column for each number."""
        values = [self._space.bounded(p.found.log_values) for p in self._points]
        count = np.arange(1, len(self) + 1)
        table: dict[str, Any] = {
            "evaluation": self._evaluations_before + count,
            "fits": self._fits_before + self._fits_each * count,
            "seconds": [point.ended for point in self._points],
            "cv_loss": self._losses(),
            "gradient_norm": [point.gradient_norm for point in self._points],
        }
        table |= {name: [value] * len(self) for name, value in self.values.items()}
        parameters = pd.DataFrame(np.array(values), columns=self._space.names)
        return pd.concat([pd.DataFrame(table), parameters], axis=1)

    def cv_results(self) -> dict[str, Any]:
        """Scores by split, their mean, deviation and rank, times, and parameters.

        `test_score` is minus the criterion; the scores of `scoring` follow by their names. A point
        without a solution ranks last.
        """
        seconds = np.array([point.solved - point.begun for point in self._points])
        results: dict[str, Any] = {"mean_fit_time": seconds / self._n_splits}
        if any(point.scores is not None for point in self._points):
            results["mean_score_time"] = np.array([self._score_time(p) for p in self._points])
        params = [self.params(point.found.log_values) for point in self._points]
        for name in [*self.values, *self._space.tuned]:
            results[f"param_{name}"] = _column([each[name] for each in params])
        results["params"] = params
        losses = [self._minus_losses(p) for p in self._points]
        results |= self._columns("score", losses, -self.objectives)
        names = {name: None for p in self._points if p.scores for name in p.scores.values}
        for name in names:
            rows = [self._scores(point, name) for point in self._points]
            results |= self._columns(name, rows)
        return results

    @property
    def objectives(self) -> np.ndarray:
        """What the search lowers, at every point; NaN without a solution."""
        return np.array([point.objective for point in self._points])

    def _losses(self) -> np.ndarray:
        return np.array([point.loss for point in self._points])

    def _minus_losses(self, point: _Point) -> np.ndarray:
        if isinstance(point.found, Failure):
            return np.full(self._n_splits, self._error_score)
        return -point.found.split_losses

    def _scores(self, point: _Point, name: str) -> np.ndarray:
        if point.scores is None or name not in point.scores.values:
            return np.full(self._n_splits, self._error_score)
        return point.scores.values[name]

    def _score_time(self, point: _Point) -> float:
        return np.nan if point.scores is None else point.scores.score_seconds / self._n_splits

    def _columns(
        self, name: str, rows: list[np.ndarray], order: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Scores (k,) a point, ranked by their mean or by another number a point, `order`."""
        scores = np.array(rows)
        mean = scores.mean(axis=1)
        order = mean if order is None else order
        solved = np.array([isinstance(point.found, Evaluation) for point in self._points])
        return {
            **{f"split{i}_test_{name}": scores[:, i] for i in range(self._n_splits)},
            f"mean_test_{name}": mean,
            f"std_test_{name}": scores.std(axis=1),
            f"rank_test_{name}": ranks(order, solved),
        }


def ranks(order: np.ndarray, solved: np.ndarray) -> np.ndarray:
    """The rank of each point by a number, 1 for the highest; points that are not solved last."""
    ranked = np.where(solved & ~np.isnan(order), order, -np.inf)
    return (ranked[:, None] < ranked[None, :]).sum(axis=1) + 1


def _column(values: list[Any]) -> np.ma.MaskedArray:
    """Values as scikit-learn keeps them: masked nowhere, objects where they are arrays."""
    kind = float if all(isinstance(value, float) for value in values) else object
    column: np.ma.MaskedArray = np.ma.MaskedArray(np.empty(len(values), dtype=kind))
    for i, value in enumerate(values):
        column[i] = value
    return column
