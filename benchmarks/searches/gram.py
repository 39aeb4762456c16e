"""Ridge regression's k-fold criterion from Gram matrices, in NumPy: quick enough for many loops."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from argrad.sklearn.criteria.criterion import Evaluation


class Fold:
    """Columns standardised and a target centred on the training rows `train`."""

    def __init__(self, X: np.ndarray, y: np.ndarray, train: np.ndarray, valid: np.ndarray):
        mean, deviation, centre = X[train].mean(axis=0), X[train].std(axis=0), y[train].mean()
        A, self.B = (X[train] - mean) / deviation, (X[valid] - mean) / deviation
        self.gram, self.moment, self.target = A.T @ A, A.T @ (y[train] - centre), y[valid] - centre

    def coefficients(self, h: np.ndarray) -> tuple[np.ndarray, tuple]:
        factor = cho_factor(self.gram + np.diag(np.exp(h)), check_finite=False)
        return cho_solve(factor, self.moment, check_finite=False), factor

    def loss(self, h: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean squared error on the validation rows, and its gradient in h."""
        w, factor = self.coefficients(h)
        residual = self.B @ w - self.target
        adjoint = cho_solve(factor, 2 * self.B.T @ residual / len(residual), check_finite=False)
        return float(np.mean(residual**2)), -np.exp(h) * w * adjoint

    def row_losses(self, h: np.ndarray) -> np.ndarray:
        return (self.B @ self.coefficients(h)[0] - self.target) ** 2


class FoldsCriterion:
    """The mean over folds, as `argrad.sklearn.deciding.granularity` takes it."""

    def __init__(self, folds: list[Fold]):
        self.folds = folds

    def __call__(self, h: np.ndarray) -> Evaluation:
        losses, gradients = zip(*(fold.loss(h) for fold in self.folds), strict=True)
        return Evaluation(
            h, float(np.mean(losses)), np.array(losses), np.mean(gradients, axis=0), None
        )
