"""One problem of a support vector machine with a kernel: its outcome on validation rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR

from argrad.sklearn.kernel_criterion import Products
from argrad.sklearn.margin_dual import Dual, Solution, polish
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.margins import Problem

# How closely libsvm solves what is then polished, relative to the targets, and in how many steps.
_ROUGH, _STEPS = 1e-4, 100_000


class Outcome(NamedTuple):
    """A problem solved at some C, γ and ε: f of its validation rows (v,), and how it depends."""

    values: np.ndarray
    solution: Solution
    across: np.ndarray
    moved: np.ndarray | None
    moved_across: np.ndarray | None

    def gradient(self, slope: np.ndarray) -> dict[str, float]:
        """Derivatives in log C, log γ and log ε of a loss with `slope` (v,) in f.

        With the adjoint (λ, μ) and a dot for a change: gᵀ (K̇' β + K'_B β̇_B) for f at given β_F
        and b, λᵀ (ṫ − ε̇ s − K̇ β − K_B β̇_B) and −μ 1ᵀ β̇_B, where a bound moves with C alone.
        """
        solved = self.solution
        rows, multiplier, of_sum = solved.adjoint(self.across, slope)
        kept, held = solved.support, solved.bounded
        at_bound, kernel = solved.beta[held], solved.dual.kernel
        found = {
            "C": slope @ (self.across[:, held] @ at_bound)
            - multiplier @ (kernel[np.ix_(rows, held)] @ at_bound)
            - of_sum * at_bound.sum(),
            "epsilon": -solved.dual.epsilon * (multiplier @ solved.sign[rows]),
        }
        if self.moved is not None and self.moved_across is not None:
            beta = solved.beta[kept]
            found["gamma"] = slope @ (self.moved_across[:, kept] @ beta)
            found["gamma"] -= multiplier @ (self.moved[np.ix_(rows, kept)] @ beta)
        return {name: float(value) for name, value in found.items()}


def solve_dual(
    kernel: Kernel,
    products: Products,
    problem: Problem,
    values: Mapping[str, float],
    signed: bool,
    guess: Callable[[Dual], np.ndarray] | None = None,
) -> Outcome:
    """Fit the problem by libsvm, and polish. Raises `DualError` where there is no solution.

    With a `guess` of β, a function of the dual, there is no intercept, and libsvm is not asked.
    """
    order = 1 if kernel.has_width else 0

    def jets(rows: np.ndarray) -> list[Any]:
        part = np.ix_(rows, problem.train)
        gram, squares = products.gram[part], products.squares[part]
        found = kernel.jets(gram, squares, values.get("gamma", 1.0), order)
        return [*found, None][:2]

    (inner, moved), (across, moved_across) = jets(problem.train), jets(problem.valid)
    bound, t = values["C"] * problem.cost, problem.target
    low, high = -bound, bound
    if signed:
        low, high = np.where(t > 0, 0.0, low), np.where(t > 0, high, 0.0)
    dual = Dual(inner, t, low, high, values.get("epsilon", 0.0), guess is None)
    beta = _rough(dual, bound, signed) if guess is None else guess(dual)
    solution = polish(dual, beta)
    outcome = across @ solution.beta + solution.intercept
    return Outcome(outcome, solution, across, moved, moved_across)


def _rough(dual: Dual, bound: np.ndarray, signed: bool) -> np.ndarray:
    """β (n,) by libsvm."""
    how = {"C": 1.0, "kernel": "precomputed", "max_iter": _STEPS}
    if signed:
        machine = SVC(tol=_ROUGH, **how)
    else:
        machine = SVR(tol=_ROUGH * float(np.std(dual.target)), epsilon=dual.epsilon, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(dual.kernel, dual.target, sample_weight=bound)
    beta = np.zeros(len(bound))
    beta[machine.support_] = machine.dual_coef_[0]
    return beta
