"""A Gaussian prior on the logarithms of row weights that are tuned, added to the criterion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation
from argrad.sklearn.deciding.prior import WithPrior
from argrad.sklearn.row_weights import RowFactors


@dataclass
class WithRowPrior:
    """The objective  F(h) + s Σ τ_j mean((g_j − ḡ_j)²),  g_j (s_j,) the last numbers of h.

    These are the logarithms of each row weight hyperparameter of `factors`, and τ_j its strength:
    a factor moves away from the others as far as what it gains pays for. s is F at the first
    point that is asked for, so that τ means the same in all units of a target. Penalties have no
    part in it. Evaluations hold the objective and its gradient; their `split_losses` are F's.
    """

    criterion: Callable[[np.ndarray], Evaluation]
    factors: RowFactors
    scale: float | None = field(default=None, init=False)

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        found = self.criterion(log_values)
        if self.scale is None:
            self.scale = abs(found.value)
        h, value, gradient = found.log_values, found.value, found.gradient.copy()
        first = len(h) - self.factors.size
        for size, strength in zip(self.factors.sizes, self.factors.strengths, strict=True):
            part = slice(first, first + size)
            first += size
            more, slope = WithPrior(self.criterion, strength, self.scale).prior(h[part])
            value += more
            gradient[part] += slope
        return replace(found, value=value, gradient=gradient, curvature=None)


def with_row_prior(
    criterion: Callable[[np.ndarray], Evaluation], factors: RowFactors
) -> Callable[[np.ndarray], Evaluation]:
    """The criterion with the priors on row weights, if there are any."""
    return WithRowPrior(criterion, factors) if any(factors.strengths) else criterion
