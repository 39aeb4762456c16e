"""The losses that models are tuned for and judged by, as scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_expit
from sklearn.metrics import log_loss, mean_squared_error, mean_tweedie_deviance
from sklearn.svm import SVC

from argrad.report.catalogue import Choice

_OF_MARGINS = {
    "squared_hinge_loss": lambda m: np.maximum(1.0 - m, 0.0) ** 2,
    "logistic_loss": lambda m: -log_expit(m),
}


def mean_loss(
    choice: Choice,
    criterion: str,
    estimator: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """The mean loss, weighted where there are weights, of a fitted pipeline on some rows.

    By the criterion's name: log loss; the Brier score, (p − 1)² of two classes' chances, Σ_c over
    more; of margins m max(0, 1 − m)² or log(1 + e^−m), the mean over the problems of two classes
    that a row's class is part of; squared error; half the Tweedie deviance; or Huber's loss with
    the scale σ that was fitted, σ + r²/σ for residuals |r| <= ε σ, otherwise σ + 2ε |r| − ε² σ.
    """
    if criterion in _OF_MARGINS:
        each = _OF_MARGINS[criterion](_margins(estimator, X, y))
        return float(np.average(np.nanmean(each, axis=1), weights=weights))
    if choice.task == "classification":
        chances = estimator.predict_proba(X)
        if criterion == "brier_score":
            wrong = (chances - (y[:, None] == estimator.classes_)) ** 2
            each = wrong[:, 1] if wrong.shape[1] == 2 else wrong.sum(axis=1)
            return float(np.average(each, weights=weights))
        return float(log_loss(y, chances, labels=estimator.classes_, sample_weight=weights))
    predicted = estimator.predict(X)
    if criterion == "mean_squared_error":
        return float(mean_squared_error(y, predicted, sample_weight=weights))
    if choice.power is not None:
        deviance = mean_tweedie_deviance(y, predicted, sample_weight=weights, power=choice.power)
        return float(deviance) / 2.0
    model = estimator.named_steps["model"]
    size, scale, epsilon = np.abs(y - predicted), model.scale_, model.epsilon
    far = 2.0 * epsilon * size - epsilon**2 * scale
    losses = scale + np.where(size <= epsilon * scale, size**2 / scale, far)
    return float(np.average(losses, weights=weights))


def _margins(estimator: Any, X: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """m (n, problems), NaN where a row's class is neither of the two that a problem is about.

    Of several classes the problems are one a class, or one a pair, if the machine has these.
    """
    outcome, classes = estimator.decision_function(X), estimator.classes_
    if outcome.ndim == 1:
        return np.where(y == classes[1], outcome, -outcome)[:, None]
    own = y[:, None] == classes
    if isinstance(estimator.named_steps["model"], SVC):
        first, second = np.triu_indices(len(classes), 1)  # positive for the first, as in libsvm
        return np.where(own[:, first], outcome, np.where(own[:, second], -outcome, np.nan))
    return np.where(own, outcome, -outcome)
