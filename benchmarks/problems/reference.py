"""The hypergradient of the logistic problem to about 17 digits, in extended precision.

Newton's method in float64 gives a factor of the Hessian; with it, solution and adjoint are
refined against residuals evaluated in `numpy.longdouble` (64-bit significand on x86-64) until
they stop shrinking. No automatic differentiation, no JAX: nothing shared with a contestant.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from problems.logistic import Logistic

WIDE = np.longdouble


class Reference(NamedTuple):
    solution: np.ndarray
    value: float
    gradient: np.ndarray
    condition: float
    residual: float  # norm of the lower gradient at the solution


def _slope(margin):
    """−σ(−m): derivative of log(1 + exp(−m)), in the precision of m."""
    return -1 / (1 + np.exp(margin))


def _hessian(problem: Logistic, w: np.ndarray) -> np.ndarray:
    p = expit(problem.X @ w)
    weighted = problem.X * (p * (1 - p) / len(p))[:, None]
    return problem.X.T @ weighted + np.diag(np.exp(problem.theta))


def solve_precisely(problem: Logistic) -> Reference:
    X, s = problem.X.astype(WIDE), problem.signs.astype(WIDE)
    X_val, s_val = problem.X_val.astype(WIDE), problem.signs_val.astype(WIDE)
    penalty = np.exp(problem.theta.astype(WIDE))

    def lower_gradient(w):
        return X.T @ (s * _slope(s * (X @ w))) / len(s) + penalty * w

    w = np.zeros(X.shape[1], WIDE)
    norms = []
    for _ in range(30):
        gradient = lower_gradient(w)
        norms.append(float(np.linalg.norm(gradient)))
        if len(norms) > 8 and norms[-1] > 0.5 * norms[-2]:
            break
        factor = cho_factor(_hessian(problem, w.astype(float)))
        w = w - cho_solve(factor, gradient.astype(float))

    margin = s * (X @ w)
    curvature = 1 / (2 + np.exp(margin) + np.exp(-margin)) / len(s)
    margin_val = s_val * (X_val @ w)
    upper = X_val.T @ (s_val * _slope(margin_val)) / len(s_val)
    adjoint = np.zeros_like(w)
    for _ in range(6):
        residual = upper - X.T @ (curvature * (X @ adjoint)) - penalty * adjoint
        adjoint = adjoint + cho_solve(factor, residual.astype(float))

    return Reference(
        solution=w.astype(float),
        value=float(np.mean(np.log1p(np.exp(-margin_val)))),
        gradient=(-penalty * w * adjoint).astype(float),
        condition=float(np.linalg.cond(_hessian(problem, w.astype(float)))),
        residual=norms[-1],
    )
