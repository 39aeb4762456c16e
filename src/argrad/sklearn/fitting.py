"""scikit-learn's estimator at a point of a search: its penalty, and the weights of its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from argrad.sklearn.models import model_of
from argrad.sklearn.place import Place
from argrad.sklearn.refit import refit
from argrad.sklearn.row_weights import ClassWeights, RowFactors


@dataclass(frozen=True)
class Fitting:
    """Fits `estimator` to `X` and `y`, of `weights` (n,) or 1, at points h of what is tuned."""

    estimator: Any
    place: Place
    factors: RowFactors
    X: Any
    y: np.ndarray
    weights: np.ndarray | None

    def __call__(self, h: np.ndarray, rows: Any) -> Any:
        """With hyperparameters e^h, on the rows at these positions, or all for None.

        Weights of classes become its parameter, those of rows multiply what `fit` is given.
        """
        estimator, place, weights = self.estimator, self.place, self.weights
        numbers, penalties = self.factors.numbers, len(h) - self.factors.size
        if numbers is not None:
            v = self.factors.centred(h[penalties:])
            for (name, kind), number in zip(place.weights.items(), numbers.T, strict=True):
                factors = np.exp(v[number])
                if isinstance(kind, ClassWeights):
                    labels = kind.by_class(self.y, factors)
                    estimator = clone(estimator).set_params(**{name: labels})
                    place = replace(place, model=model_of(_final(estimator)))
                else:
                    weights = factors if weights is None else weights * factors
        X, y = self.X, self.y
        if rows is not None:
            X, y = _safe_indexing(X, rows), y[rows]
            weights = None if weights is None else weights[rows]
        return refit(estimator, place, h[:penalties], X, y, weights)


def _final(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
