"""Ridge regression: ‖y − Xw − b‖² + Σ_c alpha_c ‖w_c‖², of one target or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from argrad.sklearn.models.base import Encoded, Model, refuse
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.models.squares import Squares


@dataclass(frozen=True)
class RidgeModel(Squares):
    """ℓ(z, u) = ½ ‖z − u‖², half of scikit-learn's, as is the penalty.

    Validated by the squared error, its mean over the targets.
    """

    estimator = Ridge
    loss_name = "mean squared error"

    @classmethod
    def of(cls, estimator: Any) -> Model:
        if estimator.positive:
            refuse(
                estimator,
                "positive",
                "its solution is not a smooth function of alpha",
                "Set positive=False.",
            )
        if estimator.solver == "lbfgs":
            why = "it fits with positive=True only"
            refuse(estimator, "solver", why, "Set solver='auto'.")
        return cls()

    def check_design(self, estimator: Any, sparse: bool) -> None:
        direct = ("svd", "cholesky", "saga") if estimator.fit_intercept else ("svd",)
        if sparse and estimator.solver in direct:
            refuse(
                estimator,
                "solver",
                f"it is not fitted to a sparse X with fit_intercept={estimator.fit_intercept}, as "
                "the best one is to be",
                "Set solver='auto' or 'lsqr'.",
            )

    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        return self, Encoded(as_numbers(y, "Ridge", several=True))

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        return xp.mean((z - target) ** 2, axis=-1)
