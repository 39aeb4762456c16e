"""The criterion of adaptive penalties: two fits a fold, the second by what the first has found.

With w the coefficients of the first fit, of one penalty e^a, the second has the penalties

    log λ_j = b − log |w_j| + log max_k |w_k|

and none of the columns with w_j = 0. Both see the training rows of the fold alone. The second fit
is differentiated in log λ, as one with a penalty a column, and that in a through the first:

    ∂F/∂b = Σ_j ∂F/∂log λ_j,    ∂F/∂a = Σ_j ∂F/∂log λ_j (ẇ_k / w_k − ẇ_j / w_j),

where k is the largest coefficient, and ẇ the derivative of the first fit in a. F is continuous
where a column enters the first fit, since one of next to no coefficient is held by any penalty.

Source: Zou 2006, The adaptive lasso and its oracle properties, JASA 101:1418–1429.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.criteria.sparse_criterion import Solution, SparseCriterion
from argrad.sklearn.criteria.sparse_lower import Support
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.hyperparameters import PerFeature, Shared
from argrad.sklearn.models.sparse import SparseModel
from argrad.sklearn.rows.folds import Folds
from argrad.sklearn.space import Space

# The logarithm of a penalty that nothing overcomes, and that can still be multiplied.
_NEVER = 70.0


class _ByFirst(NamedTuple):
    """log λ (d,) at b = 0, and its derivative in a (d,)."""

    log_penalties: np.ndarray
    rates: np.ndarray

    @classmethod
    def of(cls, first: Solution, penalty: float, d: int) -> _ByFirst:
        """By the solution of the first fit of d columns, at that penalty."""
        log_penalties, rates = np.full(d, _NEVER), np.zeros(d)
        S, w = first.support
        if len(S):
            k = np.argmax(np.abs(w))
            moves = np.full(len(S), penalty), np.zeros(len(S))
            relative = -first.inverse_times(first.pushed(*moves))[: len(S)] / w
            log_penalties[S] = np.log(np.abs(w[k] / w))
            rates[S] = relative[k] - relative
        return cls(log_penalties, rates)

    def kept(self, support: Support) -> Support:
        """What of a support these penalties may leave in."""
        inside = self.log_penalties[support.columns] < _NEVER
        return Support(support.columns[inside], support.coefficients[inside])


@dataclass
class AdaptiveCriterion:
    """F(h) = mean over folds of the mean validation loss of the second fit, at h = (a, b).

    Calling it gives F with ∂F/∂h, and raises `argrad.SolveError` where the columns of a support
    are linearly dependent.
    """

    model: SparseModel
    folds: Folds
    space: Space
    _seen: list[tuple[np.ndarray, list[Support]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind = self.space.tuned[self.model.parameter]

        name, units, outputs = self.model.parameter, self.space.units, self.space.outputs
        one = Space({name: Shared(kind.low, kind.high)}, units, outputs)
        each = Space({name: PerFeature(kind.low, kind.high)}, units, outputs)
        self._first = SparseCriterion(self.model, self.folds, one)
        self._second = replace(self._first, space=each, _seen=[])

    @property
    def size(self) -> int:
        """s = 2."""
        return self.space.size

    @property
    def shared(self) -> bool:
        """No: there are two, and no curvature."""
        return False

    def start(self) -> np.ndarray:
        """Where to begin, h (2,): both where a search for one penalty does."""
        return np.repeat(self._first.start(), 2)

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        h = np.asarray(log_values, dtype=float)
        near = None
        if self._seen:
            near = min(self._seen, key=lambda each: float(np.linalg.norm(each[0] - h)))[1]
        losses, slopes, supports = [], [], []
        with one_thread():
            for i, first in enumerate(self._first.solve(h[:1])):
                by_first = _ByFirst.of(first, np.exp(h[0]), len(self.folds.features))
                penalties = self._second.penalties(
                    np.minimum(h[1] + by_first.log_penalties, _NEVER)
                )
                start = by_first.kept(near[i] if near else first.support)
                second = self._second.solve_fold(i, penalties, start)
                loss, slope, _ = self._second.judged(i, second, penalties)
                losses.append(loss)
                slopes.append([slope @ by_first.rates, slope.sum()])
                supports.append(second.support)
        self._seen.append((h, supports))
        gradient = np.mean(slopes, axis=0)
        return Evaluation(h, float(np.mean(losses)), np.array(losses), gradient, None)

    def supports(self) -> list[Support]:
        """Those of the first fits where the criterion was evaluated last, then of the second."""
        return [*self._first.supports(), *self._seen[-1][1]]
