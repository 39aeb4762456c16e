"""Linear models whose penalty makes coefficients zero.

For row weights r, a loss ℓ and penalties of their own for the columns

    Σ_i r_i ℓ(x_i·w + b, y_i) + Σ_j p_j (l1_ratio |w_j| + ½ (1 − l1_ratio) w_j²),

where p_j is the parameter, or one over it. Derivatives are those on the support.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from argrad.sklearn.hyperparameters import Grouped, Hyperparameter, PerFeature, Shared
from argrad.sklearn.models.base import Encoded, Tunable
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.scaled import fit_scaled

Kinds = Mapping[str, tuple[type[Hyperparameter], ...]]


@dataclass(frozen=True)
class SparseModel(Tunable):
    """`strength` and `l1_ratio` are what the estimator has where they are not tuned."""

    strength: float = field(default=1.0, compare=False)
    l1_ratio: float = field(default=1.0, compare=False)

    parameter: ClassVar[str] = "alpha"
    # p = strength^sign.
    sign: ClassVar[int] = 1

    @abstractmethod
    def validation(
        self, z: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What validation rows lose (v,), and its derivatives in z (v, m): (v, m), (v, m, m)."""

    def fit(self, final: Any, values: dict[str, Any], X: Any, y: np.ndarray, weights: Any) -> None:
        """Fit the estimator `final` with hyperparameters at `values`, as it fits itself.

        Of one penalty a column it knows a single one on scaled columns: for s_j = p̄ / p_j and
        w = s v, Σ p_j |w_j| = p̄ ‖v‖₁ and X w = (X s) v, with p̄ the geometric mean. Adaptive ones
        are that of the second fit, with s_j = |w_j| / max_k |w_k| of the first.
        """
        given = {} if weights is None else {"sample_weight": weights}
        strength = values.get(self.parameter)
        if isinstance(strength, Mapping):
            first = clone(final).set_params(**{self.parameter: strength["first"]})
            size = np.abs(first.fit(X, y, **given).coef_)
            final.set_params(**{self.parameter: strength["second"]})
            fit_scaled(final, size / (size.max() or 1.0), X, y, given)
            return
        if strength is None or np.all(strength == strength.flat[0]):
            plain = {name: float(each.flat[0]) for name, each in values.items()}
            final.set_params(**plain).fit(X, y, **given)
            return
        mean = float(np.exp(np.log(strength).mean()))
        scale = (mean / strength) ** self.sign
        fit_scaled(final.set_params(**{self.parameter: mean}), scale, X, y, given)


@dataclass(frozen=True)
class SparseSquares(SparseModel):
    """ℓ = ½ (z − y)², with weights r that sum to one; validated by the squared error."""

    loss_name = "mean squared error"

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, self.estimator.__name__))

    def validation(
        self, z: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        errors = z - target
        return errors[:, 0] ** 2, 2 * errors, np.full((len(z), 1, 1), 2.0)


def lasso_kinds(parameter: str) -> Kinds:
    """What is tuned of a penalty with absolute values alone."""
    return {parameter: (Shared, Grouped, PerFeature)}


def net_kinds(parameter: str) -> Kinds:
    """What is tuned of a penalty with squares as well."""
    return {parameter: (Shared,), "l1_ratio": (Shared,)}


NET_RANGES: Mapping[str, Hyperparameter] = {"l1_ratio": Shared(0.05, 1.0)}
