"""The Hessian of the criterion of ridge regression in many log penalties, from Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from argrad.sklearn.criteria.criterion import Criterion
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models.ridge import RidgeModel

# Columns up to which a few products of such matrices cost no more than an evaluation.
_MOST = 500


@dataclass(frozen=True)
class GramHessian:
    """∂²F/∂h² (s, s) of the mean over folds of the mean squared error, as a function of h (s,).

    With M = Aᵀ R A + Λ, w = M⁻¹ Aᵀ R u, V the validation weights of a fold and its loss
    L(w) = (A w − u)ᵀ V (A w − u), the derivative of w in log λ_j is J_j = −λ_j w_j M⁻¹ e_j, and
    with a = M⁻¹ ∂L/∂w that of the loss is g_j = −λ_j a_j w_j. Differentiated once more

        ∂²L / ∂log λ_j ∂log λ_k = 2 J_jᵀ Aᵀ V A J_k + δ_jk g_j − λ_j a_j J_jk − λ_k a_k J_kj,

    J_jk being the entry j of J_k. `folds` holds Aᵀ R A, Aᵀ R u, Aᵀ V A and Aᵀ V u of each, with the
    intercept last if there is one; `number` (d,) says which of the s numbers is a column's.
    """

    folds: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    number: np.ndarray

    @classmethod
    def of(cls, criterion: object) -> GramHessian | None:
        """For plain ridge regression of one target in up to 500 columns, else None."""
        if not isinstance(criterion, Criterion) or criterion.factors.size:
            return None
        model, folds = criterion.model, criterion.folds
        plain = type(model) is RidgeModel and model.judged is None
        if not plain or folds.each[0].target.shape[1] > 1 or criterion.features > _MOST:
            return None
        q = criterion.features + folds.fit_intercept
        each = []
        with one_thread():
            for fold in folds.each:
                sums = []
                for weight in (fold.training, fold.validation):
                    gram = fold.design.gram(weight[:, None, None])
                    sums.append(gram[:q, :q])
                    sums.append(fold.design.transposed_times(weight[:, None] * fold.target)[:q, 0])
                each.append((sums[0], sums[1], sums[2], sums[3]))
        number = criterion.hyperparameter.index(folds.features, 1)[:, 0]
        return cls(each, number)

    def __call__(self, log_values: np.ndarray) -> np.ndarray:
        """At h (s,); infinite where M is singular to working precision."""
        d, s = len(self.number), len(log_values)
        penalty = np.exp(log_values)[self.number]
        total = np.zeros((d, d))
        with one_thread():
            for gram, moment, validation, target in self.folds:
                try:
                    bent = gram.copy()
                    bent[np.arange(d), np.arange(d)] += penalty
                    inverse = cho_solve(cho_factor(bent), np.eye(len(bent)))
                except LinAlgError:
                    return np.full((s, s), np.inf)
                w = inverse @ moment
                a = 2.0 * inverse @ (validation @ w - target)
                moved = -inverse[:, :d] * (penalty * w[:d])
                cross = (penalty * a[:d])[:, None] * moved[:d]
                total += 2.0 * moved.T @ validation @ moved - cross - cross.T
                total[np.arange(d), np.arange(d)] -= penalty * a[:d] * w[:d]
        group = np.eye(s)[self.number]
        return group.T @ (total / len(self.folds)) @ group
