"""The lower problem of a sparse regression on the training rows of one fold, solved exactly.

For rows x_i of a centred design, with weights r that sum to one, penalties λ (d,) and μ (d,)

    f(w) = ½ Σ_i r_i (x_i·w − u_i)² + ½ Σ_j μ_j w_j² + Σ_j λ_j |w_j|.

It is minimised over columns that are known, see `argrad.sklearn.criteria.signs`; those outside that
pull harder than their penalty holds are made known, until there are none.

Source: the order in which penalties are lowered from the least that keeps all columns out, as in
Friedman, Hastie and Tibshirani 2010, J. Stat. Software 33(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from argrad.sklearn.criteria.signs import (
    Quadratic,
    entering,
    factorised,
    held,
    minimise,
    solved,
)
from argrad.sklearn.criteria.training_rows import LeastSquares

# By how much penalties are lowered at a time where no solution is near.
LOWERED = 2.0


class Support(NamedTuple):
    """The columns S, ascending, whose coefficients are not zero, and these."""

    columns: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def empty(cls) -> Support:
        return cls(np.empty(0, dtype=int), np.empty(0))

    @classmethod
    def of(cls, columns: np.ndarray, coefficients: np.ndarray) -> Support:
        """Of these columns, in any order, those whose coefficients are not zero."""
        used = np.flatnonzero(coefficients)
        used = used[np.argsort(columns[used])]
        return cls(columns[used], coefficients[used])

    @property
    def signs(self) -> np.ndarray:
        """σ."""
        return np.sign(self.coefficients)


@dataclass(frozen=True)
class OnSupport:
    """The support, and the Cholesky factor of A = ∂²f/∂w_S² there.

    The stationarity that the coefficients are differentiated by is G(w, t) = ∂f/∂w_S = 0, where t
    is the logarithm of a penalty, in which λ and μ change by what is handed to `pushed`, ∂G/∂t,
    and `bent`, 2 ∂²G/∂t∂w w₁ + ∂²G/∂w² (w₁, w₁), of each kind of solution.
    """

    support: Support
    factor: Any

    @property
    def vector(self) -> np.ndarray:
        """w_S."""
        return self.support.coefficients

    def inverse_times(self, b: np.ndarray) -> np.ndarray:
        """A⁻¹ b, for right-hand sides b (|S|, ...)."""
        return solved(self.factor, b)


class SparseSolution(OnSupport):
    """Of a sum of squares: A = Q_SS + diag μ_S."""

    def pushed(self, l1: np.ndarray, ridge: np.ndarray) -> np.ndarray:
        """∂G/∂t."""
        return l1 * self.support.signs + ridge * self.support.coefficients

    def bent(self, l1: np.ndarray, ridge: np.ndarray, w1: np.ndarray) -> np.ndarray:
        """2 ∂²G/∂t∂w w₁ + ∂²G/∂w² (w₁, w₁)."""
        del l1
        return 2.0 * ridge * w1


class SparseProblem(LeastSquares):
    """f of one fold: its design, target (n,) and training weights (n,), of any sum."""

    def solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseSolution:
        """The solution at penalties λ = `l1` (d,) and μ = `ridge` (d,), begun at `start`.

        Raises `LowerError` where the columns of the support are linearly dependent.
        """
        if not len(start.columns):
            for factor in lowered(self.pull, l1):
                start = self._solve(factor * l1, ridge, start).support
        return self._solve(l1, ridge, start)

    def _solve(self, l1: np.ndarray, ridge: np.ndarray, start: Support) -> SparseSolution:
        support, bound = start, held(l1, np.abs(self.pull).max())
        while True:
            self.learn(support.columns)
            support = self._among_known(l1, ridge, bound, support)
            if len(self.known) == len(l1):
                break
            excess = np.abs(self.pulls_at(*support)) - bound
            excess[self.known] = -np.inf
            outside = np.flatnonzero(excess > 0)
            if not len(outside):
                break
            # The columns of greatest excess, and only as many as may be of use.
            order = np.argsort(-excess[outside])[: 2 * entering(len(support.columns))]
            self.learn(outside[order])
        S = self.place[support.columns]
        system = self.gram[np.ix_(S, S)]
        system[np.diag_indices(len(S))] += ridge[support.columns]
        return SparseSolution(support, factorised(system))

    def _among_known(
        self, l1: np.ndarray, ridge: np.ndarray, bound: np.ndarray, start: Support
    ) -> Support:
        """The solution with all columns held at zero that are not known."""
        known, w = self.known, np.zeros(len(self.known))
        w[self.place[start.columns]] = start.coefficients
        quadratic = Quadratic(
            self.gram, self.pull[known], l1[known], ridge[known], bound[known], self.size
        )
        return Support.of(known, minimise(quadratic, w))


def lowered(pull: np.ndarray, l1: np.ndarray) -> list[float]:
    """By which factors penalties come down to λ from those that keep all columns out."""
    factors, higher = [], float(np.max(np.abs(pull) / l1, initial=0.0)) / LOWERED
    while higher > LOWERED:
        factors.append(higher)
        higher /= LOWERED
    return factors
