"""The criterion of kernel ridge regression, k-fold or leave-one-out, in closed form.

With row weights r, D = diag(√r), M = D K D + α I and b = D y, a fold's dual solution is
a = M⁻¹ b, and predicts K' D a. Its derivatives in a log hyperparameter, marked by dots, are

    ȧ = −M⁻¹ Ṁ a,    ä = −M⁻¹ (M̈ a + 2 Ṁ ȧ),

with the one Cholesky factor that the solution itself took.

Source: Saunders, Gammerman and Vovk 1998, Ridge regression learning algorithm in dual variables;
leave-one-out as in Rifkin and Lippert 2007, Notes on regularized least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.leave_one_out import left_out_rows
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models.kernel_ridge import KernelRidgeModel
from argrad.sklearn.rows.designs import Matrix
from argrad.sklearn.rows.folds import Folds
from argrad.sklearn.space import Space

# Penalty that a search starts from, relative to the mean of the kernel's diagonal.
_START = 0.1


class Products(NamedTuple):
    """x·x' and ‖x − x'‖² (n, n) of the rows of a design."""

    gram: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, X: Matrix) -> Products:
        gram = (X @ X.T).toarray() if sparse.issparse(X) else X @ X.T
        norms = np.diag(gram)
        squares = np.maximum(norms[:, None] + norms[None, :] - 2 * gram, 0.0)
        np.fill_diagonal(squares, 0.0)
        return cls(gram, squares)


class _Jet(NamedTuple):
    """Errors (n, t) of validation rows, and their derivatives (s, n, t) and (n, t) or None."""

    errors: np.ndarray
    first: np.ndarray
    second: np.ndarray | None


@dataclass
class KernelCriterion:
    """F(h) = mean over folds of the mean squared error at e^h, with ∂F/∂h, and F'' for s = 1.

    Folds that leave one row out each are evaluated together, from a single inverse.

    Calling it raises `argrad.SolveError` where K + α I is singular to working precision.
    """

    model: KernelRidgeModel
    folds: Folds
    space: Space

    def __post_init__(self) -> None:
        kept = self.folds.each[:1] if self.folds.one_design else self.folds.each
        self._products = [Products.of(fold.design.columns) for fold in kept]
        self._left_out = left_out_rows(self.folds)
        self._numbers = self.space.parts(np.arange(self.size))
        self._positions = self.space.positions()
        t = self.folds.each[0].target.shape[1]
        # Targets that have their penalty in common are solved for together.
        penalty = self._positions.get("alpha", self.model.alpha)
        self._together = [np.arange(t)] if np.ndim(penalty) == 0 else np.arange(t)[:, None]

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return self.space.size

    @property
    def shared(self) -> bool:
        """Whether there is a single one, and evaluations have a curvature."""
        return self.size == 1

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): where the kernel neither tells all rows apart nor none."""
        gram, squares = self._products[0]
        kernel = self.model.kernel
        extent = (squares if kernel.name == "rbf" else np.diag(gram)).mean()
        gamma = 1.0 / extent if extent > 0 else 1.0
        used = gamma if "gamma" in self._numbers else self._gamma
        diagonals = np.diag(gram), np.diag(squares)
        alpha = _START * np.mean(np.abs(kernel.jets(kernel.product(*diagonals), used, 0)[0])) or 1.0
        at = {"alpha": np.log(alpha), "gamma": np.log(gamma)}
        parts = [np.full(len(part), at[name]) for name, part in self._numbers.items()]
        return np.concatenate(parts)

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        with one_thread():
            if self._left_out is not None:
                jets = self._leaving_one_out(h)
            else:
                jets = [self._fold(h, i) for i in range(self.folds.count)]
        weights = [fold.validation[fold.validation > 0] for fold in self.folds.each]
        losses = [_mean(w, jet.errors**2) for w, jet in zip(weights, jets, strict=True)]
        slopes = [
            [2 * _mean(w, jet.errors * first) for first in jet.first]
            for w, jet in zip(weights, jets, strict=True)
        ]
        curvature = None
        if self.shared:
            bends = [
                2 * _mean(w, jet.first[0] ** 2 + jet.errors * jet.second)
                for w, jet in zip(weights, jets, strict=True)
            ]
            curvature = float(np.mean(bends))
        gradient = np.mean(slopes, axis=0)
        return Evaluation(h, float(np.mean(losses)), np.array(losses), gradient, curvature)

    @property
    def _gamma(self) -> float:
        """That of the estimator."""
        return 1.0 / len(self.folds.features) if self.model.gamma is None else self.model.gamma

    def _settings(self, h: np.ndarray, targets: int) -> tuple[np.ndarray, float]:
        """α of each target (t,), and γ."""
        positions = self._positions
        alpha = np.exp(h[positions["alpha"]]) if "alpha" in positions else self.model.alpha
        gamma = float(np.exp(h[positions["gamma"]])) if "gamma" in positions else self._gamma
        return np.broadcast_to(np.asarray(alpha, dtype=float), (targets,)), gamma

    def _fold(self, h: np.ndarray, i: int) -> _Jet:
        fold = self.folds.each[i]
        product = self.model.kernel.product(*self._products[0 if self.folds.one_design else i])
        train, valid = np.flatnonzero(fold.training), np.flatnonzero(fold.validation)
        root = np.sqrt(fold.training[train])
        alpha, gamma = self._settings(h, fold.target.shape[1])

        def kernels(rows: np.ndarray) -> list[np.ndarray]:
            part = np.ix_(rows, train)
            return self.model.kernel.jets(product[part], gamma, 2)

        system = [root[:, None] * kernel * root for kernel in kernels(train)]
        across = [kernel * root for kernel in kernels(valid)]
        b = root[:, None] * fold.target[train]
        jet = self._empty(len(valid), len(alpha))
        for targets in self._together:
            value = float(alpha[targets[0]])
            factor = self._factor(system[0], value, h, f"the training rows of fold {i}")
            a = cho_solve(factor, b[:, targets], check_finite=False)
            jet.errors[:, targets] = across[0] @ a - fold.target[np.ix_(valid, targets)]
            for j, move in self._moves(system, value, targets):
                a1 = -cho_solve(factor, move.once(a), check_finite=False)
                jet.first[j][:, targets] = across[0] @ a1
                if move.width:
                    jet.first[j][:, targets] += across[1] @ a
                if jet.second is not None:
                    pushed = move.twice(a) + 2 * move.once(a1)
                    a2 = -cho_solve(factor, pushed, check_finite=False)
                    jet.second[:, targets] = across[0] @ a2
                    if move.width:
                        jet.second[:, targets] += across[2] @ a + 2 * across[1] @ a1
        return jet

    def _leaving_one_out(self, h: np.ndarray) -> list[_Jet]:
        """Errors a_i / (M⁻¹)_ii of every row by the fit of all others, in units of √r_i."""
        assert self._left_out is not None
        fold, weight = self.folds.each[0], self.folds.weight
        assert weight is not None
        used = np.flatnonzero(weight)
        root = np.sqrt(weight[used])
        alpha, gamma = self._settings(h, fold.target.shape[1])
        part = np.ix_(used, used)
        product = self.model.kernel.product(*self._products[0])
        kernels = self.model.kernel.jets(product[part], gamma, 2)
        system = [root[:, None] * kernel * root for kernel in kernels]
        b = root[:, None] * fold.target[used]
        whole = self._empty(len(used), len(alpha))
        for targets in self._together:
            value = float(alpha[targets[0]])
            factor = self._factor(system[0], value, h, "all rows")
            inverse = cho_solve(factor, np.eye(len(used)), check_finite=False)
            a, g = inverse @ b[:, targets], np.diag(inverse)[:, None]
            scale = -1.0 / root[:, None]  # a prediction minus its target
            whole.errors[:, targets] = scale * a / g
            for j, move in self._moves(system, value, targets):
                moved = move.once(inverse)  # Ṁ M⁻¹
                a1, g1 = -inverse @ move.once(a), -np.sum(inverse * moved, axis=0)[:, None]
                whole.first[j][:, targets] = scale * (a1 / g - a * g1 / g**2)
                if whole.second is not None:
                    a2 = -inverse @ (move.twice(a) + 2 * move.once(a1))
                    bent = move.twice(inverse) - 2 * move.once(inverse @ moved)
                    g2 = -np.sum(inverse * bent, axis=0)[:, None]
                    change = a2 / g - 2 * a1 * g1 / g**2 - a * g2 / g**2 + 2 * a * g1**2 / g**3
                    whole.second[:, targets] = scale * change
        place = np.searchsorted(used, self._left_out)
        return [_row(whole, i) for i in place]

    def _empty(self, rows: int, targets: int) -> _Jet:
        second = np.zeros((rows, targets)) if self.shared else None
        return _Jet(np.zeros((rows, targets)), np.zeros((self.size, rows, targets)), second)

    def _factor(self, kernel: np.ndarray, alpha: float, h: np.ndarray, rows: str):
        system = kernel.copy()
        system[np.diag_indices(len(system))] += alpha
        try:
            return cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            raise SolveError(
                f"the model cannot be fitted on {rows} at alpha={alpha:.6g}: its kernel is "
                "singular to working precision. Raise the lower bound of alpha."
            ) from None

    def _moves(self, system: list[np.ndarray], alpha: float, targets: np.ndarray):
        """The numbers that these targets depend on, and what they do to M."""
        if "alpha" in self._positions:
            number = self._positions["alpha"]
            yield int(number[targets[0]] if number.ndim else number), _Move(alpha, None, None)
        if "gamma" in self._positions:
            yield int(self._positions["gamma"]), _Move(0.0, system[1], system[2])


class _Move(NamedTuple):
    """Ṁ and M̈: α I for the penalty, the kernel's derivatives for its width."""

    alpha: float
    kernel: np.ndarray | None
    kernel2: np.ndarray | None

    @property
    def width(self) -> bool:
        return self.kernel is not None

    def once(self, a: np.ndarray) -> np.ndarray:
        """Ṁ a."""
        return self.alpha * a if self.kernel is None else self.kernel @ a

    def twice(self, a: np.ndarray) -> np.ndarray:
        """M̈ a."""
        return self.alpha * a if self.kernel2 is None else self.kernel2 @ a


def _mean(weight: np.ndarray, values: np.ndarray) -> float:
    return float(weight @ values.mean(axis=1))


def _row(jet: _Jet, i: int) -> _Jet:
    one = slice(i, i + 1)
    second = None if jet.second is None else jet.second[one]
    return _Jet(jet.errors[one], jet.first[:, one], second)
