"""A hyperparameter that is not tuned, beside others that are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from argrad.sklearn.hyperparameters import Hyperparameter


@dataclass(frozen=True)
class Fixed(Hyperparameter):
    """The value that an estimator has, where something else is tuned: no number at all."""

    @classmethod
    def at(cls, value: Any) -> Fixed:
        """At one number, 0 and infinity included; ValueError for anything else."""
        if isinstance(value, bool) or not isinstance(value, Real) or not float(value) >= 0:
            raise ValueError(
                f"the penalty is {value!r} in the estimator, where one number is needed that is "
                "not negative: set it to one, or tune it as well."
            )
        return cls(float(value), float(value))

    def __post_init__(self) -> None:
        pass

    @property
    def log_value(self) -> np.ndarray:
        """Its logarithm (1,)."""
        with np.errstate(divide="ignore"):
            return np.log([self.low])

    def index(self, features: list[str], outputs: int) -> np.ndarray:
        return np.zeros((len(features), outputs), dtype=int)

    def size(self, n_features: int, n_outputs: int = 1) -> int:
        del n_features, n_outputs
        return 0

    def names(self, name: str, features: list[str], outputs: Sequence[str] = ("y0",)) -> list[str]:
        del name, features, outputs
        return []

    def value(self, log_value: np.ndarray) -> float:
        del log_value
        return self.low

    def bounded(self, log_value: np.ndarray) -> np.ndarray:
        del log_value
        return np.array([self.low])
