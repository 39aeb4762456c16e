"""Logistic regression: C Σ log loss + ½ ‖w‖², of two classes and of more."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from argrad.sklearn.models.base import Encoded, Model, refuse


class LogisticModel(Model):
    """Two classes: u in {0, 1}, ℓ(z, u) = log(1 + e^z) − u z."""

    estimator = LogisticRegression
    parameter = "C"
    sign = -1
    loss_name = "log loss"

    @classmethod
    def check(cls, estimator: Any) -> None:
        penalty = getattr(estimator, "penalty", "deprecated")
        if penalty not in ("l2", "deprecated"):
            why = "only the quadratic penalty has a smooth solution path"
            refuse(estimator, "penalty", why, "Leave penalty out, or set it to 'l2'.")
        ratio = getattr(estimator, "l1_ratio", None)
        if ratio not in (None, 0, 0.0):
            why = "only the quadratic penalty has a smooth solution path"
            refuse(estimator, "l1_ratio", why, "Set l1_ratio=0.")
        if estimator.class_weight is not None:
            why = "the criterion weighs all rows alike"
            refuse(estimator, "class_weight", why, "Set class_weight=None.")
        if estimator.solver == "liblinear" and estimator.fit_intercept:
            why = "liblinear penalises the intercept"
            refuse(estimator, "solver", why, "Set solver='lbfgs' or 'newton-cholesky'.")
        if estimator.solver == "liblinear" and estimator.dual:
            refuse(estimator, "dual", "the primal problem is solved", "Set dual=False.")

    @classmethod
    def for_target(cls, y: np.ndarray) -> tuple[Model, Encoded]:
        y = np.asarray(y)
        if y.dtype.kind == "f" and not np.all(np.isfinite(y)):
            row = int(np.flatnonzero(~np.isfinite(y))[0])
            raise ValueError(f"y holds {y[row]} in row {row}: leave out rows without a class.")
        try:
            classes, codes = np.unique(y, return_inverse=True)
        except TypeError:
            kinds = sorted({type(label).__name__ for label in y})
            raise ValueError(
                f"y mixes labels of the types {', '.join(kinds)}: give every row a label of one "
                "type, and leave out rows without a class."
            ) from None
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class only, {classes[0]!r}, in all {len(y)} rows: a classifier "
                "needs at least two."
            )
        if y.dtype.kind == "f" and np.any(classes != np.round(classes)):
            raise ValueError(
                f"y is continuous, {len(classes)} different numbers such as "
                f"{classes[classes != np.round(classes)][0]!r}, which are no classes: use Ridge "
                "for regression, or convert y to labels."
            )
        if len(classes) == 2:
            return LogisticModel(), Encoded(codes[:, None].astype(float), classes)
        return MultinomialModel(), Encoded(np.eye(len(classes))[codes], classes)

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        return xp.sum(xp.logaddexp(0.0, z) - target * z, axis=-1)

    def mean(self, z: np.ndarray) -> np.ndarray:
        return expit(z)

    def curvature(self, z: np.ndarray, mean: np.ndarray) -> np.ndarray:
        del z
        return (mean * (1.0 - mean))[..., None]


class MultinomialModel(LogisticModel):
    """More classes: u one-hot, ℓ(z, u) = log Σ_c e^z_c − u·z, with one coefficient per class.

    The penalty makes the coefficients sum to zero over the classes, as scikit-learn's do; the
    intercepts, which are not penalised, are unique only up to a common shift.
    """

    shift_invariant = True

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        top = xp.max(z, axis=-1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(z - top), axis=-1)) + top[..., 0]
        return total - xp.sum(target * z, axis=-1)

    def mean(self, z: np.ndarray) -> np.ndarray:
        return softmax(z, axis=-1)

    def curvature(self, z: np.ndarray, mean: np.ndarray) -> np.ndarray:
        del z
        diagonal = mean[..., None] * np.eye(mean.shape[-1])
        return diagonal - mean[:, :, None] * mean[:, None, :]
