"""Support vector machines with a kernel: libsvm's `SVC` and `SVR`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.svm import SVC, SVR

from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.margins import MarginModel, OfClasses, OfNumbers


@dataclass(frozen=True)
class KernelMachine(MarginModel):
    """f = Σ_j β_j k(x, x_j) + b, with the intercept b not penalised."""

    kernel: Kernel = field(kw_only=True)

    @classmethod
    def traits(cls, estimator: Any) -> dict[str, Any]:
        return {"kernel": Kernel.of(estimator), **super().traits(estimator)}

    def tunable(self, name: str) -> bool:
        return name != "gamma" or self.kernel.has_width

    def width(self, columns: Any, drawn: np.ndarray) -> float:
        """γ of the estimator on training rows (n, d), drawn so often each."""
        gamma = self.settings["gamma"]
        if not isinstance(gamma, str):
            return float(gamma)
        d = columns.shape[1]
        if gamma == "auto":
            return 1.0 / d
        entries = drawn.sum() * d
        squares = columns.multiply(columns) if sparse.issparse(columns) else columns**2
        mean = float((drawn @ columns).sum()) / entries
        variance = float((drawn @ squares).sum()) / entries - mean**2
        return 1.0 / (d * variance) if variance > 0 else 1.0


@dataclass(frozen=True)
class SVCModel(KernelMachine, OfClasses):
    """Classes u = ±1: ½ ‖f‖² + C Σ_i r_i max(0, 1 − u_i f_i), pair by pair of several."""

    estimator = SVC
    names = ("C", "gamma")
    pairs = True


@dataclass(frozen=True)
class SVRModel(KernelMachine, OfNumbers):
    """Numbers u: ½ ‖f‖² + C Σ_i r_i max(0, |u_i − f_i| − ε)."""

    estimator = SVR
    names = ("C", "gamma", "epsilon")
