"""Sparse logistic regression: the log loss with a penalty that makes coefficients zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from argrad.sklearn.hyperparameters import Hyperparameter
from argrad.sklearn.models.base import Encoded, Tunable, refuse
from argrad.sklearn.models.judging import OF_CLASSES, named
from argrad.sklearn.models.sparse import NET_RANGES, Kinds, SparseModel, lasso_kinds, net_kinds

if TYPE_CHECKING:
    from argrad.sklearn.models.logistic import LogisticModel


@dataclass(frozen=True)
class SparseLogisticModel(SparseModel):
    """Σ_i r_i ℓ(z_i, u_i) + 1/C (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²), with w one a class.

    `loss` is logistic regression with the quadratic penalty: ℓ, and the weights r of the rows.
    With l1_ratio = 1 there may be one C a group or column.
    """

    loss: LogisticModel = field(kw_only=True)
    judged: str | None = field(default=None, kw_only=True)

    estimator = LogisticRegression
    loss_name = "log loss"
    parameter = "C"
    sign = -1

    @classmethod
    def with_loss(cls, loss: LogisticModel, estimator: Any, l1_ratio: float) -> Tunable:
        """The model of an estimator with that share of absolute values in its penalty."""
        if not (np.isreal(l1_ratio) and 0 < l1_ratio <= 1):
            refuse(estimator, "l1_ratio", "it is no share", "Set a number between 0 and 1.")
        if not (np.isfinite(estimator.C) and estimator.C > 0):
            refuse(estimator, "C", "no coefficient would be zero", "Set C=1.0.")
        knows = {"liblinear": l1_ratio == 1, "saga": True}
        if not knows.get(estimator.solver, False):
            why = f"it has no penalty with l1_ratio={l1_ratio:g}"
            refuse(estimator, "solver", why, "Set solver='saga'.")
        return cls(float(estimator.C), float(l1_ratio), loss=loss)

    @property
    def kinds(self) -> Kinds:
        return lasso_kinds("C") if self.l1_ratio == 1 else net_kinds("C")

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        return {} if self.l1_ratio == 1 else NET_RANGES

    def judged_by(self, name: str | None) -> Tunable:
        named(self.criterion, OF_CLASSES, name, self.estimator.__name__)
        return replace(self, judged=name)

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        loss, encoded = self.loss.for_target(y)
        return replace(self, loss=loss), encoded

    def validation(
        self, z: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, second = self.loss.gradient(z, target), self.loss.curvature(z, target)
        if self.judged != "brier_score":
            return self.loss.loss(z, target, np), first, second
        mean, spread = target + first, second
        # Σ_k e_k ∂²μ_k/∂z², for ∂μ/∂z as in the curvature.
        error = first
        if z.shape[1] == 1:
            bent = error[..., None] * spread * (1.0 - 2.0 * mean[..., None])
        else:
            s = error * mean
            total = s.sum(axis=1)[:, None, None]
            cross = s[:, :, None] * mean[:, None, :]
            bent = s[..., None] * np.eye(z.shape[1]) - cross - np.swapaxes(cross, 1, 2)
            bent += total * (mean[:, :, None] * mean[:, None, :] - spread)
        slope = 2.0 * np.einsum("iab,ib->ia", spread, error)
        return np.sum(error**2, axis=1), slope, 2.0 * (spread @ spread + bent)
