"""The elastic net, its penalty and the share of the absolute values in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import ElasticNet

from argrad.sklearn.hyperparameters import Hyperparameter, Shared
from argrad.sklearn.models.base import Tunable, refuse
from argrad.sklearn.models.sparse import SparseModel, refuse_positive


@dataclass(frozen=True)
class ElasticNetModel(SparseModel):
    """½ Σ_i r_i (x_i·w + b − y_i)² + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)."""

    estimator = ElasticNet

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        refuse_positive(estimator)
        if not estimator.l1_ratio > 0:
            why = "no coefficient would be zero"
            refuse(estimator, "l1_ratio", why, "Tune Ridge, or set l1_ratio=0.5.")
        return cls(float(estimator.alpha), float(estimator.l1_ratio))

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return {"alpha": (Shared,), "l1_ratio": (Shared,)}

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        return {"l1_ratio": Shared(0.05, 1.0)}
