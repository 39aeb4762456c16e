"""Kernel ridge regression: ‖y − K u‖² + alpha uᵀ K u, with K of a kernel with a width gamma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from argrad.sklearn.hyperparameters import Hyperparameter, PerClass, Shared
from argrad.sklearn.models.base import Encoded, Tunable
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.numbers import as_numbers


@dataclass(frozen=True)
class KernelRidgeModel(Tunable):
    """Validated by the squared error, its mean over the targets.

    `alpha` and `gamma` are what the estimator has where they are not tuned; a gamma of None is 1/d.
    """

    kernel: Kernel
    alpha: Any = field(compare=False)
    gamma: float | None

    estimator = KernelRidge
    loss_name = "mean squared error"

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        return cls(Kernel.of(estimator), estimator.alpha, estimator.gamma)

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        width: dict[str, Any] = {"gamma": (Shared,)} if self.kernel.has_width else {}
        return {"alpha": (Shared, PerClass), **width}

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, "KernelRidge", several=True))
