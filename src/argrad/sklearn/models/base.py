"""What the search must know of a model.

The lower problem of a linear one, a `Model`, is a linear predictor, a loss of it, and a quadratic
penalty: for a design X (n, d), a target u (n, t), row weights
r (n,) and log penalties θ (d, m), with linear predictor z = X w + b of shape (n, m),

    f(w, b; θ) = Σ_i r_i ℓ(z_i, u_i) + ½ Σ_jc e^θ_jc w_jc²

One model is one file that states ℓ, its first two derivatives, and which estimator it belongs to.
Other models state what they have in place of this, see `argrad.sklearn.models.trained` and
`argrad.sklearn.models.kernel_ridge`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from argrad.sklearn.hyperparameters import Grouped, Hyperparameter, PerClass, PerFeature, Shared
from argrad.sklearn.models.judging import OF_NUMBERS, Loss, named


@dataclass(frozen=True)
class Encoded:
    """A target as the model computes with it: `values` (n, t) and, of a classifier, `classes`."""

    values: np.ndarray
    classes: np.ndarray | None = None

    @property
    def outputs(self) -> list[str]:
        """What the columns of `values` are called."""
        t = self.values.shape[1]
        if self.classes is not None and t == len(self.classes):
            return [str(label) for label in self.classes]
        return [f"y{c}" for c in range(t)]


@dataclass(frozen=True)
class Tunable(ABC):
    """A scikit-learn estimator seen as a lower problem. Equal models share compiled criteria."""

    estimator: ClassVar[type]
    loss_name: ClassVar[str]

    @property
    def criterion(self) -> str:
        """The name of the loss of validation rows, as `GridSearchCV` would write it."""
        return self.loss_name.lower().replace(" ", "_")

    def judged_by(self, name: str | None) -> Tunable:
        """With the criterion of that name, None for its own; ValueError if there is no such."""
        if name is not None:
            kind = getattr(self, "estimator", type(self)).__name__
            named(self.criterion, {}, name, kind)
        return self

    @classmethod
    def of(cls, estimator: Any) -> Tunable:
        """The model of an estimator; ValueError for settings that it cannot honour."""
        return cls()

    @property
    @abstractmethod
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        """What can be tuned, by name, and in which granularities."""

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        """What is tuned where the user does not say, if a model has a range of its own."""
        return {}

    @abstractmethod
    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        """The model for this target, and the target encoded; ValueError if it cannot be one."""

    def check_design(self, estimator: Any, sparse: bool) -> None:
        """Raise ValueError where the estimator itself would not be fitted to such columns."""
        del estimator, sparse

    def units(self, features: list[str]) -> list[str]:
        """What there may be one number each for: the columns, unless a model says otherwise."""
        return features


@dataclass(frozen=True)
class Model(Tunable):
    """A linear one. `judged` is what validation rows lose, if not its own loss."""

    judged: Loss | None = field(default=None, kw_only=True)

    parameter: ClassVar[str]
    # θ = sign · log(parameter): −1 where the parameter is an inverse penalty.
    sign: ClassVar[int]
    # Whether scikit-learn's loss is a weighted mean over the rows, not a sum.
    averaged: ClassVar[bool] = False
    # Whether ℓ is ½ ‖z − u‖²: then a triangular factor of the rows says all that they say.
    squares: ClassVar[bool] = False
    # What it can be judged by beside its own loss.
    judges: ClassVar[dict[str, Loss]] = OF_NUMBERS

    @property
    def kinds(self) -> Mapping[str, tuple[type[Hyperparameter], ...]]:
        return {self.parameter: (Shared, Grouped, PerFeature, PerClass)}

    @abstractmethod
    def for_target(self, y: np.ndarray) -> tuple[Model, Encoded]:
        """The model for this target, and the target encoded; ValueError if it cannot be one."""

    def outputs(self, t: int) -> int:
        """m, the columns of the linear predictor, of a target with `t` columns."""
        return t

    def free(self, d: int, m: int, fit_intercept: bool) -> np.ndarray:
        """Which entries of the coefficients and, in the last row, intercepts (d + 1, m) vary."""
        free = np.ones((d + 1, m), dtype=bool)
        free[d] = fit_intercept
        return free

    def start(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Intercepts (m,) from which, with coefficients 0, it is not far to the solution."""
        del weight
        return np.zeros(self.outputs(target.shape[1]))

    def unbounded(self, target: np.ndarray, fit_intercept: bool) -> str:
        """Why, and what to do, where such targets of training rows (n, t) leave no solution."""
        del target, fit_intercept
        return ""

    def row_weights(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """r (n,) from the weights that the user gives rows of one fold's training."""
        del target
        return weight / weight.sum() if self.averaged else weight

    @abstractmethod
    def loss(self, z: Any, target: Any, xp: Any) -> Any:
        """ℓ, of shape (n,), from z (n, m) and target (n, t); `xp` is numpy or jax.numpy."""

    def mean(self, z: Any, xp: Any) -> Any:
        """What is predicted (n, t): z itself, unless a model says otherwise."""
        del xp
        return z

    def validation_loss(self, z: Any, target: Any, xp: Any) -> Any:
        """The loss that is reported of its own accord, ℓ unless a model says otherwise."""
        return self.loss(z, target, xp)

    def criterion_loss(self, z: Any, target: Any, xp: Any) -> Any:
        """The loss that is reported."""
        if self.judged is None:
            return self.validation_loss(z, target, xp)
        return self.judged(self.mean(z, xp), target, xp)

    def judged_by(self, name: str | None) -> Model:
        kind = self.estimator.__name__
        return replace(self, judged=named(self.criterion, self.judges, name, kind))

    @abstractmethod
    def gradient(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """∂ℓ/∂z, of shape (n, m)."""

    @abstractmethod
    def curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """∂²ℓ/∂z², of shape (n, m, m)."""

    def longest(self, z: np.ndarray, change: np.ndarray) -> float:
        """The most of a step, of which z changes by `change` (n, m), that may be tried, up to 1."""
        del z, change
        return 1.0

    def expected_curvature(self, z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """A positive semidefinite matrix in its place, where ℓ is not convex, or is flat."""
        return self.curvature(z, target)


def refuse(estimator: Any, name: str, why: str, remedy: str) -> None:
    """Raise the ValueError for a setting that cannot be honoured."""
    raise ValueError(
        f"{type(estimator).__name__}({name}={getattr(estimator, name)!r}) cannot be tuned by "
        f"gradient: {why}. {remedy}"
    )
