"""A Gaussian prior on log penalties around their common mean, added to the criterion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation


@dataclass(frozen=True)
class WithPrior:
    """The objective  F(h) + τ s · mean_j (h_j − h̄)²,  h̄ being the mean of h (d,).

    The second term is minus the logarithm of a Gaussian prior on the log penalties, of equal
    variance and of a common mean that is itself free: at strength τ = 0 each penalty is tuned by
    itself, and as τ grows they become one. `scale` is s, a loss of the size of F, so that τ means
    the same whatever the units of the target. The gradient of the prior is 2 τ s (h − h̄) / d.

    Evaluations hold the objective and its gradient; their `split_losses` are those of F alone.

    Source: a prior on hyperparameters against the over-fitting of a model selection criterion,
    Cawley and Talbot 2007, JMLR 8:841–861. Theirs draws every hyperparameter to a fixed value.
    """

    criterion: Callable[[np.ndarray], Evaluation]
    strength: float
    scale: float

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        evaluation = self.criterion(log_values)
        value, gradient = self.prior(np.asarray(log_values, dtype=float))
        return replace(
            evaluation,
            value=evaluation.value + value,
            gradient=evaluation.gradient + gradient,
            curvature=None,
        )

    def prior(self, log_values: np.ndarray) -> tuple[float, np.ndarray]:
        """The prior's share of the objective, and of its gradient (d,).

        >>> prior = WithPrior(criterion=None, strength=0.1, scale=2.0).prior
        >>> value, gradient = prior(np.array([1.0, 3.0]))
        >>> round(value, 12), gradient.round(12).tolist()
        (0.2, [-0.2, 0.2])
        """
        away = log_values - log_values.mean()
        weight = self.strength * self.scale
        return weight * float(np.mean(away**2)), 2.0 * weight * away / len(away)
