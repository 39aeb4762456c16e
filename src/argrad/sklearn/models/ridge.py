"""Ridge regression: ‖y − Xw − b‖² + alpha ‖w‖²."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from argrad.sklearn.models.base import Encoded, Model, refuse


class RidgeModel(Model):
    """ℓ(z, u) = ½ (z − u)², half of scikit-learn's, as is the penalty."""

    estimator = Ridge
    parameter = "alpha"
    sign = 1
    loss_name = "mean squared error"

    @classmethod
    def check(cls, estimator: Any) -> None:
        if estimator.positive:
            refuse(
                estimator,
                "positive",
                "its solution is not a smooth function of alpha",
                "Set positive=False.",
            )

    @classmethod
    def for_target(cls, y: np.ndarray) -> tuple[Model, Encoded]:
        try:
            values = np.asarray(y, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(
                f"Ridge needs numbers as target, got y = {y[0]!r}, ...: use LogisticRegression "
                "for classes, or convert y to numbers."
            ) from None
        if not np.all(np.isfinite(values)):
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(
                f"y holds {values[row]} in row {row}: leave out the rows whose target is missing "
                "or infinite."
            )
        if np.all(values == values[0]):
            raise ValueError(
                f"y is {values[0]:g} in all {len(values)} rows, so there is nothing to learn: "
                "give a target that varies."
            )
        return cls(), Encoded(values[:, None])

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        return 0.5 * xp.sum((z - target) ** 2, axis=-1)

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        return 2.0 * self.loss(z, target, xp)

    def mean(self, z: np.ndarray) -> np.ndarray:
        return z

    def curvature(self, z: np.ndarray, mean: np.ndarray) -> np.ndarray:
        del mean
        return np.ones((*z.shape, 1))
