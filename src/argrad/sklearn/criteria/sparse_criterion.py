"""The criterion of sparse linear models, with its derivatives on the support of each fold.

Between kinks, where a column enters or leaves, support S and signs σ stay as they are and the
coefficients solve A w = q_S − λ σ with A = Q_SS + diag μ. With dots for derivatives in a log
hyperparameter,

    ẇ = −A⁻¹ (λ̇ σ + μ̇ w),    ẅ = −A⁻¹ (λ̈ σ + μ̈ w + 2 μ̇ ẇ),

and the gradient in all of them takes one solve, A⁻¹ ∂F/∂w, with the factor of the fit.

Source: Bertrand, Klopfenstein, Massias, Blondel, Vaiter, Gramfort and Salmon 2022, Implicit
differentiation for fast hyperparameter selection in non-smooth convex learning, JMLR 23(149).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_lower import SparseProblem, SparseSolution, Support
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models.sparse import SparseModel
from argrad.sklearn.rows.folds import Fold, Folds
from argrad.sklearn.space import Space

# Penalty that a search starts from, relative to the least at which no column is used.
_START, _START_RATIO = 0.1, 0.9
# The first step in any logarithm: where penalties become small, supports and times grow fast.
FIRST_STEP = 0.7


class _Penalties(NamedTuple):
    """λ and μ (d,), from alpha (d,) and l1_ratio: alpha·l1_ratio and alpha·(1 − l1_ratio)."""

    alpha: np.ndarray
    ratio: float

    @property
    def l1(self) -> np.ndarray:
        return self.alpha * self.ratio

    @property
    def ridge(self) -> np.ndarray:
        return self.alpha * (1.0 - self.ratio)

    def moves(self, name: str, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """λ̇ and μ̇ of these columns, in the logarithm of that one; λ̈ and μ̈ are the same."""
        l1, ridge = self.l1[columns], self.ridge[columns]
        return (l1, ridge) if name == "alpha" else (l1, -l1)


@dataclass
class SparseCriterion:
    """F(h) = mean over folds of the mean squared error at e^h, with ∂F/∂h, and F'' for s = 1.

    F is continuous and its derivatives jump at kinks; there they are those of the support that
    was found. Each evaluation begins with the supports at the nearest point seen before.

    Calling it raises `argrad.SolveError` where the columns of a support are linearly dependent.
    """

    model: SparseModel
    folds: Folds
    space: Space
    _seen: list[tuple[np.ndarray, list[Support]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        intercept = self.folds.fit_intercept
        self._problems = [
            SparseProblem(fold.design, fold.target[:, 0], fold.training, intercept)
            for fold in self.folds.each
        ]
        self._positions = self.space.positions()
        ratio = self.space.tuned.get("l1_ratio")
        if ratio is not None and ratio.high > 1:
            raise ValueError(
                f"l1_ratio is a share, and must not exceed 1, got {ratio!r}: write "
                "Shared(0.05, 1.0)."
            )

    @property
    def of_columns(self) -> bool:
        """Whether all that is tuned are penalties, and may begin at a common level."""
        return list(self.space.tuned) == ["alpha"]

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return self.space.size

    @property
    def shared(self) -> bool:
        """Whether there is a single one, and evaluations have a curvature."""
        return self.size == 1

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): at a tenth of the alpha at which no column is used."""
        ratio = _START_RATIO if "l1_ratio" in self._positions else self.model.l1_ratio
        largest = np.mean([np.abs(problem.pull).max() for problem in self._problems]) / ratio
        at = {"alpha": np.log(_START * largest or 1.0), "l1_ratio": np.log(ratio)}
        parts = self.space.parts(np.zeros(self.size))
        return np.concatenate([np.full(len(part), at[name]) for name, part in parts.items()])

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        penalties = self._penalties(h)
        with one_thread():
            solutions = self._solve(h, penalties)
            each = [
                self._fold(fold, problem, solution, penalties)
                for fold, problem, solution in zip(
                    self.folds.each, self._problems, solutions, strict=True
                )
            ]
        losses = np.array([loss for loss, _, _ in each])
        gradient = np.mean([slope for _, slope, _ in each], axis=0)
        curvature = float(np.mean([bend for _, _, bend in each])) if self.shared else None
        return Evaluation(h, float(losses.mean()), losses, gradient, curvature)

    def supports(self) -> list[Support]:
        """Those of the folds where the criterion was evaluated last."""
        return self._seen[-1][1]

    def _penalties(self, h: np.ndarray) -> _Penalties:
        positions, d = self._positions, len(self.folds.features)
        alpha = np.exp(h[positions["alpha"]]) if "alpha" in positions else self.model.alpha
        ratio = float(np.exp(h[positions["l1_ratio"]])) if "l1_ratio" in positions else None
        return _Penalties(
            np.broadcast_to(np.asarray(alpha, dtype=float), (d,)),
            self.model.l1_ratio if ratio is None else min(ratio, 1.0),
        )

    def _solve(self, h: np.ndarray, penalties: _Penalties) -> list[SparseSolution]:
        near = None
        if self._seen:
            near = min(self._seen, key=lambda each: float(np.linalg.norm(each[0] - h)))[1]
        found: list[SparseSolution] = []
        for i, problem in enumerate(self._problems):
            # Folds have most of their rows in common.
            start = near[i] if near else found[-1].support if found else Support.empty()
            try:
                found.append(problem.solve(penalties.l1, penalties.ridge, start))
            except LowerError as failure:
                raise SolveError(
                    f"the model cannot be fitted on the training rows of fold {i} at alpha="
                    f"{penalties.alpha.min():.6g}: {failure}. Raise the lower bound of alpha, or "
                    "leave out columns that repeat others."
                ) from None
        self._seen.append((h, [solution.support for solution in found]))
        return found

    def _fold(
        self, fold: Fold, problem: SparseProblem, solution: SparseSolution, penalties: _Penalties
    ) -> tuple[float, np.ndarray, float]:
        """The loss of a fold, its gradient (s,), and its second derivative if s = 1."""
        S, w = solution.support
        rows = np.flatnonzero(fold.validation)
        weight, X = fold.validation[rows], problem.columns(rows, S)
        errors = X @ w + problem.mean - fold.target[rows, 0]
        loss, slope = float(weight @ errors**2), np.zeros(self.size)
        if not len(S):
            return loss, slope, 0.0
        adjoint = solution.inverse_times(2 * X.T @ (weight * errors))
        for name, position in self._positions.items():
            l1, ridge = penalties.moves(name, S)
            each = -adjoint * (l1 * solution.support.signs + ridge * w)
            number = position[S] if position.ndim else np.full(len(S), position)
            slope += np.bincount(number, each, self.size)
        if not self.shared:
            return loss, slope, 0.0
        pushed = l1 * solution.support.signs + ridge * w
        w1 = -solution.inverse_times(pushed)
        w2 = w1 - 2 * solution.inverse_times(ridge * w1)
        bend = 2 * float(weight @ ((X @ w1) ** 2 + errors * (X @ w2)))
        return loss, slope, bend
