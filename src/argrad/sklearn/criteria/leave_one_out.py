"""Leave-one-out of ridge regression in closed form: one factor instead of n.

With A = [X − e cᵀ, e], weights R and penalties Λ, M = Aᵀ R A + Λ, w = M⁻¹ Aᵀ R u and the leverages
q_i = r_i a_iᵀ M⁻¹ a_i, row i is missed by the fit of all others by

    ε_i = (u_i − a_iᵀ w) / (1 − q_i).

With B = A M⁻¹, the derivatives in a log penalty λ_j are ẇ = −λ_j w_j M⁻¹ e_j, q̇_i = −r_i λ_j B_ij².

Source: Allen 1974, The relationship between variable selection and data augmentation; Golub, Heath
and Wahba 1979, Technometrics 21.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.hyperparameters import Hyperparameter
from argrad.sklearn.models import Tunable
from argrad.sklearn.models.ridge import RidgeModel
from argrad.sklearn.rows.folds import Folds

# Penalty that a search starts from, relative to the curvature of the loss.
_START = 0.02
# What may be left of 1 − q before its digits are gone.
_LEFT = 1e-9


def left_out_rows(folds: Folds) -> np.ndarray | None:
    """The row that each fold leaves out, where folds leave out one each and have all others."""
    if not folds.one_design or folds.weight is None:
        return None
    rows = np.empty(folds.count, dtype=int)
    for i, fold in enumerate(folds.each):
        valid = np.flatnonzero(fold.validation)
        if len(valid) != 1:
            return None
        others = folds.weight.copy()
        others[valid] = 0.0
        if not np.array_equal(fold.training, others):
            return None
        rows[i] = valid[0]
    return rows


@dataclass
class LeaveOneOutRidge:
    """The criterion of ridge regression over folds that leave out `rows` (k,), one each.

    F(h) = mean of ε_i², its mean over the targets, with ∂F/∂h, and F'' where h is one number.

    Calling it raises `argrad.SolveError` where M is singular to working precision, or a row is
    fitted whatever its target.
    """

    model: Tunable
    folds: Folds
    hyperparameter: Hyperparameter
    rows: np.ndarray

    many_rows = False

    @classmethod
    def of(
        cls, model: Tunable, folds: Folds, hyperparameter: Hyperparameter
    ) -> LeaveOneOutRidge | None:
        """For plain ridge regression on a dense X and folds of this kind, else None."""
        plain = type(model) is RidgeModel and model.judged is None
        if not plain or sparse.issparse(folds.each[0].design.columns):
            return None
        rows = left_out_rows(folds)
        return None if rows is None else cls(model, folds, hyperparameter, rows)

    def __post_init__(self) -> None:
        weight = self.folds.weight
        assert weight is not None
        used = np.flatnonzero(weight)
        self._place = np.searchsorted(used, self.rows)
        self._r, self._u = weight[used], self.folds.each[0].target[used]
        X = np.asarray(self.folds.each[0].design.columns)[used]
        d, t = X.shape[1], self._u.shape[1]
        if self.folds.fit_intercept:
            X = np.hstack([X - self._r @ X / self._r.sum(), np.ones((len(X), 1))])
        self._A, self._gram = X, X.T @ (self._r[:, None] * X)
        self._number = np.broadcast_to(self.hyperparameter.index(self.folds.features, t), (d, t))
        one_column = np.all(self._number == self._number[:, :1])
        # Targets that have their penalties in common are solved for together.
        self._together = [np.arange(t)] if one_column else np.arange(t)[:, None]

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return int(self._number.max()) + 1

    @property
    def shared(self) -> bool:
        """Whether there is a single one, and evaluations have a curvature."""
        return self.size == 1

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): a penalty of a few per cent of the loss' curvature."""
        squares = np.diag(self._gram)[: len(self._number)]
        varies = squares > 0
        natural = np.where(varies, squares, squares[varies].mean() if varies.any() else 1.0)
        each = np.broadcast_to(np.log(natural)[:, None], self._number.shape).ravel()
        number = self._number.ravel()
        return np.bincount(number, each) / np.bincount(number) + np.log(_START)

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        missed = np.empty((len(self._place), self._u.shape[1]))
        gradient, bends = np.zeros(self.size), 0.0
        with one_thread():
            for targets in self._together:
                errors, slope, bend = self._of(h, targets)
                missed[:, targets] = errors
                gradient += slope
                bends += bend
        losses = np.mean(missed**2, axis=1)
        count = missed.size
        curvature = bends / count if self.shared else None
        return Evaluation(h, float(np.mean(losses)), losses, gradient / count, curvature)

    def _of(self, h: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """ε of these targets, and the derivatives of Σ ε² in h: (s,), and F'' of a single one."""
        number = self._number[:, targets[0]]
        d = len(number)
        penalty = np.zeros(len(self._gram))
        penalty[:d] = np.exp(h[number])
        u, A, r = self._u[:, targets], self._A, self._r[:, None]
        inverse = self._inverse(penalty, h)
        B = A @ inverse
        w = inverse @ (A.T @ (r * u))
        left = 1.0 - r * np.sum(B * A, axis=1, keepdims=True)
        if left[self._place].min() < _LEFT:
            raise SolveError(
                f"a row is fitted whatever its target is at {_where(h)}, so that leaving it out "
                "says nothing: raise the lower bound of alpha."
            )
        missed = (u - A @ w) / left
        kept = missed[self._place]
        # Σ_i ε_i ε̇_i for every coefficient, with ε̇ = ė/(1 − q) + ε q̇/(1 − q).
        over = kept / left[self._place]
        C = B[self._place]
        lost = r[self._place] * np.sum(kept * over, axis=1, keepdims=True)
        slopes = 2 * penalty * (np.sum((C.T @ over) * w, axis=1) - (C**2).T @ lost[:, 0])
        gradient = np.bincount(number, slopes[:d], self.size)
        return kept, gradient, self._bend(penalty, inverse, B, w, left, missed)

    def _bend(self, penalty, inverse, B, w, left, missed) -> float:
        """The second derivative of Σ ε² in the logarithm of all penalties at once."""
        if not self.shared:
            return 0.0
        r, weighted = self._r[:, None], penalty[:, None] * w
        w1 = -inverse @ weighted
        w2 = -inverse @ (weighted + 2 * penalty[:, None] * w1)
        moved = B * penalty
        q1 = -r * np.sum(moved * B, axis=1, keepdims=True)
        q2 = q1 + 2 * r * np.sum((moved @ inverse) * moved, axis=1, keepdims=True)
        e1, e2 = -self._A @ w1, -self._A @ w2
        first = (e1 + missed * q1) / left
        second = (e2 + 2 * first * q1 + missed * q2) / left
        bends = 2 * (first**2 + missed * second)
        return float(bends[self._place].sum())

    def _inverse(self, penalty: np.ndarray, h: np.ndarray) -> np.ndarray:
        system = self._gram + np.diag(penalty)
        try:
            factor = cho_factor(system, lower=True, check_finite=False)
        except LinAlgError:
            raise SolveError(
                f"the model cannot be fitted on all rows at {_where(h)}: its Hessian is singular "
                "to working precision. Raise the lower bound of alpha, or scale the columns."
            ) from None
        return cho_solve(factor, np.eye(len(system)), check_finite=False)


def _where(h: np.ndarray) -> str:
    low, high = np.exp(h.min()), np.exp(h.max())
    return f"alpha={low:.6g}" if low == high else f"alpha between {low:.6g} and {high:.6g}"
