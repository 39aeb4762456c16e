"""X, y and weights as a search takes them, or what is wrong with them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_consistent_length, get_tags, indexable

from argrad.sklearn.place import Place
from argrad.sklearn.rows.designs import as_design


def checked(X: Any, y: Any, place: Place) -> tuple[Any, np.ndarray]:
    """X that can be indexed by row, and y as an array that is as long.

    A column (n, 1) stays one for estimators that take several targets; for others it is taken for
    (n,), with a warning, as scikit-learn does. ValueError without y or with fewer than two rows,
    and what `as_design` raises where no preprocessing comes first.
    """
    if y is None:
        raise ValueError(
            "GradientSearchCV requires y to be passed, but the target y is None: call fit(X, y)."
        )
    (X,) = indexable(X)
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1 and not get_tags(place.final).target_tags.multi_output:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected: its shape is taken to be "
            f"({len(y)},), which is that of y.ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        y = y.ravel()
    if y.dtype == object and not any(isinstance(each, str) for each in y.flat):
        y = np.array(y.tolist())  # numbers that a table kept as objects
    if len(y) < 2:
        raise ValueError(
            f"X and y have {len(y)} rows (n_samples={len(y)}): to learn and to validate takes at "
            "least 2."
        )
    check_consistent_length(X, y)
    if place.preprocess is None or sparse.issparse(X):
        as_design(X)
    return X, y


def as_weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """Weights as an array (n,); ValueError unless they are finite, not negative, and not all 0."""
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"sample_weight must hold numbers, got {sample_weight!r}.") from None
    if weights.shape != (rows,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}, but there are {rows} rows: give one weight "
            f"a row, of shape ({rows},)."
        )
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(wrong):
        raise ValueError(
            f"sample_weight holds {weights[wrong[0]]:g} in row {wrong[0]}: weights must be finite "
            "and not negative; use 0 to leave a row out."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero in every row: give a positive weight to some.")
    return weights
