"""The lasso, with one penalty, or one a group or a column: adaptive penalties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import Lasso

from argrad.sklearn.hyperparameters import Grouped, Hyperparameter, PerFeature, Shared
from argrad.sklearn.models.base import Tunable
from argrad.sklearn.models.sparse import SparseModel, refuse_positive


@dataclass(frozen=True)
class LassoModel(SparseModel):
    """½ Σ_i r_i (x_i·w + b − y_i)² + Σ_j alpha_j |w_j|, validated by the squared error."""

    estimator = Lasso

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        refuse_positive(estimator)
        return cls(float(estimator.alpha))

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return {"alpha": (Shared, Grouped, PerFeature)}
