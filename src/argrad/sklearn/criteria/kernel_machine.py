"""One problem of a support vector machine with a kernel: its outcome on validation rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR

from argrad.sklearn.criteria.margin_dual import Dual, Solution, polish
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.margins import Problem
from sklearn import config_context

# How closely libsvm solves what is then polished, relative to the targets, and in how many steps.
_ROUGH, _STEPS = 1e-4, 100_000


class Outcome(NamedTuple):
    """A problem solved at some C, γ and ε: f of its validation rows (v,), and how it depends.

    `free` and `held` (v, ...) are the kernel between these and the rows of the solution's parts.
    """

    values: np.ndarray
    solution: Solution
    free: np.ndarray
    held: np.ndarray
    kernel: Kernel
    product: np.ndarray
    problem: Problem
    gamma: float

    def gradient(self, slope: np.ndarray) -> dict[str, float]:
        """Derivatives in log C, log γ and log ε of a loss with `slope` (v,) in f.

        With the adjoint (λ, μ) and a dot for a change: gᵀ (K̇' β + K'_B β̇_B) for f at given β_F
        and b, λᵀ (ṫ − ε̇ s − K̇ β − K_B β̇_B) and −μ 1ᵀ β̇_B, where a bound moves with C alone.
        """
        solved, held = self.solution, self.solution.held
        rows, multiplier, of_sum = solved.adjoint(self.free.T @ slope, float(slope.sum()))
        at_bound, kernel = solved.beta[held], solved.dual.kernel
        found = {
            "C": slope @ (self.held @ at_bound)
            - multiplier @ (kernel[np.ix_(rows, held)] @ at_bound)
            - of_sum * at_bound.sum(),
            "epsilon": -solved.dual.epsilon * (multiplier @ solved.sign[rows]),
        }
        if self.kernel.has_width:
            kept, train = np.flatnonzero(solved.beta), self.problem.train
            both = np.concatenate([self.problem.valid, train[rows]])
            part = self.product[np.ix_(both, train[kept])]
            moved = self.kernel.jets(part, self.gamma, 1)[1] @ solved.beta[kept]
            found["gamma"] = np.concatenate([slope, -multiplier]) @ moved
        return {name: float(value) for name, value in found.items()}


def solve_dual(
    kernel: Kernel,
    product: np.ndarray,
    problem: Problem,
    values: Mapping[str, float],
    signed: bool,
    guess: Callable[[Dual], np.ndarray] | None = None,
) -> Outcome:
    """Fit the problem by libsvm, and polish. Raises `DualError` where there is no solution.

    `product` (n, n) is that of all rows of the fold. With a `guess` of β, a function of the dual,
    there is no intercept, and libsvm is not asked.
    """
    gamma = values.get("gamma", 1.0)

    def between(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return kernel.jets(product[np.ix_(rows, columns)], gamma, 0)[0]

    bound, t = values["C"] * problem.cost, problem.target
    low, high = -bound, bound
    if signed:
        low, high = np.where(t > 0, 0.0, low), np.where(t > 0, high, 0.0)
    inner = between(problem.train, problem.train)
    dual = Dual(inner, t, low, high, values.get("epsilon", 0.0), guess is None)
    solved = polish(dual, _rough(dual, bound, signed) if guess is None else guess(dual))
    free, held = (between(problem.valid, problem.train[i]) for i in (solved.free, solved.held))
    f = free @ solved.beta[solved.free] + held @ solved.beta[solved.held] + solved.intercept
    return Outcome(f, solved, free, held, kernel, product, problem, gamma)


def _rough(dual: Dual, bound: np.ndarray, signed: bool) -> np.ndarray:
    """β (n,) by libsvm."""
    how = {"C": 1.0, "kernel": "precomputed", "max_iter": _STEPS}
    if signed:
        machine = SVC(tol=_ROUGH, **how)
    else:
        machine = SVR(tol=_ROUGH * float(np.std(dual.target)), epsilon=dual.epsilon, **how)
    # With many pairs of classes checks took as long as fits.
    checked = config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), checked:
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(dual.kernel, dual.target, sample_weight=bound)
    beta = np.zeros(len(bound))
    beta[machine.support_] = machine.dual_coef_[0]
    return beta
