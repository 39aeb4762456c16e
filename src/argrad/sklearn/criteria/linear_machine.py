"""One problem of a linear support vector machine: its outcome on validation rows.

With squared losses, short_i = max(0, 1 − u_i f_i) or max(0, |u_i − f_i| − ε) and costs c_i,

    min over w   ½ ‖w‖² + Σ_i c_i short_i²

is quadratic on each set A of rows that fall short, with Hessian H = I + 2 X_Aᵀ diag(c) X_A:
Newton's method ends, in the exact solution, when A no longer changes. With losses that are not
squared the problem is the dual of a kernel machine without 1ᵀ β = 0.

Source: Mangasarian 2002, A finite Newton method for classification.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC, LinearSVR

from argrad.sklearn.criteria.margin_dual import Dual, DualError
from argrad.sklearn.models.margins import Problem
from argrad.sklearn.rows.designs import Matrix

_STEPS, _SHORTENED = 200, 40
# How near to the margin, relative to the targets, liblinear's rows are free in a first guess.
_NEAR = 1e-3
_EPS = float(np.finfo(float).eps)


class _Short(NamedTuple):
    """Of each row by how much it falls short (n,), and the side s (n,) on which it does, or 0."""

    much: np.ndarray
    side: np.ndarray

    @classmethod
    def of(cls, f: np.ndarray, t: np.ndarray, epsilon: float, signed: bool) -> _Short:
        if signed:
            much, side = np.maximum(1.0 - t * f, 0.0), t
        else:
            much, side = np.maximum(np.abs(t - f) - epsilon, 0.0), np.sign(t - f)
        return cls(much, np.where(much > 0, side, 0.0))


class _Inverse:
    """H⁻¹ for H = I + X_Aᵀ diag(a) X_A, a > 0, from the smaller of two Cholesky factors."""

    def __init__(self, X: Matrix, a: np.ndarray):
        self._X = X
        m, d = X.shape
        self._inner = m < d
        if self._inner:
            matrix = _dense(X @ X.T) + np.diag(1.0 / a)
        else:
            root = np.sqrt(a)[:, None]
            rooted = X.multiply(root).tocsr() if sparse.issparse(X) else X * root
            matrix = _dense(rooted.T @ rooted) + np.eye(d)
        self._factor = cho_factor(matrix, lower=True, check_finite=False) if len(matrix) else None

    def __matmul__(self, v: np.ndarray) -> np.ndarray:
        if self._factor is None:
            return v
        if self._inner:
            inner = cho_solve(self._factor, self._X @ v, check_finite=False)
            return v - self._X.T @ inner
        return cho_solve(self._factor, v, check_finite=False)


class Squared(NamedTuple):
    """A problem with squared losses solved: f of validation rows (v,), and how it depends."""

    values: np.ndarray
    w: np.ndarray
    inverse: _Inverse
    across: Matrix
    pull: np.ndarray

    def gradient(self, slope: np.ndarray) -> dict[str, float]:
        """Derivatives in log C and log ε of a loss with `slope` (v,) in f.

        H ẇ = w for the one, since w = 2 Σ_A c s short x, and −2 ε Σ_A c s x for the other, the
        `pull`.
        """
        adjoint = self.inverse @ (self.across.T @ slope)
        return {"C": float(adjoint @ self.w), "epsilon": float(adjoint @ self.pull)}


def solve_squared(
    columns: Matrix, problem: Problem, values: Mapping[str, float], signed: bool
) -> Squared:
    """Fit the problem by Newton's method. Raises `DualError` where it does not end."""
    X, t = columns[problem.train], problem.target
    cost, epsilon = values["C"] * problem.cost, values.get("epsilon", 0.0)
    w, f = np.zeros(X.shape[1]), np.zeros(len(t))
    short = _Short.of(f, t, epsilon, signed)
    value = float(cost @ short.much**2)
    for _ in range(_STEPS):
        active = np.flatnonzero(short.side)
        inverse = _Inverse(X[active], 2 * cost[active])
        pushed = cost * short.side
        gradient = w - 2 * (X.T @ (pushed * short.much))
        step = -(inverse @ gradient)
        along, slope = X @ step, float(gradient @ step)
        length = 1.0
        for _ in range(_SHORTENED):
            moved, g = w + length * step, f + length * along
            tried = _Short.of(g, t, epsilon, signed)
            lower = 0.5 * float(moved @ moved) + float(cost @ tried.much**2)
            if lower <= value + 1e-4 * length * slope + 10 * _EPS * abs(value):
                break
            length /= 2
        same = np.array_equal(tried.side, short.side)
        w, f, short, value = moved, X @ moved, tried, lower
        if length == 1.0 and (same or -slope <= 10 * _EPS * value):
            # Rounding of steps that were large beside w: once more, with the factor at hand.
            w = w - inverse @ (w - 2 * (X.T @ (cost * short.side * short.much)))
            across = columns[problem.valid]
            pull = -2 * epsilon * (X.T @ pushed)
            return Squared(across @ w, w, inverse, across, pull)
    raise DualError(f"the rows that fall short still change after {_STEPS} steps")


def guess(columns: Matrix, problem: Problem, dual: Dual, signed: bool) -> np.ndarray:
    """β (n,) of a dual without 1ᵀ β = 0, from liblinear's w = Xᵀ β."""
    X, t = columns[problem.train], dual.target
    cost = dual.high - dual.low if signed else dual.high
    how: dict[str, Any] = {"fit_intercept": False, "dual": True, "random_state": 0}
    how |= {"C": 1.0, "tol": 1e-5, "max_iter": 2000}
    hinge = LinearSVC(loss="hinge", **how) if signed else LinearSVR(epsilon=dual.epsilon, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        hinge.fit(X, t, sample_weight=cost)
    w = np.ravel(hinge.coef_)
    error = t - X @ w
    side = t if signed else np.sign(error)
    excess = side * error - dual.epsilon
    near = _NEAR * float(np.abs(t).max())
    beta = np.where(excess > near, np.where(side > 0, dual.high, dual.low), 0.0)
    free = np.flatnonzero(np.abs(excess) <= near)
    if len(free):
        found = np.linalg.lstsq(_dense(X[free].T), w - X.T @ beta, rcond=None)[0]
        wrong = found * side[free] < 0
        beta[free] = np.clip(np.where(wrong, 0.0, found), dual.low[free], dual.high[free])
    return beta


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
