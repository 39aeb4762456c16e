"""The lasso, with one penalty or one a group or a column, and the elastic net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import ElasticNet, Lasso

from argrad.sklearn.hyperparameters import Adaptive, Hyperparameter
from argrad.sklearn.models.base import Tunable, refuse
from argrad.sklearn.models.sparse import (
    NET_RANGES,
    Kinds,
    SparseSquares,
    lasso_kinds,
    net_kinds,
)


@dataclass(frozen=True)
class LassoModel(SparseSquares):
    """½ Σ_i r_i (x_i·w + b − y_i)² + Σ_j alpha_j |w_j|."""

    estimator = Lasso

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        _refuse_positive(estimator)
        return cls(float(estimator.alpha))

    @property
    def kinds(self) -> Kinds:
        return {self.parameter: (*lasso_kinds(self.parameter)[self.parameter], Adaptive)}


@dataclass(frozen=True)
class ElasticNetModel(SparseSquares):
    """½ Σ_i r_i (x_i·w + b − y_i)² + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)."""

    estimator = ElasticNet

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        _refuse_positive(estimator)
        if not estimator.l1_ratio > 0:
            why = "no coefficient would be zero"
            refuse(estimator, "l1_ratio", why, "Tune Ridge, or set l1_ratio=0.5.")
        return cls(float(estimator.alpha), float(estimator.l1_ratio))

    @property
    def kinds(self) -> Kinds:
        return net_kinds(self.parameter)

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        return NET_RANGES


def _refuse_positive(estimator: Any) -> None:
    if estimator.positive:
        refuse(estimator, "positive", "signs are free here", "Set positive=False.")
