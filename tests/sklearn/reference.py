"""What scikit-learn itself finds, to compare with."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def logistic() -> LogisticRegression:
    """A logistic regression that scikit-learn solves to rounding."""
    return LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000)


def ridge() -> Ridge:
    return Ridge(solver="cholesky")


def standardised(model):
    """A Pipeline with the last step called `model`."""
    return Pipeline([("scale", StandardScaler()), ("model", model)])


def reference_loss(model, values, X, y, cv) -> float:
    """CV loss by scikit-learn alone, of standardised columns, one value a feature or one for all.

    One penalty a feature is had by scaling the standardised columns.
    """
    values = np.asarray(values, dtype=float)
    regression = isinstance(model, Ridge)
    scale = values**-0.5 if regression else values**0.5
    steps = [
        StandardScaler(),
        FunctionTransformer(lambda X: X * scale),
        clone(model).set_params(**{"alpha" if regression else "C": 1.0}),
    ]
    scoring = "neg_mean_squared_error" if regression else "neg_log_loss"
    return -cross_val_score(make_pipeline(*steps), X, y, cv=cv, scoring=scoring).mean()
