"""Of each family of models that is not linear: its criterion, and how its estimator is fitted."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from argrad.sklearn.criterion import Evaluation
from argrad.sklearn.designs import as_design
from argrad.sklearn.folds import Folds
from argrad.sklearn.models import Encoded, Tunable
from argrad.sklearn.models.trained import Trained
from argrad.sklearn.space import Space
from argrad.sklearn.trained_criterion import TrainedCriterion
from argrad.sklearn.training import train_on


class AnyCriterion(Protocol):
    """What a search needs of a criterion F(h), h of shape (s,)."""

    folds: Folds

    @property
    def size(self) -> int:
        """s."""

    @property
    def shared(self) -> bool:
        """Whether evaluations have a curvature, which they can for s = 1 only."""

    def start(self) -> np.ndarray:
        """Where to begin, h (s,)."""

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        """F and its derivatives."""


def criterion_of(model: Tunable, folds: Folds, space: Space) -> AnyCriterion:
    """The criterion of a model that is not linear."""
    assert isinstance(model, Trained)
    return TrainedCriterion(model, folds, space)


def fit_model(
    model: Tunable,
    final: Any,
    values: dict[str, np.ndarray],
    X: Any,
    y: np.ndarray,
    encoded: Encoded,
    sample_weight: np.ndarray | None,
) -> None:
    """Fit scikit-learn's estimator `final` of such a model, its hyperparameters at `values`."""
    assert isinstance(model, Trained)
    design = as_design(X)
    units = model.units([f"x{j}" for j in range(design.shape[1])])
    every = {**model.settings(units, encoded.outputs), **values}
    w, value = train_on(model, design, encoded, every, sample_weight)
    model.settle(final, w, value, values, X, y)
