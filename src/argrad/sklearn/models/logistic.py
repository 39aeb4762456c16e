"""Logistic regression: C Σ log loss + ½ ‖w‖², of two classes and of more."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from argrad import SolveError
from argrad.sklearn.models.base import Encoded, Model, Tunable, refuse
from argrad.sklearn.models.judging import OF_CLASSES
from argrad.sklearn.models.labels import ClassWeight, as_class_weight, as_labels, by_position
from argrad.sklearn.models.sparse_logistic import SparseLogisticModel


@dataclass(frozen=True)
class LogisticModel(Model):
    """Two classes: u in {0, 1}, ℓ(z, u) = log(1 + e^z) − u z.

    `class_weight` multiplies the weights of the training rows, not of the validation rows: None,
    "balanced", or pairs of a label and its weight.
    """

    class_weight: ClassWeight = None

    estimator = LogisticRegression
    parameter = "C"
    sign = -1
    loss_name = "log loss"
    judges = OF_CLASSES

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        if estimator.solver == "liblinear" and estimator.fit_intercept:
            why = "liblinear penalises the intercept"
            refuse(estimator, "solver", why, "Set solver='lbfgs', or 'saga' with l1_ratio > 0.")
        if estimator.solver == "liblinear" and estimator.dual:
            refuse(estimator, "dual", "the primal problem is solved", "Set dual=False.")
        loss, ratio = cls(as_class_weight(estimator)), _l1_ratio(estimator)
        return loss if ratio == 0 else SparseLogisticModel.with_loss(loss, estimator, ratio)

    def for_target(self, y: np.ndarray) -> tuple[LogisticModel, Encoded]:
        classes, codes = as_labels(y, "LogisticRegression")
        weights = by_position(self.class_weight, classes)
        if len(classes) == 2:
            return LogisticModel(weights), Encoded(codes[:, None].astype(float), classes)
        return MultinomialModel(weights), Encoded(np.eye(len(classes))[codes], classes)

    def row_weights(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        codes = self._codes(target)
        count = max(target.shape[1], 2)
        missing = np.setdiff1d(np.arange(count), codes[weight > 0])
        if len(missing):
            raise SolveError(
                f"no training row of class number {missing[0]} has a positive weight: use "
                "StratifiedKFold, fewer folds, or leave out rare classes."
            )
        if self.class_weight is None:
            return weight
        by_class = (
            self.class_weight if isinstance(self.class_weight, str) else dict(self.class_weight)
        )
        used = weight > 0
        multiples = compute_class_weight(
            by_class, classes=np.arange(count), y=codes[used], **_weighed(weight[used])
        )
        return weight * multiples[codes]

    def _codes(self, target: np.ndarray) -> np.ndarray:
        return target[:, 0].astype(int)

    def mean(self, z: Any, xp: Any) -> Any:
        return 0.5 * (1.0 + xp.tanh(0.5 * z))  # of any z without overflow

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        return xp.sum(xp.logaddexp(0.0, z) - target * z, axis=-1)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        return expit(z) - target

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        del target
        return (expit(z) * expit(-z))[..., None]

    def third(self, z: np.ndarray, along: np.ndarray) -> np.ndarray:
        """∂³ℓ/∂z³ (a, a) in directions a (n, m), of shape (n, m)."""
        return expit(z) * expit(-z) * (expit(-z) - expit(z)) * along**2


def _l1_ratio(estimator: Any) -> Any:
    """The share of absolute values in its penalty, by the one or the other way to write it."""
    penalty, ratio = getattr(estimator, "penalty", "deprecated"), estimator.l1_ratio
    if penalty in ("l1", "l2"):
        return 1.0 if penalty == "l1" else 0.0
    if penalty not in ("elasticnet", "deprecated"):
        refuse(estimator, "penalty", "there is none to tune", "Leave penalty out.")
    return 0.0 if ratio is None else ratio


def _weighed(weight: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn balances classes by their weights, before release 1.7 by their rows."""
    known = "sample_weight" in signature(compute_class_weight).parameters
    return {"sample_weight": weight} if known else {}


@dataclass(frozen=True)
class MultinomialModel(LogisticModel):
    """More classes: u one-hot, ℓ(z, u) = log Σ_c e^z_c − u·z, with one coefficient per class.

    The penalty makes the coefficients sum to zero over the classes, as scikit-learn's do; the
    intercepts, which are not penalised, are unique only up to a common shift.
    """

    def free(self, d: int, m: int, fit_intercept: bool) -> np.ndarray:
        free = super().free(d, m, fit_intercept)
        free[d, m - 1] = False
        return free

    def _codes(self, target: np.ndarray) -> np.ndarray:
        return np.argmax(target, axis=1)

    def mean(self, z: Any, xp: Any) -> Any:
        likely = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
        return likely / xp.sum(likely, axis=-1, keepdims=True)

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        top = xp.max(z, axis=-1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(z - top), axis=-1)) + top[..., 0]
        return total - xp.sum(target * z, axis=-1)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        return softmax(z, axis=-1) - target

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        del target
        mean = softmax(z, axis=-1)
        diagonal = mean[..., None] * np.eye(mean.shape[-1])
        return diagonal - mean[:, :, None] * mean[:, None, :]

    def third(self, z: np.ndarray, along: np.ndarray) -> np.ndarray:
        mean = softmax(z, axis=-1)
        squares = (along - np.sum(mean * along, axis=-1, keepdims=True)) ** 2
        return mean * (squares - np.sum(mean * squares, axis=-1, keepdims=True))
