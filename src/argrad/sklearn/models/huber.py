"""Robust regression: Huber's loss with its scale, Σ (σ + H((Xw + b − y)/σ) σ) + alpha ‖w‖²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import HuberRegressor

from argrad.sklearn.models.base import Encoded, Model
from argrad.sklearn.models.numbers import as_numbers


@dataclass(frozen=True)
class HuberModel(Model):
    """z = (Xw + b, σ): the scale is a second output without coefficients. With r = z₁ − u

    ℓ(z, u) = ½ (σ + r²/σ) where |r| <= ε σ, else ½ (σ + 2ε |r| − ε² σ), for σ > 0,

    half of scikit-learn's. It is the perspective of a convex function, so convex in both outputs
    at once, and has a continuous gradient. Validation rows are judged by 2 ℓ, with the scale of
    the training rows.

    Source: Huber and Ronchetti 2009, Robust Statistics, section 7.7 (concomitant scale); Owen
    2007, A robust hybrid of lasso and ridge regression.
    """

    epsilon: float

    estimator = HuberRegressor
    parameter = "alpha"
    sign = 1
    loss_name = "Huber loss"

    @classmethod
    def of(cls, estimator: Any) -> Model:
        return cls(float(estimator.epsilon))

    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        return self, Encoded(as_numbers(y, "HuberRegressor"))

    def outputs(self, t: int) -> int:
        return t + 1

    def free(self, d: int, m: int, fit_intercept: bool) -> np.ndarray:
        free = super().free(d, m, fit_intercept)
        free[:, 1] = False
        free[d, 1] = True
        return free

    def start(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The mean, and a scale in which few rows are outliers: there ℓ is a parabola in z₁."""
        mean = weight @ target[:, 0] / weight.sum()
        square = weight @ target[:, 0] ** 2 / weight.sum()
        return np.array([mean, np.sqrt(max(square, np.finfo(float).tiny))])

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        size, scale = xp.abs(z[..., 0] - target[..., 0]), z[..., 1]
        safe = xp.where(scale > 0, scale, 1.0)
        near = size**2 / safe
        far = 2 * self.epsilon * size - self.epsilon**2 * safe
        loss = 0.5 * (safe + xp.where(size <= self.epsilon * safe, near, far))
        return xp.where(scale > 0, loss, xp.inf)

    def mean(self, z: Any, xp: Any) -> Any:
        del xp
        return z[..., :1]

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        return 2.0 * self.loss(z, target, xp)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        scaled = (z[:, 0] - target[:, 0]) / z[:, 1]
        clipped = np.clip(scaled, -self.epsilon, self.epsilon)
        return np.stack([clipped, 0.5 * (1.0 - clipped**2)], axis=1)

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        scaled = (z[:, 0] - target[:, 0]) / z[:, 1]
        inlier = np.abs(scaled) <= self.epsilon
        return _outer(np.where(inlier, 1.0 / z[:, 1], 0.0), scaled)

    def longest(self, z: np.ndarray, change: np.ndarray) -> float:
        """σ shrinks to a fifth at most: near 0 all rows are outliers, and there is no way back."""
        shrinks = -change[0, 1] / z[0, 1]
        return min(1.0, 0.8 / shrinks) if shrinks > 0 else 1.0

    def expected_curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """With outliers, at which ℓ is flat, taken to be on the verge of being one."""
        size = np.abs(z[:, 0] - target[:, 0])
        scaled = (z[:, 0] - target[:, 0]) / z[:, 1]
        weight = 1.0 / np.maximum(z[:, 1], size / self.epsilon)
        return _outer(weight, np.clip(scaled, -self.epsilon, self.epsilon))


def _outer(weight: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    direction = np.stack([np.ones_like(scaled), -scaled], axis=1)
    return weight[:, None, None] * direction[:, :, None] * direction[:, None, :]
