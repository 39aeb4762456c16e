"""The lower problem of a sparse linear model on the training rows of one fold, solved exactly.

For rows x_i of a centred design, with weights r that sum to one, penalties λ (d,) and μ (d,)

    f(w) = ½ Σ_i r_i (x_i·w − u_i)² + ½ Σ_j μ_j w_j² + Σ_j λ_j |w_j|.

Where the support S and the signs σ of the solution are known, it solves one linear system,
(Q_SS + diag μ_S) w_S = q_S − λ_S σ_S with Q = Σ r x xᵀ and q = Σ r u x. So S and σ are what is
searched for: solve, go towards that as far as f falls, let columns enter that pull harder than
their penalty holds. f falls with every step and there are finitely many signs, so it ends at the
solution, to rounding. Q is formed for columns that have been needed.

Source: the feature-sign search of Lee, Battle, Raina and Ng 2006, Efficient sparse coding
algorithms (NIPS 19), here with several columns that enter at a time and an exact line search;
the order in which penalties are lowered from the least that keeps all columns out, as in Friedman,
Hastie and Tibshirani 2010, J. Stat. Software 33(1).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.lower import LowerError

# A pull is stronger than its penalty if by more than this part of it, and of the largest pull.
_DOUBT, _ROUNDING = 1e-10, 1e-13
# A pivot so small, relative to its diagonal entry, is one of a singular matrix.
_SINGULAR = 1e-12
# How many columns may enter at a time: this many, or this part of those that are in.
_ENTER, _ENTER_PART = 16, 0.5
# Columns up to which Q is formed at once, in one pass over the rows.
_FEW = 500
# By how much penalties are lowered at a time where no solution is near.
_LOWERED = 2.0
_MOST_STEPS = 2000
# Where so many columns are to enter, coordinate descent comes first: to this part of ‖u‖².
_MANY, _SWEPT, _SWEEPS = 20, 1e-7, 1000


class Support(NamedTuple):
    """The columns S, ascending, whose coefficients are not zero, and these."""

    columns: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def empty(cls) -> Support:
        return cls(np.empty(0, dtype=int), np.empty(0))

    @property
    def signs(self) -> np.ndarray:
        """σ."""
        return np.sign(self.coefficients)


class SparseSolution(NamedTuple):
    """The support, and the Cholesky factor of Q_SS + diag μ_S."""

    support: Support
    factor: Any

    def inverse_times(self, b: np.ndarray) -> np.ndarray:
        """The solution of the system with that factor for right-hand sides b (|S|, ...)."""
        if not len(b):
            return np.zeros_like(b)
        return cho_solve(self.factor, b, check_finite=False)


@dataclass
class SparseProblem:
    """f of one fold: its design, target (n,) and training weights (n,), of any sum.

    `mean` is the intercept at the centre of the columns, 0 without one.
    """

    design: Centred
    target: np.ndarray
    weight: np.ndarray
    fit_intercept: bool
    mean: float = field(init=False)
    # q of all columns.
    pull: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._rows = np.flatnonzero(self.weight)
        self._r = self.weight[self._rows] / self.weight.sum()
        self.mean = float(self._r @ self.target[self._rows]) if self.fit_intercept else 0.0
        self._u = self.target[self._rows] - self.mean
        self._size = float(np.sqrt(self._r @ self._u**2))
        self.pull = self._pulls(self._u)
        d = len(self.pull)
        self._known, self._place = np.empty(0, dtype=int), np.full(d, -1)
        self._gram = np.zeros((0, 0))
        if d <= _FEW:
            curvature = np.zeros((len(self.weight), 1, 1))
            curvature[self._rows, 0, 0] = self._r
            self._known = self._place = np.arange(d)
            self._gram = self.design.gram(curvature)[:-1, :-1]

    def columns(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Centred entries of the design, dense (len(rows), len(columns))."""
        X = self.design.columns
        part = X[rows][:, columns].toarray() if sparse.issparse(X) else X[np.ix_(rows, columns)]
        return part - self.design.centre[columns]

    def solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseSolution:
        """The solution at penalties λ = `l1` (d,) and μ = `ridge` (d,), begun at `start`.

        Raises `LowerError` where the columns of the support are linearly dependent.
        """
        if not len(start.columns):
            largest = float(np.max(np.abs(self.pull) / l1, initial=0.0))
            higher = largest / _LOWERED
            while higher > _LOWERED:
                start = self._solve(higher * l1, ridge, start).support
                higher /= _LOWERED
        return self._solve(l1, ridge, start)

    def _solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseSolution:
        support = start
        while True:
            self._learn(support.columns)
            support, factor = self._among_known(l1, ridge, support)
            if len(self._known) == len(l1):
                return SparseSolution(support, factor)
            z = self.columns(self._rows, support.columns) @ support.coefficients
            pulls = self._pulls(self._u - z)
            excess = np.abs(pulls) - self._held(l1)
            excess[self._known] = -np.inf
            outside = np.flatnonzero(excess > 0)
            if not len(outside):
                return SparseSolution(support, factor)
            # The columns of greatest excess, and only as many as may be of use.
            order = np.argsort(-excess[outside])[: 2 * self._entering(len(support.columns))]
            self._learn(outside[order])

    def _pulls(self, residual: np.ndarray) -> np.ndarray:
        """Σ_i r_i e_i x_i (d,) of residuals e on the training rows."""
        weighed = np.zeros(len(self.weight))
        weighed[self._rows] = self._r * residual
        return self.design.columns.T @ weighed - weighed.sum() * self.design.centre

    def _held(self, l1: np.ndarray) -> np.ndarray:
        """Pulls up to which columns stay out."""
        return l1 * (1.0 + _DOUBT) + _ROUNDING * np.abs(self.pull).max()

    def _learn(self, columns: np.ndarray) -> None:
        """Form Q for these columns too."""
        new = columns[self._place[columns] < 0]
        if not len(new):
            return
        old = len(self._known)
        self._place[new] = old + np.arange(len(new))
        self._known = np.concatenate([self._known, new])
        gram = np.empty((len(self._known), len(self._known)))
        gram[:old, :old] = self._gram
        weighed = self._r[:, None] * self.columns(self._rows, new)
        gram[:, old:] = self.columns(self._rows, self._known).T @ weighed
        gram[old:, :old] = gram[:old, old:].T
        self._gram = gram

    @staticmethod
    def _entering(size: int) -> int:
        return max(_ENTER, int(_ENTER_PART * size))

    def _among_known(
        self, l1: np.ndarray, ridge: np.ndarray, start: Support
    ) -> tuple[Support, Any]:
        """The solution with all columns held at zero that are not known, and its factor."""
        known, Q = self._known, self._gram
        q, penalty, mu, held = self.pull[known], l1[known], ridge[known], self._held(l1)[known]
        w = np.zeros(len(known))
        w[self._place[start.columns]] = start.coefficients
        sign, most, swept = np.sign(w), len(known), False
        for _ in range(_MOST_STEPS):
            S = np.flatnonzero(sign)
            system = Q[np.ix_(S, S)]
            system[np.diag_indices(len(S))] += mu[S]
            entering = w[S] == 0
            factor = _factor(system)
            if factor is None:
                if not entering.any() or most == 1:
                    raise LowerError("the columns that it needs are linearly dependent")
                most = 1
                sign = _only(sign, w, S)
                continue
            aim = (
                cho_solve(factor, q[S] - penalty[S] * sign[S], check_finite=False)
                if len(S)
                else w[S]
            )
            agrees = aim * sign[S] > 0
            if agrees.all():
                w[S] = aim
                pulls = q - Q[:, S] @ aim
                excess = np.where(sign == 0, np.abs(pulls) - held, -np.inf)
                enter = np.flatnonzero(excess > 0)
                if not len(enter):
                    order = np.argsort(known[S])
                    support = Support(known[S][order], aim[order])
                    return support, (_factor(system[np.ix_(order, order)]) if len(S) else None)
                if len(enter) > _MANY and not swept:
                    swept = True
                    w = _swept(Q + np.diag(mu), q, penalty, w, self._size)
                    sign = np.sign(w)
                    continue
                enter = enter[np.argsort(-excess[enter])][: min(most, self._entering(len(S)))]
                sign[enter] = np.sign(pulls[enter])
                most = len(known)
                continue
            wrong = entering & ~agrees
            if wrong.any():  # several that enter together may be in each other's way
                if most == 1:
                    raise LowerError("the columns that it needs are linearly dependent")
                sign[S[wrong]] = 0
                if wrong.sum() == entering.sum():
                    most = 1
                continue
            w[S] = _towards(w[S], aim, system, q[S], penalty[S])
            sign = np.sign(w)
        raise LowerError("the signs of its coefficients do not settle, its penalties are so small")


