"""What may be tuned, and between which bounds: the vocabulary of `GradientSearchCV`'s `params`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np


@dataclass(frozen=True)
class Hyperparameter:
    """A positive hyperparameter between `low` and `high`, searched for by its logarithm.

    Raises TypeError for bounds that are not numbers, and ValueError unless
    0 < low < high < infinity.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(
                    f"{kind} needs numbers as bounds, got {name}={value!r}: write for example "
                    f"{kind}(1e-4, 1e4)."
                )
            if not math.isfinite(value) or value <= 0:
                raise ValueError(
                    f"{kind} needs positive, finite bounds, because it is searched for on a "
                    f"logarithmic scale, got {name}={value!r}: write for example {kind}(1e-4, 1e4)."
                )
        if not self.low < self.high:
            remedy = "swap them" if self.low > self.high else "give it room"
            raise ValueError(
                f"{kind} needs its lower bound first and below its upper bound, got "
                f"low={self.low!r}, high={self.high!r}: {remedy}."
            )

    def size(self, n_features: int) -> int:
        """How many numbers it stands for in a model of `n_features` columns."""
        raise NotImplementedError

    def names(self, name: str, features: list[str]) -> list[str]:
        """What to call those numbers in a table, for a parameter `name`."""
        raise NotImplementedError

    def value(self, log_value: np.ndarray) -> float | np.ndarray:
        """The hyperparameter as its user knows it, from its logarithms of shape (size,)."""
        raise NotImplementedError

    def bounded(self, log_value: np.ndarray) -> np.ndarray:
        """The exponential of `log_value`; at a bound exactly the bound, in spite of rounding."""
        value = np.clip(np.exp(log_value), self.low, self.high)
        value = np.where(log_value <= np.log(self.low), self.low, value)
        return np.where(log_value >= np.log(self.high), self.high, value)


class Shared(Hyperparameter):
    """One number for all features, anywhere in [low, high].

    >>> from argrad.sklearn import Shared
    >>> Shared(1e-4, 1e4)
    Shared(low=0.0001, high=10000.0)
    >>> Shared(1.0, 0.1)
    Traceback (most recent call last):
    ValueError: Shared needs its lower bound first and below its upper bound, got low=1.0, ...
    """

    def size(self, n_features: int) -> int:
        del n_features
        return 1

    def names(self, name: str, features: list[str]) -> list[str]:
        del features
        return [name]

    def value(self, log_value: np.ndarray) -> float:
        return float(self.bounded(log_value)[0])


class PerFeature(Hyperparameter):
    """One number for each column that the model sees, each anywhere in [low, high].

    Within a `Pipeline` these are the columns after preprocessing. A model with a penalty per
    feature, Σ_j λ_j w_j², is the model with one penalty on columns multiplied by 1/√λ_j.

    >>> from argrad.sklearn import PerFeature
    >>> PerFeature(1e-4, 1e4)
    PerFeature(low=0.0001, high=10000.0)
    """

    def size(self, n_features: int) -> int:
        return n_features

    def names(self, name: str, features: list[str]) -> list[str]:
        return [f"{name}[{feature}]" for feature in features]

    def value(self, log_value: np.ndarray) -> np.ndarray:
        return self.bounded(log_value)
