"""Fewer hyperparameters than columns: the criterion in one number a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from argrad.sklearn.criteria.criterion import Evaluation


@dataclass(frozen=True)
class Tied:
    """F(g) = F(h) with h_j = g of the group of j, for a criterion in h (d,).

    `groups` (d,) holds the number of each column's group, from 0; the gradient with respect to g
    is the sum of ∂F/∂h over each group.
    """

    criterion: Callable[[np.ndarray], Evaluation]
    groups: np.ndarray

    @property
    def size(self) -> int:
        """The number of groups."""
        return int(self.groups.max()) + 1

    def __call__(self, log_values: np.ndarray) -> Evaluation:
        evaluation = self.criterion(log_values[self.groups])
        gradient = np.bincount(self.groups, evaluation.gradient, self.size)
        return replace(evaluation, log_values=log_values, gradient=gradient)
