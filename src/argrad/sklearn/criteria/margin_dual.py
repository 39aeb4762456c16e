"""The dual of a support vector machine, solved to rounding, with the adjoint of its solution.

With kernel matrix K, targets t, bounds l <= 0 <= u, and an insensitivity ε the coefficients β of
f = K β + b are those of

    min over β   ½ βᵀ K β − tᵀ β + ε ‖β‖₁   s.t.   l <= β <= u,   1ᵀ β = 0,

the last only where there is an intercept b, its multiplier. For classes t = ±1, ε = 0, and β has
the sign of t. Rows whose β is at neither bound nor at 0 are free: F. For them, with s the sign,

    K_FF β_F + b 1 = t_F − ε s_F − K_FB β_B,     1ᵀ β_F = −1ᵀ β_B,

with those at a bound in B. That system is all of the solution as long as no row changes its part,
so its one factor serves the derivatives as well.

Source: Cortes and Vapnik 1995; active sets for it as in Nocedal and Wright 2006, section 16.5;
derivatives after Chapelle, Vapnik, Bousquet and Mukherjee 2002, and Keerthi, Sindhwani and
Chapelle 2006, An efficient method for gradient-based adaptation of hyperparameters in SVM models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, lapack

_EPS = float(np.finfo(float).eps)
# A violation of the optimality conditions that counts, relative to the targets, beside rounding.
_TOL = 1e-10
# Part of a bound within which a coefficient is at it.
_AT = 1e-9
# Changes of the active set, beyond one for each row, after which it is given up.
_MOST = 200


class DualError(Exception):
    """No active set that is optimal was found."""


class Dual(NamedTuple):
    """K (n, n), t, l, u (n,), ε, and whether there is an intercept."""

    kernel: np.ndarray
    target: np.ndarray
    low: np.ndarray
    high: np.ndarray
    epsilon: float
    intercept: bool


class KKTFactor:
    """The matrix [K 1; 1ᵀ 0] of free rows, or K alone, factorised.

    `solve(v, a)` is (x, c) with K x + c 1 = v and 1ᵀ x = a. Where the matrix is singular to
    working precision it is the shortest one that misses these by least.
    """

    def __init__(self, kernel: np.ndarray, intercept: bool):
        n = len(kernel)
        self._n, self._intercept = n, intercept
        # The border is as large as the kernel, so that units do not tell on the condition.
        self._scale = float(np.mean(np.diag(kernel))) or 1.0
        if intercept:
            matrix = np.full((n + 1, n + 1), self._scale)
            matrix[:n, :n], matrix[n, n] = kernel, 0.0
        else:
            matrix = kernel
        norm = float(np.abs(matrix).sum(axis=0).max())
        *self._lu, info = lapack.dgetrf(matrix)
        condition = 0.0 if info else lapack.dgecon(self._lu[0], norm)[0]
        self.singular = condition < 10 * len(matrix) * _EPS
        if self.singular:
            values, self._vectors = eigh(matrix, check_finite=False)
            large = np.abs(values) > 10 * len(matrix) * _EPS * np.abs(values).max()
            self._inverses = np.where(large, 1.0, 0.0) / np.where(large, values, 1.0)

    def solve(self, rows: np.ndarray, total: float) -> tuple[np.ndarray, float]:
        if not self._intercept:
            return self._solve(rows), 0.0
        x = self._solve(np.append(rows, self._scale * total))
        return x[:-1], self._scale * float(x[-1])

    def _solve(self, right: np.ndarray) -> np.ndarray:
        if self.singular:
            return self._vectors @ (self._inverses * (self._vectors.T @ right))
        return lapack.dgetrs(*self._lu, right)[0]


@dataclass(frozen=True)
class Solution:
    """β (n,) and b; the `free` rows F, with the sign s (n,) that ε pushes against.

    Without free rows b is half way between what two rows allow, as libsvm has it: `between`.
    """

    dual: Dual
    beta: np.ndarray
    intercept: float
    free: np.ndarray
    sign: np.ndarray
    factor: KKTFactor | None
    between: tuple[int, int] | None
    changes: int

    @property
    def held(self) -> np.ndarray:
        """The rows at a bound that is not 0."""
        at_bound = self.beta != 0
        at_bound[self.free] = False
        return np.flatnonzero(at_bound)

    def adjoint(self, pulled: np.ndarray, total: float) -> Adjoint:
        """Of a loss whose slope is `pulled` in β_F, and `total` in b."""
        total = total if self.dual.intercept else 0.0
        if self.factor is not None:
            return Adjoint(self.free, *self.factor.solve(pulled, total))
        if self.between is not None:
            return Adjoint(np.array(self.between), np.full(2, 0.5 * total), 0.0)
        return Adjoint(np.zeros(0, dtype=int), np.zeros(0), 0.0)


class Adjoint(NamedTuple):
    """Multipliers λ of the equations of `rows`, and μ of 1ᵀ β = 0.

    A change of the data changes the loss, beside what it does at given β_F and b, by
    λᵀ (change of the right-hand side less that of the left) of these.
    """

    rows: np.ndarray
    multiplier: np.ndarray
    of_sum: float


def polish(dual: Dual, beta: np.ndarray) -> Solution:
    """The solution, from a feasible β near it, by changes of the active set.

    Each goes along a face towards its minimum until a bound is in the way, or releases the row
    that violates its condition most; the objective never rises. Where the minimum on a face is
    not unique it is gone to by the shortest way. Raises DualError where it does not end.
    """
    K, t, low, high, epsilon, intercept = dual
    beta = np.clip(beta, low, high)
    beta[beta > high * (1 - _AT)] = high[beta > high * (1 - _AT)]
    beta[beta < low * (1 - _AT)] = low[beta < low * (1 - _AT)]
    sign = np.sign(beta)
    inner = (beta != 0) & (beta > low) & (beta < high)
    product = K @ beta
    scale = float(np.abs(t).max() + epsilon)
    limit = len(t) + _MOST
    for change in range(limit):
        free = np.flatnonzero(inner)
        factor, b = None, 0.0
        tol = _TOL * scale + 100 * _EPS * float((np.abs(K).max()) * np.abs(beta).sum())
        if len(free):
            factor = KKTFactor(K[np.ix_(free, free)], intercept)
            left = t[free] - epsilon * sign[free] - product[free]
            step, b = factor.solve(left, -float(beta.sum()))
            reach = 1.0
            if factor.singular:
                missed = left - b - K[np.ix_(free, free)] @ step
                if np.abs(missed).max() > tol:
                    step, reach = _flat(K, free, left, missed - missed.mean() * intercept)
            # Rows stay on their side of 0.
            lower = np.where(sign[free] > 0, 0.0, low[free])
            upper = np.where(sign[free] > 0, high[free], 0.0)
            longest, first = _longest(beta[free], step, lower, upper, reach)
            beta[free] = np.clip(beta[free] + longest * step, lower, upper)
            if first is not None:
                row = free[first]
                beta[row] = upper[first] if step[first] > 0 else lower[first]
                inner[row], sign[row] = False, np.sign(beta[row])
            product = K @ beta
            if first is not None or reach != 1.0:
                continue
        r = t - product
        up = np.where(beta < high, r - np.where(beta >= 0, epsilon, -epsilon), -np.inf)
        down = np.where(beta > low, r - np.where(beta > 0, epsilon, -epsilon), np.inf)
        up[free], down[free] = -np.inf, np.inf
        rising, falling = int(np.argmax(up)), int(np.argmin(down))
        between = None
        if intercept and not len(free):
            if up[rising] <= down[falling] + tol:
                b, between = 0.5 * float(up[rising] + down[falling]), (rising, falling)
                push = sign.copy()
                push[rising] = 1.0 if beta[rising] >= 0 else -1.0
                push[falling] = 1.0 if beta[falling] > 0 else -1.0
                return Solution(dual, beta, b, free, push, None, between, change)
            _release(inner, sign, beta, rising, 1.0)
            _release(inner, sign, beta, falling, -1.0)
            continue
        gains = up[rising] - b, b - down[falling]
        if max(gains) <= tol:
            return Solution(dual, beta, b, free, sign, factor, None, change)
        if gains[0] >= gains[1]:
            _release(inner, sign, beta, rising, 1.0)
        else:
            _release(inner, sign, beta, falling, -1.0)
    raise DualError(f"no active set was found in {limit} changes")


def _release(
    inner: np.ndarray, sign: np.ndarray, beta: np.ndarray, row: int, towards: float
) -> None:
    inner[row] = True
    sign[row] = np.sign(beta[row]) or towards


def _longest(
    beta: np.ndarray, step: np.ndarray, lower: np.ndarray, upper: np.ndarray, reach: float
) -> tuple[float, int | None]:
    """How far along a step the box lets one go, `reach` at most, and which bound is in the way."""
    room = np.where(step > 0, upper - beta, lower - beta)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(step != 0, room / step, np.inf)
    first = int(np.argmin(far))
    if far[first] >= reach:
        return reach, None
    return max(float(far[first]), 0.0), first


def _flat(
    K: np.ndarray, free: np.ndarray, left: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, float]:
    """Along a direction in which the kernel is flat, and how far: to its minimum, or for ever."""
    bent = float(direction @ K[np.ix_(free, free)] @ direction)
    slope = float(left @ direction)
    return direction, slope / bent if bent > 0 else np.inf
