"""The best estimator: a real scikit-learn one, fitted on all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from argrad.sklearn.hyperparameters import PerFeature
from argrad.sklearn.place import Place


def refit(estimator: Any, place: Place, log_values: np.ndarray, X: Any, y: np.ndarray) -> Any:
    """A clone of `estimator`, fitted with the hyperparameter at exp(`log_values`).

    One penalty a feature is scikit-learn's single penalty on scaled columns: with
    s_j = λ_j^(−1/2), ½ Σ λ_j w_j² = ½ ‖v‖² for w = s v, and X w = (X s) v. The coefficients v that
    scikit-learn finds are mapped back to w, so that the estimator predicts from plain columns.
    Its parameter is set to the geometric mean of all, which the columns are scaled relative to.
    """
    value = place.hyperparameter.value(log_values)
    fitted = clone(estimator)
    if not isinstance(place.hyperparameter, PerFeature):
        return fitted.set_params(**{place.name: value}).fit(X, y)
    log_mean = float(np.log(value).mean())
    fitted.set_params(**{place.name: float(np.exp(log_mean))})
    scale = np.exp(-0.5 * place.model.sign * (np.log(value) - log_mean))
    if not isinstance(fitted, Pipeline):
        return _fit_scaled(fitted, X, y, scale)
    if place.preprocess is not None:
        preprocess = fitted[:-1]
        X = preprocess.fit_transform(X, y)
        # With a cache the fitted transformers are copies.
        fitted.steps[:-1] = preprocess.steps
    _fit_scaled(fitted.steps[-1][1], X, y, scale)
    return fitted


def _fit_scaled(model: Any, X: Any, y: np.ndarray, scale: np.ndarray) -> Any:
    model.fit(X.astype(float) * scale if hasattr(X, "astype") else np.asarray(X) * scale, y)
    model.coef_ = model.coef_ * scale
    return model
