"""Kernels k(x, x') of machines in dual variables, with their derivatives in the width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from argrad.sklearn.models.base import refuse

NAMES = ("linear", "poly", "polynomial", "rbf")


@dataclass(frozen=True)
class Kernel:
    """`name` is "linear": x·x', "polynomial": (γ x·x' + c)^p, or "rbf": exp(−γ ‖x − x'‖²)."""

    name: str
    degree: float = 3.0
    coef0: float = 0.0

    @classmethod
    def of(cls, estimator: Any) -> Kernel:
        """That of an estimator; ValueError for one whose derivatives are not known."""
        name = estimator.kernel
        if not isinstance(name, str) or name not in NAMES:
            why = "its derivatives are not known"
            polynomial = "polynomial" if hasattr(estimator, "kernel_params") else "poly"
            others = f"Set kernel='linear', '{polynomial}' or 'rbf'."  # as scikit-learn has them
            refuse(estimator, "kernel", why, others)
        name = "polynomial" if name == "poly" else name
        power, shift = float(estimator.degree), float(estimator.coef0)
        if name == "polynomial" and not (power.is_integer() and power >= 1):
            refuse(estimator, "degree", "it must be a positive integer", "Set degree=3.")
        return cls(name, power, shift)

    @property
    def has_width(self) -> bool:
        """Whether there is a γ."""
        return self.name != "linear"

    def product(self, gram: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """What it is a function of: x·x' or ‖x − x'‖²."""
        return squares if self.name == "rbf" else gram

    def jets(self, product: np.ndarray, gamma: float, order: int) -> list[np.ndarray]:
        """K and its first `order` derivatives in log γ, at most 2, of that product."""
        if self.name == "linear":
            nothing = np.zeros_like(product)
            return [product, nothing, nothing][: order + 1]
        scaled = gamma * product
        if self.name == "rbf":
            jets = [np.exp(-scaled)]
            if order > 0:
                jets.append(-scaled * jets[0])
            if order > 1:
                jets.append((scaled**2 - scaled) * jets[0])
            return jets
        base, p = scaled + self.coef0, self.degree
        jets = [base**p]
        if order > 0:
            jets.append(p * scaled * base ** (p - 1))
        if order > 1:
            bent = p * (p - 1) * scaled**2 * base ** (p - 2) if p > 1 else 0.0
            jets.append(jets[1] + bent)
        return jets
