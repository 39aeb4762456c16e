"""Gamma regression: positive numbers, with the log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import GammaRegressor

from argrad.sklearn.models.base import Model
from argrad.sklearn.models.tweedie import LogLink


@dataclass(frozen=True)
class GammaModel(LogLink):
    """ℓ(z, u) = log(μ/u) + u/μ − 1 with μ = e^z."""

    estimator = GammaRegressor

    @classmethod
    def of(cls, estimator: Any) -> Model:
        del estimator
        return cls(2.0)
