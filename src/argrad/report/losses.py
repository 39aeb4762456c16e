"""The losses that models are tuned for and judged by, as scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, mean_squared_error, mean_tweedie_deviance

from argrad.report.catalogue import Choice


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
    more; squared error; half the Tweedie deviance; or Huber's loss with the scale σ that was
    fitted, σ + r²/σ for residuals |r| <= ε σ, otherwise σ + 2ε |r| − ε² σ.
    """
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
