"""The criterion of sparse linear models, with its derivatives on the support of each fold.

Between kinks, where a column enters or leaves, the support S stays as it is, and the coefficients
and intercept v that are not zero are where the lower problem is stationary, G(v, t) = 0, in the
logarithm t of any penalty. With A = ∂G/∂v and dots for derivatives in t,

    v̇ = −A⁻¹ ∂G/∂t,    v̈ = −A⁻¹ (∂²G/∂t² + 2 ∂²G/∂t∂v v̇ + ∂²G/∂v² (v̇, v̇)),

and the gradient in all of them takes one solve, A⁻¹ ∂F/∂v, with the factor of the fit. The lasso
has G = Q w − q + λ σ with signs σ, ∂G/∂t = λ σ, and no second derivatives but ∂²G/∂t² = λ σ.

Source: Bertrand, Klopfenstein, Massias, Blondel, Vaiter, Gramfort and Salmon 2022, Implicit
differentiation for fast hyperparameter selection in non-smooth convex learning, JMLR 23(149).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from argrad import SolveError
from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.group_lower import GroupProblem, GroupSolution
from argrad.sklearn.criteria.lower import LowerError
from argrad.sklearn.criteria.sparse_loss_lower import SparseLossProblem, SparseLossSolution
from argrad.sklearn.criteria.sparse_lower import SparseProblem, SparseSolution, Support
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.models.group_lasso import GroupLassoModel
from argrad.sklearn.models.sparse import SparseModel
from argrad.sklearn.models.sparse_logistic import SparseLogisticModel
from argrad.sklearn.rows.folds import Fold, Folds
from argrad.sklearn.space import Space

# Penalty that a search starts from, relative to the least at which no column is used.
_START, _START_RATIO = 0.1, 0.9
# The first step in any logarithm: where penalties become small, supports and times grow fast.
FIRST_STEP = 0.7

Problem = SparseProblem | SparseLossProblem | GroupProblem
Solution = SparseSolution | SparseLossSolution | GroupSolution


def problem_of(model: SparseModel, fold: Fold, folds: Folds) -> Problem:
    """The lower problem of a fold."""
    if isinstance(model, SparseLogisticModel):
        logistic = fold.design, fold.target, fold.training, folds.fit_intercept
        return SparseLossProblem(*logistic, model.loss)
    rows = fold.design, fold.target[:, 0], fold.training, folds.fit_intercept
    if isinstance(model, GroupLassoModel):
        return GroupProblem(*rows, groups=model.numbers(folds.features))
    return SparseProblem(*rows)


class Penalties(NamedTuple):
    """λ and μ (d,), of a penalty p (d,) and l1_ratio: p·l1_ratio and p·(1 − l1_ratio)."""

    size: np.ndarray
    ratio: float

    @property
    def l1(self) -> np.ndarray:
        return self.size * self.ratio

    @property
    def ridge(self) -> np.ndarray:
        return self.size * (1.0 - self.ratio)

    def moves(self, name: str, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """λ̇ and μ̇ of these columns, in the logarithm of p or l1_ratio; λ̈ and μ̈ are the same."""
        l1, ridge = self.l1[columns], self.ridge[columns]
        return (l1, -l1) if name == "l1_ratio" else (l1, ridge)


@dataclass
class SparseCriterion:
    """F(h) = mean over folds of the mean validation loss at e^h, with ∂F/∂h, and F'' for s = 1.

    F is continuous and its derivatives jump at kinks; there they are those of the support that
    was found. Each evaluation begins with the supports at the nearest point seen before.

    Calling it raises `argrad.SolveError` where the columns of a support are linearly dependent.
    """

    model: SparseModel
    folds: Folds
    space: Space
    _seen: list[tuple[np.ndarray, list[Support]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.problems:  # else those of another criterion of these folds
            self.problems = [problem_of(self.model, fold, self.folds) for fold in self.folds.each]
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
        return list(self.space.tuned) == [self.model.parameter]

    @property
    def size(self) -> int:
        """s, the number of hyperparameters."""
        return self.space.size

    @property
    def shared(self) -> bool:
        """Whether there is a single one, and evaluations have a curvature."""
        return self.size == 1

    def start(self) -> np.ndarray:
        """Where to begin, h (s,): at a tenth of the penalty at which no column is used."""
        ratio = _START_RATIO if "l1_ratio" in self._positions else self.model.l1_ratio
        least = np.mean([problem.least for problem in self.problems]) / ratio
        at = {
            self.model.parameter: self.model.sign * np.log(_START * least or 1.0),
            "l1_ratio": np.log(ratio),
        }
        parts = self.space.parts(np.zeros(self.size))
        return np.concatenate([np.full(len(part), at[name]) for name, part in parts.items()])

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        penalties = self.penalties(h)
        with one_thread():
            solutions = self.solve(h)
            each = [self.judged(i, solution, penalties) for i, solution in enumerate(solutions)]
        losses = np.array([loss for loss, _, _ in each])
        gradient = np.mean([slope for _, slope, _ in each], axis=0)
        curvature = float(np.mean([bend for _, _, bend in each])) if self.shared else None
        return Evaluation(h, float(losses.mean()), losses, gradient, curvature)

    def supports(self) -> list[Support]:
        """Those of the folds where the criterion was evaluated last."""
        return self._seen[-1][1]

    def penalties(self, h: np.ndarray) -> Penalties:
        """λ and μ at h."""
        positions, name = self._positions, self.model.parameter
        strength = np.exp(h[positions[name]]) if name in positions else self.model.strength
        ratio = float(np.exp(h[positions["l1_ratio"]])) if "l1_ratio" in positions else None
        return Penalties(
            np.broadcast_to(
                np.power(strength, float(self.model.sign)), (len(self.folds.features),)
            ),
            self.model.l1_ratio if ratio is None else min(ratio, 1.0),
        )

    def solve(self, h: np.ndarray) -> list[Solution]:
        """The solutions of all folds at h, begun at the supports of the nearest point seen."""
        penalties, near = self.penalties(h), None
        if self._seen:
            near = min(self._seen, key=lambda each: float(np.linalg.norm(each[0] - h)))[1]
        found: list[Solution] = []
        for i in range(len(self.problems)):
            # Folds have most of their rows in common.
            start = near[i] if near else found[-1].support if found else Support.empty()
            found.append(self.solve_fold(i, penalties, start))
        self._seen.append((h, [solution.support for solution in found]))
        return found

    def solve_fold(self, i: int, penalties: Penalties, start: Support) -> Solution:
        """The solution of fold i, begun at that support."""
        try:
            return self.problems[i].solve(penalties.l1, penalties.ridge, start)
        except LowerError as failure:
            name, bound = self.model.parameter, "lower" if self.model.sign > 0 else "upper"
            least = penalties.size.min() ** self.model.sign
            raise SolveError(
                f"the model cannot be fitted on the training rows of fold {i} at {name}="
                f"{least:.6g}: {failure}. {'Raise' if bound == 'lower' else 'Lower'} the "
                f"{bound} bound of {name}, or leave out columns that repeat others."
            ) from None

    def judged(
        self, i: int, solution: Solution, penalties: Penalties
    ) -> tuple[float, np.ndarray, float]:
        """The loss of fold i, its gradient (s,), and its second derivative if s = 1."""
        fold, problem, S = self.folds.each[i], self.problems[i], solution.support.columns
        rows = np.flatnonzero(fold.validation)
        weight, (X, constant) = fold.validation[rows], problem.outcomes_of(rows, S)
        z = X @ solution.vector + constant
        losses, first, second = self.model.validation(z, fold.target[rows])
        loss, slope = float(weight @ losses), np.zeros(self.size)
        if not len(S):
            return loss, slope, 0.0
        adjoint = solution.inverse_times(np.tensordot(weight[:, None] * first, X, 2))
        S = S // problem.outputs
        for name, position in self._positions.items():
            moves = penalties.moves(name, S)
            sign = self.model.sign if name == self.model.parameter else 1
            each = -sign * (adjoint * solution.pushed(*moves))[: len(S)]
            number = position[S] if position.ndim else np.full(len(S), position)
            slope += np.bincount(number, each, self.size)
        if not self.shared:
            return loss, slope, 0.0
        pushed = solution.pushed(*moves)
        v1 = -solution.inverse_times(pushed)
        v2 = -solution.inverse_times(pushed + solution.bent(*moves, v1))
        z1, z2 = X @ v1, X @ v2
        bent = np.einsum("ia,iab,ib->i", z1, second, z1) + np.sum(first * z2, axis=1)
        bend = float(weight @ bent)
        return loss, slope, bend
