"""Poisson regression: counts, with the log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import PoissonRegressor

from argrad.sklearn.models.base import Model
from argrad.sklearn.models.tweedie import LogLink


@dataclass(frozen=True)
class PoissonModel(LogLink):
    """ℓ(z, u) = u log(u/μ) − u + μ with μ = e^z."""

    estimator = PoissonRegressor

    @classmethod
    def of(cls, estimator: Any) -> Model:
        del estimator
        return cls(1.0)
