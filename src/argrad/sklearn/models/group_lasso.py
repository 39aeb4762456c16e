"""The group lasso, of `argrad.sklearn.GroupLasso`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from argrad.sklearn.hyperparameters import Shared
from argrad.sklearn.models.base import Encoded, Tunable
from argrad.sklearn.models.numbers import as_numbers
from argrad.sklearn.models.sparse import Kinds, SparseSquares


@dataclass(frozen=True)
class GroupLassoModel(SparseSquares):
    """½ Σ_i r_i (x_i·w + b − y_i)² + alpha Σ_g √d_g ‖w_g‖.

    `numbers` makes of the names of the columns the number of each one's group, from 0.
    """

    numbers: Callable[[list[str]], np.ndarray] = field(kw_only=True)

    def for_target(self, y: np.ndarray) -> tuple[Tunable, Encoded]:
        return self, Encoded(as_numbers(y, "GroupLasso"))

    @property
    def kinds(self) -> Kinds:
        return {"alpha": (Shared,)}
