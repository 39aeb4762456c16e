"""HOAG (Pedregosa 2016, arXiv:1602.02355) for one penalty under k-fold cross-validation.

At iteration i the lower problems and the adjoint system are solved to a tolerance ε_i only, by
L-BFGS from the solution before and by conjugate gradients; the step follows the approximate
gradient in the logarithm, its size adapted as in section 4 of the paper: longer after a decrease,
shorter after an increase beyond what ε_i explains. ε_i = 0.1 · 0.9^i, its exponential schedule.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import log_softmax, softmax

MOST = 50


class Lower:
    """½ Σ (z − u)² or multinomial log loss of z = X W, with a column of ones last, and a penalty.

    For classes u is one-hot; the penalty λ/2 ‖W‖² leaves out the last row.
    """

    def __init__(self, X: np.ndarray, u: np.ndarray, classes: bool):
        self.X, self.u, self.classes = X, u, classes
        self.shape = X.shape[1], u.shape[1]
        self.penalised = np.ones(self.shape)
        self.penalised[-1] = 0.0

    def loss(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        z = self.X @ w.reshape(self.shape)
        if self.classes:
            value, residual = -np.sum(self.u * log_softmax(z, axis=1)), softmax(z, axis=1) - self.u
        else:
            residual = z - self.u
            value = 0.5 * np.sum(residual**2)
        return value, (self.X.T @ residual).ravel()

    def objective(self, w: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
        value, gradient = self.loss(w)
        away = self.penalised.ravel() * w
        return value + 0.5 * penalty * away @ w, gradient + penalty * away

    def hessian(self, w: np.ndarray, penalty: float) -> LinearOperator:
        mean = softmax(self.X @ w.reshape(self.shape), axis=1) if self.classes else None

        def product(v: np.ndarray) -> np.ndarray:
            zv = self.X @ v.reshape(self.shape)
            if mean is not None:
                zv = mean * (zv - np.sum(mean * zv, axis=1, keepdims=True))
            return (self.X.T @ zv).ravel() + penalty * self.penalised.ravel() * v

        return LinearOperator((w.size, w.size), matvec=product, dtype=float)


def hoag(
    folds: list[tuple[Lower, Lower]], start: float, low: float, high: float
) -> tuple[float, int]:
    """log λ where it ends, and the fits it took; each fold is (training, validation) rows."""
    t, step, fits = start, None, 0
    w = [np.zeros(training.shape).ravel() for training, _ in folds]
    before, eps_before = np.inf, 0.0
    for i in range(MOST):
        eps = 0.1 * 0.9**i
        value, slope = 0.0, 0.0
        for k, (training, validation) in enumerate(folds):
            scale = len(training.X)
            options = {"gtol": eps * scale * 1e-2, "maxiter": 1000}
            w[k] = minimize(
                training.objective, w[k], (np.exp(t),), "L-BFGS-B", jac=True, options=options
            ).x
            fits += 1
            loss, gradient = validation.loss(w[k])
            rows = len(validation.X) * (1.0 if training.classes else 0.5)
            value += loss / rows / len(folds)
            hessian = training.hessian(w[k], np.exp(t))
            adjoint, _ = cg(hessian, gradient / rows, rtol=1e-12, atol=eps * 1e-2, maxiter=500)
            pull = np.exp(t) * training.penalised.ravel() * w[k]
            slope -= adjoint @ pull / len(folds)
        if step is None:
            step = 1.0 / max(abs(slope), 1e-12)
        elif value < before:
            step *= 1.05
        elif value > before + eps + eps_before:
            step *= 0.5
        moved = float(np.clip(t - step * slope, low, high))
        if abs(moved - t) < 1e-3:
            break
        t, before, eps_before = moved, value, eps
    return t, fits
