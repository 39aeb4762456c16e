"""The best estimator: a real scikit-learn one, fitted on all rows."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from argrad.sklearn.criteria.centred import Centred
from argrad.sklearn.criteria.lower import LowerProblem
from argrad.sklearn.criteria.threads import one_thread
from argrad.sklearn.families import fit_model
from argrad.sklearn.models import Encoded, Model
from argrad.sklearn.place import Place
from argrad.sklearn.rows.designs import as_design
from argrad.sklearn.rows.folds import feature_names
from argrad.sklearn.scaled import fit_scaled
from argrad.sklearn.space import Space

# Numbers in X up to which scikit-learn's solvers gain nothing from several threads.
_SMALL = 2_000_000


def refit(
    estimator: Any,
    place: Place,
    log_values: np.ndarray,
    X: Any,
    y: np.ndarray,
    sample_weight: np.ndarray | None = None,
) -> Any:
    """A clone of `estimator`, fitted with the hyperparameter at exp(`log_values`).

    Rows of weight zero are left out; weights reach the last step only.

    One penalty a feature or group is scikit-learn's single penalty on scaled columns: with
    s_j = λ_j^(−1/2), ½ Σ λ_j w_j² = ½ ‖v‖² for w = s v, and X w = (X s) v. The coefficients v that
    scikit-learn finds are mapped back to w, so that the estimator predicts from plain columns.
    Its parameter is set to the geometric mean of all, which the columns are scaled relative to.

    One penalty a target Ridge has itself. One a class scikit-learn has not: there its estimator is
    fitted with the geometric mean, and then given the coefficients of the lower problem.
    """
    fitted = clone(estimator)
    if sample_weight is not None:
        kept = np.flatnonzero(sample_weight)
        X, y, sample_weight = _safe_indexing(X, kept), y[kept], sample_weight[kept]
    final, preprocess = fitted, None
    if isinstance(fitted, Pipeline):
        final = fitted.steps[-1][1]
    with one_thread() if np.size(X) <= _SMALL else nullcontext():
        if place.preprocess is not None:
            preprocess = fitted[:-1]
            X = preprocess.fit_transform(X, y)
            # With a cache the fitted transformers are copies.
            fitted.steps[:-1] = preprocess.steps
        model, encoded = place.model.for_target(y)
        features = feature_names(preprocess, X, X.shape[1] if hasattr(X, "shape") else len(X[0]))
        if not isinstance(model, Model):
            space = Space(place.own_names, model.units(features), encoded.outputs)
            fit_model(model, final, space.given(log_values), X, y, encoded, sample_weight)
            return fitted
        index = place.hyperparameter.index(features, encoded.values.shape[1])
        values = place.hyperparameter.bounded(log_values)[index]
        _fit(final, model, encoded, values, X, y, sample_weight)
    return fitted


def _fit(
    final: Any,
    model: Model,
    encoded: Encoded,
    values: np.ndarray,
    X: Any,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
) -> None:
    """Fit scikit-learn's estimator with the parameter at `values` (d, t)."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    if np.all(values == values[0, 0]):
        final.set_params(**{model.parameter: float(values[0, 0])}).fit(X, y, **weights)
    elif np.all(values == values[:, :1]):
        _fit_scaled(final, model, values[:, 0], X, y, weights)
    elif model.squares:
        final.set_params(**{model.parameter: values[0]}).fit(X, y, **weights)
    else:
        final.set_params(**{model.parameter: _geometric_mean(values)}).fit(X, y, **weights)
        _solve(final, model, encoded, model.sign * np.log(values), X, sample_weight)


def _geometric_mean(values: np.ndarray) -> float:
    return float(np.exp(np.log(values).mean()))


def _fit_scaled(
    final: Any, model: Model, values: np.ndarray, X: Any, y: np.ndarray, weights: dict[str, Any]
) -> None:
    mean = _geometric_mean(values)
    scale = np.exp(-0.5 * model.sign * np.log(values / mean))
    fit_scaled(final.set_params(**{model.parameter: mean}), scale, X, y, weights)


def _solve(
    final: Any,
    model: Model,
    encoded: Encoded,
    log_penalty: np.ndarray,
    X: Any,
    sample_weight: np.ndarray | None,
) -> None:
    """Give a fitted estimator the coefficients of the lower problem on all rows."""
    columns, target = as_design(X), encoded.values
    n, d = columns.shape
    weight = model.row_weights(target, np.ones(n) if sample_weight is None else sample_weight)
    intercept = bool(final.fit_intercept)
    centre = weight @ columns / weight.sum() if intercept else np.zeros(d)
    free = model.free(d, target.shape[1], intercept)
    problem = LowerProblem(model, Centred(columns, centre, np.ones(n)), target, weight, free)
    w = problem.matrix(problem.solve(log_penalty, [np.zeros(free.sum())]).y)
    final.coef_ = w[:-1].T
    if intercept:  # unique only up to a common shift; scikit-learn's sum to zero
        intercepts = w[-1] - centre @ w[:-1]
        final.intercept_ = intercepts - intercepts.mean()