def _swept(
    Q: np.ndarray, q: np.ndarray, penalty: np.ndarray, w: np.ndarray, size: float
) -> np.ndarray:
    """w after sweeps of coordinate descent, scikit-learn's, that lower f to about its minimum.

    `size` is ‖u‖, which the end of the sweeps is relative to.
    """
    scale = 1.0 / penalty
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is left is done exactly
        _, found, _ = lasso_path(
            np.empty((1, len(w)), order="F"),
            np.array([size]),
            alphas=[1.0],
            precompute=np.ascontiguousarray(scale[:, None] * Q * scale),
            Xy=scale * q,
            coef_init=w / scale,
            check_input=False,
            tol=_SWEPT,
            max_iter=_SWEEPS,
        )
    return scale * found[:, 0]


def _only(sign: np.ndarray, w: np.ndarray, S: np.ndarray) -> np.ndarray:
    """The signs without those of columns that were to enter."""
    kept = sign.copy()
    kept[S[w[S] == 0]] = 0
    return kept


def _factor(system: np.ndarray) -> Any:
    """Its Cholesky factor, None if it is singular to working precision."""
    if not len(system):
        return ()
    try:
        factor = cho_factor(system, lower=True, check_finite=False)
    except LinAlgError:
        return None
    singular = np.diag(factor[0]) ** 2 <= _SINGULAR * np.diag(system)
    return None if singular.any() else factor


def _towards(
    w: np.ndarray, aim: np.ndarray, system: np.ndarray, q: np.ndarray, penalty: np.ndarray
) -> np.ndarray:
    """Where f is lowest between w and `aim`; coefficients that end at zero are exactly zero.

    Along p = aim − w the slope of f grows linearly, and jumps by 2 λ_j |p_j| where w_j changes
    sign.
    """
    p = aim - w
    moving = np.flatnonzero(w * aim < 0)
    at = -w[moving] / p[moving]
    order = np.argsort(at)
    moving, at = moving[order], at[order]
    sign = np.where(w == 0, np.sign(p), np.sign(w))
    slope, bend = (system @ w - q) @ p + penalty * sign @ p, p @ system @ p
    jumps = np.cumsum(2 * penalty[moving] * np.abs(p[moving]))
    after = slope + bend * at + jumps
    first = int(np.argmax(after >= 0)) if (after >= 0).any() else len(at)
    before = slope + (jumps[first - 1] if first else 0.0)
    free = min(-before / bend, 1.0)
    if first < len(at) and free >= at[first]:
        there = w + at[first] * p
        there[moving[first]] = 0.0
        return there
    return w + free * p
