"""The rows of a search, and the splits of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from argrad.sklearn.models import Encoded
from argrad.sklearn.place import Place
from argrad.sklearn.rows.folds import Folds, Split, stack_folds


@dataclass(frozen=True)
class Data:
    """X, y and weights (n,), 1 if None, with the (train, validation) positions of every fold."""

    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    splits: list[Split]

    def folds(
        self, place: Place, encoded: Encoded, chosen: Sequence[Split], rows: np.ndarray | None
    ) -> Folds:
        """Folds as the estimator prepares them: splits of the rows at these positions, or all.

        ValueError where it could not be fitted to them, beside what `stack_folds` raises.
        """

        def part(of: Any) -> Any:
            return of if rows is None or of is None else _safe_indexing(of, rows)

        data = part(self.X), part(self.y), part(encoded.values)
        intercept = getattr(place.final, "fit_intercept", False)
        folds = stack_folds(place.preprocess, *data, chosen, intercept, part(self.weights))
        place.model.check_design(place.final, sparse.issparse(folds.each[0].design.columns))
        return folds
