"""What every search is given: the same pipeline, rows, folds and range of penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_squared_error

from argrad.report.target import Task

Granularity = Literal["shared", "per-feature"]

LOWEST, HIGHEST = 1e-4, 1e4


@dataclass(frozen=True)
class TuningProblem:
    """A pipeline to tune on `X`, `y` over `folds`, and the rows set aside to judge it on.

    `penalty` is the pipeline's parameter that is tuned between `LOWEST` and `HIGHEST`; `folds`
    holds pairs of positions within the training rows.
    """

    pipeline: Any
    penalty: str
    task: Task
    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    seed: int

    @property
    def scoring(self) -> str:
        """scikit-learn's name for minus the CV loss."""
        return "neg_log_loss" if self.task == "classification" else "neg_mean_squared_error"

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return "log loss" if self.task == "classification" else "mean squared error"

    @property
    def score_name(self) -> str:
        """The held-out score in words."""
        return "accuracy" if self.task == "classification" else "R²"

    def with_penalty(self, value: float) -> Any:
        """An unfitted copy of the pipeline with one shared penalty."""
        return clone(self.pipeline).set_params(**{self.penalty: value})

    def held_out(self, estimator: Any) -> tuple[float, float | None]:
        """Loss and score of a fitted estimator on the rows set aside; R² needs two of them."""
        if self.task == "classification":
            chances = estimator.predict_proba(self.X_test)
            loss = log_loss(self.y_test, chances, labels=estimator.classes_)
            return float(loss), float(estimator.score(self.X_test, self.y_test))
        loss = mean_squared_error(self.y_test, estimator.predict(self.X_test))
        if len(self.y_test) < 2:
            return float(loss), None
        return float(loss), float(estimator.score(self.X_test, self.y_test))
