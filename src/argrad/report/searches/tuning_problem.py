"""What every search is given: the same pipeline, rows, folds and range of penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import clone

from argrad.report.catalogue import Choice
from argrad.report.losses import mean_loss

Granularity = Literal["shared", "grouped", "per-class", "per-layer", "adaptive", "per-feature"]


@dataclass(frozen=True)
class TuningProblem:
    """A pipeline to tune on `X`, `y` over `folds`, and the rows set aside to judge it on.

    The parameters `ranges` of its last step, the model of `choice`, are tuned, `penalty` first of
    them, for the loss of validation rows called `criterion`; `folds` holds pairs of positions
    within the training rows. `weights` and `weights_test` are those of the rows, positive, or
    None; `groups` has the group of each prepared feature, if some are to share a penalty. The index
    of `X` counts its rows.
    """

    pipeline: Any
    choice: Choice
    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    seed: int
    criterion: str
    weights: np.ndarray | None = None
    weights_test: np.ndarray | None = None
    groups: list[str] | None = None

    @property
    def penalty(self) -> str:
        """The parameter of the pipeline that there may be several of."""
        return f"model__{self.choice.parameter}"

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Bounds of the parameters that the searches tune, those of the target in its units."""
        unit = float(np.std(self.y)) if self.task == "regression" else 1.0
        return {
            f"model__{name}": (low * unit, high * unit) if of_target else (low, high)
            for name, (low, high, of_target) in self.choice.ranges.items()
        }

    @property
    def task(self) -> str:
        """Classification or regression."""
        return self.choice.task

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return self.choice.criteria[self.criterion]

    @property
    def score_name(self) -> str:
        """The held-out score in words."""
        return self.choice.score_name

    @property
    def fit_params(self) -> dict[str, Any]:
        """What scikit-learn's searches give the pipeline's `fit` beside X and y."""
        return {} if self.weights is None else {"model__sample_weight": self.weights}

    def scoring(self, estimator: Any, X: pd.DataFrame, y: np.ndarray) -> float:
        """A scorer of scikit-learn: minus the mean loss on some of the training rows."""
        weights = None if self.weights is None else self.weights[X.index]
        return -mean_loss(self.choice, self.criterion, estimator, X, y, weights)

    def with_params(self, params: dict[str, float]) -> Any:
        """An unfitted copy of the pipeline with these parameters."""
        return clone(self.pipeline).set_params(**params)

    def held_out(self, estimator: Any) -> tuple[float, float | None]:
        """Loss and score of a fitted estimator on the rows set aside; R² and D² need two."""
        X, y, weights = self.X_test, self.y_test, self.weights_test
        loss = mean_loss(self.choice, self.criterion, estimator, X, y, weights)
        if self.task == "regression" and len(y) < 2:
            return loss, None
        return loss, float(estimator.score(X, y, sample_weight=weights))
