"""The lower problem of a sparse model with a smooth loss on the training rows of one fold.

For rows x_i of a centred design, with weights r, penalties λ (d,) and μ (d,)

    f(w, b) = Σ_i r_i ℓ(x_i·w + b, u_i) + ½ Σ_j μ_j w_j² + Σ_j λ_j |w_j|.

Newton's method for it has a lasso as each step: the loss is replaced by its quadratic model, from
which b is eliminated, and what is left is minimised by the signs of its coefficients, on the
columns that are in use and those that pull harder than their penalty holds. Near the solution the
signs stay, and steps are Newton's in the support alone, so it ends at rounding.

Source: proximal Newton methods, Lee, Sun and Saunders 2014, SIAM J. Optim. 24(3); for the logistic
loss Friedman, Hastie and Tibshirani 2010, J. Stat. Software 33(1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.signs import (
    Quadratic,
    entering,
    factorised,
    held,
    minimise,
    solved,
)
from argrad.sklearn.criteria.sparse_lower import Support, lowered
from argrad.sklearn.criteria.training_rows import TrainingRows
from argrad.sklearn.models.logistic import LogisticModel

_STEPS, _HALVINGS = 100, 40
# A step in which no row's predictor moves by more is the last: the error that a Newton step leaves
# is quadratic in it. On the way to smaller penalties less will do; so short, f falls by rounding.
_SHORT, _ROUGH, _SURE = 1e-8, 1e-2, 1e-6
# What f falls by at least, of what its slope foretells, but for rounding.
_FALLS, _ROUNDING = 1e-4, 1e-14


class _Model(NamedTuple):
    """The quadratic model of the loss at a point: over columns W it is, with b eliminated,

    ½ dᵀ Q d − gᵀ d for a change d of w, from `X` (n, |W|) centred by the curvatures `bend`.
    """

    X: np.ndarray
    centre: np.ndarray
    bend: np.ndarray
    gram: np.ndarray
    slope: np.ndarray
    # Change of b where w stays.
    level: float


@dataclass(frozen=True)
class SparseLossSolution:
    """The support, the intercept at the centre of the columns, and A = ∂²f/∂(w_S, b)².

    Of A there are the factor of the part in w_S with b eliminated, `centre` = A_wb / A_bb and
    `total` = A_bb, which is zero where there is no intercept. `X` are the training rows of the
    support, and `third` their r ℓ'''.
    """

    support: Support
    intercept: float
    factor: Any
    X: np.ndarray
    centre: np.ndarray
    total: float
    third: np.ndarray

    @property
    def vector(self) -> np.ndarray:
        """w_S, and b where there is one."""
        w = self.support.coefficients
        return np.append(w, self.intercept) if self.total else w

    def inverse_times(self, b: np.ndarray) -> np.ndarray:
        """A⁻¹ b."""
        if not self.total:
            return solved(self.factor, b)
        w = solved(self.factor, b[:-1] - self.centre * b[-1])
        return np.append(w, b[-1] / self.total - self.centre @ w)

    def pushed(self, l1: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        """∂G/∂t, see `OnSupport`."""
        return self._padded(l1 * self.support.signs + ridge * self.support.coefficients)

    def bent(self, l1: np.ndarray, ridge: np.ndarray, v1: np.ndarray) -> np.ndarray:
        """2 ∂²G/∂t∂v v₁ + ∂²G/∂v² (v₁, v₁)."""
        del l1
        w1 = v1[: len(self.support.columns)]
        squares = self.third * (self.X @ w1 + (v1[-1] if self.total else 0.0)) ** 2
        bent = self._padded(2.0 * ridge * w1 + self.X.T @ squares)
        if self.total:
            bent[-1] = squares.sum()
        return bent

    def _padded(self, w: np.ndarray) -> np.ndarray:
        return np.append(w, 0.0) if self.total else w


@dataclass
class SparseLossProblem(TrainingRows):
    """f of one fold, with the loss of a model of two classes."""

    loss: LogisticModel
    # Pulls of all columns (d,) where none is used.
    pull: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        target = self.target[:, None]
        self._r = self.loss.row_weights(target, self.weight)[self.rows]
        self._u = target[self.rows]
        self._level = self._levelled(np.zeros(len(self.rows)), 0.0)
        self.pull = self.pulls(-self._slopes(np.full(len(self.rows), self._level)))

    @property
    def least(self) -> float:
        """The least penalty at which no column is used."""
        return float(np.abs(self.pull).max())

    def outcomes_of(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, float]:
        """What the outcomes of rows are linear in, by the solution's vector, and the constant."""
        X = self.columns(rows, columns)
        return (np.hstack([X, np.ones((len(rows), 1))]) if self.fit_intercept else X), 0.0

    def solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseLossSolution:
        """The solution at penalties λ = `l1` (d,) and μ = `ridge` (d,), begun at `start`.

        Raises `LowerError` where the columns of the support are linearly dependent.
        """
        support, b = self._begun_at(l1, ridge, start)
        X = self.columns(self.rows, support.columns)
        z = X @ support.coefficients + b
        here = self._model(X, z)
        system = here.gram.copy()
        system[np.diag_indices(len(system))] += ridge[support.columns]
        third = self._r * self.loss.third(z[:, None])[:, 0]
        total = float(here.bend.sum()) if self.fit_intercept else 0.0
        factor = factorised(system)
        if factor is None:
            raise LowerError("the columns that it needs are linearly dependent")
        return SparseLossSolution(support, b, factor, X, here.centre, total, third)

    def _begun_at(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> tuple[Support, float]:
        if not len(start.columns):
            support, b = start, self._level
            for factor in lowered(self.pull, l1):
                support, b = self._solve(factor * l1, ridge, support, b, _ROUGH)
            return self._solve(l1, ridge, support, b, _SHORT)
        z = self.columns(self.rows, start.columns) @ start.coefficients
        try:
            return self._solve(l1, ridge, start, self._levelled(z, self._level), _SHORT)
        except LowerError:
            # Far from the solution all rows may be so sure that nothing curves.
            return self._begun_at(l1, ridge, Support.empty())

    def _solve(
        self, l1: np.ndarray, ridge: np.ndarray, start: Support, b: float, short: float
    ) -> tuple[Support, float]:
        support, bound, moved = start, held(l1, self.least), np.inf
        z = self.columns(self.rows, support.columns) @ support.coefficients + b
        for _ in range(_STEPS):
            excess = np.abs(self.pulls(-self._slopes(z))) - bound
            excess[support.columns] = -np.inf
            outside = np.flatnonzero(excess > 0)
            if moved <= short and not len(outside):
                return support, b
            strongest = np.argsort(-excess[outside])[: entering(len(support.columns))]
            W = np.concatenate([support.columns, outside[strongest]])
            w = np.zeros(len(W))
            w[: len(support.columns)] = support.coefficients
            here = self._model(self.columns(self.rows, W), z)
            pull = here.gram @ w + here.slope
            size = float(np.sqrt(here.bend @ z**2 + here.slope @ here.slope))
            quadratic = Quadratic(here.gram, pull, l1[W], ridge[W], bound[W], size)
            change = minimise(quadratic, w) - w
            along = here.X @ change + here.level
            moved = float(np.abs(along).max())
            t = 1.0
            if moved > _SURE:
                t = self._falling(z, along, w, change, l1[W], ridge[W], here)
                moved = moved if t == 1.0 else np.inf
            support = Support.of(W, w + t * change)
            b += t * (here.level - float(here.centre @ change))
            z = z + t * along
        raise LowerError("Newton's method does not come to an end, its penalties are so small")

    def _model(self, X: np.ndarray, z: np.ndarray) -> _Model:
        """The model of the loss at predictors z over columns X, centred by the curvatures."""
        bend = self._r * self.loss.curvature(z[:, None], self._u)[:, 0, 0]
        error = -self._slopes(z)
        centre, level = np.zeros(X.shape[1]), 0.0
        if self.fit_intercept:
            total = bend.sum()
            centre, level = bend @ X / total, float(error.sum() / total)
            X = X - centre
        return _Model(X, centre, bend, X.T @ (bend[:, None] * X), X.T @ error, level)

    def _falling(
        self,
        z: np.ndarray,
        along: np.ndarray,
        w: np.ndarray,
        change: np.ndarray,
        l1: np.ndarray,
        ridge: np.ndarray,
        here: _Model,
    ) -> float:
        """The length, 1 or a power of ½, of a step along which f falls as its model foretells."""

        def f(t: float) -> float:
            v = w + t * change
            loss = self._r @ self.loss.loss((z + t * along)[:, None], self._u, np)
            return float(loss + l1 @ np.abs(v) + 0.5 * ridge @ v**2)

        held_before, held_after = l1 @ np.abs(w), l1 @ np.abs(w + change)
        slope = self._slopes(z) @ along + ridge @ (w * change) + held_after - held_before
        t = 1.0
        before = f(0.0) * (1.0 + _ROUNDING)
        for _ in range(_HALVINGS):
            if f(t) <= before + _FALLS * t * slope:
                return t
            t /= 2
        raise LowerError("no step lowers its objective, its penalties are so small")

    def _slopes(self, z: np.ndarray) -> np.ndarray:
        """r ℓ' (n,) at predictors z."""
        return self._r * self.loss.gradient(z[:, None], self._u)[:, 0]

    def _levelled(self, z: np.ndarray, b: float) -> float:
        """The intercept that is best beside predictors z, begun at b: Newton's, halved."""
        if not self.fit_intercept:
            return 0.0
        for _ in range(_STEPS):
            here = self._model(np.zeros((len(z), 0)), z + b)
            nothing = np.zeros(0)
            t = 1.0
            if abs(here.level) > _SURE:
                along = np.full(len(z), here.level)
                t = self._falling(z + b, along, nothing, nothing, nothing, nothing, here)
            b += t * here.level
            if abs(here.level) <= _SURE:
                break
        return b
