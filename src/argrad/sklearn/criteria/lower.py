"""The lower problem of one fold: damped Newton on a linear model with a smooth loss.

On the host, in NumPy: for the sizes that are cross-validated, compiling such a loop takes longer
than all the fits of a search. Its last factor goes along to the compiled derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.lapack import dpotri

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.models import Model
from argrad.sklearn.quasi_newton import Pair, Times, times_inverse

_STEPS = 200
# Steps with a Hessian from elsewhere: the most, and by how much each has to be shorter, once there
# have been one in so many unknowns, which are cheaper than a Hessian.
_ELSEWHERE, _SHRINK, _WORTH = 12, 0.25, 12
# Relative length of a last step: the error that a Newton step leaves is quadratic in it.
_SHORT = 1e-9
# Relative length up to which steps that no longer shrink are taken for rounding.
_ROUNDED = 1e-5
# A step that has to be shortened more than this is not one of a Hessian that is near.
_SHORTENED = 0.02


class LowerError(ArithmeticError):
    """The lower problem of a fold could not be solved; the message says how it ended."""


class LowerSolution(NamedTuple):
    """y*, flat of length q, and the inverse (q, q) of the Hessian there."""

    y: np.ndarray
    inverse_hessian: np.ndarray


class _Point(NamedTuple):
    """y (q,), its predictor z (n, m), and f."""

    y: np.ndarray
    z: np.ndarray
    value: float


@dataclass(frozen=True)
class LowerProblem:
    """f(y; θ) = Σ_i r_i ℓ(z_i, u_i) + ½ Σ_jc e^θ_jc w_jc² for one fold's rows, with z = A w.

    A is the `design` (n, d + 1), and w the (d + 1, m) matrix of coefficients and intercepts, of
    which y holds, row by row, the entries that are `free` (d + 1, m); the others are zero.
    """

    model: Model
    design: Centred
    target: np.ndarray
    weight: np.ndarray
    free: np.ndarray

    def solve(
        self, log_penalty: np.ndarray, starts: list[np.ndarray], near: np.ndarray | None = None
    ) -> LowerSolution:
        """Minimise for θ (d, m), begun where f is lowest of the `starts`, or at the next of them.

        LowerError without convergence from any. `near` (q, q) is the inverse Hessian of a problem
        much like this one. Steps with it cost no new Hessian, and are taken for as long as they
        shrink quickly.
        """
        ridge = self.ridge(log_penalty)
        failed = LowerError("its objective is not finite anywhere near")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            # Only a model that limits steps can have any guarded.
            limited = type(self.model).longest is not Model.longest
            for point in self._by_value(starts, ridge):
                if near is not None:
                    point = self._approach(point, ridge, lambda slope: near @ slope)
                for guarded in (False, True) if limited else (False,):
                    try:
                        return self._newton(point, ridge, guarded)
                    except LowerError as failure:
                        failed = failure
        raise failed

    def _by_value(self, starts: list[np.ndarray], ridge: np.ndarray) -> list[_Point]:
        points = []
        for y in starts:
            z = self.predictor(y)
            points.append(_Point(y, z, self._value(z, y, ridge)))
        return sorted(points, key=lambda p: p.value if np.isfinite(p.value) else np.inf)

    def _approach(self, point: _Point, ridge: np.ndarray, near: Times) -> _Point:
        """Where L-BFGS that begins with `near` comes to, see Nocedal and Wright 2006, section 7.2.

        It ends where it is no quicker than Newton's method.
        """
        slope = self.gradient(point.z, point.y, ridge)
        pairs: list[Pair] = []
        before, patient = np.inf, len(slope) // _WORTH
        for taken in range(max(_ELSEWHERE, patient)):
            step = -times_inverse(near, pairs, slope)
            there, alpha = self._lower(point, ridge, step, float(slope @ step))
            size = alpha * float(np.linalg.norm(step))
            slow = taken >= patient or size <= _ROUNDED * np.linalg.norm(there.y)
            if alpha < _SHORTENED or (slow and size >= _SHRINK * before):
                return point
            before, point, changed = size, there, self.gradient(there.z, there.y, ridge)
            bent, slope = changed - slope, changed
            if size <= _SHORT * np.linalg.norm(point.y):
                return point
            if step @ bent > 0:
                pairs.append((alpha * step, bent))
        return point

    def _lower(
        self, point: _Point, ridge: np.ndarray, step: np.ndarray, promised: float
    ) -> tuple[_Point, float]:
        """A point along a step where f is lower, by Armijo's rule, and its part of the step."""
        y, z, value = point
        rounding = 1e-14 * (1.0 + abs(value))
        change = self.predictor(step)
        alpha = self.model.longest(z, change)
        trial = self._value(z + alpha * change, y + alpha * step, ridge)
        # A trial that is not a number is not lower.
        while not trial <= value + 1e-4 * alpha * promised + rounding and alpha > 1e-10:
            alpha /= 2
            trial = self._value(z + alpha * change, y + alpha * step, ridge)
        return _Point(y + alpha * step, z + alpha * change, trial), alpha

    def _newton(self, point: _Point, ridge: np.ndarray, guarded: bool) -> LowerSolution:
        """Newton's method; if `guarded` with its other curvature beyond the model's limit."""
        y, z, value = point
        size = np.inf
        for _ in range(_STEPS):
            gradient = self.gradient(z, y, ridge)
            factor, exact = self._factor(z, ridge)
            step = -cho_solve(factor, gradient, check_finite=False)
            if guarded and exact and self.model.longest(z, self.predictor(step)) < 1:
                factor, exact = self._expected(z, ridge), False
                step = -cho_solve(factor, gradient, check_finite=False)
            point, _ = self._lower(point, ridge, step, float(gradient @ step))
            y, z, value = point
            if not np.isfinite(value):
                raise LowerError("its objective is not finite anywhere near")
            before, size = size, float(np.linalg.norm(step))
            length = np.linalg.norm(y)
            # Near the solution steps shrink by far more than half, until only rounding is left.
            rounded = size <= _ROUNDED * length and size >= 0.5 * before
            if size <= _SHORT * length or rounded or size == 0:
                if not exact:
                    raise LowerError("where its gradient is zero there is no minimum")
                return LowerSolution(y, _inverse(factor))
            if len(step) >= _WORTH * _ELSEWHERE:
                # Another Hessian would cost more than all the steps that are taken with this one.
                point = self._approach(point, ridge, partial(_solve_by, factor))
                y, z, value = point
        raise LowerError(f"it did not converge in {_STEPS} Newton steps")

    def ridge(self, log_penalty: np.ndarray) -> np.ndarray:
        """The quadratic penalty of each entry of y."""
        ridge = np.zeros(self.free.shape)
        ridge[:-1] = np.exp(log_penalty)
        return ridge[self.free]

    def matrix(self, y: np.ndarray) -> np.ndarray:
        """y as coefficients and intercepts."""
        w = np.zeros(self.free.shape)
        w[self.free] = y
        return w

    def predictor(self, y: np.ndarray) -> np.ndarray:
        """z (n, m)."""
        return self.design.times(self.matrix(y))

    def _value(self, z: np.ndarray, y: np.ndarray, ridge: np.ndarray) -> float:
        losses = self.model.loss(z, self.target, np)
        # A row without weight may lie where ℓ is infinite.
        loss = np.sum(np.where(self.weight > 0, self.weight * losses, 0.0))
        return float(loss + 0.5 * np.sum(ridge * y**2))

    def gradient(self, z: np.ndarray, y: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        """∂f/∂y (q,) at y, whose predictor is z."""
        slope = self._weighed(self.model.gradient(z, self.target))
        return self.design.transposed_times(slope)[self.free] + ridge * y

    def _hessian(self, curvature: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        free = self.free.ravel()
        hessian = self.design.gram(self._weighed(curvature))
        if not free.all():
            hessian = hessian[np.ix_(free, free)]
        hessian[np.diag_indices(len(ridge))] += ridge
        return hessian

    def _weighed(self, rows: np.ndarray) -> np.ndarray:
        weight = self.weight.reshape(-1, *[1] * (rows.ndim - 1))
        return np.where(weight > 0, weight * rows, 0.0)

    def _factor(self, z: np.ndarray, ridge: np.ndarray) -> tuple[Any, bool]:
        """The Cholesky factor of the Hessian, or of what the model has in its place."""
        hessian = self._hessian(self.model.curvature(z, self.target), ridge)
        try:
            return cho_factor(hessian, lower=True, check_finite=False), True
        except LinAlgError:
            return self._expected(z, ridge), False

    def _expected(self, z: np.ndarray, ridge: np.ndarray) -> Any:
        """The factor of what the model has in place of the Hessian."""
        hessian = self._hessian(self.model.expected_curvature(z, self.target), ridge)
        try:
            return cho_factor(hessian, lower=True, check_finite=False)
        except LinAlgError:
            raise LowerError(
                "its Hessian is singular to working precision: the penalty is too weak for "
                "columns of this scale"
            ) from None


def _inverse(factor: Any) -> np.ndarray:
    """The inverse of a matrix of which this is the Cholesky factor, with a third of the products.

    LAPACK leaves it in the lower triangle.
    """
    lower, _ = dpotri(factor[0], lower=True)
    return np.tril(lower) + np.tril(lower, -1).T


def _solve_by(factor: Any, slope: np.ndarray) -> np.ndarray:
    return cho_solve(factor, slope, check_finite=False)
