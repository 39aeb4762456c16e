"""The problems of one fold of kernel support vector machines: outcomes on validation rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR

from argrad.sklearn.criteria.margin_dual import Dual, Solution, polish
from argrad.sklearn.models.kernel import Kernel
from argrad.sklearn.models.margins import Problem
from sklearn import config_context

# How closely libsvm solves what is then polished, relative to the targets, and in how many steps.
_ROUGH, _STEPS = 1e-4, 100_000


@dataclass(frozen=True)
class FoldKernel:
    """The kernel of all rows of a fold at some γ: `matrix` (n, n) made of `product` (n, n)."""

    kernel: Kernel
    product: np.ndarray
    gamma: float
    matrix: np.ndarray

    @classmethod
    def of(cls, kernel: Kernel, product: np.ndarray, gamma: float) -> FoldKernel:
        return cls(kernel, product, gamma, kernel.jets(product, gamma, 0)[0])

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self.matrix[rows[:, None], columns]

    def moved(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The derivative in log γ of what is between them."""
        return self.kernel.jets(self.product[rows[:, None], columns], self.gamma, 1)[1]


@dataclass(frozen=True)
class Outcome:
    """A problem solved at some C, γ and ε: f of its validation rows (v,), and how it depends.

    `across` (v, n) is the kernel between these and the training rows.
    """

    values: np.ndarray
    solution: Solution
    across: np.ndarray
    kernel: FoldKernel
    problem: Problem

    def gradient(self, slope: np.ndarray) -> dict[str, float]:
        """Derivatives in log C, log γ and log ε of a loss with `slope` (v,) in f.

        With the adjoint (λ, μ) and a dot for a change: gᵀ (K̇' β + K'_B β̇_B) for f at given β_F
        and b, λᵀ (ṫ − ε̇ s − K̇ β − K_B β̇_B) and −μ 1ᵀ β̇_B, where a bound moves with C alone.
        """
        solved, pulled = self.solution, slope @ self.across
        rows, multiplier, of_sum = solved.adjoint(pulled[solved.free], float(slope.sum()))
        at_bound = solved.beta.copy()
        at_bound[solved.free] = 0.0
        pushed = multiplier @ solved.dual.kernel[rows]
        found = {
            "C": (pulled - pushed - of_sum) @ at_bound,
            "epsilon": -solved.dual.epsilon * (multiplier @ solved.sign[rows]),
        }
        if self.kernel.kernel.has_width:
            kept, train = np.flatnonzero(solved.beta), self.problem.train
            both = np.concatenate([self.problem.valid, train[rows]])
            moved = self.kernel.moved(both, train[kept]) @ solved.beta[kept]
            found["gamma"] = np.concatenate([slope, -multiplier]) @ moved
        return {name: float(value) for name, value in found.items()}


def solve_duals(
    kernel: FoldKernel,
    problems: Sequence[Problem],
    values: Mapping[str, float],
    codes: np.ndarray | None,
    guess: Callable[[Problem, Dual], np.ndarray] | None = None,
) -> list[Outcome]:
    """Fit the problems by libsvm, and polish. Raises `DualError` where there is no solution.

    `codes` (n,) are the classes of a fold's rows, or None where targets are numbers. With a
    `guess` of β, a function of problem and dual, there is no intercept, and libsvm is not asked.
    """
    duals = [_dual(kernel, each, values, codes is not None, guess is None) for each in problems]
    if guess is not None:
        begin = [guess(*each) for each in zip(problems, duals, strict=True)]
    elif codes is not None:
        begin = _rough_pairs(kernel, problems, values["C"], codes)
    else:
        begin = [_rough_numbers(dual) for dual in duals]
    outcomes = []
    for problem, dual, beta in zip(problems, duals, begin, strict=True):
        solved = polish(dual, beta)
        across = kernel.between(problem.valid, problem.train)
        f = across @ solved.beta + solved.intercept
        outcomes.append(Outcome(f, solved, across, kernel, problem))
    return outcomes


def _dual(
    kernel: FoldKernel,
    problem: Problem,
    values: Mapping[str, float],
    signed: bool,
    intercept: bool,
) -> Dual:
    high, t = values["C"] * problem.cost, problem.target
    low = -high
    if signed:
        low, high = np.where(t > 0, 0.0, low), np.where(t > 0, high, 0.0)
    inner = kernel.between(problem.train, problem.train)
    return Dual(inner, t, low, high, values.get("epsilon", 0.0), intercept)


def _rough_numbers(dual: Dual) -> np.ndarray:
    """β (n,) by libsvm."""
    tol = _ROUGH * float(np.std(dual.target))
    if tol == 0.0:  # alike in all rows, which the intercept alone then meets
        return np.zeros(len(dual.target))
    machine = _fitted(
        SVR(tol=tol, epsilon=dual.epsilon, **_HOW), dual.kernel, dual.target, dual.high
    )
    beta = np.zeros(len(dual.target))
    beta[machine.support_] = machine.dual_coef_[0]
    return beta


def _rough_pairs(
    kernel: FoldKernel, problems: Sequence[Problem], C: float, codes: np.ndarray
) -> list[np.ndarray]:
    """β of each pair of classes, in their order, by libsvm: one call, for its checks take longer
    than its fits.
    """
    cost = np.zeros(len(codes))
    for problem in problems:
        cost[problem.train] = C * problem.cost
    rows = np.flatnonzero(cost)
    machine = _fitted(SVC(tol=_ROUGH, **_HOW), kernel.between(rows, rows), codes[rows], cost[rows])
    coefficients = np.zeros((len(machine.dual_coef_), len(codes)))
    coefficients[:, rows[machine.support_]] = machine.dual_coef_
    count = len(machine.classes_)
    if count == 2:
        return [coefficients[0, problems[0].train]]
    # A row of class a has its coefficients against the others in their order, and of two classes
    # it is the lower one that libsvm calls positive.
    begin = []
    for (a, b), problem in zip(combinations(range(count), 2), problems, strict=True):
        begin.append(-coefficients[np.where(problem.target > 0, a, b - 1), problem.train])
    return begin


_HOW: dict[str, Any] = {"C": 1.0, "kernel": "precomputed", "max_iter": _STEPS}


def _fitted(machine: Any, kernel: np.ndarray, target: np.ndarray, cost: np.ndarray) -> Any:
    checked = config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), checked:
        warnings.simplefilter("ignore", ConvergenceWarning)
        return machine.fit(kernel, target, sample_weight=cost)
