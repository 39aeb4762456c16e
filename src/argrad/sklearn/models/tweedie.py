"""Regression with Tweedie deviance: mean deviance / 2 + alpha ½ ‖w‖²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import TweedieRegressor

from argrad.sklearn.models.base import Encoded, Model, refuse
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.models.squares import Squares


@dataclass(frozen=True)
class LogLink(Model):
    """μ = e^z, and ℓ(z, u) = ½ d(u, μ), half the Tweedie deviance of some power p:

    ½ d(u, μ) = u^(2−p) / ((1−p)(2−p)) − u μ^(1−p) / (1−p) + μ^(2−p) / (2−p),

    u log(u/μ) − u + μ for p = 1, log(μ/u) + u/μ − 1 for p = 2.

    Source: Jørgensen 1987, Exponential dispersion models, J. R. Stat. Soc. B 49.
    """

    power: float

    sign = 1
    parameter = "alpha"
    loss_name = "half mean deviance"
    averaged = True

    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        values = as_numbers(y, self.estimator.__name__)
        wrong = np.flatnonzero(values <= 0 if self.power >= 2 else values < 0)
        if self.power > 0 and len(wrong):
            asked = "positive" if self.power >= 2 else "not negative"
            raise ValueError(
                f"y holds {values[wrong[0], 0]:g} in row {wrong[0]}, but {self._called()} is for "
                f"targets that are {asked}: use Ridge, or another distribution."
            )
        return self, Encoded(values)

    def _called(self) -> str:
        return self.estimator.__name__

    def start(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        mean = weight @ target / weight.sum()
        scale = weight @ np.abs(target) / weight.sum()
        return np.log(np.maximum(mean, 1e-3 * np.where(scale > 0, scale, 1.0)))

    def unbounded(self, target: np.ndarray, fit_intercept: bool) -> str:
        if target.any() or not fit_intercept:
            return ""
        return (
            "y is 0 in all of them, and the logarithm of their mean is the intercept. Shuffle the "
            "rows, as KFold(5, shuffle=True) does, or use fewer folds."
        )

    def mean(self, z: Any, xp: Any) -> Any:
        return xp.exp(z)

    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        z, u, p = z[..., 0], target[..., 0], self.power
        if p == 1:
            return xp.exp(z) - u * z + _without_zero(u, xp) - u
        if p == 2:
            return z + u * xp.exp(-z) - xp.log(u) - 1.0
        constant = xp.maximum(u, 0.0) ** (2 - p) / ((1 - p) * (2 - p))
        return constant - u * xp.exp((1 - p) * z) / (1 - p) + xp.exp((2 - p) * z) / (2 - p)

    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        p = self.power
        return np.exp((2 - p) * z) - target * np.exp((1 - p) * z)

    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        p = self.power
        second = (2 - p) * np.exp((2 - p) * z) - (1 - p) * target * np.exp((1 - p) * z)
        return second[..., None]

    def expected_curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Its expectation, μ^(2−p): for p outside of [1, 2] ℓ is not convex in z."""
        del target
        return np.exp((2 - self.power) * z)[..., None]


def _without_zero(u: Any, xp: Any) -> Any:
    """u log u, 0 at 0."""
    return u * xp.log(xp.where(u > 0, u, 1.0))


@dataclass(frozen=True)
class TweedieModel(LogLink):
    """Of any power with the log link."""

    estimator = TweedieRegressor

    @classmethod
    def of(cls, estimator: Any) -> Model:
        power, link = float(estimator.power), estimator.link
        if 0 < power < 1:
            refuse(estimator, "power", "there is no such distribution", "Set power=1.5.")
        if link == "log" or (link == "auto" and power > 0):
            return cls(power)
        if power == 0:
            return NormalModel()
        refuse(
            estimator,
            "power",
            f"with link={link!r} its predictions may leave the range of the deviance",
            "Set link='log'.",
        )
        raise AssertionError

    def _called(self) -> str:
        return f"{super()._called()}(power={self.power:g})"


@dataclass(frozen=True)
class NormalModel(Squares):
    """Power 0 with the identity link: ℓ(z, u) = ½ (z − u)², its mean over the rows."""

    estimator = TweedieRegressor
    loss_name = "half mean deviance"
    averaged = True

    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        return self, Encoded(as_numbers(y, "TweedieRegressor"))
