"""Of each family of models that is not linear: its criterion, and how its estimator is fitted."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from argrad.sklearn.criteria.adaptive_criterion import AdaptiveCriterion
from argrad.sklearn.criteria.criterion import Criterion, Evaluation
from argrad.sklearn.criteria.kernel_criterion import KernelCriterion
from argrad.sklearn.criteria.leave_one_out import LeaveOneOutRidge
from argrad.sklearn.criteria.margin_criterion import MarginCriterion
from argrad.sklearn.criteria.row_space import in_row_space
from argrad.sklearn.criteria.sparse_criterion import SparseCriterion
from argrad.sklearn.criteria.sparse_logistic_fit import fit_sparse_logistic
from argrad.sklearn.criteria.trained_criterion import TrainedCriterion
from argrad.sklearn.criteria.trained_on_all import train_on
from argrad.sklearn.hyperparameters import Adaptive, Hyperparameter, Shared
from argrad.sklearn.models import Encoded, Model, Tunable
from argrad.sklearn.models.kernel_ridge import KernelRidgeModel
from argrad.sklearn.models.margins import MarginModel
from argrad.sklearn.models.sparse import SparseModel
from argrad.sklearn.models.sparse_logistic import SparseLogisticModel
from argrad.sklearn.models.trained import Trained
from argrad.sklearn.row_weights import NO_FACTORS, RowFactors
from argrad.sklearn.rows.designs import as_design
from argrad.sklearn.rows.folds import Folds
from argrad.sklearn.space import Space


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
    if isinstance(model, KernelRidgeModel):
        return KernelCriterion(model, folds, space)
    if isinstance(model, MarginModel):
        return MarginCriterion(model, folds, space)
    if isinstance(model, SparseModel):
        adaptive = isinstance(space.tuned.get(model.parameter), Adaptive)
        return (AdaptiveCriterion if adaptive else SparseCriterion)(model, folds, space)
    assert isinstance(model, Trained)
    return TrainedCriterion(model, folds, space)


def linear_criterion(
    model: Model, folds: Folds, hyperparameter: Hyperparameter, factors: RowFactors = NO_FACTORS
) -> Criterion | LeaveOneOutRidge:
    """The criterion of a linear model, in closed form where there is one."""
    closed = None if factors.size else LeaveOneOutRidge.of(model, folds, hyperparameter)
    if closed is not None:
        return closed
    if isinstance(hyperparameter, Shared):
        folds = in_row_space(folds)
    return Criterion(model, folds, hyperparameter, factors)


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
    if isinstance(model, KernelRidgeModel | MarginModel):
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        plain = {name: float(each) if each.ndim == 0 else each for name, each in values.items()}
        final.set_params(**plain).fit(X, y, **weights)
        return
    if isinstance(model, SparseLogisticModel):
        fit_sparse_logistic(model, final, values, X, y, encoded, sample_weight)
        return
    if isinstance(model, SparseModel):
        model.fit(final, values, X, y, sample_weight)
        return
    assert isinstance(model, Trained)
    design = as_design(X)
    units = model.units([f"x{j}" for j in range(design.shape[1])])
    every = {**model.settings(units, encoded.outputs), **values}
    w, value = train_on(model, design, encoded, every, sample_weight)
    model.settle(final, w, value, values, X, y)
