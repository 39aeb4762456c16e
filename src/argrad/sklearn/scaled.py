"""scikit-learn's estimators of one penalty, fitted with one a column: on scaled columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


def fit_scaled(
    final: Any, scale: np.ndarray, X: Any, y: np.ndarray, weights: dict[str, Any]
) -> None:
    """Fit a linear estimator to columns times `scale` (d,), and give it the plain coefficients."""
    final.fit(_scaled(X, scale), y, **weights)
    final.coef_ = final.coef_ * scale
    names = getattr(X, "columns", None)
    if names is not None and not hasattr(final, "feature_names_in_"):
        final.feature_names_in_ = np.asarray(names, dtype=object)


def _scaled(X: Any, scale: np.ndarray) -> Any:
    if sparse.issparse(X):
        return X @ sparse.diags_array(scale)
    # A DataFrame of pandas stays one, with its names.
    return X.astype(float) * scale if hasattr(X, "astype") else np.asarray(X, float) * scale
