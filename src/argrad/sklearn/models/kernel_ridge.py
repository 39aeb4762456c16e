"""Kernel ridge regression: ‖y − K u‖² + alpha uᵀ K u, with K of a kernel with a width gamma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from argrad.sklearn.hyperparameters import Hyperparameter, PerClass, Shared
from argrad.sklearn.models.base import Encoded, Tunable, refuse
from argrad.sklearn.models.numbers import as_numbers

_KERNELS = ("linear", "poly", "polynomial", "rbf")


@dataclass(frozen=True)
class KernelRidgeModel(Tunable):
    """`kernel` is "linear": x·x', "polynomial": (γ x·x' + c)^p, or "rbf": exp(−γ ‖x − x'‖²).

    Validated by the squared error, its mean over the targets. `alpha` and `gamma` are what the
    estimator has where they are not tuned; a gamma of None is 1/d.
    """

    kernel: str
    degree: float
    coef0: float
    alpha: Any = field(compare=False)
    gamma: float | None

    estimator = KernelRidge
    loss_name = "mean squared error"

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        if estimator.kernel not in _KERNELS:
            why = "its derivatives are not known"
            refuse(estimator, "kernel", why, "Set kernel='linear', 'polynomial' or 'rbf'.")
        kernel = "polynomial" if estimator.kernel == "poly" else estimator.kernel
        power, shift = float(estimator.degree), float(estimator.coef0)
        if kernel == "polynomial" and not (power.is_integer() and power >= 1):
            refuse(estimator, "degree", "it must be a positive integer", "Set degree=3.")
        return cls(kernel, power, shift, estimator.alpha, estimator.gamma)

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        width: dict[str, Any] = {} if self.kernel == "linear" else {"gamma": (Shared,)}
        return {"alpha": (Shared, PerClass), **width}

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, "KernelRidge", several=True))

    def kernels(self, gram: np.ndarray, squares: np.ndarray, gamma: float) -> list[np.ndarray]:
        """K (n, n) and its first and second derivative in log γ, from x·x' and ‖x − x'‖²."""
        if self.kernel == "linear":
            nothing = np.zeros_like(gram)
            return [gram, nothing, nothing]
        if self.kernel == "rbf":
            scaled = gamma * squares
            kernel = np.exp(-scaled)
            return [kernel, -scaled * kernel, (scaled**2 - scaled) * kernel]
        scaled, p = gamma * gram, self.degree
        base = scaled + self.coef0
        first = p * scaled * base ** (p - 1)
        bent = p * (p - 1) * scaled**2 * base ** (p - 2) if p > 1 else 0.0
        return [base**p, first, first + bent]
