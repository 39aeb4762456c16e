"""Linear support vector machines: liblinear's `LinearSVC` and `LinearSVR`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.svm import LinearSVC, LinearSVR

from argrad.sklearn.models.base import refuse
from argrad.sklearn.models.margins import MarginModel, OfClasses, OfNumbers
from argrad.sklearn.rows.designs import Matrix


@dataclass(frozen=True)
class LinearMachine(MarginModel):
    """f = w·x + s v, where the intercept s v is penalised as `w` is; `scaling` s is 0 without one.

    `squared` is whether it is the square of the hinge, or of what exceeds ε, that rows lose.
    """

    squared: bool = field(kw_only=True)
    scaling: float = field(kw_only=True)

    # The estimator's losses, and whether they are squared.
    known: ClassVar[Mapping[str, bool]]

    @classmethod
    def traits(cls, estimator: Any) -> dict[str, Any]:
        if estimator.loss not in cls.known:
            usual = next(iter(cls.known))
            refuse(estimator, "loss", "it is none that it has", f"Set loss={usual!r}.")
        scaling = float(estimator.intercept_scaling) if estimator.fit_intercept else 0.0
        own = {"squared": cls.known[estimator.loss], "scaling": scaling}
        return {**own, **super().traits(estimator)}

    def extended(self, columns: Matrix) -> Matrix:
        """Columns (n, d) with one more for the intercept, if there is one."""
        if not self.scaling:
            return columns
        more = np.full((columns.shape[0], 1), self.scaling)
        if sparse.issparse(columns):
            return sparse.csr_array(sparse.hstack([columns, more]))
        return np.hstack([columns, more])


@dataclass(frozen=True)
class LinearSVCModel(LinearMachine, OfClasses):
    """Classes u = ±1, max(0, 1 − u f) or its square; each from all others of several."""

    estimator = LinearSVC
    names = ("C",)
    pairs = False
    known: ClassVar = {"hinge": False, "squared_hinge": True}

    @classmethod
    def traits(cls, estimator: Any) -> dict[str, Any]:
        if estimator.penalty != "l2":
            why = "only the quadratic penalty is implemented"
            refuse(estimator, "penalty", why, "Set penalty='l2'.")
        if estimator.multi_class != "ovr":
            why = "its problem is not one a class"
            refuse(estimator, "multi_class", why, "Set multi_class='ovr'.")
        return super().traits(estimator)


@dataclass(frozen=True)
class LinearSVRModel(LinearMachine, OfNumbers):
    """Numbers u, max(0, |u − f| − ε) or its square."""

    estimator = LinearSVR
    names = ("C", "epsilon")
    known: ClassVar = {"epsilon_insensitive": False, "squared_epsilon_insensitive": True}
