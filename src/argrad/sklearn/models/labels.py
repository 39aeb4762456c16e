"""Targets that are classes, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from argrad.sklearn.models.base import refuse

# None, "balanced", or pairs of a label and its weight: hashable, so that criteria are kept by it.
ClassWeight = str | tuple[tuple[Any, float], ...] | None


def as_labels(y: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The classes of `y` (n,), in order, and the position of each row's among them (n,).

    ValueError, naming the estimator `kind`, where there are fewer than two, where labels are
    missing or of several types, and where they are numbers that are no classes.
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(
            f"y has shape {y.shape}, but {kind} learns one label a row: give y of shape (n,)."
        )
    missing = ~np.isfinite(y) if y.dtype.kind == "f" else pd.isna(y)
    if np.any(missing):
        row = int(np.argmax(missing))
        raise ValueError(f"y holds {y[row]} in row {row}: leave out rows without a class.")
    try:
        classes, codes = np.unique(y, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in y})
        raise ValueError(
            f"y mixes labels of the types {', '.join(kinds)}: give every row a label of one type."
        ) from None
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes.tolist()[0]!r}, in all {len(y)} rows: a classifier "
            "needs at least two."
        )
    if y.dtype.kind == "f" and np.any(classes != np.round(classes)):
        raise ValueError(
            f"y is continuous, {len(classes)} different numbers such as "
            f"{classes[classes != np.round(classes)][0]}, which are no classes: use Ridge "
            "for regression, or convert y to labels."
        )
    return classes, codes


def as_class_weight(estimator: Any) -> ClassWeight:
    """The setting `class_weight` of an estimator; ValueError for none that scikit-learn has."""
    given = estimator.class_weight
    if given is None or given == "balanced":
        return given
    if not isinstance(given, dict):
        refuse(
            estimator,
            "class_weight",
            "it is none that scikit-learn has",
            "Set it to None, 'balanced', or a dictionary of a weight a label.",
        )
    return tuple(given.items())


def by_position(class_weight: ClassWeight, classes: np.ndarray) -> ClassWeight:
    """With the position of each class instead of its label; ValueError for unknown labels."""
    if class_weight is None or isinstance(class_weight, str):
        return class_weight
    given = dict(class_weight)
    unknown = [label for label in given if label not in classes.tolist()]
    if unknown:
        raise ValueError(
            f"class_weight names {unknown[0]!r}, but the classes in y are "
            f"{', '.join(repr(each) for each in classes.tolist())}: leave it out."
        )
    return tuple((c, given.get(label, 1.0)) for c, label in enumerate(classes.tolist()))
