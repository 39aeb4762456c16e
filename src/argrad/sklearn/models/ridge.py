"""Ridge regression: ‖y − Xw − b‖² + Σ_c alpha_c ‖w_c‖², of one target or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from argrad.sklearn.models.base import Encoded, Model, refuse
from argrad.sklearn.models.numbers import as_numbers


@dataclass(frozen=True)
class RidgeModel(Model):
    """ℓ(z, u) = ½ ‖z − u‖², half of scikit-learn's, as is the penalty.

    Validated by the squared error, its mean over the targets.
    """

    estimator = Ridge
    parameter = "alpha"
    sign = 1
    loss_name = "mean squared error"
    squares = True

    @classmethod
    def of(cls, estimator: Any) -> Model:
        if estimator.positive:
            refuse(
                estimator,
                "positive",
                "its solution is not a smooth function of alpha",
                "Set positive=False.",
            )
        return cls()

    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        return self, Encoded(as_numbers(y, "Ridge", several=True))

    def start(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight @ target / weight.sum()

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        return 0.5 * xp.sum((z - target) ** 2, axis=-1)

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        return xp.mean((z - target) ** 2, axis=-1)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        return z - target

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        del target
        return np.broadcast_to(np.eye(z.shape[1]), (*z.shape, z.shape[1]))
