"""Linear models of the squared error whose penalty makes coefficients zero.

As scikit-learn has them, for weights r that sum to one,

    ½ Σ_i r_i (x_i·w + b − y_i)² + Σ_j alpha_j (l1_ratio |w_j| + ½ (1 − l1_ratio) w_j²).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from argrad.sklearn.models.base import Encoded, Tunable, refuse
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.scaled import fit_scaled


@dataclass(frozen=True)
class SparseModel(Tunable):
    """`alpha` and `l1_ratio` are what the estimator has where they are not tuned."""

    alpha: float = field(default=1.0, compare=False)
    l1_ratio: float = field(default=1.0, compare=False)

    loss_name = "mean squared error"

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, self.estimator.__name__))

    def fit(
        self, final: Any, values: dict[str, np.ndarray], X: Any, y: np.ndarray, weights: Any
    ) -> None:
        """Fit scikit-learn's estimator `final` with hyperparameters at `values`.

        Of one penalty a column it knows a single one on scaled columns: for s_j = ᾱ / alpha_j and
        w = s v, Σ alpha_j |w_j| = ᾱ ‖v‖₁ and X w = (X s) v, with ᾱ the geometric mean.
        """
        given = {} if weights is None else {"sample_weight": weights}
        alpha = values.get("alpha")
        if alpha is None or np.all(alpha == alpha.flat[0]):
            plain = {name: float(each.flat[0]) for name, each in values.items()}
            final.set_params(**plain).fit(X, y, **given)
            return
        mean = float(np.exp(np.log(alpha).mean()))
        fit_scaled(final.set_params(alpha=mean), mean / alpha, X, y, given)


def refuse_positive(estimator: Any) -> None:
    """Raise ValueError for coefficients that must not be negative."""
    if estimator.positive:
        refuse(estimator, "positive", "signs are free here", "Set positive=False.")
