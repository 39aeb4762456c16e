"""What the search must know of a model: a generalised linear one with a quadratic penalty.

The lower problem of every model here is, for a design Z (n, d), a target u (n, m), row weights
r (n,) and log penalties θ (d,), with linear predictor z = Z w + b of shape (n, m),

    f(w, b; θ) = Σ_i r_i ℓ(z_i, u_i) + ½ Σ_j e^θ_j ‖w_j‖²

One model is one file that states ℓ, its mean and curvature, and which estimator it belongs to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """A target as the model computes with it: `values` (n, m) and, of a classifier, `classes`."""

    values: np.ndarray
    classes: np.ndarray | None = None


class Model(ABC):
    """A scikit-learn estimator seen as a lower problem. Models have no state, only types."""

    estimator: ClassVar[type]
    parameter: ClassVar[str]
    # θ = sign · log(parameter): −1 where the parameter is an inverse penalty.
    sign: ClassVar[int]
    loss_name: ClassVar[str]
    # Whether z + c describes the same model as z: then one intercept is pinned to zero.
    shift_invariant: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:  # compiled criteria are kept by model
        return hash(type(self))

    @classmethod
    @abstractmethod
    def check(cls, estimator: Any) -> None:
        """Raise ValueError for settings of the estimator that the lower problem cannot honour."""

    @classmethod
    @abstractmethod
    def for_target(cls, y: np.ndarray) -> tuple[Model, Encoded]:
        """The model for this target, and the target encoded; ValueError if it cannot be one."""

    @abstractmethod
    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        """ℓ, of shape (n,), from z and target (n, m); `xp` is numpy or jax.numpy."""

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        """The loss that is reported, a multiple of ℓ unless a model says otherwise."""
        return self.loss(z, target, xp)

    @abstractmethod
    def mean(self, z: np.ndarray) -> np.ndarray:
        """E[u | z], so that ∂ℓ/∂z = mean(z) − u (canonical link)."""

    @abstractmethod
    def curvature(self, z: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """∂²ℓ/∂z², of shape (n, m, m)."""


def refuse(estimator: Any, name: str, why: str, remedy: str) -> None:
    """Raise the ValueError for a setting that cannot be honoured."""
    raise ValueError(
        f"{type(estimator).__name__}({name}={getattr(estimator, name)!r}) cannot be tuned by "
        f"gradient: {why}. {remedy}"
    )
