"""The lower problem of one fold: damped Newton on a generalised linear model.

On the host, in NumPy: for the sizes that are cross-validated, compiling such a loop takes longer
than all the fits of a search. Its last factor goes along to the compiled derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from argrad.sklearn.models import Model

_STEPS = 200
# Relative length of a last step: the error that a Newton step leaves is quadratic in it.
_SHORT = 1e-9
# Relative length up to which steps that no longer shrink are taken for rounding.
_ROUNDED = 1e-5


class LowerError(ArithmeticError):
    """The lower problem of a fold could not be solved; the message says how it ended."""


class LowerSolution(NamedTuple):
    """y*, flat of length q, and the inverse (q, q) of the Hessian there."""

    y: np.ndarray
    inverse_hessian: np.ndarray


@dataclass(frozen=True)
class LowerProblem:
    """f(y; θ) = Σ_i ℓ(z_i, u_i) + ½ Σ_j e^θ_j ‖w_j‖² for one fold's training rows.

    `design` is (n, p), the last column ones if p exceeds the length of θ; y is the (p, m) matrix
    of coefficients and intercepts row by row, without the last entry where an intercept is
    pinned to zero.
    """

    model: Model
    design: np.ndarray
    target: np.ndarray

    def solve(self, log_penalty: np.ndarray, starts: list[np.ndarray]) -> LowerSolution:
        """Minimise from the best of the `starts`; raise LowerError without convergence."""
        ridge = self._ridge(log_penalty)
        values = [self._value(y, ridge) for y in starts]
        y, value = starts[int(np.argmin(values))], float(np.min(values))
        size = np.inf
        for _ in range(_STEPS):
            gradient, hessian = self._derivatives(y, ridge)
            factor = self._factor(hessian)
            step = -cho_solve(factor, gradient, check_finite=False)
            decrement = -float(gradient @ step)
            rounding = 1e-14 * (1.0 + abs(value))
            alpha, trial = 1.0, self._value(y + step, ridge)
            while trial > value - 1e-4 * alpha * decrement + rounding and alpha > 1e-10:
                alpha /= 2
                trial = self._value(y + alpha * step, ridge)
            y, value = y + alpha * step, trial
            before, size = size, float(np.linalg.norm(step))
            length = np.linalg.norm(y)
            # Near the solution steps shrink by far more than half, until only rounding is left.
            rounded = size <= _ROUNDED * length and size >= 0.5 * before
            if size <= _SHORT * length or rounded or size == 0:
                inverse = cho_solve(factor, np.eye(len(y)), check_finite=False)
                return LowerSolution(y, inverse)
        raise LowerError(f"it did not converge in {_STEPS} Newton steps")

    def _ridge(self, log_penalty: np.ndarray) -> np.ndarray:
        """The quadratic penalty of each entry of y."""
        p, m = self.design.shape[1], self.target.shape[1]
        ridge = np.zeros((p, m))
        ridge[: len(log_penalty)] = np.exp(log_penalty)[:, None]
        return self._pin(ridge.ravel(), p > len(log_penalty))

    def _pin(self, flat: np.ndarray, intercept: bool) -> np.ndarray:
        return flat[:-1] if intercept and self.model.shift_invariant else flat

    def _matrix(self, y: np.ndarray) -> np.ndarray:
        shape = (self.design.shape[1], self.target.shape[1])
        return np.append(y, np.zeros(np.prod(shape) - len(y))).reshape(shape)

    def _value(self, y: np.ndarray, ridge: np.ndarray) -> float:
        loss = self.model.loss(self.design @ self._matrix(y), self.target, np)
        return float(loss.sum() + 0.5 * np.sum(ridge * y**2))

    def _derivatives(self, y: np.ndarray, ridge: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = len(y)
        z = self.design @ self._matrix(y)
        mean = self.model.mean(z)
        gradient = (self.design.T @ (mean - self.target)).ravel()[:q] + ridge * y
        hessian = weighted_gram(self.design, self.model.curvature(z, mean))[:q, :q]
        hessian[np.diag_indices(q)] += ridge
        return gradient, hessian

    def _factor(self, hessian: np.ndarray):
        try:
            return cho_factor(hessian, lower=True, check_finite=False)
        except LinAlgError:
            raise LowerError(
                "its Hessian is singular to working precision: the penalty is too weak for "
                "columns of this scale"
            ) from None


def weighted_gram(design: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Σ_i (x_i ⊗ I)ᵀ C_i (x_i ⊗ I) of shape (p m, p m), for C (n, m, m) and rows x_i of (n, p)."""
    p, m = design.shape[1], curvature.shape[1]
    gram = np.empty((p, m, p, m))
    for a in range(m):
        for b in range(a + 1):
            block = design.T @ (curvature[:, a, b, None] * design)
            gram[:, a, :, b] = block
            gram[:, b, :, a] = block.T
    return gram.reshape(p * m, p * m)
